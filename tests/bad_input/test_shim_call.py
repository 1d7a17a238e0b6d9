"""The CNI plugin, called wrongly: environment, standard input and configuration."""

import json

import pytest

from bad_input import shimming, tables
from bad_input.ground import Ground
from bad_input.shimming import CUT, JSON_LIST, LONG, Call, Row, in_config
from cni import program

pytestmark = pytest.mark.usefixtures("nothing_written")

_RUNTIME_SETS = "a container runtime sets them; to try by hand, use cnitool"
_IDENTIFIER = "letters, digits, '_', '.' and '-', the first alphanumeric, at most 128"
_INTERFACE = "1 to 15 printable characters, no '/', ':' or white space, not '.' or '..'"
_AT_MOST_TWO = "pass at most one IPv4 and one IPv6 address"
_TWO = ("CNI_CONTAINERID", "CNI_IFNAME")
_THREE = ("CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME")


def missing(verb: str, *names: str) -> Row:
    said = f"required env variables [{','.join(names)}] missing"
    return Call(verb=verb, version="1.1.0", without=names), 4, said, _RUNTIME_SETS


def variable(name: str, value: str) -> Call:
    return Call(environment={name: value})


def argument(shown: str, said: str) -> tuple[int, str, str]:
    """What is said of the argument IP."""
    return 4, f"""argument "IP" of CNI_ARGS with value '{shown}': {said}""", _AT_MOST_TWO


ENVIRONMENT: dict[str, Row] = {
    "ADD without container": missing("ADD", "CNI_CONTAINERID"),
    "ADD without namespace": missing("ADD", "CNI_NETNS"),
    "ADD without interface": missing("ADD", "CNI_IFNAME"),
    "ADD without anything": missing("ADD", *_THREE),
    "CHECK without anything": missing("CHECK", *_THREE),
    "DEL without anything": missing("DEL", *_TWO),
    "GC without path": missing("GC", "CNI_PATH"),
    "an empty namespace": (
        variable("CNI_NETNS", ""),
        4,
        "required env variables [CNI_NETNS] missing",
        _RUNTIME_SETS,
    ),
    "an unknown verb": (
        Call(verb="add"),
        4,
        "unknown CNI_COMMAND: 'add'",
        "known are ADD, DEL, CHECK, GC, STATUS, VERSION",
    ),
    "a container with a newline": (
        variable("CNI_CONTAINERID", "c\n1"),
        4,
        r"invalid characters in CNI_CONTAINERID 'c\n1'",
        _IDENTIFIER,
    ),
    "a container of 100 KB": (
        variable("CNI_CONTAINERID", LONG),
        4,
        f"invalid characters in CNI_CONTAINERID '{CUT}'",
        _IDENTIFIER,
    ),
    "an interface of 16 characters": (
        variable("CNI_IFNAME", "sixteen-letters-"),
        4,
        "invalid CNI_IFNAME 'sixteen-letters-'",
        _INTERFACE,
    ),
    "the plugin's own namespace": (
        variable("CNI_NETNS", "/proc/self/ns/net"),
        8,
        "CNI_NETNS '/proc/self/ns/net' is the plugin's own network namespace",
        "pass the container's namespace, or set CNI_NETNS_OVERRIDE=true if this is meant",
    ),
    "a pod with a newline": (
        variable("CNI_ARGS", "K8S_POD_NAME=a\nb"),
        4,
        r"K8S_POD_NAME of CNI_ARGS is no plain text: 'a\nb'",
        "pass the pod as the runtime knows it",
    ),
    "an address with a leading zero": (
        variable("CNI_ARGS", "IP=010.0.0.7"),
        *argument("010.0.0.7", "invalid IP format: '010.0.0.7'"),
    ),
    "an address with a zone": (
        variable("CNI_ARGS", "IP=fe80::1%eth0"),
        *argument("fe80::1%eth0", "invalid IP format: 'fe80::1%eth0'"),
    ),
    "two addresses of a family": (
        variable("CNI_ARGS", "IP=10.0.0.7,10.0.0.8"),
        *argument("10.0.0.7,10.0.0.8", "more than one address of a family"),
    ),
}

# What stands on standard input, and what is said of it.
INPUTS = {
    "nothing": (b"", "Expecting value: line 1 column 1 (char 0)"),
    "a list": (b"[]", "not a JSON object"),
    "NUL in a name": (
        b'{"name":"pods\x00"}',
        "Invalid control character at: line 1 column 14 (char 13)",
    ),
    "two documents": (b'{"name":"pods"}{}', "Extra data: line 1 column 16 (char 15)"),
    "no UTF-8": (
        b"\xff\xfe",
        "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte",
    ),
    "100 KB of brackets": (b"[" * 100_000, "nested deeper than 64 levels"),
    "a string of 100 KB without end": (
        b'{"name":"' + LONG.encode(),
        "Unterminated string starting at: line 1 column 9 (char 8)",
    ),
}

_NO_TEXT = "leave control characters out"
_SECONDS = "write seconds, such as 30"

