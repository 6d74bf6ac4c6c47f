"""Text for a terminal: nothing that a file says can move the cursor or hide what is written."""

import re
import unicodedata
from collections.abc import Sequence

_NOT_ASCII = re.compile(r"[^\t\n -~]+")
_UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # controls, formats, surrogates, separators of lines
_PLANE_14 = "\U000e0000"  # tags and further variation selectors: text that nobody sees
_GAP = "  "
_NARROWEST = 12


def printable(text: str) -> str:
    r"""Return `text` with what controls or cannot be seen written as ``\u001b``.

    Tabs and newlines stay. JSON stays the same JSON: it knows this form, which is that of UTF-16.
    """
    return _NOT_ASCII.sub(lambda match: _written_out(match[0]), text)


def _written_out(text: str) -> str:
    if text.isprintable() and max(text) < _PLANE_14:  # all but always, and faster
        return text
    return "".join(_escaped(it) if _is_unsafe(it) else it for it in text)


def _is_unsafe(character: str) -> bool:
    return unicodedata.category(character) in _UNSEEN or _PLANE_14 <= character < "\U000f0000"


def _escaped(character: str) -> str:
    units = character.encode("utf-16-be", errors="surrogatepass").hex()
    return "".join(f"\\u{units[start : start + 4]}" for start in range(0, len(units), 4))


def one_line(text: str) -> str:
    """Return `text` printable and on one line."""
    return printable(" ".join(text.split()))


def table(rows: Sequence[Sequence[str]], *, width: int | None = None, flexible: int = 0) -> str:
    """Align `rows` in columns, each cell on one line.

    With a `width` in characters, the column `flexible` is cut so that the lines fit, though never
    below a dozen characters: what identifies a row is not cut.
    """
    cells = [[one_line(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    if width is not None and widths:
        others = sum(widths) - widths[flexible] + len(_GAP) * (len(widths) - 1)
        widths[flexible] = min(widths[flexible], max(width - others, _NARROWEST))
    return "\n".join(
        _GAP.join(_fit(cell, size) for cell, size in zip(row, widths, strict=True)).rstrip()
        for row in cells
    )


def _fit(cell: str, size: int) -> str:
    return cell.ljust(size) if len(cell) <= size else f"{cell[: size - 1]}…"
