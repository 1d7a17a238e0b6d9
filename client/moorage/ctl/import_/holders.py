"""Who holds an address of Calico's: its handle and its attributes become an attachment.

    <network>.<container id>       that network and container, as a DEL of the pod names them
    <namespace>.<pod>, and others  network "calico-legacy", the handle as container
    <network>.vmi.<ns>.<vm>        network "calico-vms"
    ipip-tunnel-addr-<node>, ...   network "calico-tunnels", use TUNNEL
    lb-<hash>                      network "calico-load-balancers", use LOAD_BALANCER
    windows-reserved-ipam-handle   network "calico-windows", one container for each address
    none                           network "calico-unknown", one container for each address

Networks that no CNI configuration names keep what is not a pod's from being released with the
pods. An address that Windows reserves is adopted with the use WORKLOAD: nothing releases it by
itself, so it stays withheld.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from moorage.ctl.import_ import values
from moorage.v1 import admin_service_pb2, resources_pb2

HANDLE_LABEL = "calico.handle"

_LONGEST_TEXT = 253
_LONGEST_KEY = 63
_LONGEST_VALUE = 256
_MOST_LABELS = 32

_LEGACY = "calico-legacy"
_MACHINES = "calico-vms"
_TUNNELS = "calico-tunnels"
_LOAD_BALANCERS = "calico-load-balancers"
_WINDOWS = "calico-windows"
_UNKNOWN = "calico-unknown"
# Legacy handles are those of pods: whether such a pod is there can be judged.
_WITHOUT_SANDBOX = frozenset({_MACHINES, _TUNNELS, _LOAD_BALANCERS, _WINDOWS, _UNKNOWN})

_TUNNEL = re.compile(r"(?:ipip|vxlan|vxlan-v6|wireguard|wireguard-v6)-tunnel-addr-(?P<node>.+)")
_TUNNEL_TYPES = frozenset(
    {
        "ipipTunnelAddress",
        "vxlanTunnelAddress",
        "vxlanV6TunnelAddress",
        "wireguardTunnelAddress",
        "wireguardV6TunnelAddress",
    }
)
_MACHINE = re.compile(r".+?\.vmi\.[^.]+\..+")
_LOAD_BALANCER = re.compile(r"lb-[^.]+")
_WINDOWS_HANDLE = "windows-reserved-ipam-handle"
_WORKLOAD_KEYS = ("node", "namespace", "pod")


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """An address that Calico has handed out; the handle is empty where there is none."""

    address: str
    handle: str
    attributes: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a dump is from, which it does not say itself; the uid of the cluster may be empty."""

    interface: str
    cluster: str = ""


def is_adopted_without_sandbox(network: str) -> bool:
    """Whether an import made this network for addresses that live and end with no pod's sandbox.

    Those of virtual machines, tunnels, services, Windows, and nobody: that a pod is gone says
    nothing of them.
    """
    return network in _WITHOUT_SANDBOX


def adopted(holding: Holding, origin: Origin) -> admin_service_pb2.AdoptedAddress:
    """Return the address with its holder here, always the same one for the same holding."""
    handle = holding.handle
    network, container_id, use = _holder(handle, holding)
    return admin_service_pb2.AdoptedAddress(
        address=holding.address,
        attachment=resources_pb2.Attachment(
            network=network, container_id=container_id, interface=origin.interface
        ),
        workload=_workload(handle, holding.attributes, origin.cluster),
        use=use,
        labels=_labels(handle, f"{network}.{container_id}", holding.attributes),
    )


def _holder(handle: str, holding: Holding) -> tuple[str, str, resources_pb2.Use.ValueType]:
    """Return network, container id and use: by the first rule that applies."""
    is_tunnel = _TUNNEL.fullmatch(handle) or holding.attributes.get("type") in _TUNNEL_TYPES
    own, of_address = _id(handle), f"address-{holding.address.replace(':', '-')}"
    for applies, network, container_id, use in (
        (is_tunnel, _TUNNELS, own if handle else of_address, resources_pb2.USE_TUNNEL),
        (not handle, _UNKNOWN, of_address, resources_pb2.USE_WORKLOAD),
        (handle.lower() == _WINDOWS_HANDLE, _WINDOWS, of_address, resources_pb2.USE_WORKLOAD),
        (_LOAD_BALANCER.fullmatch(handle), _LOAD_BALANCERS, own, resources_pb2.USE_LOAD_BALANCER),
        (_MACHINE.fullmatch(handle), _MACHINES, own, resources_pb2.USE_WORKLOAD),
    ):
        if applies:
            return network, container_id, use
    return *_of_pod(handle, holding.attributes), resources_pb2.USE_WORKLOAD


def _of_pod(handle: str, attributes: Mapping[str, str]) -> tuple[str, str]:
    network, _, container_id = handle.rpartition(".")
    if (
        values.is_id(network)
        and values.is_id(container_id)
        and handle != _legacy_handle(attributes)
    ):
        return network, container_id
    return _LEGACY, _id(handle)


def _legacy_handle(attributes: Mapping[str, str]) -> str:
    return f"{attributes.get('namespace', '')}.{attributes.get('pod', '')}"


def _id(text: str) -> str:
    """Return a text as a container id; one that is none keeps its beginning, and gets a hash."""
    if values.is_id(text):
        return text
    beginning = re.sub(r"[^A-Za-z0-9_.-]", "-", text)[:80]
    digest = hashlib.sha256(text.encode(errors="replace")).hexdigest()[:32]
    return f"h-{beginning}-{digest}"


def _workload(handle: str, attributes: Mapping[str, str], cluster: str) -> resources_pb2.Workload:
    tunnel = _TUNNEL.fullmatch(handle)
    known = {"node": tunnel["node"] if tunnel else "", **attributes}
    node, namespace, pod = (
        values.printable(known.get(key, ""), _LONGEST_TEXT) for key in _WORKLOAD_KEYS
    )
    return resources_pb2.Workload(node=node, namespace=namespace, pod=pod, cluster=cluster)


def _labels(handle: str, derived: str, attributes: Mapping[str, str]) -> dict[str, str]:
    found = {HANDLE_LABEL: handle} if handle and handle != derived else {}
    for key in sorted(attributes):
        if key not in _WORKLOAD_KEYS and len(found) < _MOST_LABELS:
            found[values.printable(f"calico.{key}", _LONGEST_KEY)] = attributes[key]
    return {key: values.printable(value, _LONGEST_VALUE) for key, value in found.items()}
