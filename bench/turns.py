"""The order in which what is measured takes its turns.

On a machine that gets slower or faster meanwhile, whoever is always first is favoured or
wronged, and so is every ratio to it.
"""

import random
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

_Row = TypeVar("_Row")


def shuffled(rows: Iterable[_Row]) -> list[_Row]:
    """All of them, in another order each time."""
    mixed = list(rows)
    random.shuffle(mixed)
    return mixed


def beside(base: _Row, others: Sequence[_Row], times: int) -> Iterator[_Row]:
    """So often each of the others, and beside each of them the base that all are compared with.

    What a neighbour does for a second or two is shared by both sides of every ratio, and neither
    side always has the second of two turns, of which the first may leave something behind.
    """
    base_first = True
    for _ in range(times):
        for other in shuffled(others):
            yield from (base, other) if base_first else (other, base)
            base_first = not base_first
