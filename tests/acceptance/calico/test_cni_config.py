"""What the CNI configuration, CNI_ARGS and the verbs do, as for Calico's CNI plugin."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from acceptance.calico import pods
from acceptance.calico.ground import fixed, pool, pool_changed, reservation
from acceptance.calico.pods import (
    ADDRS,
    CONTAINER,
    EAST,
    FAMILIES,
    MANUAL,
    OFF,
    TINY,
    TINY6,
    TUNNELS,
    V4,
    Row,
    Rows,
    Town,
    each,
    in_config,
)
from harness import postgres

OTHER = "c2"


@pytest.fixture(scope="module")
def town(cluster: postgres.Postgres) -> Iterator[Town]:
    """One server and Kubernetes API for all rows."""
    with pods.living(cluster) as living:
        yield living


def switched(four: object, six: object, *gives: str) -> Row:
    """Both switches of the families."""
    return Row(ipam={"assign_ipv4": four, "assign_ipv6": six}, gives=gives)


SWITCHES: Rows = {
    "IPv4 is on and IPv6 off where nothing is said": Row(gives=["four"]),
    "null says nothing": switched(None, None, "four"),
    'assign_ipv6 is on where it is "true"': switched("true", "true", "four", "six"),
    'assign_ipv4 is off where it is "false"': switched("false", "true", "six"),
    'assign_ipv4 is on unless exactly "false"': switched("False", "false", "four"),
    "assign_ipv4 is on where it is empty": switched("", "", "four"),
    "assign_ipv4 is on where it is no": switched("no", None, "four"),
    'assign_ipv6 is off unless exactly "true"': switched(None, "True", "four"),
    "assign_ipv6 is off where it is yes": switched(None, "yes", "four"),
    "booleans are switches too": switched(False, True, "six"),
    "a number is no switch": Row(
        ipam={"assign_ipv6": 1},
        refused=(7, [in_config("assign_ipv6"), "neither a string nor a boolean"]),
    ),
    "both off": Row(ipam={"assign_ipv4": "false"}, refused=(7, ["no address to assign"])),
    "the second family is full: nothing is kept": Row(
        given=[TINY6, fixed("other", "fd08::")],
        ipam={"assign_ipv6": "true", "ipv6_pools": ["tiny6"]},
        refused=(104, ["POOL_EXHAUSTED", "family=IPV6", in_config("ipv6_pools")]),
    ),
    "the second family has no pool: nothing is kept": Row(
        given=[pool_changed("six", disabled=True)],
        ipam={"assign_ipv6": "true"},
        refused=(102, ["NO_ELIGIBLE_POOL", "family=IPV6"]),
    ),
}

POOLS: Rows = {
    "pools by name and by CIDR": Row(
        ipam={"assign_ipv6": "true", "ipv4_pools": ["web"], "ipv6_pools": ["fd01::/112"]},
        gives=["web", "web6"],
    ),
    "host bits of a CIDR are masked": Row(ipam={"ipv4_pools": ["10.1.0.5/24"]}, gives=["web"]),
    "an empty list constrains nothing": Row(ipam={"ipv4_pools": []}, gives=["four"]),
    "null constrains nothing": Row(ipam={"ipv4_pools": None}, gives=["four"]),
    "a pool of the configuration passes over Manual": Row(
        given=[MANUAL], ipam={"ipv4_pools": ["manual"]}, gives=["manual"]
    ),
    "a Manual pool is not drawn from unless it is named": Row(
        given=[MANUAL, pool_changed("four", disabled=True)],
        refused=(102, ["NO_ELIGIBLE_POOL", "manual"]),
    ),
    "a pool of the configuration passes over selectors": Row(
        given=[EAST], ipam={"ipv4_pools": ["east"]}, gives=["east"]
    ),
    "a pool of the configuration does not pass over disabled": Row(
        given=[OFF],
        ipam={"ipv4_pools": ["off"]},
        refused=(102, ["POOL_DISABLED", in_config("ipv4_pools")]),
    ),
    "one unknown pool fails all": Row(
        ipam={"ipv4_pools": ["web", "gone"]},
        refused=(
            102,
            ['error parsing pool "gone": invalid CIDR address: gone', in_config("ipv4_pools")],
        ),
    ),
    "an unknown name in the IPv6 list, though no IPv6 is asked for": Row(
        ipam={"ipv6_pools": ["gone"]},
        refused=(
            102,
            ['error parsing pool "gone": invalid CIDR address: gone', in_config("ipv6_pools")],
        ),
    ),
    "an IPv4 pool in the IPv6 list, by name, though no IPv6 is asked for": Row(
        ipam={"ipv6_pools": ["web"]},
        refused=(7, [""""10.1.0.0" isn't a IPv6 address""", in_config("ipv6_pools")]),
    ),
    "an IPv6 pool in the IPv4 list, by CIDR": Row(
        ipam={"ipv4_pools": ["fd01::/112"]},
        refused=(7, [""""fd01::" isn't a IPv4 address""", in_config("ipv4_pools")]),
    ),
    "pools that are no list": Row(
        ipam={"ipv4_pools": "web"}, refused=(7, ["not a JSON list", in_config("ipv4_pools")])
    ),
}

