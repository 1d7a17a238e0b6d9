"""What no node releases, and what became of the nodes: found by the controller, and by people."""

import time

import pytest

from e2e import ipams, machine, service
from e2e_kube import controller, manifests
from e2e_kube.authority import NODE
from e2e_kube.cluster import Cluster
from moorage.controller import labels

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(3600)]  # the first test may build Kubernetes

OUT_OF_SERVICE = "node.kubernetes.io/out-of-service"
ZONE = "topology.kubernetes.io/zone"


def test_a_leak_of_a_lost_node_is_released_without_it_and_live_pods_keep_theirs(
    kube: Cluster, moorage: ipams.Moorage, central: service.Service, leaked: list[str]
) -> None:
    kube.apply(manifests.fixed("gone", "10.98.0.77"), manifests.pod("kept"))
    kube.wait_for_pods("gone", "kept")
    uid, kept, sandbox = kube.uid("gone"), kube.address("kept"), moorage.container("gone")
    before = len(kube.controller.released())
    leaked.append("10.98.0.77")
    with kube.node.away():
        kube.forget_pods("gone")
        kube.kubectl("delete", "node", NODE)
        # An administrator sees it before.
        [problem] = moorage.problems(*_pods(kube))
        assert problem["address"] == "10.98.0.77"
        machine.eventually(lambda: _require_held(moorage, {kept}), controller.COLLECTED_WITHIN_S)
        assert kube.controller.released()[before:] == [("10.98.0.77", "default/gone", uid)]
        assert kube.node.agent.verbs(sandbox) == ["ADD"]
        # What lives there keeps the node known.
        assert moorage.node_labels()[NODE][labels.NAME] == controller.CLUSTER
    kube.wait_ready()
    kube.apply(manifests.fixed("next", "10.98.0.77"))
    # The node finds what it has of the pod, and takes it down: too late to release anything.
    machine.eventually(lambda: _require_del(kube, sandbox))
    kube.wait_for_pods("next")
    kube.settled()
    assert kube.address("kept") == kept
    assert central.releases(sandbox) == 1


def test_what_may_live_on_a_node_that_is_silent_is_kept_until_it_is_said_to_be_out_of_service(
    kube: Cluster, moorage: ipams.Moorage, leaked: list[str]
) -> None:
    kube.apply(manifests.fixed("gone", "10.98.0.77"), manifests.pod("kept"))
    kube.wait_for_pods("gone", "kept")
    kept = kube.address("kept")
    with kube.node.away():
        kube.give_up_node()
        kube.forget_pods("gone")
        time.sleep(controller.COLLECTED_WITHIN_S)  # by when it would have been released
        _require_held(moorage, {"10.98.0.77", kept})
        leaked.append("10.98.0.77")
        kube.kubectl("taint", "node", NODE, f"{OUT_OF_SERVICE}:NoExecute")
        machine.eventually(lambda: _require_held(moorage, {kept}), controller.COLLECTED_WITHIN_S)
        kube.kubectl("taint", "node", NODE, f"{OUT_OF_SERVICE}-")
    kube.wait_ready()
    kube.settled()


def test_a_node_that_is_deleted_for_good_is_forgotten_once_it_holds_nothing(
    kube: Cluster, moorage: ipams.Moorage
) -> None:
    machine.eventually(lambda: _require_nodes(moorage, {NODE}))
    with kube.node.away():
        kube.kubectl("delete", "node", NODE)
        within = controller.COLLECTED_WITHIN_S
        machine.eventually(lambda: _require_nodes(moorage, set()), within)
    kube.wait_ready()
    machine.eventually(lambda: _require_nodes(moorage, {NODE}))


def test_kubectl_moorctl_and_the_log_of_the_controller_tell_the_same(
    kube: Cluster, moorage: ipams.Moorage
) -> None:
    kube.apply(*map(manifests.pod, ("a", "b", "c")), manifests.fixed("d", "10.98.0.77"))
    kube.wait_for_pods("a", "b", "c", "d")
    kube.delete_pods("b")
    kube.settled()
    wide = _columns(kube.kubectl("get", "pods", "--output=wide"), "NAME", "IP", "NODE")
    table = _columns(moorage.table(), "POD", "ADDRESS", "NODE")
    assert wide == {(pod, address.removesuffix("/24"), node) for pod, address, node in table}
    assert {pod for pod, _, _ in wide} == {"a", "c", "d"}
    assert moorage.problems(*_pods(kube)) == []
    assert f"node {NODE}: labels recorded" in kube.controller.log


def test_labels_of_the_node_arrive_at_the_server_and_go(
    kube: Cluster, moorage: ipams.Moorage
) -> None:
    kube.kubectl("label", "node", NODE, f"{ZONE}=a")
    machine.eventually(lambda: _require_zone(moorage, "a"))
    kube.kubectl("label", "node", NODE, f"{ZONE}=b", "--overwrite")
    machine.eventually(lambda: _require_zone(moorage, "b"))
    kube.kubectl("label", "node", NODE, f"{ZONE}-")
    machine.eventually(lambda: _require_zone(moorage, None))
    assert moorage.node_labels()[NODE][labels.NAME] == controller.CLUSTER


def _pods(kube: Cluster) -> tuple[str, str]:
    """All pods, and of which cluster they are."""
    uid = kube.kubectl("get", "namespace", "kube-system", "--output=jsonpath={.metadata.uid}")
    return kube.kubectl("get", "pods", "-A", "--output=json"), uid


def _require_held(moorage: ipams.Moorage, addresses: set[str]) -> None:
    assert {str(address) for address in moorage.assigned()} == addresses


def _require_del(kube: Cluster, sandbox: str) -> None:
    assert "DEL" in kube.node.agent.verbs(sandbox)


def _require_nodes(moorage: ipams.Moorage, names: set[str]) -> None:
    assert set(moorage.node_labels()) == names


def _require_zone(moorage: ipams.Moorage, zone: str | None) -> None:
    assert moorage.node_labels()[NODE].get(ZONE) == zone


def _columns(table: str, *headings: str) -> set[tuple[str, ...]]:
    """Some columns of a table whose cells left of them are never empty."""
    first, *rows = (line.split() for line in table.splitlines())
    return {tuple(row[first.index(heading)] for heading in headings) for row in rows}
