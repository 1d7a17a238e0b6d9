"""moorctl import whereabouts: what its IPPools say is held here, by the same pods."""

import json
from typing import Any

import pytest
import yaml

import moorage
from ctl.program import Moorctl
from harness import calls, digest, serving
from moorage.v1 import resources_pb2

Object = dict[str, Any]  # what YAML holds

CART, WEB, OLD = "0f3c" * 16, "91ab" * 16, "77de" * 16


def document(kind: str, name: str, spec: Object, group: str = "whereabouts.cni.cncf.io") -> Object:
    """One object as kubectl prints it."""
    version = "v1" if group == "k8s.cni.cncf.io" else "v1alpha1"
    metadata = {
        "creationTimestamp": "2026-01-05T10:11:12Z",
        "generation": 4,
        "name": name,
        "namespace": "kube-system",
        "resourceVersion": "4711",
        "uid": "0b8f7a6e-1111-4222-8333-444455556666",
    }
    return {"apiVersion": f"{group}/{version}", "kind": kind, "metadata": metadata, "spec": spec}


def pod(container: str, ref: str, interface: str = "") -> Object:
    """An allocation; old versions keep no interface."""
    known = {"id": container, "podref": ref}
    return known | {"ifname": interface} if interface else known


def ippool(name: str, cidr: str, held: dict[int | str, Object]) -> Object:
    """An IPPool with allocations by their distance from the start of the range."""
    allocations = {str(offset): each for offset, each in held.items()}
    return document("IPPool", name, {"allocations": allocations, "range": cidr})


def overlapping(name: str, container: str, ref: str) -> Object:
    """An OverlappingRangeIPReservation."""
    spec = {"containerid": container, "podref": ref}
    return document("OverlappingRangeIPReservation", name, spec)


def definition(name: str, **ipam: object) -> Object:
    """A NetworkAttachmentDefinition, whose configuration names the network "storage"."""
    own = {"type": "whereabouts", **ipam}
    config = {"cniVersion": "0.3.1", "name": "storage", "type": "macvlan", "ipam": own}
    spec = {"config": json.dumps(config)}
    return document("NetworkAttachmentDefinition", name, spec, "k8s.cni.cncf.io")


def listed(*documents: Object) -> str:
    """The objects as `kubectl get -o yaml` prints them."""
    listing = {"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": ""}}
    return yaml.safe_dump({**listing, "items": list(documents)})


RANGES = [
    {"range": "10.10.0.0/24", "exclude": ["10.10.0.128/25"], "range_start": "10.10.0.5"},
    {"range": "fd00:10::/112"},
]
DEFINITION = definition(
    "storage-net", ipRanges=RANGES, gateway="10.10.0.1", routes=[{"dst": "10.0.0.0/8"}]
)
FOUR = ippool(
    "10.10.0.0-24",
    "10.10.0.0/24",
    {
        5: pod(CART, "shop/cart-0", "net1"),
        6: pod(WEB, "shop/web-0", "net2"),
        70: pod(OLD, "shop/old-0"),
        71: pod("", "shop/nobody-0"),
    },
)
SIX = ippool("fd00-10--0-112", "fd00:10::/112", {7: pod(CART, "shop/cart-0", "net1")})
OVERLAPPING = [
    overlapping("10.10.0.5", CART, "shop/cart-0"),
    overlapping("fd00-10--7", CART, "shop/cart-0"),
    overlapping("10.10.0.9", "55" * 32, "shop/lost-0"),
]

WHOLE = listed(DEFINITION, FOUR, SIX, *OVERLAPPING)

HELD = {
    "10.10.0.5": ("storage", CART, "net1", "shop/cart-0"),
    "10.10.0.6": ("storage", WEB, "net2", "shop/web-0"),
    "10.10.0.70": ("storage", OLD, "net1", "shop/old-0"),
    "fd00:10::7": ("storage", CART, "net1", "shop/cart-0"),
}


def held(client: moorage.Client) -> dict[str, tuple[str, str, str, str]]:
    """Network, container, interface and pod by address."""
    return {
        each.address: (
            each.attachment.network,
            each.attachment.container_id,
            each.attachment.interface,
            f"{each.workload.namespace}/{each.workload.pod}",
        )
        for each in client.allocations()
    }