ARGUMENT = 'argument "IP" of CNI_ARGS with value '
ARGUMENTS: Rows = {
    "an address in CNI_ARGS is given": Row(args="IP=10.0.0.9", gives=["10.0.0.9"]),
    "an IPv6 address, though no IPv6 is asked for": Row(args="IP=fd00::9", gives=["fd00::9"]),
    "an IPv4-mapped address is the IPv4 address": Row(
        args="IP=::ffff:10.0.0.9", gives=["10.0.0.9"]
    ),
    "the pools of the configuration are ignored": Row(
        args="IP=10.0.0.9", ipam={"ipv4_pools": ["gone"]}, gives=["10.0.0.9"]
    ),
    "the pools of annotations are ignored": Row(
        args="IP=10.0.0.9", pod={V4: '["gone"]'}, namespace={V4: "{"}, gives=["10.0.0.9"]
    ),
    "the switches of the families are ignored": Row(
        args="IP=10.0.0.9",
        ipam={"assign_ipv4": "false", "assign_ipv6": "true"},
        gives=["10.0.0.9"],
    ),
    "ipFamilies are ignored": Row(
        args="IP=10.0.0.9", pod={FAMILIES: '["IPv6"]'}, gives=["10.0.0.9"]
    ),
    "the runtime's own address wins over ipAddrs": Row(
        args="IP=10.0.0.9", pod={ADDRS: '["10.0.0.8"]'}, gives=["10.0.0.9"]
    ),
    "an address of each family": Row(args="IP=10.0.0.9,fd00::9", gives=["10.0.0.9", "fd00::9"]),
    "an empty argument is absent": Row(args="IP=", gives=["four"]),
    "unknown arguments mean nothing": Row(
        args="K8S_POD_INFRA_CONTAINER_ID=c1;COLOUR=blue", gives=["four"]
    ),
    "it passes over Manual": Row(given=[MANUAL], args="IP=10.2.0.9", gives=["10.2.0.9"]),
    "it passes over selectors": Row(given=[EAST], args="IP=10.3.0.9", gives=["10.3.0.9"]),
    "it passes over reservations": Row(
        given=[reservation("r", "10.0.0.0/24")], args="IP=10.0.0.9", gives=["10.0.0.9"]
    ),
    "it does not pass over disabled": Row(
        given=[OFF], args="IP=10.5.0.9", refused=(102, ["POOL_DISABLED", ARGUMENT])
    ),
    "it does not pass over the uses that are allowed": Row(
        given=[TUNNELS], args="IP=10.6.0.9", refused=(102, ["POOL_USE_NOT_ALLOWED", ARGUMENT])
    ),
    "it is in no pool": Row(args="IP=192.0.2.7", refused=(102, ["ADDRESS_NOT_IN_POOL", ARGUMENT])),
    "somebody holds it": Row(
        given=[fixed("other", "10.0.0.9")],
        args="IP=10.0.0.9",
        refused=(103, ["ADDRESS_IN_USE", ARGUMENT]),
    ),
    "a prefix length says nothing": Row(args="IP=10.0.0.9/24", gives=["10.0.0.9"]),
    "it is no address": Row(args="IP=10.0.0.9x", refused=(4, ["invalid IP format", ARGUMENT])),
}

