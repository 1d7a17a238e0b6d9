"""Pods of a node whose agent dies: no address is lost, none is given twice, no pod hangs."""

import json

import pytest

from e2e import ipams, machine, service
from e2e_kube import manifests
from e2e_kube.cluster import Cluster
from e2e_kube.control_plane import ROOT
from shipping import rendering

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(3600)]  # the first test may build Kubernetes


def test_every_call_of_a_pod_comes_through_the_agent(kube: Cluster, moorage: ipams.Moorage) -> None:
    kube.apply(manifests.pod("a"))
    kube.wait_for_pods("a")
    sandbox = moorage.container("a")
    kube.delete_pods("a")
    first, *others = kube.node.agent.verbs(sandbox)
    assert (first, set(others)) == ("ADD", {"DEL"})


def test_pods_that_come_and_go_while_the_agent_is_dead_wait_for_it(
    kube: Cluster, moorage: ipams.Moorage
) -> None:
    kube.apply(*map(manifests.pod, ("kept", "gone-without", "gone-after")))
    kube.wait_for_pods("kept", "gone-without", "gone-after")
    kube.settled()
    address = kube.address("kept")
    kube.node.agent.kill()
    try:
        kube.delete_pods("gone-without", wait=False)
        kube.apply(manifests.pod("made-without"))
        machine.eventually(kube.node.require_waiting)
    finally:
        kube.node.agent.start()
    machine.eventually(lambda: _require_gone(kube, "gone-without"))
    kube.wait_for_pods("made-without")
    sandbox = moorage.container("made-without")
    assert kube.node.agent.verbs(sandbox) == ["ADD"]
    kube.delete_pods("gone-after")
    kube.apply(manifests.pod("made-after"))
    kube.wait_for_pods("kept", "made-without", "made-after")
    kube.settled()
    assert kube.address("kept") == address
    kube.ping("kept", kube.address("made-without"))
    kube.delete_pods("made-without")
    assert "DEL" in kube.node.agent.verbs(sandbox)
    kube.settled()
    machine.eventually(lambda: _require_sent(kube))


def test_releases_that_a_killed_agent_has_kept_are_sent_when_it_and_the_server_are_back(
    kube: Cluster, moorage: ipams.Moorage, central: service.Service
) -> None:
    kube.apply(manifests.fixed("going", "10.98.0.77"), manifests.pod("kept"))
    kube.wait_for_pods("going", "kept")
    with central.away():
        kube.delete_pods("going")  # ends: what is on the disk of the node need not be waited for
        # Kubelet repeats its DELs, also those of pods that have gone before.
        kept = kube.node.agent.status()["releases_waiting"]
        assert kept >= 1
        kube.node.agent.kill()
        kube.node.agent.start()
        assert kube.node.agent.status()["releases_waiting"] >= kept
    # Nobody calls the agent: it sends by itself.
    machine.eventually(lambda: _require_held(moorage, {kube.address("kept")}))
    machine.eventually(lambda: _require_sent(kube))
    kube.apply(manifests.fixed("next", "10.98.0.77"))
    kube.wait_for_pods("next")
    kube.settled()


def test_what_uninstalls_takes_the_place_of_what_installs(kube: Cluster) -> None:
    objects = rendering.rendered(ROOT / "deploy" / "uninstall")
    [manifest] = [each for each in objects if each["kind"] == "DaemonSet"]
    dry = ("apply", "--dry-run=server", "--filename=-", "--output=json")
    told = kube.kubectl(*dry, stdin=json.dumps(manifest))
    pod = json.loads(told)["spec"]["template"]["spec"]
    names = [each["name"] for each in (*pod["initContainers"], *pod["containers"])]
    assert names == ["uninstall", "done"]
    assert [each["name"] for each in pod["volumes"]] == ["bin-dir", "conf-dir"]


def _require_gone(kube: Cluster, pod: str) -> None:
    assert pod not in [each["metadata"]["name"] for each in kube.get("pods")["items"]]


def _require_sent(kube: Cluster) -> None:
    assert kube.node.agent.status()["releases_waiting"] == 0


def _require_held(moorage: ipams.Moorage, addresses: set[str]) -> None:
    assert {str(address) for address in moorage.assigned()} == addresses
