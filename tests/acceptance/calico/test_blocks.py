"""When blocks vanish, and when they stay though they are empty."""

from acceptance.calico.ground import (
    Row,
    Rows,
    Stage,
    allocations,
    assign,
    blocks,
    drained,
    each,
    namespace,
    node,
    node_removed,
    play,
    pool,
    pool_changed,
    pool_removed,
    release,
    reservation,
)

EAST = node("n1", zone="east")
A = pool("a", "10.0.0.0/28", blockSize=30)
B = pool("b", "10.0.1.0/28", blockSize=30)
ONE = pool("a", "10.0.0.0/30", blockSize=30)
ORPHAN = [node("n1"), ONE, assign("c1", node="n1").gives("10.0.0.0"), node_removed("n1")]

RELEASED: Rows = {
    "last address released, owner still selected: stays": [
        EAST,
        pool("a", "10.0.0.0/28", blockSize=30, nodeSelector="zone == 'east'"),
        assign("c1", node="n1"),
        release("c1"),
        blocks("a").lists("10.0.0.0/30 n1"),
    ],
    "last address released, no affinity: vanishes": [
        *ORPHAN,
        release("c1"),
        blocks("a").lists(),
    ],
    "an address released, no affinity, others held: stays": [
        *ORPHAN,
        assign("c2", node="n2"),
        release("c1"),
        blocks("a").lists("10.0.0.0/30"),
        release("c2"),
        blocks("a").lists(),
    ],
    "last address released, pool no longer selects the owner: vanishes": [
        EAST,
        A,
        assign("c1", node="n1"),
        assign("c2", node="n1"),
        pool_changed("a", nodeSelector="zone == 'west'"),
        release("c1"),
        blocks("a").lists("10.0.0.0/30 n1"),
        release("c2"),
        blocks("a").lists(),
    ],
    "last address released, the owner's labels changed: vanishes": [
        EAST,
        pool("a", "10.0.0.0/28", blockSize=30, nodeSelector="zone == 'east'"),
        assign("c1", node="n1"),
        node("n1", zone="west"),
        release("c1"),
        blocks("a").lists(),
    ],
    "last address of a borrower released: stays its owner's": [
        ONE,
        assign("c1", node="n1"),
        assign("c2", node="n2"),
        release("c1"),
        release("c2"),
        blocks("a").lists("10.0.0.0/30 n1"),
    ],
    "a block that vanished is opened by the next who needs it": [
        *ORPHAN,
        release("c1"),
        assign("c2", node="n2").gives("10.0.0.0"),
        blocks("a").lists("10.0.0.0/30 n2"),
    ],
}

NOT_SELECTED: Rows = {
    "next assign of the owner, pool no longer selects it: released": [
        EAST,
        A,
        B,
        assign("c1", node="n1", ipv4pools=["a"]),
        release("c1"),
        pool_changed("a", nodeSelector="zone == 'west'"),
        blocks("a").lists("10.0.0.0/30 n1"),
        assign("c2", node="n1").inside("b"),
        blocks("a").lists(),
    ],
    "next assign of the owner, pool no longer selects it, block reserved: released": [
        EAST,
        A,
        B,
        assign("c1", node="n1", ipv4pools=["a"]),
        release("c1"),
        reservation("r", "10.0.0.0/30"),
        pool_changed("a", nodeSelector="zone == 'west'"),
        assign("c2", node="n1").inside("b"),
        blocks("a").lists(),
    ],
    "next assign of the owner, its labels changed: released": [
        EAST,
        pool("a", "10.0.0.0/28", blockSize=30, nodeSelector="zone == 'east'"),
        B,
        assign("c1", node="n1", ipv4pools=["a"]),
        release("c1"),
        node("n1", zone="west"),
        assign("c2", node="n1").inside("b"),
        blocks("a").lists(),
    ],
    "a block with an address in use stays": [
        EAST,
        A,
        B,
        assign("c1", node="n1", ipv4pools=["a"]),
        pool_changed("a", nodeSelector="zone == 'west'"),
        assign("c2", node="n1").inside("b"),
        blocks("a").lists("10.0.0.0/30 n1"),
    ],
    "an assign of another node releases nothing": [
        EAST,
        A,
        B,
        assign("c1", node="n1", ipv4pools=["a"]),
        release("c1"),
        pool_changed("a", nodeSelector="zone == 'west'"),
        assign("c2", node="n2").inside("b"),
        blocks("a").lists("10.0.0.0/30 n1"),
    ],
    "a block whose pool only does not allow the use stays": [
        A,
        B,
        assign("c1", node="n1", ipv4pools=["a"]),
        release("c1"),
        pool_changed("a", allowedUses=["Tunnel"]),
        assign("c2", node="n1").inside("b"),
        blocks("a").lists("10.0.0.0/30 n1"),
    ],
    "a block whose pool is only not named stays": [
        A,
        B,
        assign("c1", node="n1", ipv4pools=["a"]),
        release("c1"),
        assign("c2", node="n1", ipv4pools=["b"]).inside("b"),
        blocks("a").lists("10.0.0.0/30 n1"),
    ],
    "a block whose pool only does not select the namespace stays": [
        namespace("shop", team="red"),
        A,
        B,
        assign("c1", node="n1", ipv4pools=["a"]),
        release("c1"),
        pool_changed("a", namespaceSelector="team == 'blue'", allowedUses=["Workload"]),
        assign("c2", node="n1", namespace="shop").inside("b"),
        blocks("a").lists("10.0.0.0/30 n1"),
    ],
}

