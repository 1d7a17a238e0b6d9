"""The order in which what is measured takes its turns.

On a machine that gets slower or faster meanwhile, whoever is always first is favoured or
wronged, and so is every ratio to it.
"""

import random
from collections.abc import Iterable
from typing import TypeVar

_Row = TypeVar("_Row")


def shuffled(rows: Iterable[_Row]) -> list[_Row]:
    """All of them, in another order each time."""
    mixed = list(rows)
    random.shuffle(mixed)
    return mixed
