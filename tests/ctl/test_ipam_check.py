"""moorctl ipam check: findings, leaked addresses, pools out of service, reports."""

import json
import os
import pathlib

import pytest

import moorage
from client import peer as peers
from ctl import holdings, program
from moorage.v1 import (
    admin_service_pb2,
    allocation_service_pb2,
    pool_service_pb2,
    resources_pb2,
    vrf_service_pb2,
)


@pytest.fixture
def shop(client: moorage.Client) -> moorage.Client:
    """Two pods with addresses of both families, and an address without a pod."""
    client.create_pool("v4", resources_pb2.Pool(cidr="10.0.0.0/24"))
    client.create_pool("v6", resources_pb2.Pool(cidr="fd00::/120"))
    holdings.assign(client, "10.0.0.4", "fd00::4", container="c4", node="n1", pod="blog")
    holdings.assign(client, "10.0.0.5", "fd00::5", container="c5", node="n1", pod="cart")
    holdings.assign(client, "10.0.0.6", container="c6", node="n1")
    return client


# Young as they are, the addresses of a test are judged.
CHECK = ("ipam", "check", "--grace", "0", "--pods")
BLOG = holdings.pod_list({"blog": ["10.0.0.4"]})


def test_a_sound_vrf_has_no_problems(moorctl: program.Moorctl, shop: moorage.Client) -> None:
    ended = moorctl("ipam", "check")
    assert (ended.code, ended.out) == (0, "Check complete; found 0 problems.\n")
    assert ended.err == ""


def test_the_addresses_of_a_pod_that_is_gone_are_leaked(
    moorctl: program.Moorctl, shop: moorage.Client
) -> None:
    ended = moorctl(*CHECK, "-", stdin=BLOG)
    attributes = "attrs node: n1, namespace: shop, pod: cart"
    assert ended.out.splitlines() == [
        f"10.0.0.5 leaked; {attributes}; the pod is not there",
        f"fd00::5 leaked; {attributes}; the pod is not there",
        "Check complete; found 2 problems.",
    ]
    assert (ended.code, ended.err) == (1, "not judged, being of no pod: 1 address\n")


def test_the_pods_of_one_cluster_say_nothing_of_another(
    moorctl: program.Moorctl, shop: moorage.Client
) -> None:
    for at, cluster in enumerate(("east", "west")):
        address, pod = f"10.0.0.1{at}", f"web-{at}"
        holdings.assign(shop, address, container=pod, node="n1", pod=pod, cluster=cluster)
    refused = moorctl(*CHECK, "-", stdin=BLOG)
    assert (refused.code, refused.out) == (2, "")
    assert "for cluster none (4), east (1), west (1)" in refused.err
    ended = moorctl(*CHECK, "-", "--cluster", "west", stdin=BLOG)
    attributes = "attrs node: n1, namespace: shop, pod: web-1"
    assert ended.out.splitlines() == [
        f"10.0.0.11 leaked; {attributes}; the pod is not there",
        "Check complete; found 1 problems.",
    ]
    assert ended.err == "not judged, being of another cluster or none: 5 addresses\n"


def test_what_was_assigned_for_one_cluster_is_not_judged_until_the_pods_are_said_to_be_its(
    moorctl: program.Moorctl, client: moorage.Client
) -> None:
    client.create_pool("v4", resources_pb2.Pool(cidr="10.0.0.0/24"))
    holdings.assign(client, "10.0.0.9", container="c9", node="n1", pod="web", cluster="west")
    refused = moorctl(*CHECK, "-", stdin=BLOG)
    assert (refused.code, refused.out) == (2, "")
    assert "for cluster west (1)" in refused.err
    assert "kubectl get namespace kube-system -o jsonpath='{.metadata.uid}'" in refused.err
    assert moorctl(*CHECK, "-", "--cluster", "east", stdin=BLOG).code == 0


def test_what_was_assigned_for_no_cluster_is_judged_where_others_were_by_its_name_alone(
    moorctl: program.Moorctl, shop: moorage.Client
) -> None:
    holdings.assign(shop, "10.0.0.10", container="e", node="n1", pod="web", cluster="east")
    refused = moorctl(*CHECK, "-", stdin=BLOG)
    assert (refused.code, refused.out) == (2, "")
    ended = moorctl(*CHECK, "-", "--cluster", "none", stdin=BLOG)
    assert ended.out.splitlines()[-1] == "Check complete; found 2 problems."
    assert "10.0.0.10" not in ended.out


def test_a_tunnel_of_a_cluster_is_no_pod_and_asks_for_no_cluster(
    moorctl: program.Moorctl, shop: moorage.Client
) -> None:
    tunnel = resources_pb2.USE_TUNNEL
    holdings.assign(shop, "10.0.0.10", container="t", node="n1", cluster="east", use=tunnel)
    assert moorctl(*CHECK, "-", stdin=BLOG).code == 1


def test_an_empty_cluster_is_what_a_failed_command_printed(offline: program.Moorctl) -> None:
    ended = offline(*CHECK, "-", "--cluster", "", stdin=BLOG)
    assert (ended.code, ended.out) == (2, "")
    assert "it is empty" in ended.err


