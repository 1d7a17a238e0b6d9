"""What a VRF's configuration means, as Calico's IPAM configuration does, and from when on."""

import pytest

from acceptance.calico.ground import (
    Row,
    Rows,
    Stage,
    assign,
    blocks,
    configuration,
    configuration_shown,
    each,
    fixed,
    holder,
    play,
    pool,
    release,
    usage,
)

Fields = dict[str, int]  # of the configuration; a bool is one

VALUES: Rows = {
    "defaults": [
        configuration_shown().shows(
            strictAffinity=False, autoAllocateBlocks=True, maxBlocksPerHost=0, ipCooldownSeconds=0
        )
    ],
    "a field that is changed leaves the others": [
        configuration(strictAffinity=True, maxBlocksPerHost=3),
        configuration(ipCooldownSeconds=5),
        configuration_shown().shows(
            strictAffinity=True, autoAllocateBlocks=True, maxBlocksPerHost=3, ipCooldownSeconds=5
        ),
    ],
    "the same again keeps the etag": [
        configuration(strictAffinity=True, maxBlocksPerHost=3).kept("first"),
        configuration(strictAffinity=True, maxBlocksPerHost=3).same_as("first"),
    ],
    "a default that is written out keeps the etag": [
        configuration_shown().kept("first"),
        configuration(strictAffinity=False, autoAllocateBlocks=True).same_as("first"),
    ],
    "looking at it changes nothing": [
        configuration_shown().kept("first"),
        configuration_shown().same_as("first"),
    ],
    "a stale etag is a conflict": [
        configuration_shown().kept("first"),
        configuration("first", strictAffinity=True).other_etag_than("first"),
        configuration("first", strictAffinity=False).refused("ETAG_MISMATCH"),
        configuration_shown().shows(strictAffinity=True),
    ],
    "the most that may be": [
        configuration(strictAffinity=True, maxBlocksPerHost=1_000_000, ipCooldownSeconds=1200)
    ],
    "no blocks and no limits, where affinity is strict": [
        configuration(strictAffinity=True, autoAllocateBlocks=False, maxBlocksPerHost=1)
    ],
}

# What is set before, what is asked for, the field that is refused and a part of the reason.
REFUSED: dict[str, tuple[Fields, Fields, str, str]] = {
    "a negative limit": (
        {"strictAffinity": True},
        {"maxBlocksPerHost": -1},
        "max_blocks_per_node",
        "1000000",
    ),
    "a limit beyond a million": (
        {"strictAffinity": True},
        {"maxBlocksPerHost": 1_000_001},
        "max_blocks_per_node",
        "1000000",
    ),
    "a negative cool-down": ({}, {"ipCooldownSeconds": -1}, "cooldown_seconds", "1200"),
    "a cool-down beyond twenty minutes": (
        {},
        {"ipCooldownSeconds": 1201},
        "cooldown_seconds",
        "1200",
    ),
    "a limit without strict affinity": (
        {},
        {"maxBlocksPerHost": 1},
        "max_blocks_per_node",
        "strict_affinity",
    ),
    "strict affinity off under a limit": (
        {"strictAffinity": True, "maxBlocksPerHost": 1},
        {"strictAffinity": False},
        "max_blocks_per_node",
        "strict_affinity",
    ),
    "no blocks without strict affinity": (
        {},
        {"autoAllocateBlocks": False},
        "auto_allocate_blocks",
        "strict_affinity",
    ),
    "strict affinity off without blocks": (
        {"strictAffinity": True, "autoAllocateBlocks": False},
        {"strictAffinity": False},
        "auto_allocate_blocks",
        "strict_affinity",
    ),
    "both off at once": (
        {},
        {"strictAffinity": False, "autoAllocateBlocks": False},
        "auto_allocate_blocks",
        "strict_affinity",
    ),
}

STRICT: Rows = {
    "off, a full node borrows; on, it does not; off again, it does": [
        pool("a", "10.0.0.0/30"),
        assign("c1", node="n1").gives("10.0.0.0"),
        assign("c2", node="n2").gives("10.0.0.1"),
        configuration(strictAffinity=True),
        assign("c3", node="n2").refused("POOL_EXHAUSTED"),
        assign("c4", node="n1").gives("10.0.0.2"),
        configuration(strictAffinity=False),
        assign("c3", node="n2").gives("10.0.0.3"),
    ],
    "what was borrowed before stays": [
        pool("a", "10.0.0.0/30"),
        assign("c1", node="n1"),
        assign("c2", node="n2").kept("borrowed"),
        configuration(strictAffinity=True),
        assign("c2", node="n2").same_as("borrowed"),
        holder("10.0.0.1").same_as("borrowed"),
        release("c2").gives("10.0.0.1"),
    ],
    "a fixed address in another node's block": [
        pool("a", "10.0.0.0/24"),
        assign("c1", node="n1").gives("10.0.0.0"),
        fixed("c2", "10.0.0.7", node="n2").gives("10.0.0.7"),
        configuration(strictAffinity=True),
        fixed("c3", "10.0.0.8", node="n2").refused(
            "BLOCK_AFFINITY_MISMATCH", block="10.0.0.0/26", node="n2", owner="n1"
        ),
        fixed("c3", "10.0.0.8", node="n1").gives("10.0.0.8"),
        configuration(strictAffinity=False),
        fixed("c4", "10.0.0.9", node="n2").gives("10.0.0.9"),
    ],
    "every node opens blocks of its own": [
        configuration(strictAffinity=True),
        pool("a", "10.0.0.0/24"),
        assign("c1", node="n1").in_blocks("10.0.0.0/26"),
        assign("c2", node="n2").in_blocks("10.0.0.64/26"),
        assign("c3", node="n1").in_blocks("10.0.0.0/26"),
    ],
    "pools without affinity are not concerned": [
        configuration(strictAffinity=True),
        pool("a", "10.0.0.0/30", blockAffinity="None"),
        assign("c1", node="n1").gives("10.0.0.0"),
        assign("c2", node="n2").gives("10.0.0.1"),
        fixed("c3", "10.0.0.3", node="n3").gives("10.0.0.3"),
    ],
}


