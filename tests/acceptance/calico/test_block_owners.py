"""Blocks of no node, and all that are open."""

from acceptance.calico.ground import (
    Row,
    Rows,
    Stage,
    activated,
    assign,
    blocks,
    configuration,
    drained,
    each,
    fixed,
    node,
    node_removed,
    play,
    pool,
    release,
    usage,
)

A = pool("a", "10.0.0.0/28", blockSize=30)
B = pool("b", "10.0.1.0/28", blockSize=30)
ONE = pool("a", "10.0.0.0/30", blockSize=30)
ORPHAN = [node("n1"), ONE, assign("c1", node="n1").gives("10.0.0.0"), node_removed("n1")]

ORPHANED: Rows = {
    "a block of no node is borrowed from": [
        *ORPHAN,
        assign("c2", node="n2").gives("10.0.0.1"),
        blocks("a").lists("10.0.0.0/30"),
    ],
    "under strict affinity a block of no node gives nothing": [
        configuration(strictAffinity=True),
        *ORPHAN,
        assign("c2", node="n2").refused("POOL_EXHAUSTED", pools="a"),
    ],
    "nor a fixed address": [
        configuration(strictAffinity=True),
        *ORPHAN,
        fixed("c2", "10.0.0.1", node="n2").refused("BLOCK_AFFINITY_MISMATCH", owner=""),
    ],
    "a node that was never recorded gives up its blocks as well": [
        A,
        assign("c1", node="n1").gives("10.0.0.0"),
        fixed("c2", "10.0.0.4", node="n1"),
        release("c2"),
        node_removed("n1"),
        blocks("a").lists("10.0.0.0/30"),
        assign("c3", node="n2").gives("10.0.0.4"),
        node_removed("n1").refused("NODE_NOT_FOUND", node="n1"),
    ],
    "a pool that is activated again keeps its blocks of no node": [
        ONE,
        assign("c1", node="n1"),
        drained("a"),
        activated("a"),
        assign("c2", node="n1").gives("10.0.0.1"),
        blocks("a").lists("10.0.0.0/30"),
    ],
    "a new block comes before one of no node": [
        node("n1"),
        A,
        assign("c1", node="n1").gives("10.0.0.0"),
        node_removed("n1"),
        assign("c2", node="n2").gives("10.0.0.4"),
    ],
}

LISTED: Rows = {
    "blocks are listed in order of address, IPv4 before IPv6": [
        pool("six", "fd00::/124", blockSize=126),
        B,
        A,
        assign("c1", node="n1", v4=0, v6=1),
        assign("c2", node="n1", ipv4pools=["b"]),
        assign("c3", node="n2", ipv4pools=["a"]),
        blocks().lists("10.0.0.0/30 n2", "10.0.1.0/30 n1", "fd00::/126 n1"),
        blocks(node="n1").lists("10.0.1.0/30 n1", "fd00::/126 n1"),
        blocks("a").lists("10.0.0.0/30 n2"),
    ],
    "no block is open before it is needed": [
        A,
        blocks("a").lists(),
        usage("a").counts(capacity=16, available=16).open_blocks(0),
        assign("c1", node="n1"),
        usage("a").counts(assigned=1, available=15).open_blocks(1),
    ],
    "two nodes never own one block": [
        A,
        *(assign(f"c{number}", node=f"n{number}") for number in range(6)),
        blocks("a").lists("10.0.0.0/30 n0", "10.0.0.4/30 n1", "10.0.0.8/30 n2", "10.0.0.12/30 n3"),
    ],
}


@each({**ORPHANED, **LISTED})
def test_blocks_of_no_node_and_all_that_are_open(stage: Stage, row: Row) -> None:
    play(stage, row)
