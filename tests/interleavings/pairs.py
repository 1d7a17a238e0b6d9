"""The pairs of use cases, each on ground that makes them meet."""

from interleavings import actors, list_pairs, takeover_pairs
from interleavings.pairing import ONE_BLOCK, TWO_BLOCKS, pair

THREE_BLOCKS = actors.create("a", "10.0.0.0/29", block_size=31)

_FIXED, _ELSEWHERE = "10.0.0.1", "10.0.0.3"  # in different blocks
_ETAG = actors.Etag("a")
_HELD = (TWO_BLOCKS, actors.assign("c1", stamp=10))

PAIRS = (
    pair(
        "assign / assign of one attachment",
        (TWO_BLOCKS,),
        actors.assign("c1", stamp=10),
        actors.assign("c1", stamp=20),
    ),
    pair(
        "assign / assign for the last free address",
        (ONE_BLOCK, actors.assign("c0")),
        actors.assign("c1"),
        actors.assign("c2"),
    ),
    pair(
        "assign / assign where a node has no block yet",
        (TWO_BLOCKS,),
        actors.assign("c1"),
        actors.assign("c2"),
    ),
    pair(
        "assign / assign where a node may own one block",
        (TWO_BLOCKS, actors.configure(strict_affinity=True, max_blocks_per_node=1)),
        actors.assign("c1"),
        actors.assign("c2"),
    ),
    pair(
        "assign / assign of two fixed addresses in either order",
        (TWO_BLOCKS, actors.assign("c0", _FIXED, _ELSEWHERE), actors.release("c0")),
        actors.assign("c1", _FIXED, _ELSEWHERE),
        actors.assign("c2", _ELSEWHERE, _FIXED),
        _FIXED,
        _ELSEWHERE,
    ),
    pair(
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
    pair(
        "assign / assign of two nodes for the last block",
        (TWO_BLOCKS, actors.assign("c0", node="n0")),
        actors.assign("c1"),
        actors.assign("c2", node="n2"),
    ),
    pair(
        "assign / assign of one fixed address",
        (TWO_BLOCKS,),
        actors.assign("c1", _FIXED),
        actors.assign("c2", _FIXED, node="n2"),
        _FIXED,
    ),
    pair(
        "assign / release that began earlier",
        (TWO_BLOCKS,),
        actors.assign("c1", stamp=20),
        actors.release("c1", stamp=10),
    ),
    pair(
        "assign / release that began later",
        (TWO_BLOCKS,),
        actors.assign("c1", stamp=10),
        actors.release("c1", stamp=20),
    ),
    pair(
        "assign again / release that began earlier",
        _HELD,
        actors.assign("c1", stamp=30),
        actors.release("c1", stamp=20),
    ),
    pair(
        "assign again / release that began later",
        _HELD,
        actors.assign("c1", stamp=20),
        actors.release("c1", stamp=30),
    ),
    pair(
        "release / release", _HELD, actors.release("c1", stamp=20), actors.release("c1", stamp=30)
    ),
    pair(
        "release / assign of its fixed address by another",
        (TWO_BLOCKS, actors.assign("c1", _FIXED)),
        actors.release("c1"),
        actors.assign("c2", _FIXED),
        _FIXED,
    ),
    pair(
        "release / assign of the address it frees",
        (ONE_BLOCK, actors.assign("c0"), actors.assign("c1")),
        actors.release("c1"),
        actors.assign("c2"),
    ),
    pair(
        "assign / assign for the last free address, in batches",
        (ONE_BLOCK, actors.assign("c0")),
        actors.assign("c1", batched=True),
        actors.assign("c2", batched=True),
    ),
    pair(
        "assign / release of one attachment, in batches",
        (TWO_BLOCKS,),
        actors.assign("c1", stamp=10, batched=True),
        actors.release("c1", stamp=20, batched=True),
    ),
    pair(
        "release / assign of the address it frees, in batches",
        (ONE_BLOCK, actors.assign("c0"), actors.assign("c1")),
        actors.release("c1", batched=True),
        actors.assign("c2", batched=True),
    ),
    pair("assign in a batch / drain", _HELD, actors.assign("c2", batched=True), actors.drain("a")),
    pair("assign / disabling", _HELD, actors.assign("c2"), actors.update("a", disabled=True)),
    pair("assign / drain", _HELD, actors.assign("c2"), actors.drain("a")),
    pair(
        "assign of the first block / drain", (TWO_BLOCKS,), actors.assign("c2"), actors.drain("a")
    ),
    pair("assign / deletion", (TWO_BLOCKS,), actors.assign("c1"), actors.delete("a")),
    pair(
        "assign / reservation",
        (ONE_BLOCK,),
        actors.assign("c1"),
        actors.reserve("r", "10.0.0.0/31"),
    ),
    pair("release / drain", _HELD, actors.release("c1"), actors.drain("a")),
    pair("release / deletion", _HELD, actors.release("c1"), actors.delete("a")),
    pair(
        "assign / adoption",
        (TWO_BLOCKS,),
        actors.assign("c1", _FIXED),
        actors.adopt("10.0.0.0/31", c2=_FIXED),
        _FIXED,
    ),
    pair(
        "assign / adoption of the same attachment",
        (TWO_BLOCKS,),
        actors.assign("c1", _FIXED),
        actors.adopt("10.0.0.0/31", c1=_FIXED),
        _FIXED,
    ),
    pair(
        "assign / adoption of the block it opens",
        (TWO_BLOCKS,),
        actors.assign("c1"),
        actors.adopt("10.0.0.0/31", c2="10.0.0.0"),
        "10.0.0.0",
    ),
    pair(
        "adoption / adoption",
        (TWO_BLOCKS,),
        actors.adopt("10.0.0.0/31", c1="10.0.0.0", c2=_FIXED),
        actors.adopt("10.0.0.0/31", c2=_FIXED, c1="10.0.0.0"),
        "10.0.0.0",
        _FIXED,
    ),
    pair("drain / deletion", (TWO_BLOCKS,), actors.drain("a"), actors.delete("a")),
    pair(
        "update / update",
        (TWO_BLOCKS,),
        actors.update("a", priority=1),
        actors.update("a", disabled=True),
    ),
    pair(
        "update / update of what both have read",
        (TWO_BLOCKS, _ETAG.learn),
        actors.update("a", known=_ETAG, priority=1),
        actors.update("a", known=_ETAG, priority=2),
    ),
    *takeover_pairs.PAIRS,
    *list_pairs.PAIRS,
)
