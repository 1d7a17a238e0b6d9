"""Pods of a real Kubernetes: what kubectl shows is what Moorage holds, whatever happened between."""

import ipaddress
import json
from collections.abc import Mapping

import pytest

from e2e_kube import cluster as kubernetes

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(3600)]  # the first test may build Kubernetes

IP_ADDRS = "cni.projectcalico.org/ipAddrs"
IPV4_POOLS = "cni.projectcalico.org/ipv4pools"
OWNER = "moorage.dev/owner"
STICKY = "moorage.dev/sticky"
SECOND_SUBNET = ipaddress.ip_network("10.99.0.0/24")
OUTAGE_S = 60


def _pod(name: str, annotations: Mapping[str, str] = {}) -> dict[str, object]:
    container = {
        "name": "main",
        "image": "localhost/pause:1",
        "imagePullPolicy": "Never",
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "annotations": dict(annotations)},
        "spec": {
            "nodeName": kubernetes.NODE,
            "containers": [container],
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "dnsPolicy": "Default",
            "terminationGracePeriodSeconds": 1,
        },
    }


def _fixed(name: str, address: str) -> dict[str, object]:
    return _pod(name, {IP_ADDRS: json.dumps([address])})


def test_two_pods_with_addresses_of_their_annotations_run_and_reach_each_other(
    kube: kubernetes.Cluster,
) -> None:
    kube.apply(_fixed("a", "10.98.0.77"), _fixed("b", "10.98.0.78"))
    kube.wait_for_pods("a", "b")
    assert (kube.address("a"), kube.address("b")) == ("10.98.0.77", "10.98.0.78")
    kube.settled()
    kube.ping("a", "10.98.0.78")
    kube.ping("b", "10.98.0.77")
