"""What the annotations of pods and namespaces do, as for Calico's CNI plugin."""

from collections.abc import Iterator

import pytest

from acceptance.calico import pods
from acceptance.calico.ground import configuration, drained, fixed, pool, release, reservation
from acceptance.calico.pods import (
    ADDRS,
    EAST,
    FAMILIES,
    GOLD,
    MANUAL,
    NO_IPAM,
    OFF,
    SERVICES,
    TINY,
    TINY6,
    TUNNELS,
    V4,
    V6,
    Row,
    Rows,
    Town,
    each,
    on_namespace,
    on_pod,
)
from harness import postgres

BOTH_FAMILIES = {"assign_ipv6": "true"}


@pytest.fixture(scope="module")
def town(cluster: postgres.Postgres) -> Iterator[Town]:
    """One server and Kubernetes API for all rows."""
    with pods.living(cluster) as living:
        yield living


PRECEDENCE: Rows = {
    "a pod's pools are drawn from": Row(pod={V4: '["web"]'}, gives=["web"]),
    "a namespace's pools are the default of its pods": Row(
        namespace={V4: '["web"]'}, gives=["web"]
    ),
    "the pools of the configuration are the default of all": Row(
        ipam={"ipv4_pools": ["web"]}, gives=["web"]
    ),
    "a pod's pools replace those of its namespace": Row(
        given=[MANUAL], pod={V4: '["web"]'}, namespace={V4: '["manual"]'}, gives=["web"]
    ),
    "a pod's pools win even where the namespace names one that does not exist": Row(
        pod={V4: '["web"]'}, namespace={V4: '["gone"]'}, gives=["web"]
    ),
    "a pod's pools win even where those of the namespace are no JSON": Row(
        pod={V4: '["web"]'}, namespace={V4: "gone"}, gives=["web"]
    ),
    "a namespace's pools replace those of the configuration": Row(
        given=[MANUAL], namespace={V4: '["web"]'}, ipam={"ipv4_pools": ["manual"]}, gives=["web"]
    ),
    "a pod's pools replace those of the configuration": Row(
        pod={V4: '["web"]'}, ipam={"ipv4_pools": ["gone"]}, gives=["web"]
    ),
    "lists are never merged": Row(
        given=[TINY, fixed("other", "10.8.0.0")],
        pod={V4: '["tiny"]'},
        namespace={V4: '["web"]'},
        ipam={"ipv4_pools": ["four"]},
        refused=(104, ["POOL_EXHAUSTED", on_pod(V4)]),
    ),
    "an empty text on the pod is absent": Row(
        pod={V4: ""}, namespace={V4: '["web"]'}, gives=["web"]
    ),
    "an empty text on the namespace is absent": Row(
        pod={V4: ""}, namespace={V4: ""}, ipam={"ipv4_pools": ["web"]}, gives=["web"]
    ),
    "an empty list on the pod replaces the namespace's and constrains nothing": Row(
        pod={V4: "[]"}, namespace={V4: '["web"]'}, gives=["four"]
    ),
    "an empty list on the pod replaces the configuration's": Row(
        pod={V4: "[]"}, ipam={"ipv4_pools": ["web"]}, gives=["four"]
    ),
    "an empty list on the namespace replaces the configuration's": Row(
        namespace={V4: "[]"}, ipam={"ipv4_pools": ["web"]}, gives=["four"]
    ),
    "null is an empty list": Row(pod={V4: "null"}, namespace={V4: '["web"]'}, gives=["four"]),
    "each key is decided by itself": Row(
        pod={V4: '["web"]'},
        namespace={V4: '["gone"]', V6: '["web6"]', FAMILIES: '["IPv4","IPv6"]'},
        gives=["web", "web6"],
    ),
    "annotations that no runtime passes are read from the pod": Row(
        pod={V4: '["web"]'}, passed=False, namespace={V4: '["gone"]'}, gives=["web"]
    ),
    "selectors decide where nobody names a pool": Row(
        given=[GOLD], labels={"tier": "gold"}, gives=["gold"]
    ),
    "a selector that does not match passes its pool over": Row(
        given=[GOLD], labels={"tier": "lead"}, gives=["four"]
    ),
    "other annotations mean nothing": Row(
        pod={"cni.projectcalico.org/podIP": "10.0.0.9/32", "shop.example/ipv4pools": '["gone"]'},
        gives=["four"],
    ),
}

