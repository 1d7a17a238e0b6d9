"""Pods of a real Kubernetes: what kubectl shows is what Moorage holds, whatever happened."""

import ipaddress
import json
import time

import pytest

from e2e import ipams, service
from e2e_kube import authority, manifests
from e2e_kube.cluster import Cluster

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(3600)]  # the first test may build Kubernetes

IPV4_POOLS = "cni.projectcalico.org/ipv4pools"
OWNER = "moorage.dev/owner"
STICKY = "moorage.dev/sticky"
SECOND_SUBNET = ipaddress.ip_network("10.99.0.0/24")
OUTAGE_S = 60


def test_two_pods_with_addresses_of_their_annotations_run_and_reach_each_other(
    kube: Cluster,
) -> None:
    kube.apply(manifests.fixed("a", "10.98.0.77"), manifests.fixed("b", "10.98.0.78"))
    kube.wait_for_pods("a", "b")
    assert (kube.address("a"), kube.address("b")) == ("10.98.0.77", "10.98.0.78")
    kube.settled()
    kube.ping("a", "10.98.0.78")
    kube.ping("b", "10.98.0.77")


def test_a_pod_draws_from_the_pool_of_its_namespace_unless_it_names_another(
    kube: Cluster,
) -> None:
    kube.kubectl("annotate", "namespace", "default", f"{IPV4_POOLS}={json.dumps(['second'])}")
    try:
        kube.apply(
            manifests.pod("plain"), manifests.pod("other", {IPV4_POOLS: json.dumps(["ipv4"])})
        )
        kube.wait_for_pods("plain", "other")
    finally:
        kube.kubectl("annotate", "namespace", "default", f"{IPV4_POOLS}-")
    assert ipaddress.ip_address(kube.address("plain")) in SECOND_SUBNET
    assert ipaddress.ip_address(kube.address("other")) not in SECOND_SUBNET
    kube.settled()


def test_a_fixed_address_is_the_next_pods_when_the_pod_is_made_again(
    kube: Cluster,
) -> None:
    for _ in range(2):
        kube.apply(manifests.fixed("db", "10.98.0.77"))
        kube.wait_for_pods("db")
        assert kube.address("db") == "10.98.0.77"
        kube.settled()
        kube.delete_pods("db")


def test_a_pod_that_is_replaced_under_its_name_keeps_its_owners_address(
    kube: Cluster, moorage: ipams.Moorage
) -> None:
    stateful = manifests.pod("web-0", {OWNER: "web-0", STICKY: "1h"})
    kube.apply(stateful)
    kube.wait_for_pods("web-0")
    address = kube.address("web-0")
    uid = kube.uid("web-0")
    kube.delete_pods("web-0")
    kube.apply(manifests.pod("passer-by"), stateful)
    kube.wait_for_pods("passer-by", "web-0")
    assert kube.uid("web-0") != uid
    assert kube.address("web-0") == address
    kube.settled()
    assert {one.workload["podUid"] for one in moorage.allocations()} == {
        kube.uid("web-0"),
        kube.uid("passer-by"),
    }


def test_a_node_that_is_deleted_and_comes_back_has_its_pods_and_their_addresses(
    kube: Cluster,
) -> None:
    kube.apply(manifests.pod("a"))
    kube.wait_for_pods("a")
    address = kube.address("a")
    kube.kubectl("delete", "node", authority.NODE)
    kube.node.stop_kubelet()
    kube.node.start_kubelet()
    kube.wait_ready()
    kube.apply(manifests.pod("b"))
    kube.wait_for_pods("a", "b")
    assert kube.address("a") == address
    kube.settled()


def test_pods_outlive_a_restart_of_the_runtime_and_are_released_after_it(
    kube: Cluster,
) -> None:
    kube.apply(manifests.pod("a"), manifests.pod("b"))
    kube.wait_for_pods("a", "b")
    address = kube.address("b")
    kube.node.runtime.restart()
    kube.wait_ready()
    kube.delete_pods("a")
    kube.apply(manifests.pod("c"))
    kube.wait_for_pods("b", "c")
    assert kube.address("b") == address
    kube.settled()


def test_an_outage_of_the_central_server_leaks_nothing_and_leaves_no_pod_stuck(
    kube: Cluster, moorage: ipams.Moorage, central: service.Service
) -> None:
    kube.apply(manifests.pod("kept"), manifests.fixed("going", "10.98.0.77"))
    kube.wait_for_pods("kept", "going")
    address = kube.address("kept")
    with central.away():
        kube.delete_pods("going", wait=False)
        kube.apply(manifests.pod("coming"))
        time.sleep(OUTAGE_S)  # as long as an outage lasts, it is tried in vain
        assert kube.get("pod", "coming")["status"]["phase"] == "Pending"
    kube.wait_for_pods("kept", "coming")
    assert kube.address("kept") == address
    kube.settled()
    # What the deleted pod had is free again.
    kube.apply(manifests.fixed("next", "10.98.0.77"))
    kube.wait_for_pods("next")
    kube.settled()
