"""Chance that keeps callers from doing the same at the same moment; it guards nothing."""

import random

# Our own: whoever seeds the interpreter's wants to know what comes of it.
_chance = random.Random()  # noqa: S311 - spreads load, guards nothing


def between(least: float, most: float) -> float:
    """Return any number between these two."""
    return _chance.uniform(least, most)


def around(middle: float, share: float) -> float:
    """Return any number as far from the middle as this share of it, at most."""
    return between(middle * (1 - share), middle * (1 + share))
