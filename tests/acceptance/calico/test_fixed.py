"""Addresses that are asked for by name: what that passes over, and what it does not."""

from acceptance.calico.ground import (
    Row,
    Rows,
    Stage,
    allocations,
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
    reservation,
)

A = pool("a", "10.0.0.0/28", blockSize=30)
SIX = pool("six", "fd00::/124", blockSize=126)
STRICT = configuration(strictAffinity=True)

GIVEN: Rows = {
    "an address of a pool is given": [A, fixed("c1", "10.0.0.9").gives("10.0.0.9")],
    "the node need not be known": [A, fixed("c1", "10.0.0.9", node="n9").gives("10.0.0.9")],
    "the same again is the same": [
        A,
        fixed("c1", "10.0.0.9", node="n1").kept("first"),
        fixed("c1", "10.0.0.9", node="n1").same_as("first"),
    ],
    ".0 and .255 may be asked for": [
        pool("a", "10.0.0.0/24"),
        fixed("c1", "10.0.0.0").gives("10.0.0.0"),
        fixed("c2", "10.0.0.255").gives("10.0.0.255"),
    ],
    "one address of each family": [
        A,
        SIX,
        fixed("c1", "10.0.0.9", "fd00::9").gives("10.0.0.9", "fd00::9"),
    ],
    "several addresses of one family": [
        A,
        fixed("c1", "10.0.0.9", "10.0.0.2").gives("10.0.0.9", "10.0.0.2"),
    ],
    "of several candidates the first": [
        A,
        fixed("c1", ["10.0.0.9", "10.0.0.2"]).gives("10.0.0.9"),
    ],
    "of several candidates the first that is free": [
        A,
        fixed("c1", "10.0.0.9"),
        fixed("c2", ["10.0.0.9", "10.0.0.2", "10.0.0.1"]).gives("10.0.0.2"),
    ],
    "the same candidates again are the same address, though an earlier one is free": [
        A,
        fixed("c1", "10.0.0.9"),
        fixed("c2", ["10.0.0.9", "10.0.0.2"]).gives("10.0.0.2").kept("second"),
        release("c1"),
        fixed("c2", ["10.0.0.9", "10.0.0.2"]).same_as("second"),
    ],
    "an address that was released is given again": [
        A,
        fixed("c1", "10.0.0.9"),
        release("c1"),
        fixed("c2", "10.0.0.9").gives("10.0.0.9"),
    ],
    "the whole block becomes the node's": [
        A,
        fixed("c1", "10.0.0.9", node="n1"),
        blocks("a").lists("10.0.0.8/30 n1"),
        assign("c2", node="n1").gives("10.0.0.8"),
        assign("c3", node="n2").gives("10.0.0.0"),
    ],
    "the block of another node is borrowed from": [
        A,
        assign("c1", node="n1").gives("10.0.0.0"),
        fixed("c2", "10.0.0.3", node="n2").gives("10.0.0.3"),
        blocks("a").lists("10.0.0.0/30 n1"),
    ],
    "a block of no node is borrowed from": [
        A,
        node("n1"),
        assign("c1", node="n1").gives("10.0.0.0"),
        node_removed("n1"),
        fixed("c2", "10.0.0.3", node="n2").gives("10.0.0.3"),
        blocks("a").lists("10.0.0.0/30"),
    ],
}

PASSED_OVER: Rows = {
    "the node selector": [
        pool("a", "10.0.0.0/28", nodeSelector="!all()"),
        fixed("c1", "10.0.0.9", node="n1").inside("a"),
    ],
    "the namespace selector": [
        pool("a", "10.0.0.0/28", namespaceSelector="has(team)"),
        fixed("c1", "10.0.0.9", namespace="shop").inside("a"),
    ],
    "the assignment mode": [
        pool("a", "10.0.0.0/28", assignmentMode="Manual"),
        fixed("c1", "10.0.0.9").inside("a"),
    ],
    "a reservation": [
        A,
        reservation("all", "10.0.0.0/24"),
        fixed("c1", "10.0.0.9").gives("10.0.0.9"),
    ],
    "the limit of blocks": [
        configuration(strictAffinity=True, maxBlocksPerHost=1),
        A,
        assign("c1", node="n1"),
        fixed("c2", "10.0.0.9", node="n1").gives("10.0.0.9"),
        blocks("a").lists("10.0.0.0/30 n1", "10.0.0.8/30 n1"),
    ],
    "the default limit of blocks": [
        pool("a", "10.0.0.0/26", blockSize=32),
        *(assign(f"c{number}", node="n1", v4=4) for number in range(5)),
        fixed("c9", "10.0.0.63", node="n1").gives("10.0.0.63"),
    ],
    "that no blocks are opened": [
        configuration(strictAffinity=True, autoAllocateBlocks=False),
        A,
        fixed("c1", "10.0.0.9", node="n1").gives("10.0.0.9"),
        blocks("a").lists("10.0.0.8/30 n1"),
    ],
}

