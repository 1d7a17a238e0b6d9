"""How many blocks a node may own, who opens them, and that too few addresses are none."""

from acceptance.calico.clock import later
from acceptance.calico.ground import (
    Row,
    Rows,
    Stage,
    allocations,
    assign,
    blocks,
    configuration,
    each,
    fixed,
    play,
    pool,
    pool_changed,
    release,
    reservation,
    usage,
)

A = pool("a", "10.0.0.0/28", blockSize=30)
ADDRESSES = pool("a", "10.0.0.0/26", blockSize=32)  # every address is a block
SIX = pool("six", "fd00::/124", blockSize=126)
ONE_BLOCK = configuration(strictAffinity=True, maxBlocksPerHost=1)
TWENTY = [assign(f"c{number}", node="n1", v4=4) for number in range(5)]

LIMIT: Rows = {
    "a node may own as many blocks as the limit says": [
        ONE_BLOCK,
        A,
        assign("c1", node="n1", v4=4).in_range("10.0.0.0/30"),
        assign("c2", node="n1").refused("BLOCK_LIMIT_REACHED", node="n1", family="IPV4", limit="1"),
    ],
    "at the limit own blocks still give": [
        ONE_BLOCK,
        A,
        assign("c1", node="n1", v4=3),
        assign("c2", node="n1").gives("10.0.0.3"),
        release("c2"),
        assign("c3", node="n1").gives("10.0.0.3"),
    ],
    "blocks of other nodes do not count": [
        ONE_BLOCK,
        A,
        assign("c1", node="n1"),
        assign("c2", node="n2").gives("10.0.0.4"),
    ],
    "blocks of the other family do not count": [
        ONE_BLOCK,
        A,
        SIX,
        assign("c1", node="n1", v4=1, v6=0),
        assign("c2", node="n1", v4=0, v6=1).inside("six"),
    ],
    "blocks outside of the allowed pools do not count": [
        ONE_BLOCK,
        A,
        pool("b", "10.0.1.0/28", blockSize=30),
        assign("c1", node="n1", ipv4pools=["a"]),
        assign("c2", node="n1", ipv4pools=["b"]).inside("b"),
    ],
    "blocks in several allowed pools count together": [
        ONE_BLOCK,
        A,
        pool("b", "10.0.1.0/28", blockSize=30),
        assign("c1", node="n1", ipv4pools=["a"], v4=4),
        assign("c2", node="n1", ipv4pools=["b", "a"]).refused("BLOCK_LIMIT_REACHED"),
    ],
    "an empty own block counts": [
        ONE_BLOCK,
        A,
        assign("c1", node="n1", ipv4pools=["a"]),
        release("c1"),
        reservation("quiet", "10.0.0.0/30"),
        assign("c2", node="n1").refused("BLOCK_LIMIT_REACHED"),
    ],
    "an idle block of another is not taken over beyond the limit": [
        ONE_BLOCK,
        pool("a", "10.0.0.0/29", blockSize=30),
        assign("c1", node="n1", v4=4),
        assign("c2", node="n2"),
        release("c2"),
        later(61),
        assign("c3", node="n1").refused("BLOCK_LIMIT_REACHED"),
        blocks("a").lists("10.0.0.0/30 n1", "10.0.0.4/30 n2"),
    ],
    "0 means 20": [
        ADDRESSES,
        *TWENTY,
        assign("more", node="n1").refused("BLOCK_LIMIT_REACHED", limit="20"),
        assign("other", node="n2").in_range("10.0.0.0/26"),
    ],
    "at the limit nothing is borrowed, though affinity is not strict": [
        ADDRESSES,
        *TWENTY,
        assign("other", node="n2"),
        release("other"),
        assign("more", node="n1").refused("BLOCK_LIMIT_REACHED", limit="20"),
    ],
    "20 blocks of a family that are in the allowed pools, no others": [
        ADDRESSES,
        pool("b", "10.0.1.0/26", blockSize=32),
        *TWENTY,
        assign("more", node="n1", ipv4pools=["b"]).inside("b"),
    ],
    "a higher limit takes effect on the next request": [
        ADDRESSES,
        *TWENTY,
        assign("more", node="n1").refused("BLOCK_LIMIT_REACHED"),
        configuration(strictAffinity=True, maxBlocksPerHost=21),
        assign("more", node="n1").in_range("10.0.0.0/26"),
        assign("most", node="n1").refused("BLOCK_LIMIT_REACHED", limit="21"),
    ],
    "a lower limit takes nothing away": [
        A,
        assign("c1", node="n1", v4=8).in_range("10.0.0.0/29").kept("before"),
        ONE_BLOCK,
        assign("c1", node="n1", v4=8).same_as("before"),
        assign("c2", node="n1").refused("BLOCK_LIMIT_REACHED", limit="1"),
    ],
    "the limit says nothing about blocks that belong to no node": [
        pool("a", "10.0.0.0/26", blockSize=32, blockAffinity="None"),
        *TWENTY,
        assign("more", node="n1").in_range("10.0.0.0/26"),
    ],
    "a request that needs more blocks than the limit leaves none behind": [
        ONE_BLOCK,
        A,
        assign("c1", node="n1", v4=5).refused("BLOCK_LIMIT_REACHED"),
        blocks("a").lists(),
        allocations().gives(),
    ],
}

