"""What can be asked of addresses, pools and blocks, as of Calico's utilization."""

import pytest

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
    holder,
    node_removed,
    play,
    pool,
    pool_changed,
    release,
    reservation,
    usage,
)

MOST = 2**63 - 1

HOLDERS: Rows = {
    "an address of no pool": [holder("10.0.0.1").refused("ALLOCATION_NOT_FOUND", "10.0.0.1")],
    "an address of no block": [
        pool("a", "10.0.0.0/24"),
        holder("10.0.0.1").refused("ALLOCATION_NOT_FOUND", address="10.0.0.1"),
    ],
    "a free address of a block": [
        pool("a", "10.0.0.0/24"),
        assign().gives("10.0.0.0"),
        holder("10.0.0.1").refused("ALLOCATION_NOT_FOUND"),
    ],
    "an address that was released": [
        pool("a", "10.0.0.0/24"),
        assign(),
        release(),
        holder("10.0.0.0").refused("ALLOCATION_NOT_FOUND"),
    ],
    "a reserved address that nobody holds": [
        pool("a", "10.0.0.0/24"),
        reservation("r", "10.0.0.1"),
        holder("10.0.0.1").refused("ALLOCATION_NOT_FOUND"),
    ],
    "an address that is held": [
        pool("a", "10.0.0.0/24"),
        assign("c1", node="n1", namespace="shop", owner="web-0", labels={"a": "b"}).kept("held"),
        holder("10.0.0.0")
        .same_as("held")
        .in_blocks("10.0.0.0/26")
        .shows(
            address="10.0.0.0",
            prefixLength=32,
            attachment={"network": "pods", "containerId": "c1", "interface": "eth0"},
            workload={"node": "n1", "namespace": "shop", "pod": "c1"},
            ownerKey="web-0",
            labels={"a": "b"},
        ),
    ],
    "an address of a disabled pool": [
        pool("a", "10.0.0.0/24"),
        assign().kept("held"),
        pool_changed("a", disabled=True),
        holder("10.0.0.0").same_as("held"),
    ],
    "an IPv6 address in any spelling": [
        pool("a", "fd00::/64"),
        fixed("c1", "fd00::ab").kept("held"),
        holder("FD00:0:0:0:0:0:0:00AB").same_as("held"),
    ],
    "an IPv4 address that looks like IPv6": [
        pool("a", "10.0.0.0/24"),
        fixed("c1", "::ffff:10.0.0.7").gives("10.0.0.7").kept("held"),
        holder("::ffff:10.0.0.7").same_as("held"),
    ],
}

# Texts that are no address, wherever one is expected.
NO_ADDRESS = {
    "leading zeros": "010.0.0.1",
    "a zone": "fe80::1%eth0",
    "a blank": " 10.0.0.1",
    "three numbers": "10.0.1",
    "a name": "web-0",
    "nothing": "",
}