GIVEN_UP: Rows = {
    "pool deleted, block empty: deleted": [
        A,
        assign("c1", node="n1"),
        release("c1"),
        pool_removed("a"),
        blocks().lists(),
    ],
    "pool deleted, block in use: refused, and nothing is lost": [
        A,
        assign("c1", node="n1"),
        pool_removed("a").refused("POOL_IN_USE", pool="a", allocation_count="1"),
        blocks("a").lists("10.0.0.0/30 n1"),
        allocations().gives("10.0.0.0"),
    ],
    "node deleted, block empty: released": [
        node("n1"),
        A,
        assign("c1", node="n1"),
        release("c1"),
        node_removed("n1"),
        blocks("a").lists(),
    ],
    "node deleted, block in use: belongs to no node, addresses stay": [
        *ORPHAN,
        blocks("a").lists("10.0.0.0/30"),
        allocations().gives("10.0.0.0"),
    ],
    "node deleted: blocks of other nodes stay": [
        node("n1"),
        A,
        assign("c1", node="n1"),
        assign("c2", node="n2"),
        release("c1"),
        release("c2"),
        node_removed("n1"),
        blocks("a").lists("10.0.0.4/30 n2"),
    ],
    "a node that nobody recorded and that has no block is none": [
        A,
        assign("c1", node="n1"),
        node_removed("n2").refused("NODE_NOT_FOUND", node="n2"),
        blocks("a").lists("10.0.0.0/30 n1"),
    ],
    "a node that comes back does not own what it gave up": [
        *ORPHAN,
        node("n1"),
        assign("c2", node="n1").gives("10.0.0.1"),
        blocks("a").lists("10.0.0.0/30"),
    ],
    "pool drained, block empty: vanishes": [
        A,
        assign("c1", node="n1"),
        release("c1"),
        drained("a"),
        blocks("a").lists(),
    ],
    "pool drained, block in use: belongs to no node, vanishes with its last address": [
        A,
        assign("c1", node="n1"),
        drained("a"),
        blocks("a").lists("10.0.0.0/30"),
        allocations().gives("10.0.0.0"),
        release("c1"),
        blocks("a").lists(),
    ],
    "a drained pool that is empty can be deleted": [
        A,
        assign("c1", node="n1"),
        drained("a"),
        pool_removed("a").refused("POOL_IN_USE"),
        release("c1"),
        pool_removed("a"),
    ],
    "draining twice changes nothing": [A, drained("a").kept("once"), drained("a").same_as("once")],
}


@each(RELEASED)
def test_the_last_address_is_released(stage: Stage, row: Row) -> None:
    play(stage, row)


@each(NOT_SELECTED)
def test_a_pool_selects_the_owner_no_longer(stage: Stage, row: Row) -> None:
    play(stage, row)


@each(GIVEN_UP)
def test_blocks_are_given_up(stage: Stage, row: Row) -> None:
    play(stage, row)