REFUSED: Rows = {
    "an address outside of every pool": [
        A,
        fixed("c1", "10.0.0.16").refused("ADDRESS_NOT_IN_POOL", address="10.0.0.16"),
    ],
    "an address of a disabled pool": [
        pool("a", "10.0.0.0/28", disabled=True),
        fixed("c1", "10.0.0.9").refused("POOL_DISABLED", pool="a"),
    ],
    "an address of a draining pool": [
        A,
        drained("a"),
        fixed("c1", "10.0.0.9").refused("POOL_DRAINING", pool="a"),
    ],
    "an address of a pool for another use": [
        pool("a", "10.0.0.0/28", allowedUses=["Tunnel"]),
        fixed("c1", "10.0.0.9").refused("POOL_USE_NOT_ALLOWED", pool="a", use="WORKLOAD"),
        fixed("c1", "10.0.0.9", use="Tunnel").gives("10.0.0.9"),
    ],
    "an address that is excluded": [
        pool("a", "10.0.0.0/28", excludedRanges=["10.0.0.9"]),
        fixed("c1", "10.0.0.9").refused("ADDRESS_EXCLUDED", address="10.0.0.9", pool="a"),
    ],
    "the gateway": [
        pool("a", "10.0.0.0/28", gateway="10.0.0.9"),
        fixed("c1", "10.0.0.9").refused("ADDRESS_EXCLUDED", address="10.0.0.9"),
    ],
    "the network address of a link": [
        pool("a", "10.0.0.0/28", excludeNetworkAddresses=True),
        fixed("c1", "10.0.0.0").refused("ADDRESS_EXCLUDED", address="10.0.0.0"),
    ],
    "an address that another holds": [
        A,
        fixed("c1", "10.0.0.9"),
        fixed("c2", "10.0.0.9").refused("ADDRESS_IN_USE", address="10.0.0.9", pool="a"),
    ],
    "an address that another container of the same pod holds": [
        A,
        fixed("c1", "10.0.0.9", pod="web-0"),
        fixed("c2", "10.0.0.9", pod="web-0").refused("ADDRESS_IN_USE", address="10.0.0.9"),
    ],
    "candidates that are all held": [
        A,
        fixed("c1", "10.0.0.9", "10.0.0.2"),
        fixed("c2", ["10.0.0.9", "10.0.0.2"]).refused("ADDRESS_IN_USE", address="10.0.0.9"),
    ],
    "a wrong candidate among right ones": [
        A,
        fixed("c1", ["10.0.0.9", "10.0.9.9"]).refused("ADDRESS_NOT_IN_POOL", address="10.0.9.9"),
        allocations().gives(),
    ],
    "a second address that is held leaves the first free": [
        A,
        SIX,
        fixed("c1", "fd00::9"),
        fixed("c2", "10.0.0.9", "fd00::9").refused("ADDRESS_IN_USE", address="fd00::9"),
        fixed("c3", "10.0.0.9").gives("10.0.0.9"),
    ],
    "another address than the attachment holds": [
        A,
        fixed("c1", "10.0.0.9").kept("first"),
        fixed("c1", "10.0.0.2").refused("ATTACHMENT_CHANGED", "10.0.0.9", container_id="c1"),
        fixed("c1", "10.0.0.9").same_as("first"),
    ],
}

AFFINITY: Rows = {
    "an address in the block of another node": [
        STRICT,
        A,
        assign("c1", node="n1").gives("10.0.0.0"),
        fixed("c2", "10.0.0.3", node="n2").refused(
            "BLOCK_AFFINITY_MISMATCH",
            address="10.0.0.3",
            block="10.0.0.0/30",
            node="n2",
            owner="n1",
        ),
        fixed("c3", "10.0.0.3", node="n1").gives("10.0.0.3"),
    ],
    "an address in a block of no node": [
        STRICT,
        A,
        node("n1"),
        assign("c1", node="n1").gives("10.0.0.0"),
        node_removed("n1"),
        fixed("c2", "10.0.0.3", node="n1").refused(
            "BLOCK_AFFINITY_MISMATCH", address="10.0.0.3", block="10.0.0.0/30", owner=""
        ),
    ],
    "affinity is looked at before who holds the address": [
        STRICT,
        A,
        assign("c1", node="n1").gives("10.0.0.0"),
        fixed("c2", "10.0.0.0", node="n2").refused("BLOCK_AFFINITY_MISMATCH", owner="n1"),
        fixed("c3", "10.0.0.0", node="n1").refused("ADDRESS_IN_USE"),
    ],
    "an address in a block that is not open opens it": [
        STRICT,
        A,
        fixed("c1", "10.0.0.9", node="n1").gives("10.0.0.9"),
        blocks("a").lists("10.0.0.8/30 n1"),
    ],
    "blocks that belong to no node by the pool's rule are everybody's": [
        STRICT,
        pool("a", "10.0.0.0/28", blockSize=30, blockAffinity="None"),
        assign("c1", node="n1").gives("10.0.0.0"),
        fixed("c2", "10.0.0.3", node="n2").gives("10.0.0.3"),
    ],
}


@each(GIVEN)
def test_a_fixed_address_is_given(stage: Stage, row: Row) -> None:
    play(stage, row)


@each(PASSED_OVER)
def test_a_fixed_address_passes_over(stage: Stage, row: Row) -> None:
    play(stage, row)


@each(REFUSED)
def test_a_fixed_address_is_refused(stage: Stage, row: Row) -> None:
    play(stage, row)


@each(AFFINITY)
def test_strict_affinity_binds_fixed_addresses(stage: Stage, row: Row) -> None:
    play(stage, row)