OPENING: Rows = {
    "where no blocks are opened, a node without one gets nothing": [
        configuration(strictAffinity=True, autoAllocateBlocks=False),
        A,
        assign("c1", node="n1").refused("BLOCK_ALLOCATION_DISABLED", node="n1", family="IPV4"),
        blocks("a").lists(),
    ],
    "where no blocks are opened, own blocks give until they are full": [
        A,
        assign("c1", node="n1", v4=3),
        configuration(strictAffinity=True, autoAllocateBlocks=False),
        assign("c2", node="n1").gives("10.0.0.3"),
        assign("c3", node="n1").refused("BLOCK_ALLOCATION_DISABLED"),
    ],
    "where no blocks are opened, none is taken over": [
        A,
        assign("c1", node="n1"),
        release("c1"),
        later(61),
        configuration(strictAffinity=True, autoAllocateBlocks=False),
        assign("c2", node="n2").refused("BLOCK_ALLOCATION_DISABLED", node="n2"),
        blocks("a").lists("10.0.0.0/30 n1"),
    ],
    "a fixed address opens a block all the same, and the node draws from it": [
        configuration(strictAffinity=True, autoAllocateBlocks=False),
        A,
        fixed("c1", "10.0.0.9", node="n1").gives("10.0.0.9"),
        assign("c2", node="n1").gives("10.0.0.8"),
    ],
    "blocks are opened again from the next request on": [
        configuration(strictAffinity=True, autoAllocateBlocks=False),
        A,
        assign("c1", node="n1").refused("BLOCK_ALLOCATION_DISABLED"),
        configuration(autoAllocateBlocks=True),
        assign("c1", node="n1").gives("10.0.0.0"),
    ],
}

NONE_OR_ALL: Rows = {
    "fewer addresses than asked for are none": [
        pool("a", "10.0.0.0/30", blockSize=30),
        assign("c1", node="n1", v4=5).refused("POOL_EXHAUSTED", pools="a", size="4", assigned="0"),
        usage("a").counts(assigned=0, available=4),
        blocks().lists(),
    ],
    "where the IPv6 pool is full, no IPv4 address is held": [
        A,
        pool("six", "fd00::/128"),
        assign("c1", v4=0, v6=1),
        assign("c2", v4=1, v6=1).refused("POOL_EXHAUSTED", family="IPV6", pools="six"),
        usage("a").counts(assigned=0),
    ],
    "where no IPv6 pool serves, no IPv4 address is held": [
        A,
        assign("c1", v4=1, v6=1).refused("NO_ELIGIBLE_POOL", family="IPV6"),
        allocations().gives(),
        assign("c1", v4=1).gives("10.0.0.0"),
    ],
    "both families come together, IPv4 and IPv6": [
        A,
        SIX,
        assign("c1", node="n1", v4=1, v6=1).gives("10.0.0.0", "fd00::"),
    ],
    "a full pool names itself and its numbers": [
        pool("a", "10.0.0.0/31", blockSize=31),
        reservation("first", "10.0.0.0"),
        assign("c1", node="n1").gives("10.0.0.1"),
        assign("c2", node="n1").refused(
            "POOL_EXHAUSTED",
            '"a"',
            family="IPV4",
            pools="a",
            size="2",
            assigned="1",
            reserved="1",
        ),
    ],
    "all that were drawn from are named": [
        pool("b", "10.0.1.0/32"),
        pool("a", "10.0.0.0/32"),
        assign("c1", v4=2),
        assign("c2").refused("POOL_EXHAUSTED", pools="a,b", size="2", assigned="2"),
    ],
    "the prefix length is the host's": [A, assign("c1").gives("10.0.0.0").shows(prefixLength=32)],
    "or the block's, as in Calico": [
        pool("a", "10.0.0.0/24", blockSize=30, resultForm="Block"),
        assign("c1").shows(prefixLength=30),
        # Of a fixed one Calico says 32.
        fixed("c2", "10.0.0.9").shows(prefixLength=30),
    ],
    "or the pool's": [
        pool("a", "10.0.0.0/24", blockSize=30, resultForm="Pool"),
        assign("c1").shows(prefixLength=24),
        pool_changed("a", resultForm="Host"),
        assign("c1").shows(prefixLength=32),
    ],
}


@each(LIMIT)
def test_a_node_owns_no_more_blocks_than_the_limit(stage: Stage, row: Row) -> None:
    play(stage, row)


@each(OPENING)
def test_blocks_are_opened_only_where_the_vrf_does(stage: Stage, row: Row) -> None:
    play(stage, row)


@each(NONE_OR_ALL)
def test_all_that_is_asked_for_or_nothing(stage: Stage, row: Row) -> None:
    play(stage, row)
