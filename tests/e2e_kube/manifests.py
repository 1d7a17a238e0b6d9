"""Pods as a user writes them."""

import json
from collections.abc import Mapping

from e2e import containerd
from e2e_kube.authority import NODE

IP_ADDRS = "cni.projectcalico.org/ipAddrs"


def pod(name: str, annotations: Mapping[str, str] = {}) -> dict[str, object]:
    """A pod on the only node, that lives until it is deleted."""
    container = {
        "name": "main",
        "image": containerd.PAUSE_IMAGE,
        "imagePullPolicy": "Never",
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "annotations": dict(annotations)},
        "spec": {
            "nodeName": NODE,
            "containers": [container],
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "dnsPolicy": "Default",
            "terminationGracePeriodSeconds": 1,
        },
    }


def fixed(name: str, address: str) -> dict[str, object]:
    """A pod that wants this address and no other."""
    return pod(name, {IP_ADDRS: json.dumps([address])})
