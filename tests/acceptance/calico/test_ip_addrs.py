"""What the annotation ipAddrs does, and those that go past IPAM, as for Calico's CNI plugin."""

from collections.abc import Iterator

import pytest

from acceptance.calico import pods
from acceptance.calico.ground import configuration, drained, fixed, pool, reservation
from acceptance.calico.pods import (
    ADDRS,
    EAST,
    FAMILIES,
    FLOATING,
    GOLD,
    MANUAL,
    NO_IPAM,
    OFF,
    TUNNELS,
    V4,
    Row,
    Rows,
    Town,
    each,
    on_pod,
)
from harness import postgres

BOTH_FAMILIES = {"assign_ipv6": "true"}


@pytest.fixture(scope="module")
def town(cluster: postgres.Postgres) -> Iterator[Town]:
    """One server and Kubernetes API for all rows."""
    with pods.living(cluster) as living:
        yield living


IP_ADDRS: Rows = {
    "a listed address is given": Row(pod={ADDRS: '["10.0.0.9"]'}, gives=["10.0.0.9"]),
    "one of each family": Row(pod={ADDRS: '["fd00::9","10.0.0.9"]'}, gives=["10.0.0.9", "fd00::9"]),
    "one IPv4 address on a network of both is all": Row(
        pod={ADDRS: '["10.0.0.9"]'}, ipam=BOTH_FAMILIES, gives=["10.0.0.9"]
    ),
    "an IPv6 address on a network of IPv4": Row(pod={ADDRS: '["FD00::9"]'}, gives=["fd00::9"]),
    "it wins over ipFamilies": Row(
        pod={ADDRS: '["10.0.0.9"]', FAMILIES: '["IPv6"]'}, gives=["10.0.0.9"]
    ),
    "it wins over switches that are off": Row(
        pod={ADDRS: '["10.0.0.9"]'}, ipam={"assign_ipv4": "false"}, gives=["10.0.0.9"]
    ),
    "it wins over pools": Row(
        pod={ADDRS: '["10.1.0.9"]', V4: '["four"]'},
        namespace={V4: '["gone"]'},
        ipam={"ipv4_pools": ["gone"]},
        gives=["10.1.0.9"],
    ),
    "an IPv4-mapped address is the IPv4 address": Row(
        pod={ADDRS: '["::ffff:10.0.0.9"]'}, gives=["10.0.0.9"]
    ),
    "it is ignored on a namespace": Row(namespace={ADDRS: '["10.1.0.9"]'}, gives=["four"]),
    "it is not even read on a namespace": Row(namespace={ADDRS: "10.1.0.9"}, gives=["four"]),
    "an empty text of addresses is absent": Row(pod={ADDRS: ""}, gives=["four"]),
    "the first and the last of a pool are ordinary": Row(
        pod={ADDRS: '["10.0.0.255"]'}, gives=["10.0.0.255"]
    ),
    "it passes over Manual": Row(given=[MANUAL], pod={ADDRS: '["10.2.0.9"]'}, gives=["10.2.0.9"]),
    "it passes over node selectors": Row(
        given=[EAST], pod={ADDRS: '["10.3.0.9"]'}, gives=["10.3.0.9"]
    ),
    "it passes over namespace selectors": Row(
        given=[GOLD], pod={ADDRS: '["10.4.0.9"]'}, labels={"tier": "lead"}, gives=["10.4.0.9"]
    ),
    "it passes over reservations": Row(
        given=[reservation("r", "10.0.0.0/24")], pod={ADDRS: '["10.0.0.9"]'}, gives=["10.0.0.9"]
    ),
    "it does not pass over disabled": Row(
        given=[OFF], pod={ADDRS: '["10.5.0.9"]'}, refused=(102, ["POOL_DISABLED", on_pod(ADDRS)])
    ),
    "it does not pass over draining": Row(
        given=[drained("web")],
        pod={ADDRS: '["10.1.0.9"]'},
        refused=(102, ["POOL_DRAINING", on_pod(ADDRS)]),
    ),
    "it does not pass over the uses that are allowed": Row(
        given=[TUNNELS],
        pod={ADDRS: '["10.6.0.9"]'},
        refused=(102, ["POOL_USE_NOT_ALLOWED", on_pod(ADDRS)]),
    ),
    "it is in no pool": Row(
        pod={ADDRS: '["192.0.2.7"]'}, refused=(102, ["ADDRESS_NOT_IN_POOL", on_pod(ADDRS)])
    ),
    "it is the gateway of its pool": Row(
        given=[pool("lan", "10.9.0.0/24", gateway="10.9.0.1")],
        pod={ADDRS: '["10.9.0.1"]'},
        refused=(102, ["ADDRESS_EXCLUDED", on_pod(ADDRS)]),
    ),
    "somebody holds it": Row(
        given=[fixed("other", "10.0.0.9")],
        pod={ADDRS: '["10.0.0.9"]'},
        refused=(103, ["ADDRESS_IN_USE", on_pod(ADDRS)]),
    ),
    "somebody holds the second: the first is not kept": Row(
        given=[fixed("other", "fd00::9")],
        pod={ADDRS: '["10.0.0.9","fd00::9"]'},
        refused=(103, ["ADDRESS_IN_USE", "address=fd00::9", on_pod(ADDRS)]),
    ),
    "specified but empty": Row(
        pod={ADDRS: "[]"}, refused=(100, [on_pod(ADDRS), "specified but empty"])
    ),
    "null is specified but empty": Row(pod={ADDRS: "null"}, refused=(100, ["specified but empty"])),
    "addresses that are no JSON": Row(
        pod={ADDRS: "10.0.0.9"}, refused=(100, ["not JSON", on_pod(ADDRS)])
    ),
    "addresses that are a JSON string": Row(
        pod={ADDRS: '"10.0.0.9"'}, refused=(100, ["not a JSON list"])
    ),
    "several of a family: any one that is free": Row(
        given=[fixed("other", "10.0.0.9")],
        pod={ADDRS: '["10.0.0.9","10.0.0.8"]'},
        gives=["10.0.0.8"],
    ),
    "several of both families: one of each": Row(
        given=[fixed("other", "10.0.0.9"), fixed("another", "fd00::8")],
        pod={ADDRS: '["fd00::8","10.0.0.9","fd00::9","10.0.0.8"]'},
        gives=["10.0.0.8", "fd00::9"],
    ),
    "several of a family, all held": Row(
        given=[fixed("other", "10.0.0.9"), fixed("another", "10.0.0.8")],
        pod={ADDRS: '["10.0.0.9","10.0.0.8"]'},
        refused=(103, ["ADDRESS_IN_USE", "10.0.0.9", "10.0.0.8", on_pod(ADDRS)]),
    ),
    "strict: several of a family": Row(
        pod={ADDRS: '["10.0.0.9","10.0.0.8"]'},
        ipam={"ip_addrs": "strict"},
        refused=(100, [f'cannot have more than one IPv4 address for "{ADDRS}" annotation']),
    ),
    "strict: several of IPv6": Row(
        pod={ADDRS: '["10.0.0.9","fd00::8","fd00::9"]'},
        ipam={"ip_addrs": "strict"},
        refused=(100, [f'cannot have more than one IPv6 address for "{ADDRS}" annotation']),
    ),
    "strict: one of each family": Row(
        pod={ADDRS: '["10.0.0.9","fd00::9"]'},
        ipam={"ip_addrs": "strict"},
        gives=["10.0.0.9", "fd00::9"],
    ),
    "in a block of another node, while affinity is strict": Row(
        given=[configuration(strictAffinity=True), fixed("other", "10.0.0.1", node="n2")],
        pod={ADDRS: '["10.0.0.9"]'},
        refused=(102, ["BLOCK_AFFINITY_MISMATCH", "owner=n2", on_pod(ADDRS)]),
    ),
}


