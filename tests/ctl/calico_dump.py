"""A cluster of Calico's as kubectl prints it: two families, tunnels, borrowed and odd addresses."""

from typing import Any

import yaml

Object = dict[str, Any]  # what YAML holds

CRD = "crd.projectcalico.org/v1"

# Containers of containerd.
CART = "0f3c" * 16
DUAL = "91ab" * 16
BORROWER = "77de" * 16


def pod(container: str, node: str, name: str, *, network: str = "k8s-pod-network") -> Object:
    """The attributes of a pod's address."""
    secondary = {
        "namespace": "shop",
        "node": node,
        "pod": name,
        "timestamp": "2026-01-05 10:11:12.131415 +0000 UTC",
    }
    return {"handle_id": f"{network}.{container}", "secondary": secondary}


def block(cidr: str, affinity: str | None, held: dict[int, Object], *, size: int = 64) -> Object:
    """A block; `held` are its ordinals with their attributes."""
    attributes: list[Object] = []
    allocations: list[int | None] = [None] * size
    for ordinal, each in held.items():
        if each not in attributes:
            attributes.append(each)
        allocations[ordinal] = attributes.index(each)
    spec = {
        "affinity": affinity,
        "allocations": allocations,
        "attributes": attributes,
        "cidr": cidr,
        "deleted": False,
        "sequenceNumber": 1712345678901234567,
        "sequenceNumberForAllocation": {str(each): 1712345678901234567 for each in held},
        "strictAffinity": False,
        "unallocated": [at for at, index in enumerate(allocations) if index is None],
    }
    return document("IPAMBlock", cidr.translate(str.maketrans(".:/", "---")), spec)


def affinity(node: str, cidr: str, state: str = "confirmed") -> Object:
    """A node's claim of a block."""
    spec = {"cidr": cidr, "deleted": "false", "node": node, "state": state, "type": "host"}
    return document("BlockAffinity", f"{node}-{cidr.translate(str.maketrans('.:/', '---'))}", spec)


def handle(name: str, counts: dict[str, int]) -> Object:
    """How many addresses a handle holds of which block."""
    spec = {"block": counts, "deleted": False, "handleID": name}
    return document("IPAMHandle", name.lower(), spec)


def document(kind: str, name: str, spec: Object) -> Object:
    """One object, with the metadata that every one carries."""
    metadata = {
        "annotations": {"projectcalico.org/metadata": "{}"},
        "creationTimestamp": "2026-01-05T10:11:12Z",
        "generation": 1,
        "name": name,
        "resourceVersion": "4711",
        "uid": "0b8f7a6e-1111-4222-8333-444455556666",
    }
    return {"apiVersion": CRD, "kind": kind, "metadata": metadata, "spec": spec}


def pools() -> list[Object]:
    """The pools, with what Calico says besides."""
    common = {"allowedUses": ["Workload", "Tunnel"], "nodeSelector": "all()"}
    four = {**common, "blockSize": 26, "cidr": "10.244.0.0/16", "ipipMode": "Always"}
    six = {**common, "blockSize": 122, "cidr": "fd00:10:244::/56", "vxlanMode": "Never"}
    return [
        document("IPPool", "default-ipv4-ippool", {**four, "natOutgoing": True}),
        document("IPPool", "default-ipv6-ippool", six),
    ]


TUNNEL: Object = {
    "handle_id": "ipip-tunnel-addr-worker-1",
    "secondary": {"node": "worker-1", "type": "ipipTunnelAddress"},
}
WINDOWS: Object = {
    "handle_id": "windows-reserved-ipam-handle",
    "secondary": {"note": "windows host rsvd"},
}
BALANCER: Object = {
    "handle_id": "lb-8f14e45fceea167a5a36dedd4bea2543",
    "secondary": {"namespace": "shop", "service": "web", "type": "loadBalancer"},
}
MACHINE: Object = {
    "handle_id": "k8s-pod-network.vmi.shop.database",
    "secondary": {"namespace": "shop", "node": "worker-2", "vmi-name": "database"},
}
LEGACY: Object = {
    "handle_id": "shop.cart.v2",
    "secondary": {"namespace": "shop", "node": "worker-2", "pod": "cart.v2"},
}
ODD: Object = {"handle_id": f"spaces and more {'x' * 150}\rleft behind", "secondary": None}
NOBODY: Object = {"handle_id": None, "secondary": {}}
COOLING: Object = {"handle_id": None, "secondary": {}, "releasedAt": "2026-01-05T10:11:12Z"}