def taken(count: int, node: str, prefix: str = "c") -> Row:
    """So many automatic addresses for a node, each of a container of its own."""
    return [assign(f"{prefix}{at}", node=node) for at in range(count)]


LIMITS: Rows = {
    "0 means 20 where affinity is strict": [
        configuration(strictAffinity=True, maxBlocksPerHost=0),
        pool("a", "10.0.0.0/24", blockSize=32),
        *taken(20, "n1"),
        assign("more", node="n1").refused("BLOCK_LIMIT_REACHED", limit="20"),
    ],
    "more than 20 may be allowed": [
        configuration(strictAffinity=True, maxBlocksPerHost=21),
        pool("a", "10.0.0.0/24", blockSize=32),
        *taken(21, "n1"),
        assign("more", node="n1").refused("BLOCK_LIMIT_REACHED", limit="21"),
    ],
    "lowered, blocks that are owned already still serve": [
        pool("a", "10.0.0.0/24", blockSize=31),
        *taken(3, "n1"),
        configuration(strictAffinity=True, maxBlocksPerHost=1),
        assign("fits", node="n1").gives("10.0.0.3"),
        assign("more", node="n1").refused("BLOCK_LIMIT_REACHED", limit="1"),
    ],
    "fixed addresses know no limit": [
        configuration(strictAffinity=True, maxBlocksPerHost=1),
        pool("a", "10.0.0.0/24", blockSize=32),
        assign("c1", node="n1").gives("10.0.0.0"),
        fixed("c2", "10.0.0.9", node="n1").gives("10.0.0.9"),
        blocks("a").lists("10.0.0.0/32 n1", "10.0.0.9/32 n1"),
    ],
    "pools without affinity know no limit": [
        pool("a", "10.0.0.0/24", blockSize=32, blockAffinity="None"),
        *taken(21, "n1"),
    ],
}

COOLING: Rows = {
    "0, an address may go to anybody at once": [
        pool("a", "10.0.0.0/32"),
        assign("c1"),
        release("c1"),
        assign("c2").gives("10.0.0.0"),
    ],
    "an address rests": [
        configuration(ipCooldownSeconds=1200),
        pool("a", "10.0.0.0/32"),
        assign("c1"),
        release("c1"),
        assign("c2").refused("POOL_COOLING", family="IPV4", cooling="1"),
        fixed("c2", "10.0.0.0").refused("ADDRESS_COOLING", "10.0.0.0", pool="a"),
        usage("a").counts(assigned=0, cooling=1, available=0),
        holder("10.0.0.0").refused("ALLOCATION_NOT_FOUND"),
    ],
    "what was released before it was set does not rest": [
        pool("a", "10.0.0.0/32"),
        assign("c1"),
        release("c1"),
        configuration(ipCooldownSeconds=1200),
        assign("c2").gives("10.0.0.0"),
    ],
    "set to 0 again, what rests is free": [
        configuration(ipCooldownSeconds=1200),
        pool("a", "10.0.0.0/32"),
        assign("c1"),
        release("c1"),
        configuration(ipCooldownSeconds=0),
        assign("c2").gives("10.0.0.0"),
    ],
}


@each(VALUES)
def test_a_configuration_is_kept(stage: Stage, row: Row) -> None:
    play(stage, row)


@pytest.mark.parametrize(("before", "asked", "field", "part"), REFUSED.values(), ids=list(REFUSED))
def test_a_configuration_that_cannot_be_is_refused(
    stage: Stage, before: Fields, asked: Fields, field: str, part: str
) -> None:
    row = [
        configuration(**before).kept("before"),
        configuration(**asked).invalid(f"vrf.configuration.{field}", part),
        configuration_shown().same_as("before"),
    ]
    play(stage, row if before else row[1:2])


@each(STRICT)
def test_strict_affinity_counts_from_the_next_request_on(stage: Stage, row: Row) -> None:
    play(stage, row)


@each(LIMITS)
def test_a_node_owns_no_more_blocks_than_allowed(stage: Stage, row: Row) -> None:
    play(stage, row)


@each(COOLING)
def test_a_cool_down_counts_from_the_next_request_on(stage: Stage, row: Row) -> None:
    play(stage, row)