def no_address(text: str) -> Row:
    """A list with one text that is no address, which fails all."""
    said = f"invalid IP format: '{text}'"
    return Row(pod={ADDRS: f'["10.0.0.9","{text}"]'}, refused=(100, [said, on_pod(ADDRS)]))


BAD_ADDRESSES: Rows = {
    "CIDR notation": no_address("10.0.0.8/32"),
    "an address with a zone": no_address("fe80::1%eth0"),
    "an address with a leading zero": no_address("10.0.0.08"),
    "an address with a blank": no_address(" 10.0.0.8"),
    "an address out of range": no_address("10.0.0.256"),
    "an address without text": no_address(""),
    "a host's name": no_address("web-0"),
}

BOTH = "can't have both annotations: 'ipAddrs' and 'ipAddrsNoIpam' in use at the same time"
FEATURES: Rows = {
    "ipAddrsNoIpam is not enabled": Row(
        pod={NO_IPAM: '["192.0.2.7"]'},
        refused=(100, ["requested feature is not enabled: ip_addrs_no_ipam", on_pod(NO_IPAM)]),
    ),
    "nor does feature_control enable it": Row(
        pod={NO_IPAM: '["192.0.2.7"]'},
        network={"feature_control": {"ip_addrs_no_ipam": True}},
        refused=(100, ["ip_addrs_no_ipam", "Moorage does not offer this"]),
    ),
    "ipAddrs and ipAddrsNoIpam exclude each other": Row(
        pod={NO_IPAM: '["192.0.2.7"]', ADDRS: '["10.0.0.9"]'}, refused=(100, [BOTH])
    ),
    "ipAddrsNoIpam is ignored on a namespace": Row(
        namespace={NO_IPAM: '["192.0.2.7"]'}, gives=["four"]
    ),
    "floatingIPs are not enabled": Row(
        pod={FLOATING: '["192.0.2.7"]'},
        refused=(100, ["requested feature is not enabled: floating_ips", on_pod(FLOATING)]),
    ),
    "floatingIPs are ignored on a namespace": Row(
        namespace={FLOATING: '["192.0.2.7"]'}, gives=["four"]
    ),
}


@each(IP_ADDRS)
def test_listed_addresses_are_given_and_nothing_else(town: Town, row: Row) -> None:
    pods.check(town, row)


@each(BAD_ADDRESSES)
def test_what_is_no_plain_address_fails_the_pod(town: Town, row: Row) -> None:
    pods.check(town, row)


@each(FEATURES)
def test_what_moorage_does_not_offer_is_refused_as_calico_refuses_it(town: Town, row: Row) -> None:
    pods.check(town, row)
