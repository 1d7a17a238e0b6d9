"""Sandboxes of pods as kubelet asks a real container runtime for them, down to the last DEL."""

import ipaddress
import json
import secrets
from collections.abc import Mapping

import grpc
import pytest

from e2e import cnilab, containerd, ipams, machine, service
from e2e_cri import node, setups

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]  # the first test may fetch the programs

IP_ADDRS = "cni.projectcalico.org/ipAddrs"
IPV4_POOLS = "cni.projectcalico.org/ipv4pools"
SECOND_SUBNET = ipaddress.ip_network("10.99.0.0/24")
# A runtime takes an error with either phrase for success, and never comes back.
SWALLOWED = ("not found", "no such file or directory")


def _pod(annotations: Mapping[str, str] = {}) -> containerd.Pod:
    uid = secrets.token_hex(8)
    return containerd.Pod(
        namespace=node.NAMESPACE, name=f"web-{uid}", uid=uid, annotations=annotations
    )


def _fixed(address: str) -> containerd.Pod:
    return _pod({IP_ADDRS: json.dumps([address])})


def _addresses(*texts: str) -> set[cnilab.IPAddress]:
    return {ipaddress.ip_address(text) for text in texts}


def _require_nothing_held(moorage: ipams.Moorage) -> None:
    assert moorage.assigned() == set()


def test_a_sandbox_has_the_address_that_its_pod_is_annotated_with(
    worker: node.Node, moorage: ipams.Moorage
) -> None:
    sandbox = worker.run(_fixed("10.98.0.77"))
    assert worker.cri.address(sandbox) == "10.98.0.77"
    assert moorage.assigned() == _addresses("10.98.0.77")


def test_the_table_names_the_pod_that_the_runtime_named(
    worker: node.Node, moorage: ipams.Moorage
) -> None:
    pod = _pod()
    sandbox = worker.run(pod)
    [shown] = moorage.allocations()
    assert (shown.workload["namespace"], shown.workload["pod"]) == (pod.namespace, pod.name)
    assert shown.workload["podUid"] == pod.uid
    assert shown.attachment["containerId"] == sandbox
    assert str(shown.address) == worker.cri.address(sandbox)


def test_a_pod_draws_from_the_pool_of_its_namespace_unless_it_names_another(
    worker: node.Node, second_pool: str
) -> None:
    worker.annotate_namespace({IPV4_POOLS: json.dumps([second_pool])})
    by_namespace = worker.cri.address(worker.run(_pod()))
    by_pod = worker.cri.address(worker.run(_pod({IPV4_POOLS: json.dumps(["ipv4"])})))
    assert ipaddress.ip_address(by_namespace) in SECOND_SUBNET
    assert ipaddress.ip_address(by_pod) not in SECOND_SUBNET


def test_every_del_of_a_sandbox_succeeds_and_the_first_alone_releases(
    worker: node.Node, moorage: ipams.Moorage, central: service.Service
) -> None:
    sandbox = worker.run(_pod())
    worker.cri.stop(sandbox)
    assert moorage.assigned() == set()
    worker.cri.stop(sandbox)
    worker.remove(sandbox)
    assert central.releases(sandbox) == 1


def test_a_late_del_leaves_the_next_holder_of_the_address_alone(
    worker: node.Node, moorage: ipams.Moorage
) -> None:
    first = worker.run(_fixed("10.98.0.77"))
    worker.cri.stop(first)
    second = worker.run(_fixed("10.98.0.77"))
    worker.cri.stop(first)
    worker.remove(first)
    assert worker.cri.address(second) == "10.98.0.77"
    assert moorage.assigned() == _addresses("10.98.0.77")


def test_a_sandbox_made_again_takes_the_fixed_address_over_before_the_old_one_is_stopped(
    worker: node.Node, moorage: ipams.Moorage
) -> None:
    pod = _fixed("10.98.0.77")
    old = worker.run(pod)
    new = worker.run(pod)
    assert worker.cri.address(new) == "10.98.0.77"
    worker.cri.stop(old)
    worker.remove(old)
    [shown] = moorage.allocations()
    assert shown.attachment["containerId"] == new


@setups.on(setups.ALL)
def test_what_was_made_before_the_runtime_was_restarted_is_released_after(
    worker: node.Node, moorage: ipams.Moorage
) -> None:
    sandbox = worker.run(_pod())
    address = worker.cri.address(sandbox)
    worker.runtime.restart()
    assert worker.cri.address(sandbox) == address
    assert moorage.assigned() == _addresses(address)
    worker.cri.stop(sandbox)
    assert moorage.assigned() == set()


@setups.on(setups.DIRECT)
def test_a_stop_without_the_server_fails_aloud_and_is_made_good_when_it_is_back(
    worker: node.Node, moorage: ipams.Moorage, central: service.Service
) -> None:
    sandbox = worker.run(_pod())
    with central.away(), pytest.raises(grpc.RpcError) as failed:
        worker.cri.stop(sandbox)
    said = str(failed.value)
    assert "moorage" in said
    assert not any(phrase in said for phrase in SWALLOWED), said
    assert len(moorage.assigned()) == 1
    worker.cri.stop(sandbox)
    assert moorage.assigned() == set()


@setups.on(setups.WITH_AGENT)
def test_a_stop_without_the_server_succeeds_with_an_agent_which_releases_when_it_is_back(
    worker: node.Node, moorage: ipams.Moorage, central: service.Service
) -> None:
    sandbox = worker.run(_pod())
    with central.away():
        worker.cri.stop(sandbox)
        worker.remove(sandbox)
    machine.eventually(lambda: _require_nothing_held(moorage))
    assert central.releases(sandbox) == 1


@setups.on(setups.ALL)
def test_a_sandbox_that_could_not_be_made_without_the_server_leaves_nothing(
    worker: node.Node, moorage: ipams.Moorage, central: service.Service
) -> None:
    pod = _pod()
    with central.away(), pytest.raises(grpc.RpcError, match="moorage"):
        worker.run(pod)
    assert moorage.assigned() == set()
    sandbox = worker.run(pod)  # as kubelet tries again
    assert moorage.assigned() == _addresses(worker.cri.address(sandbox))


@setups.on(setups.OF_NEWEST)
def test_the_network_of_the_node_stays_ready_while_the_server_is_briefly_away(
    worker: node.Node, central: service.Service
) -> None:
    with central.away():
        assert worker.cri.is_network_ready()