def blocks() -> list[Object]:
    """The blocks of two nodes, one of nobody, one given up, a deleted one, and an orphan."""
    dual = pod(DUAL, "worker-1", "cart-1")
    return [
        block(
            "10.244.1.0/26",
            "host:worker-1",
            {
                0: TUNNEL,
                1: pod(CART, "worker-1", "cart-0"),
                2: dual,
                3: pod(BORROWER, "worker-2", "web-0", network="corp.net"),
                4: COOLING,
            },
        ),
        block("fd00:10:244:1::/122", "host:worker-1", {7: dual}),
        block("10.244.2.0/26", "host:worker-2", {0: WINDOWS, 1: WINDOWS, 5: LEGACY, 6: MACHINE}),
        block("10.244.3.0/26", None, {9: NOBODY, 10: ODD, 11: BALANCER}),
        block("10.244.4.0/26", "host:worker-3", {20: pod("5a" * 32, "worker-3", "late-0")}),
        block("10.244.5.0/26", "host:worker-1", {}),
        block("192.168.7.0/26", "host:worker-1", {8: pod("6b" * 32, "worker-1", "stray-0")}),
    ]


def deleted() -> Object:
    """A block that Calico has only marked as deleted."""
    gone = block("10.244.6.0/26", "host:worker-1", {1: pod("7c" * 32, "worker-1", "gone-0")})
    gone["spec"]["deleted"] = True
    return gone


def affinities() -> list[Object]:
    """The claims that go with the blocks; worker-3 is giving its block up."""
    return [
        affinity("worker-1", "10.244.1.0/26"),
        affinity("worker-1", "fd00:10:244:1::/122", ""),
        affinity("worker-2", "10.244.2.0/26"),
        affinity("worker-2", "10.244.9.0/26", "pending"),
        affinity("worker-3", "10.244.4.0/26", "pendingDeletion"),
        affinity("worker-1", "10.244.5.0/26"),
        affinity("worker-1", "192.168.7.0/26"),
    ]


def others() -> list[Object]:
    """Reservation and configuration."""
    return [
        document("IPReservation", "gateways", {"reservedCIDRs": ["10.244.1.60/30"]}),
        document("IPAMConfig", "default", {"autoAllocateBlocks": True, "strictAffinity": False}),
    ]


def listed(*documents: Object) -> str:
    """The documents as `kubectl get -o yaml` prints them."""
    listing = {"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": ""}}
    return yaml.safe_dump({**listing, "items": list(documents)})


def whole() -> str:
    """Everything."""
    return listed(*pools(), *others(), *blocks(), deleted(), *affinities())


# Address -> (network, container id, use, workload as "node namespace/pod").
HELD = {
    "10.244.1.0": ("calico-tunnels", "ipip-tunnel-addr-worker-1", "TUNNEL", "worker-1 /"),
    "10.244.1.1": ("k8s-pod-network", CART, "WORKLOAD", "worker-1 shop/cart-0"),
    "10.244.1.2": ("k8s-pod-network", DUAL, "WORKLOAD", "worker-1 shop/cart-1"),
    "10.244.1.3": ("corp.net", BORROWER, "WORKLOAD", "worker-2 shop/web-0"),
    "10.244.2.0": ("calico-windows", "address-10.244.2.0", "WORKLOAD", " /"),
    "10.244.2.1": ("calico-windows", "address-10.244.2.1", "WORKLOAD", " /"),
    "10.244.2.5": ("calico-legacy", "shop.cart.v2", "WORKLOAD", "worker-2 shop/cart.v2"),
    "10.244.2.6": ("calico-vms", MACHINE["handle_id"], "WORKLOAD", "worker-2 shop/"),
    "10.244.3.9": ("calico-unknown", "address-10.244.3.9", "WORKLOAD", " /"),
    "10.244.3.10": (
        "calico-legacy",
        f"h-spaces-and-more-{'x' * 64}-88bfec423f59bab5f849f1748ae831d0",
        "WORKLOAD",
        " /",
    ),
    "10.244.3.11": ("calico-load-balancers", BALANCER["handle_id"], "LOAD_BALANCER", " shop/"),
    "10.244.4.20": ("k8s-pod-network", "5a" * 32, "WORKLOAD", "worker-3 shop/late-0"),
    "fd00:10:244:1::7": ("k8s-pod-network", DUAL, "WORKLOAD", "worker-1 shop/cart-1"),
}
