"""moorctl explain: what assign would do, and why."""

import re

import pytest

import moorage
from client import peer as peers
from ctl import holdings, program
from moorage.v1 import (
    allocation_service_pb2,
    error_reason_pb2,
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
            address="10.0.0.3", prefix_length=32, pool="vrfs/default/pools/v4"
        ),
        resources_pb2.Allocation(
            address="fd00::3", prefix_length=128, pool="vrfs/default/pools/v6", generation=7
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
    peer.will(peers.answer(ANSWER))
    reason = "serves only requests that name it"
    outcome = ["would be assigned 10.0.0.3/32 of pool v4", "holds fd00::3/128 of pool v6", ""]
    lines = scripted.must(*EXPLAIN).splitlines()
    assert lines[:3] == outcome
    assert [re.split("  +", line) for line in lines[3:]] == [
        [
            *("POOL", "CIDR", "VERDICT", "CAPACITY", "ASSIGNED", "COOLING", "RESERVED"),
            *("AVAILABLE", "REASON", "NEXT STEP"),
        ],
        ["v4", "10.0.0.0/26", "SERVES", "64", "3", "2", "1", "58", "-", "-"],
        ["named", "10.0.1.0/26", "MANUAL", "0", "0", "0", "0", "0", reason, "name it"],
    ]


def test_a_refusal_is_the_answer_and_no_failure(
    peer: peers.Peer, scripted: program.Moorctl
) -> None:
    refusal = allocation_service_pb2.Refusal(
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


def test_nothing_is_assigned_by_an_explanation(
    moorctl: program.Moorctl, pools: moorage.Client
) -> None:
    lines = moorctl.must(*EXPLAIN, "-4", "-6").splitlines()
    assert [line.split()[-1] for line in lines[:2]] == ["v4", "v6"]
    verdicts = [line.split()[:3] for line in lines if ".0/26" in line or "/120" in line]
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
    assert moorctl.must(*arguments).splitlines()[0] == "holds 10.0.0.7/32 of pool v4"


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
