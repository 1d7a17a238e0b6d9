"""moorctl explain: what assign would do, and why."""

import re

import pytest

import moorage
from client import peer as peers
from ctl import holdings, program
from moorage.v1 import (
    allocation_service_pb2,
    error_reason_pb2,
    pool_service_pb2,
    reconciliation_pb2,
    resources_pb2,
)

EXPLAIN = ("explain", "--container-id", "c1")


@pytest.fixture
def pools(client: moorage.Client) -> moorage.Client:
    """A pool that serves, one that must be named, and one of the other family."""
    client.create_pool("v4", resources_pb2.Pool(cidr="10.0.0.0/26"))
    client.create_pool("v6", resources_pb2.Pool(cidr="fd00::/120"))
    client.create_pool(
        "named",
        resources_pb2.Pool(
            cidr="10.0.1.0/26", assignment_mode=resources_pb2.ASSIGNMENT_MODE_MANUAL
        ),
    )
    return client


COUNTS = resources_pb2.AddressCounts(
    capacity_count=64, assigned_count=3, cooling_count=2, reserved_count=1, available_count=58
)
ANSWER = allocation_service_pb2.ExplainAssignResponse(
    allocations=[
        resources_pb2.Allocation(
            address="10.0.0.3", prefix_length=32, pool="vrfs/default/pools/v4", block="10.0.0.0/26"
        ),
        resources_pb2.Allocation(
            address="fd00::3",
            prefix_length=128,
            pool="vrfs/default/pools/v6",
            block="fd00::/122",
            generation=7,
        ),
    ],
    addresses=[
        allocation_service_pb2.AddressExplanation(
            pools=[
                allocation_service_pb2.ConsideredPool(
                    pool="vrfs/default/pools/v4", cidr="10.0.0.0/26", counts=COUNTS
                ),
                allocation_service_pb2.ConsideredPool(
                    pool="vrfs/default/pools/named",
                    cidr="10.0.1.0/26",
                    passed_over=allocation_service_pb2.PASSED_OVER_MANUAL,
                    explanation="serves only requests that name it",
                    next_step="name it",
                ),
            ]
        ),
        allocation_service_pb2.AddressExplanation(),
    ],
)


def test_every_pool_has_its_verdict_reason_figures_and_next_step(
    peer: peers.Peer, scripted: program.Moorctl
) -> None:
    peer.will(peers.answer(ANSWER), peers.answer(pool_service_pb2.ListBlocksResponse()))
    reason = "serves only requests that name it"
    outcome = [
        "would be assigned 10.0.0.3/32 of pool v4, from the new block 10.0.0.0/26",
        "holds fd00::3/128 of pool v6, from block fd00::/122",
        "",
    ]
    lines = scripted.must(*EXPLAIN).splitlines()
    assert lines[:3] == outcome
    assert [re.split("  +", line) for line in lines[3:]] == [
        [
            *("POOL", "CIDR", "VERDICT", "CAPACITY", "ASSIGNED", "COOLING", "STICKY", "RESERVED"),
            *("AVAILABLE", "REASON", "NEXT STEP"),
        ],
        ["v4", "10.0.0.0/26", "SERVES", "64", "3", "2", "0", "1", "58", "-", "-"],
        ["named", "10.0.1.0/26", "MANUAL", "0", "0", "0", "0", "0", "0", reason, "name it"],
    ]


def test_a_refusal_is_the_answer_and_no_failure(
    peer: peers.Peer, scripted: program.Moorctl
) -> None:
    refusal = reconciliation_pb2.Refusal(
        reason=error_reason_pb2.ERROR_REASON_POOL_EXHAUSTED, message="pool v4 is full; add a pool"
    )
    peer.will(peers.answer(allocation_service_pb2.ExplainAssignResponse(refusal=refusal)))
    assert scripted.must(*EXPLAIN) == ("refused, POOL_EXHAUSTED:\n  pool v4 is full; add a pool\n")


def test_what_is_asked_is_what_assign_would_ask(
    peer: peers.Peer, scripted: program.Moorctl
) -> None:
    arguments = (
        *("--container-id", "c1", "--network", "net", "--interface", "net1", "-6", "-4"),
        *("--ip", "10.0.0.7", "--owner", "cart", "--pod", "cart-0", "--namespace", "shop"),
        *("--node", "n1", "-l", "tier=front"),
        *("--namespace-label", "team=blue", "--namespace-label", "tier=back"),
    )
    peer.will(
        peers.answer(allocation_service_pb2.ExplainAssignResponse()),
        peers.answer(allocation_service_pb2.AssignAddressesResponse()),
    )
    scripted("explain", *arguments)
    scripted("assign", *arguments)
    explained = allocation_service_pb2.ExplainAssignRequest.FromString(peer.calls[0].request)
    assigned = allocation_service_pb2.AssignAddressesRequest.FromString(peer.calls[1].request)
    explained.assign.ClearField("attempt")
    assigned.ClearField("attempt")
    assert explained.assign == assigned
    assert assigned.labels == {"tier": "front"}
    assert assigned.workload.namespace_labels == {"team": "blue", "tier": "back"}