def run(moorctl: Moorctl, dump: str, *arguments: str) -> tuple[int, list[str], str]:
    """Import a dump."""
    ended = moorctl("import", "whereabouts", "-", *arguments, stdin=dump)
    return ended.code, ended.out.splitlines(), ended.err


def test_a_preview_tells_everything_and_changes_nothing(
    moorctl: Moorctl, server: serving.Serving
) -> None:
    before = digest.of(server.database)
    code, lines, err = run(moorctl, WHOLE)
    assert (code, digest.of(server.database)) == (0, before), err
    assert lines == [
        "pool/10.10.0.0-24 to be created",
        "pool/fd00-10--0-112 to be created",
        "reservation/whereabouts-10-10-0-71 to be created",
        "reservation/whereabouts-10-10-0-9 to be created",
        "block 10.10.0.0/26 of pool 10.10.0.0-24: 2 to adopt, 0 held already",
        "block 10.10.0.64/26 of pool 10.10.0.0-24: 1 to adopt, 0 held already",
        "block fd00:10::/122 of pool fd00-10--0-112: 1 to adopt, 0 held already",
        "4 addresses to adopt, 0 held already, 0 blocks in no pool, 0 conflicts; nothing was"
        " changed, --apply does it",
    ]
    assert "10.10.0.9 is held by no IPPool; it is reserved here, as in whereabouts" in err


@pytest.mark.parametrize("form", ["yaml", "json"])
def test_an_import_adopts_once(
    form: str, moorctl: Moorctl, client: moorage.Client, server: serving.Serving
) -> None:
    dump = WHOLE if form == "yaml" else json.dumps(yaml.safe_load(WHOLE))
    code, lines, err = run(moorctl, dump, "--apply", "--cluster", "e0a7")
    assert (code, held(client)) == (0, HELD), err
    assert {each.workload.cluster for each in client.allocations()} == {"e0a7"}
    before = digest.of(server.database)
    code, lines, err = run(moorctl, dump, "--apply", "--cluster", "e0a7")
    assert (code, lines[-1]) == (
        0,
        "0 addresses adopted, 4 held already, 0 blocks in no pool, 0 conflicts; nothing to change",
    ), err
    assert digest.of(server.database) == before


def test_pools_are_as_the_definition_dealt_them_out(
    moorctl: Moorctl, client: moorage.Client
) -> None:
    run(moorctl, WHOLE, "--apply")
    four, six = client.get_pool("10.10.0.0-24"), client.get_pool("fd00-10--0-112")
    assert list(four.excluded_ranges) == ["10.10.0.0-10.10.0.4", "10.10.0.128/25"]
    assert (four.gateway, six.gateway) == ("10.10.0.1", "")
    assert [each.destination for each in four.routes] == ["10.0.0.0/8"]
    assert (list(six.routes), list(six.excluded_ranges)) == ([], [])
    for pool in (four, six):
        assert pool.exclude_network_addresses
        assert pool.result_form == resources_pb2.RESULT_FORM_POOL
        assert pool.block_affinity == resources_pb2.BLOCK_AFFINITY_NONE


def test_what_names_no_container_is_reserved(moorctl: Moorctl, client: moorage.Client) -> None:
    run(moorctl, WHOLE, "--apply")
    told = {each.cidrs[0]: each.description for each in client.reservations()}
    assert told == {
        "10.10.0.9/32": "taken in whereabouts by shop/lost-0",
        "10.10.0.71/32": "taken in whereabouts by shop/nobody-0",
    }
    new = [calls.addresses_of(calls.assign(client, f"new{at}"))[0] for at in range(3)]
    assert new == ["10.10.0.7", "10.10.0.8", "10.10.0.10"]


def test_a_pod_that_goes_gives_back_what_was_adopted_for_it(
    moorctl: Moorctl, client: moorage.Client
) -> None:
    run(moorctl, WHOLE, "--apply")
    going = resources_pb2.Attachment(network="storage", container_id=CART, interface="net1")
    released = client.release(going)
    assert sorted(each.address for each in released) == ["10.10.0.5", "fd00:10::7"]
    code, lines, _ = run(moorctl, WHOLE, "--apply")
    assert (code, "2 released since and left alone" in lines[-1]) == (0, True)