OUR_NAME = os.uname().nodename.strip().lower()


def named(expected: str, **keys: str) -> tuple[str, Mapping[str, str]]:
    """A node's name, and the keys that say it."""
    return expected, keys


NODE_NAMES = {
    "nodename": named("n2", nodename="n2"),
    "nodename wins over its file": named("n2", nodename="n2", nodename_file="{file}"),
    "nodename_file": named("from-file", nodename_file="{file}"),
    "nodename_file wins over hostname": named("from-file", nodename_file="{file}", hostname="h1"),
    "nodename wins over hostname": named("n2", nodename="n2", hostname="h1"),
    "hostname is deprecated and still read": named("h1", nodename="", hostname="h1"),
    "the host's own name, in lower case": named(OUR_NAME, nodename=""),
}

LAN: Mapping[str, object] = {
    "nodeSelector": "!all()",
    "gateway": "10.9.0.1",
    "excludeNetworkAddresses": True,
    "routes": [{"destination": "0.0.0.0/0"}, {"destination": "10.0.0.0/8", "gateway": "10.9.0.2"}],
    "dns": {
        "nameservers": ["10.9.0.53"],
        "domain": "shop.example",
        "searches": ["example"],
        "options": ["ndots:2"],
    },
}
FORMS = {
    "the address alone: what Calico's main plugin makes of every result": ("Host", "/32"),
    "with the length of its block, as Calico's IPAM plugin answers": ("Block", "/26"),
    "with the length of its pool, for bridges and the like": ("Pool", "/24"),
}


@each(SWITCHES)
def test_families_are_switched_by_the_configuration(town: Town, row: Row) -> None:
    pods.check(town, row)


@each(POOLS)
def test_pools_of_the_configuration_constrain_where_an_address_is_from(
    town: Town, row: Row
) -> None:
    pods.check(town, row)


@each(ARGUMENTS)
def test_a_runtime_may_name_the_address(town: Town, row: Row) -> None:
    pods.check(town, row)


@pytest.mark.parametrize("inside", [True, False], ids=["in ipam", "at the top level"])
@pytest.mark.parametrize(("expected", "keys"), NODE_NAMES.values(), ids=list(NODE_NAMES))
def test_the_node_is_named_by_the_configuration_then_by_the_host(
    town: Town, tmp_path: Path, expected: str, keys: Mapping[str, str], inside: bool
) -> None:
    file = tmp_path / "nodename"
    file.write_text(" from-file\n")
    said = {key: value.replace("{file}", str(file)) for key, value in keys.items()}
    row = Row(ipam={"nodename": ""} | said) if inside else Row(ipam={"nodename": ""}, network=said)
    home = town.home()
    home.add(row)
    assert [each.workload.node for each in home.held()] == [expected]


