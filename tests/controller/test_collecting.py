"""Addresses of pods that are gone: which are released, when, and which never are."""

import logging

import pytest

import moorage
from controller.ground import GRACE, Cluster
from harness.calls import IPV4, IPV6, want
from harness.kube import api_server, faults
from moorage.controller import lease
from moorage.v1 import resources_pb2


def test_an_address_whose_pod_is_gone_is_released_after_the_grace(
    east: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    kept = east.run_pod("shop/web-0")
    gone = east.run_pod("shop/web-1", uid="uid-gone")
    east.kube.remove_pod("shop/web-1")
    east.round()
    assert east.suspects() == {gone}
    east.pass_time(GRACE - 60)
    east.round()
    assert east.held() == {kept, gone}
    east.pass_time(61)
    east.round()
    assert east.held() == {kept}
    told = [record.getMessage() for record in caplog.records]
    described = f"{gone} of pod shop/web-1 (uid uid-gone, container "
    assert [line.split(": ")[0] for line in told if described in line] == ["suspect", "released"]


def test_all_addresses_of_a_pod_go_together(east: Cluster) -> None:
    east.assign("shop/web-0", uid="uid-gone", families=(IPV4, IPV6))
    east.collect()
    assert east.held() == set()


def test_a_pod_that_has_ended_has_no_address(east: Cluster) -> None:
    for phase in ("Succeeded", "Failed"):
        east.kube.add_pod(f"shop/{phase.lower()}", uid=f"uid-{phase}", node="n1", phase=phase)
        east.assign(f"shop/{phase.lower()}", uid=f"uid-{phase}")
    kept = set()
    for phase in ("Pending", "Running", "Unknown", ""):
        name = f"shop/p{phase.lower()}"
        east.kube.add_pod(name, uid=f"uid-{phase}", node="n1", phase=phase)
        kept.add(east.assign(name, uid=f"uid-{phase}"))
    east.collect()
    assert east.held() == kept


def test_a_pod_on_the_network_of_its_node_has_none(east: Cluster) -> None:
    east.kube.add_pod("shop/host", uid="uid-host", node="n1", host_network=True)
    east.assign("shop/host", uid="uid-host")
    east.collect()
    assert east.held() == set()


def test_a_pod_is_live_by_its_uid_and_not_by_its_name(east: Cluster) -> None:
    # whereabouts#176, spiderpool#2526: by name, the pod that is there would be the old one.
    new = east.run_pod("shop/web-0", uid="uid-new")
    east.assign("shop/web-0", uid="uid-old", container="old")
    east.collect()
    assert east.held() == {new}


def test_without_a_uid_a_pod_is_known_by_its_name(east: Cluster) -> None:
    east.kube.add_pod("shop/web-0", uid="uid-any", node="n1")
    kept = east.assign("shop/web-0")
    east.assign("shop/web-1")
    east.assign("store/web-0")
    east.collect()
    assert east.held() == {kept}


def test_a_pod_that_runs_elsewhere_than_recorded_is_live(east: Cluster) -> None:
    # calico#12257: a node that was recorded wrongly is no reason.
    east.kube.add_node("n2")
    east.kube.add_pod("shop/web-0", uid="uid-0", node="n2")
    kept = east.assign("shop/web-0", uid="uid-0", node="n1")
    east.collect()
    assert east.held() == {kept}


def test_a_static_pod_is_live_by_its_mirror(east: Cluster) -> None:
    mirror = {"kubernetes.io/config.mirror": "hash"}
    east.kube.add_pod("kube-system/proxy", uid="uid-mirror", node="n1", annotations=mirror)
    kept = east.assign("kube-system/proxy", uid="hash")
    east.collect()
    assert east.held() == {kept}


def test_what_names_no_pod_is_kept(east: Cluster) -> None:
    kept = {east.assign(""), east.assign("", use=resources_pb2.USE_TUNNEL)}
    vm = resources_pb2.Attachment(network="calico-vms", container_id="v", interface="eth0")
    named = resources_pb2.Workload(node="n1", namespace="shop", pod="gone")
    kept.add(east.client.assign(vm, [want()], workload=named)[0].address)
    east.collect()
    assert east.held() == kept


def test_what_was_assigned_for_another_cluster_is_never_touched(
    east: Cluster, west: Cluster
) -> None:
    west.kube.add_node("n1")
    others = {
        west.assign("shop/web-0", uid="uid-a", node="n1"),
        west.assign("shop/web-0", uid="uid-b", node="w1"),
        east.assign("shop/web-0", uid="uid-c", node="n1", cluster=""),
        east.assign("shop/web-0", uid="uid-d", node=""),
    }
    east.collect()
    east.collect()
    assert (east.held(), east.suspects()) == (others, set())


@pytest.mark.parametrize("name", ["west", "east"])
def test_each_cluster_of_a_shared_vrf_collects_its_own(
    east: Cluster, west: Cluster, name: str
) -> None:
    west.name = name
    west.restart()
    west.kube.add_node("n1")
    mine = east.run_pod("shop/web-0", uid="uid-e")
    theirs = west.run_pod("shop/web-0", uid="uid-w")
    for at, cluster in enumerate((east, west)):
        cluster.assign("shop/gone", uid=f"uid-gone-{at}")
    for cluster in (east, west):
        cluster.round()
    assert len(east.suspects()) == 2
    east.pass_time()
    east.round()
    assert len(east.held()) == 3
    west.round()
    assert east.held() == {mine, theirs}


def test_addresses_of_a_node_that_the_cluster_does_not_know_are_collected(east: Cluster) -> None:
    kept = east.run_pod("shop/web-0", node="n1.example")
    east.assign("shop/gone", uid="uid-gone", node="n1.example")
    east.collect()
    assert east.held() == {kept}


def test_a_node_that_the_cluster_does_not_know_may_be_one_that_is_not_heard_of(
    east: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    gone = east.assign("shop/gone", uid="uid-gone", node="n1.example")
    east.kube.add_node("n1", ready="Unknown")
    east.collect()
    assert (east.held(), east.suspects()) == ({gone}, set())
    (told, _) = [line for line in caplog.messages if "not heard of" in line]
    assert told.startswith("node n1.example: nothing is collected there")
    assert "not heard of: node n1;" in told
    caplog.clear()
    east.kube.add_node("n1")
    east.collect()
    assert "not heard of" not in caplog.text
    assert east.held() == set()


def test_a_node_that_is_gone_is_known_to_be_gone(east: Cluster) -> None:
    east.kube.add_node("n2")
    east.round()
    east.assign("shop/gone", uid="uid-gone", node="n2")
    east.kube.remove_node("n2")
    east.kube.add_node("n1", ready="Unknown")
    east.collect()
    assert east.held() == set()


def test_a_node_of_which_nothing_is_heard_keeps_everything(east: Cluster) -> None:
    gone = east.assign("shop/web-0", uid="uid-gone")
    east.round()
    assert east.suspects() == {gone}
    east.kube.add_node("n1", ready="Unknown")
    east.pass_time()
    for _ in range(2):
        east.round()
        east.pass_time()
    assert east.held() == {gone}
    # Once it is heard of again, the grace begins anew.
    east.kube.add_node("n1")
    east.round()
    assert east.suspects() == {gone}
    east.pass_time()
    east.round()
    assert east.held() == set()


def test_a_node_that_is_out_of_service_keeps_nothing(east: Cluster) -> None:
    east.assign("shop/web-0", uid="uid-gone")
    taint = "node.kubernetes.io/out-of-service"
    east.kube.add_node("n1", ready="Unknown", taints=("node.kubernetes.io/unreachable", taint))
    east.collect()
    assert east.held() == set()


def test_a_drained_node_needs_nothing_of_its_own(east: Cluster) -> None:
    gone = east.run_pod("shop/web-0")
    east.kube.add_node("n1", taints=("node.kubernetes.io/unschedulable",))
    east.collect()
    assert east.held() == {gone}
    east.kube.remove_pod("shop/web-0")
    east.collect()
    assert east.held() == set()
    assert set(east.nodes()) == {"n1"}


# What is under way


@pytest.mark.parametrize("listed", [True, False])
def test_an_add_that_ends_while_the_lists_are_made_is_not_released(
    east: Cluster, listed: bool
) -> None:
    east.assign("shop/gone", uid="uid-gone")
    given: list[str] = []

    def add() -> None:
        # After it was asked what the node holds, just before or after the pods are listed.
        given.append(east.run_pod(f"shop/late-{len(given)}"))

    def meanwhile(handler: api_server.Handler) -> None:
        if listed:
            add()
        handler.proceed((lambda: None) if listed else add)

    east.kube.misbehave = faults.only("/pods", meanwhile)
    east.round()
    assert len(east.suspects()) == 2
    east.pass_time()
    east.round()
    assert east.held() == set(given)
    east.kube.misbehave = None
    east.collect()
    assert (east.held(), east.suspects()) == (set(given), set())


def test_a_pod_that_is_there_again_clears_the_suspicion(east: Cluster) -> None:
    kept = east.assign("shop/web-0", uid="uid-0")
    east.round()
    assert east.suspects() == {kept}
    east.kube.add_pod("shop/web-0", uid="uid-0", node="n1")
    east.round()
    assert east.suspects() == set()
    east.kube.remove_pod("shop/web-0")
    east.pass_time()
    east.round()
    assert east.held() == {kept}


def test_a_late_repetition_of_an_add_whose_pod_is_gone_comes_too_late(east: Cluster) -> None:
    stamp = resources_pb2.AttemptStamp(boot_id="of-n1", boot_time_ns=5)
    east.assign("shop/web-0", uid="uid-gone", container="c", attempt=stamp)
    east.collect()
    with pytest.raises(moorage.Conflict) as refusal:
        east.assign("shop/web-0", uid="uid-gone", container="c", attempt=stamp)
    assert refusal.value.reason == "ATTACHMENT_RELEASED"
    later = resources_pb2.AttemptStamp(boot_id="of-n1", boot_time_ns=6)
    assert east.assign("shop/web-0", uid="uid-gone", container="c", attempt=later)


def test_a_round_that_takes_too_long_is_given_up(
    east: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    gone = east.assign("shop/web-0", uid="uid-gone")
    east.round()
    east.pass_time()

    def slow(handler: api_server.Handler) -> None:
        east.clock.now += GRACE / 2 + 1
        handler.proceed()

    east.kube.misbehave = faults.only("/pods", slow)
    east.round()
    assert east.held() == {gone}
    assert "took too long, more than 300 seconds" in caplog.text
    assert "give a longer --grace" in caplog.text


def test_whoever_does_not_lead_any_more_changes_nothing(east: Cluster) -> None:
    gone = east.assign("shop/web-0", uid="uid-gone")
    east.round()
    east.pass_time()

    def lose(handler: api_server.Handler) -> None:
        east.permitted = 0
        handler.proceed()

    east.kube.misbehave = faults.only("/pods", lose)
    with pytest.raises(lease.NotLeading):
        east.round()
    assert east.held() == {gone}