def test_an_address_is_of_the_node_of_its_pod(moorctl: Moorctl, client: moorage.Client) -> None:
    running: Object = {"apiVersion": "v1", "kind": "Pod", "spec": {"nodeName": "worker-1"}}
    running["metadata"] = {"name": "cart-0", "namespace": "shop"}
    code, _, err = run(moorctl, listed(DEFINITION, FOUR, SIX, running), "--apply")
    assert code == 0, err
    nodes = {each.address: each.workload.node for each in client.allocations()}
    assert nodes == dict.fromkeys(HELD, "") | {"10.10.0.5": "worker-1", "fd00:10::7": "worker-1"}


def test_an_address_of_another_is_a_conflict(
    moorctl: Moorctl, client: moorage.Client, server: serving.Serving
) -> None:
    calls.create_pool(client, "mine", "10.10.0.0/24")
    calls.assign(client, "other", calls.fixed("10.10.0.6"))
    before = digest.of(server.database)
    code, lines, err = run(moorctl, WHOLE, "--apply")
    assert (code, digest.of(server.database)) == (4, before)
    (line,) = (line for line in lines if "conflict:" in line)
    assert "10.10.0.6 is held by container other of network pods (eth0)" in line
    assert "moorctl: 1 conflict; nothing was changed" in err


def test_a_range_begins_where_it_says(moorctl: Moorctl, client: moorage.Client) -> None:
    shifted = ippool("shifted", "192.168.2.225/28", {1: pod(CART, "shop/cart-0", "net1")})
    code, _, err = run(moorctl, listed(shifted), "--apply", "--network", "lan")
    assert (code, held(client)) == (
        0,
        {"192.168.2.226": ("lan", CART, "net1", "shop/cart-0")},
    ), err
    assert client.get_pool("shifted").cidr == "192.168.2.224/28"


def test_a_range_may_have_a_first_and_a_last_address(
    moorctl: Moorctl, client: moorage.Client
) -> None:
    spelled = definition("lan", range="192.168.2.225-192.168.2.230/28")
    pool = ippool("192.168.2.224-28", "192.168.2.224/28", {3: pod(CART, "shop/cart-0", "net1")})
    code, _, err = run(moorctl, listed(spelled, pool), "--apply")
    assert (code, list(held(client))) == (0, ["192.168.2.227"]), err
    excluded = list(client.get_pool("192.168.2.224-28").excluded_ranges)
    assert excluded == ["192.168.2.224", "192.168.2.231-192.168.2.239"]


def test_ranges_in_one_another_become_one_pool(moorctl: Moorctl, client: moorage.Client) -> None:
    small = ippool("10.10.0.0-28", "10.10.0.0/28", {3: pod("c3", "shop/early-0", "net1")})
    code, _, err = run(moorctl, listed(DEFINITION, small, FOUR), "--apply", "--network", "lan")
    # The definition has only what is from 10.10.0.5 on: an early address is in its way.
    assert code == 4, err
    code, _, err = run(moorctl, listed(small, FOUR), "--apply", "--network", "lan")
    assert (code, [each.name for each in client.pools()]) == (
        0,
        ["vrfs/default/pools/10.10.0.0-24"],
    ), err
    assert "10.10.0.0/28 lies in 10.10.0.0/24 of 10.10.0.0-24, whose pool has both" in err
    assert sorted(held(client)) == ["10.10.0.3", "10.10.0.5", "10.10.0.6", "10.10.0.70"]


def test_a_claim_is_kept_as_a_label(moorctl: Moorctl, client: moorage.Client) -> None:
    claimed = pod(CART, "shop/vm-0", "net1") | {"ipamclaimref": "shop/vm"}
    dump = listed(ippool("lan", "10.10.0.0/24", {5: claimed}))
    code, _, err = run(moorctl, dump, "--apply", "--network", "lan")
    assert code == 0, err
    assert "10.10.0.5 is kept for IPAMClaim shop/vm beyond its pod" in err
    assert dict(client.get_allocation("10.10.0.5").labels) == {"whereabouts.ipamclaim": "shop/vm"}


