"""The pairs of use cases, each on ground that makes them meet."""

import dataclasses

from interleavings import actors
from interleavings.actors import Actor

ONE_BLOCK = actors.create("a", "10.0.0.0/31", block_size=31)
TWO_BLOCKS = actors.create("a", "10.0.0.0/30", block_size=31)

THREE_BLOCKS = actors.create("a", "10.0.0.0/29", block_size=31)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two actors, and who acts before them.

    Addresses other than the `named` ones are all the same to them. `deadlocks`: in some of
    their schedules, each waits for the other; PostgreSQL ends one, which runs again.
    """

    name: str
    before: tuple[Actor, ...]
    first: Actor
    second: Actor
    named: frozenset[str] = frozenset()
    deadlocks: bool = False


def _pair(
    name: str,
    before: tuple[Actor, ...],
    first: Actor,
    second: Actor,
    *named: str,
    deadlocks: bool = False,
) -> Pair:
    return Pair(
        name=name,
        before=before,
        first=first,
        second=second,
        named=frozenset(named),
        deadlocks=deadlocks,
    )


_FIXED, _ELSEWHERE = "10.0.0.1", "10.0.0.3"  # in different blocks
_ETAG = actors.Etag("a")
_HELD = (TWO_BLOCKS, actors.assign("c1", stamp=10))

PAIRS = (
    _pair(
        "assign / assign of one attachment",
        (TWO_BLOCKS,),
        actors.assign("c1", stamp=10),
        actors.assign("c1", stamp=20),
    ),
    _pair(
        "assign / assign for the last free address",
        (ONE_BLOCK, actors.assign("c0")),
        actors.assign("c1"),
        actors.assign("c2"),
    ),
    _pair(
        "assign / assign where a node has no block yet",
        (TWO_BLOCKS,),
        actors.assign("c1"),
        actors.assign("c2"),
    ),
    _pair(
        "assign / assign where a node may own one block",
        (TWO_BLOCKS, actors.configure(strict_affinity=True, max_blocks_per_node=1)),
        actors.assign("c1"),
        actors.assign("c2"),
    ),
    _pair(
        "assign / assign of two fixed addresses in either order",
        (TWO_BLOCKS, actors.assign("c0", _FIXED, _ELSEWHERE), actors.release("c0")),
        actors.assign("c1", _FIXED, _ELSEWHERE),
        actors.assign("c2", _ELSEWHERE, _FIXED),
        _FIXED,
        _ELSEWHERE,
    ),
    _pair(
        "assign / assign that open a block before and after they use an open one",
        (THREE_BLOCKS, actors.assign("c0", "10.0.0.3"), actors.release("c0")),
        actors.assign("c1", "10.0.0.1", "10.0.0.3"),
        actors.assign("c2", "10.0.0.2", "10.0.0.5"),
        "10.0.0.1",
        "10.0.0.2",
        "10.0.0.3",
        "10.0.0.5",
        deadlocks=True,
    ),
    _pair(
        "assign / assign of two nodes for the last block",
        (TWO_BLOCKS, actors.assign("c0", node="n0")),
        actors.assign("c1"),
        actors.assign("c2", node="n2"),
    ),
    _pair(
        "assign / assign of one fixed address",
        (TWO_BLOCKS,),
        actors.assign("c1", _FIXED),
        actors.assign("c2", _FIXED, node="n2"),
        _FIXED,
    ),
    _pair(
        "assign / release that began earlier",
        (TWO_BLOCKS,),
        actors.assign("c1", stamp=20),
        actors.release("c1", stamp=10),
    ),
    _pair(
        "assign / release that began later",
        (TWO_BLOCKS,),
        actors.assign("c1", stamp=10),
        actors.release("c1", stamp=20),
    ),
    _pair(
        "assign again / release that began earlier",
        _HELD,
        actors.assign("c1", stamp=30),
        actors.release("c1", stamp=20),
    ),
    _pair(
        "assign again / release that began later",
        _HELD,
        actors.assign("c1", stamp=20),
        actors.release("c1", stamp=30),
    ),
    _pair(
        "release / release", _HELD, actors.release("c1", stamp=20), actors.release("c1", stamp=30)
    ),
    _pair(
        "release / assign of its fixed address by another",
        (TWO_BLOCKS, actors.assign("c1", _FIXED)),
        actors.release("c1"),
        actors.assign("c2", _FIXED),
        _FIXED,
    ),
    _pair(
        "release / assign of the address it frees",
        (ONE_BLOCK, actors.assign("c0"), actors.assign("c1")),
        actors.release("c1"),
        actors.assign("c2"),
    ),
    _pair(
        "assign / assign for the last free address, in batches",
        (ONE_BLOCK, actors.assign("c0")),
        actors.assign("c1", batched=True),
        actors.assign("c2", batched=True),
    ),
    _pair(
        "assign / release of one attachment, in batches",
        (TWO_BLOCKS,),
        actors.assign("c1", stamp=10, batched=True),
        actors.release("c1", stamp=20, batched=True),
    ),
    _pair(
        "release / assign of the address it frees, in batches",
        (ONE_BLOCK, actors.assign("c0"), actors.assign("c1")),
        actors.release("c1", batched=True),
        actors.assign("c2", batched=True),
    ),
    _pair("assign in a batch / drain", _HELD, actors.assign("c2", batched=True), actors.drain("a")),
    _pair("assign / disabling", _HELD, actors.assign("c2"), actors.update("a", disabled=True)),
    _pair("assign / drain", _HELD, actors.assign("c2"), actors.drain("a")),
    _pair(
        "assign of the first block / drain", (TWO_BLOCKS,), actors.assign("c2"), actors.drain("a")
    ),
    _pair("assign / deletion", (TWO_BLOCKS,), actors.assign("c1"), actors.delete("a")),
    _pair(
        "assign / reservation",
        (ONE_BLOCK,),
        actors.assign("c1"),
        actors.reserve("r", "10.0.0.0/31"),
    ),
    _pair("release / drain", _HELD, actors.release("c1"), actors.drain("a")),
    _pair("release / deletion", _HELD, actors.release("c1"), actors.delete("a")),
    _pair(
        "assign / adoption",
        (TWO_BLOCKS,),
        actors.assign("c1", _FIXED),
        actors.adopt("10.0.0.0/31", c2=_FIXED),
        _FIXED,
    ),
    _pair(
        "assign / adoption of the same attachment",
        (TWO_BLOCKS,),
        actors.assign("c1", _FIXED),
        actors.adopt("10.0.0.0/31", c1=_FIXED),
        _FIXED,
    ),
    _pair(
        "assign / adoption of the block it opens",
        (TWO_BLOCKS,),
        actors.assign("c1"),
        actors.adopt("10.0.0.0/31", c2="10.0.0.0"),
        "10.0.0.0",
    ),
    _pair(
        "adoption / adoption",
        (TWO_BLOCKS,),
        actors.adopt("10.0.0.0/31", c1="10.0.0.0", c2=_FIXED),
        actors.adopt("10.0.0.0/31", c2=_FIXED, c1="10.0.0.0"),
        "10.0.0.0",
        _FIXED,
    ),
    _pair("drain / deletion", (TWO_BLOCKS,), actors.drain("a"), actors.delete("a")),
    _pair(
        "update / update",
        (TWO_BLOCKS,),
        actors.update("a", priority=1),
        actors.update("a", disabled=True),
    ),
    _pair(
        "update / update of what both have read",
        (TWO_BLOCKS, _ETAG.learn),
        actors.update("a", known=_ETAG, priority=1),
        actors.update("a", known=_ETAG, priority=2),
    ),
)