GIVEN: Row = [
    pool("a", "10.0.0.0/24"),
    pool("b", "10.0.1.0/24", assignmentMode="Manual"),
    pool("six", "fd00::/64"),
    assign("c1", v6=1, node="n1", namespace="shop", owner="shop/web-0", labels={"tier": "web"}),
    assign("c2", ipv4pools=["b"], node="n2", namespace="shop", pod="web-1", pod_uid="u-2"),
    assign("c3", node="n2", namespace="bank", labels={"tier": "web", "x": "y"}, use="Tunnel"),
]
FOUR_1, FOUR_2, FOUR_3 = "10.0.0.0", "10.0.1.0", "10.0.0.64"
SIX = "fd00::"
FILTERS: dict[str, tuple[dict[str, object], list[str]]] = {
    "nothing": ({}, [FOUR_1, FOUR_3, FOUR_2, SIX]),
    "a pool": ({"pools": ["b"]}, [FOUR_2]),
    "a pool by its CIDR": ({"pools": ["10.0.1.0/24"]}, [FOUR_2]),
    "any of two pools": ({"pools": ["b", "six"]}, [FOUR_2, SIX]),
    "a range": ({"cidr": "10.0.0.0/26"}, [FOUR_1]),
    "a range of several pools": ({"cidr": "10.0.0.0/23"}, [FOUR_1, FOUR_3, FOUR_2]),
    "an address": ({"cidr": FOUR_3}, [FOUR_3]),
    "an address nobody holds": ({"cidr": "10.0.0.9"}, []),
    "a container": ({"attachment": {"containerId": "c1"}}, [FOUR_1, SIX]),
    "an interface": ({"attachment": {"interface": "net1"}}, []),
    "a node": ({"workload": {"node": "n2"}}, [FOUR_3, FOUR_2]),
    "a namespace": ({"workload": {"namespace": "shop"}}, [FOUR_1, FOUR_2, SIX]),
    "a pod": ({"workload": {"namespace": "shop", "pod": "web-1"}}, [FOUR_2]),
    "a pod's uid": ({"workload": {"podUid": "u-2"}}, [FOUR_2]),
    "an owner": ({"ownerKey": "shop/web-0"}, [FOUR_1, SIX]),
    "a label": ({"labels": {"tier": "web"}}, [FOUR_1, FOUR_3, SIX]),
    "two labels": ({"labels": {"tier": "web", "x": "y"}}, [FOUR_3]),
    "a label's other value": ({"labels": {"tier": "db"}}, []),
    "a pool and a node": ({"pools": ["a"], "workload": {"node": "n2"}}, [FOUR_3]),
    "what excludes itself": ({"pools": ["b"], "workload": {"node": "n1"}}, []),
}

COUNTS: Rows = {
    "a pool that nothing was taken of": [
        pool("a", "10.0.0.0/24"),
        usage("a")
        .counts(capacity=256, assigned=0, cooling=0, reserved=0, available=256)
        .open_blocks(0),
        blocks("a").lists(),
    ],
    "addresses taken and given back": [
        pool("a", "10.0.0.0/24"),
        assign("c1"),
        assign("c2"),
        usage("a").counts(assigned=2, available=254).open_blocks(1),
        release("c1"),
        usage("a").counts(assigned=1, available=255).open_blocks(1),
    ],
    "blocks of several nodes": [
        pool("a", "10.0.0.0/24"),
        assign("c1", node="n1"),
        assign("c2", node="n2"),
        usage("a").counts(assigned=2).open_blocks(2),
        blocks("a")
        .lists("10.0.0.0/26 n1", "10.0.0.64/26 n2")
        .block_counts("10.0.0.0/26", capacity=64, assigned=1, reserved=0, available=63)
        .block_counts("10.0.0.64/26", capacity=64, assigned=1, reserved=0, available=63),
    ],
    "what the pool withholds is reserved": [
        pool(
            "a",
            "10.0.0.0/24",
            gateway="10.0.0.1",
            excludedRanges=["10.0.0.1-10.0.0.3", "10.0.0.128/25"],
            excludeNetworkAddresses=True,
        ),
        usage("a").counts(capacity=256, reserved=132, available=124),
    ],
    "cooling addresses are neither assigned nor available": [
        configuration(ipCooldownSeconds=1200),
        pool("a", "10.0.0.0/24"),
        assign("c1"),
        assign("c2"),
        release("c1"),
        usage("a").counts(capacity=256, assigned=1, cooling=1, reserved=0, available=254),
        blocks("a").block_counts("10.0.0.0/26", assigned=1, cooling=1, available=62),
    ],
    "a cooling address that is reserved is withheld once": [
        configuration(ipCooldownSeconds=1200),
        pool("a", "10.0.0.0/24"),
        assign("c1"),
        release("c1"),
        reservation("r", "10.0.0.0/30"),
        usage("a").counts(cooling=1, reserved=4, available=252),
    ],
    "a full pool": [
        pool("a", "10.0.0.0/31"),
        assign("c1"),
        assign("c2"),
        usage("a").counts(capacity=2, assigned=2, available=0).open_blocks(1),
    ],
    "a disabled pool counts as ever": [
        pool("a", "10.0.0.0/24"),
        assign(),
        pool_changed("a", disabled=True),
        usage("a").counts(capacity=256, assigned=1, available=255),
    ],
    "a huge IPv6 pool says as much as it can": [
        pool("a", "fd00::/32"),
        assign(v4=0, v6=1),
        reservation("r", "fd00::/34"),
        usage("a").counts(capacity=MOST, assigned=1, reserved=MOST, available=MOST).open_blocks(1),
        blocks("a").block_counts("fd00::/122", capacity=64, assigned=1, reserved=64, available=0),
    ],
    "an IPv6 pool of 2^63 addresses": [
        pool("a", "fd00::/65"),
        usage("a").counts(capacity=MOST, available=MOST),
    ],
    "an IPv6 pool of 2^62 addresses": [
        pool("a", "fd00::/66"),
        assign(v4=0, v6=1),
        usage("a").counts(capacity=2**62, assigned=1, available=2**62 - 1),
    ],
    "a pool that is not there": [
        usage("a").refused("POOL_NOT_FOUND", pool="a"),
        blocks("a").refused("POOL_NOT_FOUND", pool="a"),
    ],
}