def test_what_is_not_of_whereabouts_is_left_out(moorctl: Moorctl) -> None:
    calico = document("IPPool", "web", {"cidr": "10.9.0.0/24"}, "crd.projectcalico.org")
    slices = document("NodeSlicePool", "slices", {"range": "10.8.0.0/16", "sliceSize": "/24"})
    bare = {"apiVersion": "v1", "kind": "Namespace"}
    code, lines, err = run(moorctl, listed(calico, slices, DEFINITION, FOUR, bare))
    assert (code, lines[0]) == (0, "pool/10.10.0.0-24 to be created"), err
    assert "items[0]: IPPool is not of whereabouts; left out" in err
    assert "items[4]: Namespace is not of whereabouts; left out" in err
    assert "items[1]: NodeSlicePool is not of whereabouts; left out" in err


def test_a_network_that_is_not_known_must_be_named(offline: Moorctl) -> None:
    code, _, err = run(offline, listed(FOUR))
    assert code == 2
    assert "no definition draws from range 10.10.0.0/24" in err
    other = definition("other", range="10.10.0.0/24")
    other["spec"]["config"] = other["spec"]["config"].replace('"storage"', '"other"')
    code, _, err = run(offline, listed(FOUR, DEFINITION, other))
    assert (code, "other, storage draw from range 10.10.0.0/24" in err) == (2, True)


def test_an_address_of_two_containers_is_refused(offline: Moorctl) -> None:
    again = ippool("blue-10.10.0.0-24", "10.10.0.0/24", {5: pod(WEB, "shop/web-0", "net1")})
    code, _, err = run(offline, listed(FOUR, again), "--network", "lan")
    assert code == 2
    assert f"10.10.0.5 is held by container {WEB}, and in another IPPool by {CART}" in err


MALFORMED: dict[str, tuple[Object, str, str]] = {
    "no range": (ippool("a", "10.0.0.0", {}), "spec.range", "must be a CIDR"),
    "no offset": (ippool("a", "10.0.0.0/24", {"x": {}}), "allocations.x", "must be the distance"),
    "too far": (ippool("a", "10.0.0.0/24", {256: {}}), "allocations.256", "beyond the end"),
    "no pod": (
        ippool("a", "10.0.0.0/24", {1: pod("c", "x")}),
        "allocations.1.podref",
        "must be a namespace and a pod",
    ),
    "no container": (
        ippool("a", "10.0.0.0/24", {1: pod("a b", "x/y")}),
        "allocations.1.id",
        "must be at most 128",
    ),
    "a list": (
        document("IPPool", "a", {"range": "10.0.0.0/24", "allocations": [1]}),
        "spec.allocations",
        "must be a mapping",
    ),
    "no name": (overlapping("lost", "c", "x/y"), "spec", "ends with no address"),
    "no JSON": (
        document("NetworkAttachmentDefinition", "a", {"config": "{"}, "k8s.cni.cncf.io"),
        "spec.config",
        "must be the JSON of a network",
    ),
    "a bad end": (
        definition("a", range="10.0.0.0/24", range_end="10.1.0.1"),
        "spec.config.ipam.range_end",
        "10.1.0.1 is not in 10.0.0.0/24",
    ),
    "a bad exclusion": (
        definition("a", range="10.0.0.0/24", exclude=["x"]),
        "spec.config.ipam.exclude[0]",
        "must be a CIDR or an address",
    ),
}


@pytest.mark.parametrize("malformed", MALFORMED)
def test_a_malformed_dump_never_reaches_the_server(malformed: str, offline: Moorctl) -> None:
    broken, field, told = MALFORMED[malformed]
    arguments = ("-o", "json", "--network", "lan")
    code, _, err = run(offline, listed(DEFINITION, broken), *arguments)
    (violation,) = json.loads(err)["violations"]
    assert (code, "items[1]" in violation["field"]) == (2, True)
    assert violation["field"].endswith(field)
    assert told in violation["description"]