POOLS: Rows = {
    "a pool is named by its CIDR": Row(pod={V4: '["10.1.0.0/24"]'}, gives=["web"]),
    "host bits of a CIDR are masked": Row(pod={V4: '["10.1.0.5/24"]'}, gives=["web"]),
    "host bits of an IPv6 CIDR are masked": Row(
        pod={V6: '["FD01::5/112"]'}, ipam=BOTH_FAMILIES, gives=["four", "web6"]
    ),
    "blanks and lines between the items are JSON": Row(pod={V4: '[\n  "web"\n]'}, gives=["web"]),
    "a pool may be named twice": Row(pod={V4: '["web","10.1.0.0/24"]'}, gives=["web"]),
    "the next pool serves where the first is full": Row(
        given=[TINY, fixed("other", "10.8.0.0")], pod={V4: '["tiny","web"]'}, gives=["web"]
    ),
    "a named pool passes over Manual": Row(
        given=[MANUAL], pod={V4: '["manual"]'}, gives=["manual"]
    ),
    "a named pool passes over its node selector": Row(
        given=[EAST], pod={V4: '["east"]'}, gives=["east"]
    ),
    "a named pool passes over its namespace selector": Row(
        given=[GOLD], pod={V4: '["gold"]'}, labels={"tier": "lead"}, gives=["gold"]
    ),
    "a named pool does not pass over disabled": Row(
        given=[OFF], pod={V4: '["off"]'}, refused=(102, ["POOL_DISABLED", "pool=off", on_pod(V4)])
    ),
    "a named pool does not pass over draining": Row(
        given=[MANUAL, drained("manual")],
        pod={V4: '["manual"]'},
        refused=(102, ["POOL_DRAINING", "pool=manual", on_pod(V4)]),
    ),
    "a named pool does not pass over the uses that are allowed": Row(
        given=[TUNNELS],
        pod={V4: '["tunnels"]'},
        refused=(102, ["POOL_USE_NOT_ALLOWED", "use=WORKLOAD", on_pod(V4)]),
    ),
    "a pool of load balancers serves no pod": Row(
        given=[SERVICES], pod={V4: '["services"]'}, refused=(102, ["POOL_USE_NOT_ALLOWED"])
    ),
    "a named pool does not pass over reservations": Row(
        given=[TINY, reservation("r", "10.8.0.0/32")],
        pod={V4: '["tiny"]'},
        refused=(104, ["POOL_EXHAUSTED", "reserved=1", on_pod(V4)]),
    ),
    "one unknown pool in the list fails all": Row(
        pod={V4: '["web","gone"]'},
        refused=(102, ['error parsing pool "gone": invalid CIDR address: gone', on_pod(V4)]),
    ),
    "one disabled pool in the list fails all": Row(
        given=[OFF], pod={V4: '["web","off"]'}, refused=(102, ["POOL_DISABLED", on_pod(V4)])
    ),
    "an unknown pool of the namespace is said to be the namespace's": Row(
        namespace={V4: '["gone"]'},
        refused=(102, ['error parsing pool "gone"', on_namespace(V4)]),
    ),
    "a CIDR matches exactly: a part of a pool is none": Row(
        pod={V4: '["10.1.0.0/25"]'}, refused=(102, ["POOL_NOT_FOUND", on_pod(V4)])
    ),
    "a CIDR matches exactly: more than a pool is none": Row(
        pod={V4: '["10.1.0.0/16"]'}, refused=(102, ["POOL_NOT_FOUND", on_pod(V4)])
    ),
    "an address is no pool": Row(
        pod={V4: '["10.1.0.0"]'},
        refused=(102, ['error parsing pool "10.1.0.0": invalid CIDR address: 10.1.0.0']),
    ),
    "an IPv6 pool in the IPv4 list, by name": Row(
        pod={V4: '["web6"]'}, refused=(102, ["POOL_FAMILY_MISMATCH", "pool=web6", on_pod(V4)])
    ),
    "an IPv6 pool in the IPv4 list, by CIDR": Row(
        pod={V4: '["web","fd01::5/112"]'},
        refused=(100, [""""fd01::" isn't a IPv4 address""", on_pod(V4)]),
    ),
    "an IPv4 pool in the IPv6 list, by CIDR, though no IPv6 is asked for": Row(
        pod={V6: '["10.1.0.0/24"]'}, refused=(100, [""""10.1.0.0" isn't a IPv6 address""", V6])
    ),
    "an IPv4 pool in the IPv6 list, by name, though no IPv6 is asked for": Row(
        pod={V6: '["web6","web"]'},
        refused=(100, [""""10.1.0.0" isn't a IPv6 address""", on_pod(V6)]),
    ),
    "an unknown name in the IPv6 list, though no IPv6 is asked for": Row(
        pod={V6: '["gone"]'},
        refused=(102, ['error parsing pool "gone": invalid CIDR address: gone', on_pod(V6)]),
    ),
    "an unknown name in the IPv4 list of a pod of IPv6": Row(
        pod={FAMILIES: '["IPv6"]'},
        namespace={V4: '["gone"]'},
        refused=(102, ['error parsing pool "gone"', on_namespace(V4)]),
    ),
    "an unknown CIDR in the IPv6 list, while no IPv6 is asked for": Row(
        pod={V6: '["fd09::/112"]'}, gives=["four"]
    ),
    "naming IPv6 pools does not switch IPv6 on": Row(pod={V6: '["web6"]'}, gives=["four"]),
    "one bad value of the family that is not asked for is still one": Row(
        pod={V6: "web6"}, refused=(100, ["not JSON", on_pod(V6)])
    ),
}