BLOCKS: Rows = {
    "in order of address, IPv4 first": [
        pool("six", "fd00::/64"),
        pool("b", "10.0.1.0/24"),
        pool("a", "10.0.0.0/24"),
        fixed("c1", "fd00::", node="n1"),
        fixed("c2", "10.0.1.200", node="n1"),
        fixed("c3", "10.0.1.0", node="n2"),
        fixed("c4", "10.0.0.255", node="n1"),
        blocks().lists("10.0.0.192/26 n1", "10.0.1.0/26 n2", "10.0.1.192/26 n1", "fd00::/122 n1"),
        blocks("b").lists("10.0.1.0/26 n2", "10.0.1.192/26 n1"),
        blocks(node="n2").lists("10.0.1.0/26 n2"),
        blocks("b", node="n1").lists("10.0.1.192/26 n1"),
        blocks("six", node="n2").lists(),
    ],
    "where they belong to no node": [
        pool("a", "10.0.0.0/24", blockAffinity="None"),
        assign("c1", node="n1"),
        blocks("a").lists("10.0.0.0/26"),
    ],
    "an empty one stays its node's": [
        pool("a", "10.0.0.0/24"),
        assign("c1", node="n1"),
        release("c1"),
        blocks("a").lists("10.0.0.0/26 n1").block_counts("10.0.0.0/26", assigned=0, available=64),
    ],
    "a node nobody ever told of": [
        node_removed("n1").refused("NODE_NOT_FOUND", node="n1"),
        blocks(node="n1").lists(),
    ],
}


@each(HOLDERS)
def test_who_holds_an_address_can_be_asked(stage: Stage, row: Row) -> None:
    play(stage, row)


@pytest.mark.parametrize("text", NO_ADDRESS.values(), ids=list(NO_ADDRESS))
def test_a_text_that_is_no_address_is_refused_everywhere(stage: Stage, text: str) -> None:
    row = [
        pool("a", "10.0.0.0/24"),
        holder(text).invalid("name"),
        fixed("c1", [text]).invalid("addresses[0].candidate_addresses[0]"),
        reservation("r", text).invalid("reservation.cidrs[0]"),
        allocations(cidr=text or "/").invalid("filter.cidr"),
    ]
    play(stage, row)


@pytest.mark.parametrize(("wanted", "found"), FILTERS.values(), ids=list(FILTERS))
def test_allocations_are_found_by(
    stage: Stage, wanted: dict[str, object], found: list[str]
) -> None:
    play(stage, [*GIVEN, allocations(**wanted).gives(*found)])


@each(COUNTS)
def test_addresses_are_counted(stage: Stage, row: Row) -> None:
    play(stage, row)


@each(BLOCKS)
def test_open_blocks_are_listed(stage: Stage, row: Row) -> None:
    play(stage, row)
