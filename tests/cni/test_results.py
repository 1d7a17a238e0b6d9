"""The result of ADD in every version of the CNI specification, and how CHECK reads it again."""

import json

import pytest

from cni import program
from moorage.cni import addresses, errors, netconf, result
from moorage.v1 import resources_pb2

ROUTE = resources_pb2.Route(destination="0.0.0.0/0", gateway="10.0.0.1")
LOCAL_ROUTE = resources_pb2.Route(destination="10.9.0.0/16")
DNS = resources_pb2.Dns(
    nameservers=["10.0.0.53"], domain="one.example", searches=["a.example"], options=["ndots:2"]
)
BARE = resources_pb2.Allocation(address="10.0.0.7", prefix_length=32)
FOUR = resources_pb2.Allocation(
    address="10.0.0.7",
    prefix_length=24,
    gateway="10.0.0.1",
    routes=[ROUTE, LOCAL_ROUTE],
    dns=DNS,
)
SIX = resources_pb2.Allocation(
    address="fd00::7",
    prefix_length=64,
    gateway="fd00::1",
    routes=[resources_pb2.Route(destination="::/0", gateway="fd00::1")],
    dns=resources_pb2.Dns(nameservers=["fd00::53", "10.0.0.53"], domain="two.example"),
)
DNS_OF_BOTH = {
    "nameservers": ["10.0.0.53", "fd00::53"],
    "domain": "one.example",
    "search": ["a.example"],
    "options": ["ndots:2"],
}
ROUTES_4 = [{"dst": "0.0.0.0/0", "gw": "10.0.0.1"}, {"dst": "10.9.0.0/16"}]
ROUTES_6 = [{"dst": "::/0", "gw": "fd00::1"}]
IP_4 = {"address": "10.0.0.7/24", "gateway": "10.0.0.1"}
IP_6 = {"address": "fd00::7/64", "gateway": "fd00::1"}


def rendered(version: str, *allocations: resources_pb2.Allocation) -> dict[str, object]:
    text = result.render(allocations, version)
    assert text.count(b"\n") == 1
    document = json.loads(text)
    assert isinstance(document, dict)
    return document


@pytest.mark.parametrize("version", ["0.1.0", "0.2.0"])
def test_the_first_versions_have_one_object_for_each_family(version: str) -> None:
    assert rendered(version, FOUR, SIX) == {
        "cniVersion": version,
        "ip4": {"ip": "10.0.0.7/24", "gateway": "10.0.0.1", "routes": ROUTES_4},
        "ip6": {"ip": "fd00::7/64", "gateway": "fd00::1", "routes": ROUTES_6},
        "dns": DNS_OF_BOTH,
    }
    assert rendered(version, BARE) == {
        "cniVersion": version,
        "ip4": {"ip": "10.0.0.7/32"},
        "dns": {},
    }


@pytest.mark.parametrize("version", ["0.3.0", "0.3.1", "0.4.0"])
def test_the_middle_versions_say_the_version_of_every_address(version: str) -> None:
    assert rendered(version, FOUR, SIX) == {
        "cniVersion": version,
        "ips": [{"version": "4"} | IP_4, {"version": "6"} | IP_6],
        "routes": ROUTES_4 + ROUTES_6,
        "dns": DNS_OF_BOTH,
    }
    assert rendered(version, BARE) == {
        "cniVersion": version,
        "ips": [{"version": "4", "address": "10.0.0.7/32"}],
        "dns": {},
    }


@pytest.mark.parametrize("version", ["1.0.0", "1.1.0"])
def test_the_last_versions_leave_out_what_is_empty(version: str) -> None:
    assert rendered(version, FOUR, SIX) == {
        "cniVersion": version,
        "ips": [IP_4, IP_6],
        "routes": ROUTES_4 + ROUTES_6,
        "dns": DNS_OF_BOTH,
    }
    assert rendered(version, BARE) == {
        "cniVersion": version,
        "ips": [{"address": "10.0.0.7/32"}],
    }


def test_routes_of_two_addresses_of_one_pool_are_listed_once() -> None:
    other = resources_pb2.Allocation()
    other.CopyFrom(FOUR)
    other.address = "10.0.0.8"
    assert rendered("1.0.0", FOUR, other)["routes"] == ROUTES_4


def previous(ips: object) -> set[addresses.Address]:
    document = {"name": "pods", "ipam": {}, "prevResult": {"cniVersion": "1.0.0", "ips": ips}}
    return result.previous_addresses(netconf.parse(json.dumps(document).encode()))


def test_check_is_content_with_what_add_answered() -> None:
    for version in ("0.4.0", "1.0.0", "1.1.0"):
        result.compare(previous(rendered(version, FOUR, SIX)["ips"]), [SIX, FOUR])


def test_check_does_not_mind_a_prefix_length_that_the_main_plugin_changed() -> None:
    result.compare(previous([{"address": "10.0.0.7/32", "interface": 0}]), [FOUR])


@pytest.mark.parametrize(
    ("ips", "held", "said"),
    [
        ([IP_4, IP_6], [FOUR], ["fd00::7 is configured but not assigned"]),
        ([IP_4], [FOUR, SIX], ["fd00::7 is assigned to this container but not configured"]),
        ([], [FOUR], ["10.0.0.7 is assigned"]),
        ([IP_4], [SIX], ["10.0.0.7 is configured", "fd00::7 is assigned"]),
        ([IP_4], [], ["10.0.0.7 is configured but not assigned to this container"]),
    ],
)
def test_check_names_every_address_that_only_one_side_knows(
    ips: list[object], held: list[resources_pb2.Allocation], said: list[str]
) -> None:
    with pytest.raises(errors.CniError) as failed:
        result.compare(previous(ips), held)
    assert failed.value.code == errors.Code.CHECK_FAILED
    assert all(part in failed.value.msg for part in said)


@pytest.mark.parametrize("ips", ["x", {"a": 1}, ["10.0.0.1/24"], [{}], [{"address": "x"}], [None]])
def test_check_refuses_a_previous_result_it_cannot_read(ips: object) -> None:
    outcome = program.run("CHECK", program.config(rest={"prevResult": {"ips": ips}}))
    assert outcome.error["code"] == 7
    assert "prevResult" in outcome.text