@pytest.mark.parametrize(("form", "length"), FORMS.values(), ids=list(FORMS))
def test_a_pool_says_in_which_form_its_addresses_come(town: Town, form: str, length: str) -> None:
    home = town.home([pool("lan", "10.9.0.0/24", resultForm=form, **LAN)])
    outcome = home.call("ADD", Row(pod={ADDRS: '["10.9.0.7"]'}))
    assert outcome.document == {
        "cniVersion": "1.0.0",
        "ips": [{"address": f"10.9.0.7{length}", "gateway": "10.9.0.1"}],
        "routes": [
            {"dst": "0.0.0.0/0", "gw": "10.9.0.1"},
            {"dst": "10.0.0.0/8", "gw": "10.9.0.2"},
        ],
        "dns": {
            "nameservers": ["10.9.0.53"],
            "domain": "shop.example",
            "search": ["example"],
            "options": ["ndots:2"],
        },
    }


def test_add_twice_for_one_container_gives_the_same_addresses(town: Town) -> None:
    home, row = town.home(), Row(pod={FAMILIES: '["IPv4","IPv6"]'})
    first = home.add(row)
    generations = [each.generation for each in home.held()]
    assert home.add(row) == first
    assert [each.generation for each in home.held()] == generations


def test_a_listed_address_may_be_asked_for_again_by_its_container(town: Town) -> None:
    home, row = town.home(), Row(pod={ADDRS: '["10.0.0.9"]'})
    assert home.add(row) == home.add(row) == ["10.0.0.9/32"]


def test_another_container_of_the_same_pod_gets_another_address_and_both_are_kept(
    town: Town,
) -> None:
    home = town.home()
    first, second = home.add(Row()), home.add(Row(), OTHER)
    assert first != second
    assert [f"{each.address}/32" for each in home.held()] == first
    assert [f"{each.address}/32" for each in home.held(OTHER)] == second


def test_another_container_that_fails_leaves_the_first_its_address(town: Town) -> None:
    home = town.home([TINY])
    row = Row(pod={V4: '["tiny"]'})
    assert home.add(row) == ["10.8.0.0/32"]
    assert home.call("ADD", row, OTHER).error["code"] == 104
    assert [each.address for each in home.held()] == ["10.8.0.0"]
    assert home.held(OTHER) == []


def test_a_late_del_of_an_old_container_frees_its_own_addresses_alone(town: Town) -> None:
    home = town.home()
    home.add(Row())
    second = home.add(Row(), OTHER)
    for _ in range(2):
        home.delete(Row())
        assert home.held() == []
        assert [f"{each.address}/32" for each in home.held(OTHER)] == second


def test_a_del_of_a_container_nobody_knows_succeeds(town: Town) -> None:
    home = town.home()
    home.add(Row())
    home.delete(Row(), "stranger")
    assert len(home.held()) == 1


def test_a_del_looks_at_nothing_but_the_container(town: Town) -> None:
    home = town.home()
    home.add(Row(args="IP=10.0.0.9"))
    broken: Mapping[str, object] = {"ipv4_pools": 1, "assign_ipv4": [], "ip_addrs": 0}
    network = {"runtimeConfig": [], "nodename_file": "/nowhere", "kubernetes": "none"}
    home.delete(Row(ipam=broken, network=network, args="IP=192.0.2.7"))
    assert home.held() == []


def test_an_address_is_free_for_others_after_its_del(town: Town) -> None:
    home, row = town.home(), Row(pod={ADDRS: '["10.0.0.9"]'})
    home.add(row)
    home.delete(row)
    assert home.add(row, OTHER) == ["10.0.0.9/32"]
    home.delete(row)
    assert [each.attachment.container_id for each in home.held(OTHER)] == [OTHER]


def test_keys_that_are_calicos_alone_mean_nothing(town: Town) -> None:
    network = {
        "log_level": "Debug",
        "datastore_type": "kubernetes",
        "mtu": 0,
        "policy": {"type": "none"},
        "feature_control": {"floating_ips": True},
        "windows_use_single_network": True,
    }
    row = Row(
        ipam={"ipam_lock_file": "/nowhere/ipam.lock", "upgrade": {}},
        network=network,
        pod={V4: '["web"]'},
        gives=["web"],
    )
    home = pods.check(town, row)
    assert len(home.held(CONTAINER)) == 1
