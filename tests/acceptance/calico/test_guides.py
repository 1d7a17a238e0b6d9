"""What Calico's how-to guides promise: manifests in, addresses of pods out.

The manifests say what those of the guides do, and `moorctl` applies them; the pods are ADDs of
`moorage`, as a container runtime calls it.
"""

import ipaddress
from collections.abc import Iterator
from pathlib import Path

import pytest

import moorage
from acceptance.calico.cluster import Cluster
from harness import serving
from harness.kube import api_server

POOLS = "cni.projectcalico.org/ipv4pools"
ADDRS = "cni.projectcalico.org/ipAddrs"


@pytest.fixture
def cluster_of_nodes(
    server: serving.Serving, client: moorage.Client, tmp_path: Path
) -> Iterator[Cluster]:
    """A cluster with the namespace "shop"."""
    with api_server.serve(tmp_path) as kubernetes:
        yield Cluster(server, client, kubernetes)


def ip_pool(name: str, cidr: str, **spec: object) -> str:
    """The manifest of an IPPool, with the routing that the guides give to theirs."""
    fields = {"cidr": cidr, "natOutgoing": True} | ({} if ":" in cidr else {"ipipMode": "Always"})
    lines = [f"  {key}: {_yaml(value)}" for key, value in (fields | spec).items()]
    head = f"apiVersion: projectcalico.org/v3\nkind: IPPool\nmetadata:\n  name: {name}\nspec:\n"
    return head + "\n".join(lines)


def _yaml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"'{value}'" if isinstance(value, str) else str(value)


def inside(addresses: list[str], *cidrs: str) -> bool:
    """Whether there is one address in each of these ranges, in this order."""
    pairs = zip(addresses, cidrs, strict=True)
    return all(ipaddress.ip_address(one) in ipaddress.ip_network(cidr) for one, cidr in pairs)


