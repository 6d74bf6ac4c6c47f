"""Text for a terminal: nothing that a file says can move the cursor or hide what is written."""

import re
from collections.abc import Sequence

_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 but tab and newline, DEL, C1
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # bidirectional controls
    "\u2028\u2029\ud800-\udfff]"  # separators that some terminals break at, and lone surrogates
)
_GAP = "  "
_NARROWEST = 12


def printable(text: str) -> str:
    r"""Return `text` with its control characters written as ``\u001b``; tabs and newlines stay.

    JSON stays the same JSON: it knows this form.
    """
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


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