def bad_pools(value: str, said: str, key: str = V4) -> Row:
    """A list of pools that is refused before any server is asked."""
    return Row(pod={key: value}, refused=(100, [said, on_pod(key)]))


def unparsable(text: str, key: str = V4) -> Row:
    """A list of one text that is neither a pool's name nor a CIDR."""
    said = f'error parsing pool "{text}": invalid CIDR address: {text}'
    return bad_pools(f'["{text}"]', said, key)


BAD_POOLS: Rows = {
    "pools that are no JSON": bad_pools("web", "not JSON"),
    "pools with a comma too many": bad_pools('["web",]', "not JSON"),
    "pools that are a JSON string": bad_pools('"web"', "not a JSON list"),
    "pools that are an object": bad_pools('{"web":1}', "not a JSON list"),
    "a pool that is a number": bad_pools('["web",1]', "not a string"),
    "a pool that is null": bad_pools('["web",null]', "not a string"),
    "pools of the namespace that are no JSON": Row(
        namespace={V4: "web"}, refused=(100, ["not JSON", on_namespace(V4)])
    ),
    "a pool without a name": unparsable(""),
    "a pool in capitals": unparsable("WEB"),
    "an underscore": unparsable("web_1"),
    "a netmask": unparsable("10.1.0.0/255.255.255.0"),
    "a prefix that is too long": unparsable("10.1.0.0/33"),
    "a sign before the prefix length": unparsable("10.1.0.0/+24"),
    "a blank before the prefix length": unparsable("10.1.0.0/ 24"),
    "a blank before the CIDR": unparsable(" 10.1.0.0/24"),
    "a leading zero": unparsable("010.1.0.0/24"),
    "a zone": unparsable("fe80::%eth0/64", V6),
    "an IPv6 address is no pool": unparsable("fd01::", V6),
}