CONFIGURATION: dict[str, Row] = {
    "no network name": (
        Call(rest={"name": None}),
        7,
        in_config("name", "null") + ": missing network name",
        "name the network",
    ),
    "a network name with NUL": (
        Call(rest={"name": "pods\x00"}),
        7,
        in_config("name", r'"pods\u0000"') + ": not plain text",
        _NO_TEXT,
    ),
    "a network name of 100 KB": (
        Call(rest={"name": LONG}),
        7,
        in_config("name", '"' + "x" * 79 + "...") + ": invalid characters in network name",
        _IDENTIFIER,
    ),
    "no ipam": (
        Call(rest={"ipam": None}),
        7,
        in_config("ipam", "null") + ": missing",
        'add "ipam": {"type": "moorage"}',
    ),
    "a server of two words": (
        Call(ipam={"server": "two words"}),
        7,
        in_config("ipam.server", '"two words"') + ": not a gRPC target",
        "write host:port",
    ),
    "a VRF in capitals": (
        Call(ipam={"vrf": "Blue"}),
        7,
        in_config("ipam.vrf", '"Blue"') + ": not a VRF id",
        "lower case letters, digits and '-'",
    ),
    "an unknown VRF": (
        Call(ipam={"vrf": "nowhere"}),
        102,
        'server {server} refused with VRF_NOT_FOUND: there is no VRF "nowhere";'
        " create it or correct the name",
        "vrf=nowhere",
    ),
    "no time": (
        Call(ipam={"timeout_seconds": 0}),
        7,
        in_config("ipam.timeout_seconds", "0") + ": not more than 0 and at most 90",
        _SECONDS,
    ),
    "time as text": (
        Call(ipam={"timeout_seconds": "30"}),
        7,
        in_config("ipam.timeout_seconds", '"30"') + ": not a number",
        _SECONDS,
    ),
    "a switch that is no text": (
        Call(ipam={"assign_ipv6": 1}),
        7,
        in_config("ipam.assign_ipv6", "1") + ": neither a string nor a boolean",
        'write "true" or "false"',
    ),
    "both families off": (
        Call(ipam={"assign_ipv4": "false"}),
        7,
        "no address to assign: the CNI config switches assign_ipv4 and assign_ipv6 off",
        'set one of them to "true", or annotate with cni.projectcalico.org/ipFamilies',
    ),
    "a pool that is no list": (
        Call(ipam={"ipv4_pools": "web"}),
        7,
        in_config("ipam.ipv4_pools", '"web"') + ": not a JSON list",
        JSON_LIST,
    ),
    "an unknown pool": (
        Call(ipam={"ipv4_pools": ["nowhere"]}),
        102,
        'server {server} refused with POOL_NOT_FOUND: VRF "default" has no pool "nowhere";'
        " give the id or the exact CIDR of a pool",
        'pool=nowhere; vrf=default; error parsing pool "nowhere": invalid CIDR address: nowhere; '
        "asked for by " + in_config("ipam.ipv4_pools", '["nowhere"]'),
    ),
    "annotations that are no object": (
        Call(rest={"runtimeConfig": {"io.kubernetes.cri.pod-annotations": "text"}}),
        7,
        in_config("runtimeConfig.io.kubernetes.cri.pod-annotations", '"text"') + ": not an object",
        "write a JSON object of strings",
    ),
    "a kubeconfig that is not there": (
        Call(rest={"kubernetes": {"kubeconfig": "/nowhere"}}),
        7,
        in_config("kubernetes.kubeconfig", '"/nowhere"') + ": cannot be read (FileNotFoundError)",
        "name a text file this program can read",
    ),
    "CHECK without a result": (
        Call(verb="CHECK"),
        7,
        in_config("prevResult", "{}") + ": no result of an ADD with a list of ips",
        "pass what ADD answered",
    ),
    "CHECK of an address that somebody else holds": (
        Call(verb="CHECK", rest={"prevResult": {"ips": [{"address": "10.0.0.5/24"}]}}),
        105,
        "10.0.0.5 is configured but not assigned to this container",
        "recreate the container: its addresses no longer are what ADD answered",
    ),
    "CHECK before there was one": (
        Call(verb="CHECK", version="0.3.1"),
        1,
        "incompatible CNI versions: cniVersion '0.3.1' does not allow CHECK",
        "moorage supports 0.4.0, 1.0.0, 1.1.0 for CHECK",
    ),
}


@tables.each(ENVIRONMENT)
def test_a_wrong_environment_is_explained(ground: Ground, row: Row) -> None:
    shimming.check(ground, row)


def test_without_a_command_the_plugin_introduces_itself(ground: Ground) -> None:
    outcome = Call(without=("CNI_COMMAND",)).run(ground.server)
    assert (outcome.code, outcome.stdout) == (0, b"")
    assert outcome.stderr.decode().splitlines() == [
        "moorage: CNI IPAM plugin that asks a Moorage server for addresses",
        f"CNI protocol versions supported: {', '.join(program.VERSIONS)}",
    ]


@tables.each(INPUTS)
def test_what_is_no_configuration_is_explained(ground: Ground, row: tuple[bytes, str]) -> None:
    stdin, said = row
    msg = f"the network configuration on standard input cannot be decoded: {said}"
    shimming.check(ground, (Call(stdin=stdin), 6, msg, "pass one JSON object"), version="1.1.0")


@tables.each(CONFIGURATION)
def test_a_wrong_configuration_is_explained(ground: Ground, row: Row) -> None:
    shimming.check(ground, row)


def test_an_unknown_version_is_answered_in_the_newest(ground: Ground) -> None:
    everything = ", ".join(program.VERSIONS)
    row = (
        Call(verb="DEL", version="9.9.9"),
        1,
        "incompatible CNI versions: cniVersion '9.9.9' does not allow DEL",
        f"moorage supports {everything} for DEL",
    )
    shimming.check(ground, row, version="1.1.0")


def test_a_configuration_in_utf_16_is_no_json(ground: Ground) -> None:
    stdin = json.dumps(program.config()).encode("utf-16")
    assert Call(stdin=stdin).run(ground.server).error["code"] == 6
