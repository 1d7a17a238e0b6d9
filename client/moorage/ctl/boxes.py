"""Tables in a box of "+", "-" and "|", for output that scripts know from elsewhere.

The plain tables of the other commands are drawn in `moorage.ctl.render`.
"""

import re
from collections.abc import Iterator, Sequence

from moorage.ctl import exits

_NUMBER = re.compile(r"-?\d+(\.\d+)?(e[+-]\d+)?")


def lines(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a table: titles in the middle, bare numbers right, all else left."""
    table = [list(map(exits.printable, row)) for row in rows]
    widths = [max(map(len, column)) for column in zip(header, *table, strict=True)]
    rule = "+".join(["", *("-" * (width + 2) for width in widths), ""])
    yield rule
    yield _line([_centered(title, width) for title, width in zip(header, widths, strict=True)])
    yield rule
    for row in table:
        yield _line([_aligned(text, width) for text, width in zip(row, widths, strict=True)])
    if table:
        yield rule


def _line(cells: Sequence[str]) -> str:
    return "|".join(["", *(f" {cell} " for cell in cells), ""])


def _centered(title: str, width: int) -> str:
    """Return a title in the middle, an odd blank on its right."""
    left = (width - len(title)) // 2
    return (" " * left + title).ljust(width)


def _aligned(text: str, width: int) -> str:
    return text.rjust(width) if _NUMBER.fullmatch(text) else text.ljust(width)