def test_nothing_is_assigned_by_an_explanation(
    moorctl: program.Moorctl, pools: moorage.Client
) -> None:
    lines = moorctl.must(*EXPLAIN, "-4", "-6").splitlines()
    assert lines[:2] == [
        "would be assigned 10.0.0.0/32 of pool v4, from the new block 10.0.0.0/26",
        "would be assigned fd00::/128 of pool v6, from the new block fd00::/122",
    ]
    verdicts = [line.split()[:3] for line in lines[2:] if ".0/26" in line or "/120" in line]
    assert verdicts == [
        ["v4", "10.0.0.0/26", "SERVES"],
        ["named", "10.0.1.0/26", "MANUAL"],
        ["v6", "fd00::/120", "SERVES"],
    ]
    assert list(pools.allocations()) == []


def test_what_a_container_holds_already_is_told(
    moorctl: program.Moorctl, pools: moorage.Client
) -> None:
    holdings.assign(pools, "10.0.0.7")
    arguments = ("explain", "--container-id", "c1", "--network", "net", "--ip", "10.0.0.7")
    assert moorctl.must(*arguments).splitlines()[0] == (
        "holds 10.0.0.7/32 of pool v4, from block 10.0.0.0/26"
    )


def drawn(moorctl: program.Moorctl, *arguments: str) -> str:
    """Where explain says that an address would come from."""
    return moorctl.must(*EXPLAIN, *arguments).splitlines()[0].partition(" from ")[2]


def test_the_block_is_told_and_why_it_is_drawn_from(
    moorctl: program.Moorctl, pools: moorage.Client
) -> None:
    assert drawn(moorctl, "--node", "n1") == (
        "the new block 10.0.0.0/26 (node n1 has none of that priority with a free address)"
    )
    pools.create_pool("zoo", resources_pb2.Pool(cidr="10.0.2.0/26"))
    holdings.assign(pools, "10.0.2.9", container="c9", node="n1")
    own = "block 10.0.2.0/26 of node n1 itself (a node's own blocks come first)"
    assert drawn(moorctl, "--node", "n1") == own
    holdings.assign(pools, "10.0.0.9", container="c8", node="n2")
    assert drawn(moorctl, "--node", "n3") == (
        "block 10.0.0.0/26 of another node, n2 (there is room in none of its own nor a new one)"
    )
    assert drawn(moorctl, "--node", "n3", "--ip", "10.0.2.7") == (
        "block 10.0.2.0/26 of another node, n1"
    )


def test_a_block_of_no_node_is_told(moorctl: program.Moorctl, pools: moorage.Client) -> None:
    holdings.assign(pools, "10.0.0.9", container="c9")
    assert drawn(moorctl) == "block 10.0.0.0/26 of no node"


def test_a_namespace_selector_is_seen_by_the_labels_that_are_given(
    moorctl: program.Moorctl, client: moorage.Client
) -> None:
    pool = resources_pb2.Pool(cidr="10.0.0.0/26", namespace_selector='team == "blue"')
    client.create_pool("blue", pool)
    without = moorctl.must(*EXPLAIN, "--namespace", "shop")
    assert "; no labels of the namespace were given" in without
    assert "give those that it has: --namespace-label KEY=VALUE" in without
    other = moorctl.must(*EXPLAIN, "--namespace", "shop", "--namespace-label", "team=red")
    assert "NAMESPACE_SELECTOR" in other
    assert "were given" not in other
    labelled = ("--namespace", "shop", "--namespace-label", "team=blue")
    assert moorctl.must(*EXPLAIN, *labelled).startswith("would be assigned 10.0.0.0/32 ")
    assert "10.0.0.0" in moorctl.must("assign", "--container-id", "c1", *labelled)


def test_the_answer_in_json_is_the_protobuf_mapping(
    moorctl: program.Moorctl, pools: moorage.Client
) -> None:
    document = moorctl(*EXPLAIN, "--pool", "named", "-o", "json").json()
    assert isinstance(document, dict)
    (explanation,) = document["addresses"]
    assert [pool["pool"] for pool in explanation["pools"]] == [
        "vrfs/default/pools/named",
        "vrfs/default/pools/v4",
    ]
    assert explanation["pools"][1]["passedOver"] == "PASSED_OVER_NOT_NAMED"