def test_addresses_follow_the_topology(cluster_of_nodes: Cluster) -> None:
    cluster = cluster_of_nodes
    cluster.apply(
        ip_pool("rack-0", "192.168.0.0/24", nodeSelector='rack == "0"'),
        ip_pool("rack-1", "192.168.1.0/24", nodeSelector='rack == "1"'),
    )
    for number in range(4):
        cluster.label(f"node-{number}", rack=str(number // 2))
    for number in range(8):
        rack = number % 4 // 2
        found = cluster.add(f"web-{number}", node=f"node-{number % 4}")
        assert inside(found, f"192.168.{rack}.0/24")
    shown = cluster.moorctl.must("get", "ippool")
    assert shown.splitlines()[1].split()[:2] == ["rack-0", "192.168.0.0/24"]


def test_a_node_that_no_pool_selects_has_no_addresses(cluster_of_nodes: Cluster) -> None:
    cluster = cluster_of_nodes
    cluster.apply(ip_pool("west", "192.168.0.0/24", nodeSelector='zone == "west"'))
    assert "NO_ELIGIBLE_POOL" in cluster.fail("web-0", {})
    cluster.label("node-0", zone="west")
    assert inside(cluster.add("web-0"), "192.168.0.0/24")


@pytest.mark.parametrize("manual", [{"nodeSelector": "!all()"}, {"assignmentMode": "Manual"}])
def test_a_pool_may_be_kept_for_addresses_chosen_by_hand(
    cluster_of_nodes: Cluster, manual: dict[str, object]
) -> None:
    cluster = cluster_of_nodes
    cluster.apply(
        ip_pool("chosen", "192.168.0.0/24", **manual),
        ip_pool("others", "192.168.1.0/24", allowedUses=["Workload"]),
    )
    assert inside(cluster.add("web-0"), "192.168.1.0/24")
    assert cluster.add("web-1", {ADDRS: '["192.168.0.1"]'}) == ["192.168.0.1"]
    said = cluster.fail("web-2", {ADDRS: '["192.168.0.1"]'})
    assert "ADDRESS_IN_USE" in said
    assert "ADDRESS_NOT_IN_POOL" in cluster.fail("web-2", {ADDRS: '["192.0.2.1"]'})


def test_part_of_a_pool_may_be_kept_for_addresses_chosen_by_hand(
    cluster_of_nodes: Cluster,
) -> None:
    cluster = cluster_of_nodes
    cluster.apply(
        ip_pool("web", "192.168.0.0/24"),
        "apiVersion: projectcalico.org/v3\nkind: IPReservation\nmetadata: {name: by-hand}\n"
        "spec:\n  reservedCIDRs:\n  - 192.168.0.0/28\n  - 192.168.0.20",
    )
    for number in range(5):
        (found,) = cluster.add(f"web-{number}")
        assert ipaddress.ip_address(found) not in ipaddress.ip_network("192.168.0.0/28")
        assert found != "192.168.0.20"
    assert cluster.add("dns", {ADDRS: '["192.168.0.2"]'}) == ["192.168.0.2"]


def test_a_pod_may_be_restricted_to_a_range(cluster_of_nodes: Cluster) -> None:
    cluster = cluster_of_nodes
    cluster.apply(
        ip_pool("default", "192.168.0.0/24"),
        ip_pool("trusted", "192.168.1.0/24", nodeSelector="!all()"),
        ip_pool("spare", "192.168.2.0/24", nodeSelector="!all()"),
    )
    cluster.namespace("bank", {POOLS: '["trusted", "spare"]'})
    assert inside(cluster.add("web-0"), "192.168.0.0/24")
    # Before the node has a block of "spare": its own blocks come before the order of a list.
    assert inside(cluster.add("web-1", namespace="bank"), "192.168.1.0/24")
    assert inside(cluster.add("web-2", {POOLS: '["spare"]'}), "192.168.2.0/24")
    both = cluster.add("web-3", {POOLS: '["spare"]'}, namespace="bank")
    assert inside(both, "192.168.2.0/24")


def test_pods_move_from_one_pool_to_another(cluster_of_nodes: Cluster) -> None:
    cluster = cluster_of_nodes
    cluster.apply(ip_pool("old", "192.168.0.0/16"))
    before = cluster.add("web-0")
    cluster.apply(ip_pool("new", "10.0.0.0/16"))
    cluster.apply(ip_pool("old", "192.168.0.0/16", disabled=True))
    assert cluster.add("web-0") == before
    assert inside(cluster.add("web-1"), "10.0.0.0/16")
    refused = cluster.moorctl("delete", "ippool", "old")
    assert refused.code != 0
    assert "1 allocation;" in refused.err
    cluster.delete("web-0")
    assert inside(cluster.add("web-2"), "10.0.0.0/16")
    cluster.moorctl.must("delete", "ippool", "old")


def test_a_pool_that_no_node_is_selected_by_any_more_serves_no_new_pods(
    cluster_of_nodes: Cluster,
) -> None:
    cluster = cluster_of_nodes
    cluster.apply(ip_pool("old", "192.168.0.0/16"))
    cluster.add("web-0")
    cluster.apply(
        ip_pool("old", "192.168.0.0/16", nodeSelector="!all()"), ip_pool("new", "10.0.0.0/16")
    )
    assert inside(cluster.add("web-1"), "10.0.0.0/16")


def test_the_block_size_of_a_range_is_changed(cluster_of_nodes: Cluster) -> None:
    cluster = cluster_of_nodes
    cluster.apply(ip_pool("default", "192.168.0.0/16"))
    cluster.add("web-0")
    changed = cluster.moorctl(
        "apply", "-f", "-", stdin=ip_pool("default", "192.168.0.0/16", blockSize=28)
    )
    assert changed.code != 0
    cluster.apply(ip_pool("temporary", "10.0.0.0/16"))
    cluster.apply(ip_pool("default", "192.168.0.0/16", disabled=True))
    cluster.delete("web-0")
    assert inside(cluster.add("web-1"), "10.0.0.0/16")
    cluster.moorctl.must("delete", "ippool", "default")
    cluster.apply(ip_pool("default", "192.168.0.0/16", blockSize=28))
    cluster.apply(ip_pool("temporary", "10.0.0.0/16", disabled=True))
    cluster.delete("web-1")
    assert inside(cluster.add("web-2"), "192.168.0.0/28")
    cluster.moorctl.must("delete", "ippool", "temporary")
    shown = cluster.moorctl.must("ipam", "show", "--show-blocks")
    assert "192.168.0.0/28" in shown


def test_a_cluster_of_both_families_gives_one_address_of_each(cluster_of_nodes: Cluster) -> None:
    cluster = cluster_of_nodes
    cluster.apply(ip_pool("four", "192.168.0.0/16"), ip_pool("six", "2001:db8::/64"))
    found = cluster.add("web-0", ipv6=True)
    assert inside(found, "192.168.0.0/16", "2001:db8::/64")
    only = cluster.add("web-1", {"cni.projectcalico.org/ipFamilies": '["IPv6"]'}, ipv6=True)
    assert inside(only, "2001:db8::/64")