IP_FAMILIES: Rows = {
    "a pod of IPv6 on a network of IPv4": Row(pod={FAMILIES: '["IPv6"]'}, gives=["six"]),
    "a pod of IPv4 on a network of both": Row(
        pod={FAMILIES: '["IPv4"]'}, ipam=BOTH_FAMILIES, gives=["four"]
    ),
    "a pod of both on a network of IPv4": Row(
        pod={FAMILIES: '["IPv4","IPv6"]'}, gives=["four", "six"]
    ),
    "IPv4 comes first, whatever the order of the list": Row(
        pod={FAMILIES: '["IPv6","IPv4"]'}, gives=["four", "six"]
    ),
    "a family named twice is one": Row(pod={FAMILIES: '["IPv6","IPv6","IPv6"]'}, gives=["six"]),
    "families of the namespace are the default": Row(
        namespace={FAMILIES: '["IPv6"]'}, gives=["six"]
    ),
    "families of the pod replace those of the namespace": Row(
        pod={FAMILIES: '["IPv4"]'}, namespace={FAMILIES: '["IPv6"]'}, gives=["four"]
    ),
    "an empty text of families is absent": Row(
        pod={FAMILIES: ""}, namespace={FAMILIES: '["IPv6"]'}, gives=["six"]
    ),
    "families switch on what the configuration switches off": Row(
        pod={FAMILIES: '["IPv4"]'}, ipam={"assign_ipv4": "false"}, gives=["four"]
    ),
    "pools of both families": Row(
        pod={FAMILIES: '["IPv4","IPv6"]', V4: '["web"]', V6: '["web6"]'}, gives=["web", "web6"]
    ),
    "the second family is full: nothing is kept": Row(
        given=[TINY6, fixed("other", "fd08::")],
        pod={FAMILIES: '["IPv4","IPv6"]', V6: '["tiny6"]'},
        refused=(104, ["POOL_EXHAUSTED", "family=IPV6", on_pod(FAMILIES), on_pod(V6)]),
    ),
    "the first family is full: nothing is kept": Row(
        given=[TINY, fixed("other", "10.8.0.0")],
        pod={FAMILIES: '["IPv4","IPv6"]', V4: '["tiny"]'},
        refused=(104, ["POOL_EXHAUSTED", "family=IPV4", on_pod(V4)]),
    ),
    "no family at all": Row(
        pod={FAMILIES: "[]"}, refused=(100, ["no address to assign", on_pod(FAMILIES)])
    ),
    "null is no family": Row(pod={FAMILIES: "null"}, refused=(100, ["no address to assign"])),
    "families are case-sensitive": Row(
        pod={FAMILIES: '["ipv4"]'}, refused=(100, ["error parsing ipFamilies", "ipv4"])
    ),
    "an unknown family": Row(
        namespace={FAMILIES: '["IPv4","IPv5"]'},
        refused=(100, ["error parsing ipFamilies", "IPv5", on_namespace(FAMILIES)]),
    ),
    "families that are no JSON": Row(
        pod={FAMILIES: "IPv4"}, refused=(100, ["not JSON", on_pod(FAMILIES)])
    ),
}

LIMITS: Rows = {
    "a listed address cools down": Row(
        given=[configuration(ipCooldownSeconds=1200), fixed("other", "10.0.0.9"), release("other")],
        pod={ADDRS: '["10.0.0.9"]'},
        refused=(11, ["ADDRESS_COOLING", "ready_time=", on_pod(ADDRS)]),
    ),
    "the last address of a pool cools down": Row(
        given=[
            *(TINY, configuration(ipCooldownSeconds=1200)),
            *(fixed("other", "10.8.0.0"), release("other")),
        ],
        pod={V4: '["tiny"]'},
        refused=(11, ["POOL_COOLING", "ready_time=", on_pod(V4)]),
    ),
    "the node has all the blocks it may have": Row(
        given=[
            configuration(strictAffinity=True, maxBlocksPerHost=1),
            pool("small", "10.8.0.0/30", blockSize=32, nodeSelector="!all()"),
            fixed("other", "10.8.0.0", node="n1"),
        ],
        pod={V4: '["small"]'},
        refused=(104, ["BLOCK_LIMIT_REACHED", "limit=1", on_pod(V4)]),
    ),
    "no block is opened by itself": Row(
        given=[configuration(strictAffinity=True, autoAllocateBlocks=False)],
        pod={V4: '["web"]'},
        refused=(104, ["BLOCK_ALLOCATION_DISABLED", "node=n1", on_pod(V4)]),
    ),
}


@each(PRECEDENCE)
def test_the_pod_wins_over_its_namespace_and_that_over_the_configuration(
    town: Town, row: Row
) -> None:
    pods.check(town, row)


@each(POOLS)
def test_pools_are_named_and_constrain_where_an_address_is_from(town: Town, row: Row) -> None:
    pods.check(town, row)


@each(BAD_POOLS)
def test_a_list_of_pools_that_cannot_be_read_fails_the_pod(town: Town, row: Row) -> None:
    pods.check(town, row)


@each(IP_FAMILIES)
def test_families_decide_which_addresses_a_pod_gets(town: Town, row: Row) -> None:
    pods.check(town, row)


@each(LIMITS)
def test_what_a_vrf_withholds_is_said_with_the_annotation(town: Town, row: Row) -> None:
    pods.check(town, row)


def test_annotations_count_when_the_pod_is_added_and_never_again(town: Town) -> None:
    home = town.home()
    given = home.add(Row(pod={V4: '["web"]'}))
    edited = Row(pod={V4: "no json", ADDRS: "[]", NO_IPAM: '["192.0.2.7"]'}, namespace={V4: "{"})
    home.delete(edited)
    assert home.held() == []
    assert given[0].startswith("10.1.0.")
