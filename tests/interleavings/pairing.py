"""What a pair is, and the ground that most of them stand on."""

import dataclasses

from interleavings import actors
from interleavings.actors import Actor

ONE_BLOCK = actors.create("a", "10.0.0.0/31", block_size=31)
TWO_BLOCKS = actors.create("a", "10.0.0.0/30", block_size=31)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two actors, and who acts before them.

    Addresses other than the `named` ones are all the same to them. `deadlocks`: in some of
    their schedules, each waits for the other; PostgreSQL ends one, which runs again.
    `switches`: how many there may be in a schedule where not all are played.
    """

    name: str
    before: tuple[Actor, ...]
    first: Actor
    second: Actor
    named: frozenset[str] = frozenset()
    deadlocks: bool = False
    switches: int = 2


def pair(
    name: str,
    before: tuple[Actor, ...],
    first: Actor,
    second: Actor,
    *named: str,
    deadlocks: bool = False,
    switches: int = 2,
) -> Pair:
    """A pair, its named addresses last."""
    return Pair(
        name=name,
        before=before,
        first=first,
        second=second,
        named=frozenset(named),
        deadlocks=deadlocks,
        switches=switches,
    )
