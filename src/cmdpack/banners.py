"""Python code -> the banner comments that divide it into named sections."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

_RULE_CHARACTERS = "=-#*~" + "".join(map(chr, range(0x2500, 0x2580)))  # the last: box drawing
_STRINGS_AND_COMMENTS = re.compile(
    r"""
    (?P<comment> \#[^\n]* )
    | \"{3} (?:[^"\\] | \\. | "(?!""))*+ (?P<closed>\"{3})?
    | '{3} (?:[^'\\] | \\. | '(?!''))*+ (?P<closed_too>'{3})?
    | " (?:[^"\\\n] | \\.)*+ "?
    | ' (?:[^'\\\n] | \\.)*+ '?
    """,
    re.VERBOSE | re.DOTALL,
)
_NUMBER = re.compile(r"\d+(?:(?:\.\d+)+[.)]?|[.)])[ \t]+(?=\S)")


@dataclass(frozen=True, slots=True)
class Banner:
    """A banner comment: the index of its first line in the code, and its title."""

    line: int
    title: str


def find_banners(code: str) -> tuple[Banner, ...]:
    """Find comments of the form rule, title, rule, or of one line such as ``# === Title ===``.

    A rule is at least eight of ``= - # * ~`` or box characters. Only comments at the beginning of
    a line count, and text that looks like one inside a string does not.
    """
    lines = code.split("\n")
    comments = {index for index, line in enumerate(lines) if line.startswith("#")}
    if not any(_is_rule(lines[index]) or _ruled_title(lines[index]) for index in comments):
        return ()
    if '"""' in code or "'''" in code or "\\\n" in code:  # else no string can span lines
        comments = _comment_lines(code, comments)
    banners: list[Banner] = []
    taken = -1  # the last line of the banner before
    for index in sorted(comments):
        if index <= taken:
            continue
        block = [lines[i] for i in range(index, index + 3) if i in comments]
        title = _titled(block) if len(block) == 3 else ""
        taken = index + 2 if title else taken
        title = title or _ruled_title(lines[index])
        if title:
            banners.append(Banner(index, plain_title(title)))
    return tuple(banners)


def plain_title(text: str) -> str:
    """Return `text` less a leading number such as ``1.``, ``2)`` or ``3.1``."""
    return _NUMBER.sub("", text.strip(), count=1) if _NUMBER.match(text.strip()) else text.strip()


def _is_rule(line: str) -> bool:
    inner = line[1:].strip(" \t")
    return len(inner) >= 8 and not inner.strip(_RULE_CHARACTERS)


def _titled(block: Sequence[str]) -> str:
    """Return the title of a banner of three comment lines, or nothing if they are none."""
    above, title, below = block
    if not _is_rule(above) or not _is_rule(below) or _is_rule(title):
        return ""
    text = title.strip("#=*~ \t").strip(_RULE_CHARACTERS[5:]).strip()
    return text if re.search(r"\w", text) else ""


def _ruled_title(line: str) -> str:
    """Return the title of a banner of one comment line, or nothing if it is none."""
    inner = line[1:]
    left = inner.lstrip(_RULE_CHARACTERS + " \t")
    title = left.rstrip(_RULE_CHARACTERS + " \t")
    before, after = inner[: len(inner) - len(left)], left[len(title) :]
    if len("".join(before.split())) < 3 or len("".join(after.split())) < 3:
        return ""
    return title if re.search(r"\w", title) else ""


def _comment_lines(code: str, fallback: set[int]) -> set[int]:
    """Return the lines that begin with a comment, or `fallback` where a string never ends.

    On code that tokenizes this finds what `tokenize` finds, which takes twenty times as long.
    """
    found: set[int] = set()
    line = counted = 0
    for match in _STRINGS_AND_COMMENTS.finditer(code):
        start = match.start()
        if match["comment"] is None:
            long = code.startswith(('"""', "'''"), start)
            if long and not (match["closed"] or match["closed_too"]):
                return fallback
        elif start == 0 or code[start - 1] == "\n":
            line += code.count("\n", counted, start)
            counted = start
            found.add(line)
    return found
