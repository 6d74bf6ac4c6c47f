"""What a consent would be given to, as text: the code with its lines, or what changed since."""

import difflib
from collections.abc import Iterator, Mapping, Sequence

from cmdpack.contents import Text
from cmdpack.plan import Command
from cmdpack.terminal import one_line, printable

_COMPARED = 2000  # lines of one file; to compare many more can take minutes


def code(commands: Sequence[Command]) -> Iterator[str]:
    """The examples of a run, in the order in which they run, line by line as in their files."""
    for command in commands:
        examples = [it for it in command.spec.examples if it.runnable]
        count = sum(example.code.rstrip("\n").count("\n") + 1 for example in examples)
        origin = "" if command.pack.trust == "user" else f", {command.pack.source}"
        facts = f"{_counted(len(examples), 'example')}, {_counted(count, 'line')} of code{origin}"
        yield f"{one_line(command.spec.path)}: {facts}"
        if command.pack.trust == "user":
            for example in examples:
                yield from _numbered(example.code, example.line)
                yield ""


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def whole(texts: Sequence[Text]) -> Iterator[str]:
    """All that an assistant would be given, line by line."""
    for text in texts:
        yield f"{one_line(text.part.name)}:"
        yield from _numbered(text.text, 1)
        yield ""


def _numbered(text: str, first: int) -> Iterator[str]:
    # The number in front of each line keeps it from passing for a line of ours.
    for number, line in enumerate(text.rstrip("\n").split("\n"), first):
        yield f"{number:6}  {printable(line)}".rstrip()


def changes(before: Mapping[str, str], texts: Sequence[Text]) -> Iterator[str]:
    """What differs from the texts that were approved, by the names of their files."""
    names = [text.part.name for text in texts]
    for text in texts:
        name, old = one_line(text.part.name), before.get(text.part.name)
        if old is None:
            yield f"{name}: new"
            yield from _marked("+", text.text)
        elif old == text.text:
            yield f"{name}: unchanged"
        else:
            yield f"{name}: changed"
            yield from _difference(old, text.text)
    for name in before.keys() - {*names}:
        yield f"{one_line(name)}: no longer a part"


def _difference(old: str, new: str) -> Iterator[str]:
    before, after = old.split("\n"), new.split("\n")
    if max(len(before), len(after)) > _COMPARED:
        yield "  too long to compare; this is all of it:"
        yield from _marked(" ", new)
        return
    lines = list(difflib.unified_diff(before, after, "approved", "now", lineterm=""))
    if not lines:
        yield "  only in how its lines end"
    yield from (f"  {printable(line)}".rstrip() for line in lines)


def _marked(mark: str, text: str) -> Iterator[str]:
    yield from (f"  {mark}{printable(line)}".rstrip() for line in text.rstrip("\n").split("\n"))