def test_addresses_younger_than_the_grace_are_not_judged(
    moorctl: program.Moorctl, shop: moorage.Client, tmp_path: pathlib.Path
) -> None:
    file = tmp_path / "pods.json"
    file.write_text(BLOG)
    ended = moorctl("ipam", "check", "--pods", str(file))
    assert (ended.code, ended.out) == (0, "Check complete; found 0 problems.\n")
    assert ended.err.splitlines() == [
        "not judged, being of no pod: 1 address",
        "not judged, being younger than 900 seconds (--grace): 4 addresses",
    ]
    # By the time of the list, they had been assigned since.
    os.utime(file, (0, 0))
    assert moorctl("ipam", "check", "--pods", str(file), "--grace", "1").code == 0
    assert moorctl(*CHECK, str(file)).code == 1


@pytest.mark.parametrize("grace", ["-1", "soon"])
def test_a_grace_is_a_number_of_seconds(offline: program.Moorctl, grace: str) -> None:
    ended = offline("ipam", "check", "--grace", grace)
    assert (ended.code, ended.out) == (2, "")
    assert "--grace" in ended.err


def test_an_empty_list_of_pods_is_refused(offline: program.Moorctl) -> None:
    ended = offline("ipam", "check", "--pods", "-", stdin=holdings.pod_list({}))
    assert (ended.code, ended.out) == (2, "")
    assert "lists no pod at all, so every address would be judged leaked" in ended.err


def test_pods_that_are_all_there_leak_nothing(
    moorctl: program.Moorctl, shop: moorage.Client, tmp_path: pathlib.Path
) -> None:
    file = tmp_path / "pods.json"
    file.write_text(holdings.pod_list({"blog": ["10.0.0.4"], "cart": ["fd00::5"]}))
    ended = moorctl(*CHECK, str(file))
    assert (ended.code, ended.out) == (0, "Check complete; found 0 problems.\n")


def test_an_address_in_use_in_a_pool_out_of_service_is_no_problem(
    moorctl: program.Moorctl, shop: moorage.Client
) -> None:
    shop.update_pool(
        resources_pb2.Pool(name="vrfs/default/pools/v4", disabled=True), update_mask=["disabled"]
    )
    shop.drain_pool("v6")
    assert moorctl.must("ipam", "check").splitlines() == [
        "10.0.0.4 in use, but its pool v4 is disabled",
        "10.0.0.5 in use, but its pool v4 is disabled",
        "10.0.0.6 in use, but its pool v4 is disabled",
        "fd00::4 in use, but its pool v6 is draining",
        "fd00::5 in use, but its pool v6 is draining",
        "Check complete; found 0 problems.",
    ]


def test_a_report_has_all_that_a_release_needs(
    moorctl: program.Moorctl, shop: moorage.Client, tmp_path: pathlib.Path
) -> None:
    file = tmp_path / "report.json"
    ended = moorctl(*(*CHECK, "-", "--report", str(file), "-o", "json"), stdin=BLOG)
    assert (ended.code, ended.err) == (1, "")
    report = json.loads(file.read_text())
    assert report == ended.json()
    assert report.pop("time").endswith("Z")
    held = [shop.get_allocation(address) for address in ("10.0.0.5", "fd00::5")]
    assert report == {
        "version": moorage.__version__,
        "vrf": "vrfs/default",
        "vrfUid": shop.get_vrf("default").uid,
        "problems": [
            {
                "rule": "leaked",
                "message": "the pod is not there",
                "address": allocation.address,
                "block": allocation.block,
                "attachment": {"network": "net", "containerId": "c5", "interface": "eth0"},
                "generation": allocation.generation,
            }
            for allocation in held
        ],
        "information": [],
        "notJudgedCount": 1,
        "elsewhereCount": 0,
        "youngCount": 0,
    }


def test_what_the_server_finds_is_printed_and_counted(
    peer: peers.Peer, scripted: program.Moorctl
) -> None:
    finding = admin_service_pb2.Finding(
        rule="address_free_and_held",
        message="10.0.0.5 is free and held",
        address="10.0.0.5",
        block="10.0.0.0/26",
        generation=7,
    )
    progress = admin_service_pb2.CheckProgress(rule=finding.rule)
    answers = (
        vrf_service_pb2.GetVrfResponse(vrf=resources_pb2.Vrf(name="vrfs/default", uid="u1")),
        pool_service_pb2.ListPoolsResponse(),
        allocation_service_pb2.ListAllocationsResponse(),
        admin_service_pb2.CheckConsistencyResponse(finding=finding),
        admin_service_pb2.CheckConsistencyResponse(progress=progress),
    )
    peer.will(*map(peers.answer, answers))
    ended = scripted("ipam", "check")
    assert (ended.code, ended.err) == (1, "")
    assert ended.out.splitlines() == [
        "address_free_and_held: 10.0.0.5 is free and held",
        "Check complete; found 1 problems.",
    ]


@pytest.mark.parametrize("arguments", [["--pods", "none.json"], ["--pods", "."]])
def test_a_list_of_pods_that_cannot_be_read_is_a_mistake_of_usage(
    offline: program.Moorctl, arguments: list[str]
) -> None:
    ended = offline("ipam", "check", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(f"moorctl: cannot read {arguments[1]}: ")


def test_a_report_that_cannot_be_written_is_a_mistake_of_usage(
    moorctl: program.Moorctl, tmp_path: pathlib.Path
) -> None:
    ended = moorctl("ipam", "check", "--report", str(tmp_path / "none" / "report.json"))
    assert (ended.code, ended.out) == (2, "")
    assert "cannot write" in ended.err
