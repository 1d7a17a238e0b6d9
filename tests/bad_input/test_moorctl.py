"""moorctl, called wrongly: exit code and all of standard error, and nothing changed."""

import pytest

from bad_input import tables
from bad_input.ground import Ground
from ctl import program

pytestmark = pytest.mark.usefixtures("nothing_written")

# The arguments, the exit code, and the lines of standard error.
Row = tuple[list[str | bytes], int, list[str]]

_SYNOPSIS = {
    "": "[OPTIONS] COMMAND [ARGS]...",
    "get": "[OPTIONS] KIND [NAME]",
    "delete": "[OPTIONS] [KIND] [NAME]...",
}


def usage(arguments: list[str | bytes], said: str, *, command: str | None = None) -> Row:
    """What is wrong with a command line."""
    command = str(arguments[0]) if command is None else command
    called = f"moorctl {command}".strip()
    lines = [f"Usage: {called} {_SYNOPSIS.get(command, '[OPTIONS]')}"]
    lines += [f"Try '{called} --help' for help.", "", f"Error: {said}"]
    return arguments, 2, lines


def assign(*options: str, container: str = "c1") -> list[str | bytes]:
    return ["assign", "--container-id", container, *options]


def refused(arguments: list[str | bytes], code: int, action: str, said: str, *further: str) -> Row:
    """What the server refuses; the facts and the next step are said on further lines."""
    lines = [f"moorctl: cannot {action}: {said}"]
    return arguments, code, lines + [f"  {line}" for line in further]


_TWO_LINES = tables.unprintable(r"a\nb")
_ASSIGN = "assign addresses to container c1"
_NO_IP = "does not appear to be an IPv4 or IPv6 address"

ROWS: dict[str, Row] = {
    "an unknown command": usage(
        ["gett", "pools"], "No such command 'gett'. Did you mean 'get'?", command=""
    ),
    "an unknown kind": usage(
        ["get", "poools"],
        "Invalid value for 'KIND': 'poools' is none of: vrfs, nodes, pools, reservations,"
        " allocations; did you mean 'pools'?",
    ),
    "no time": usage(
        ["get", "pools", "--timeout", "0"],
        "Invalid value for '--timeout': '0' is not a number of seconds, up to 3600",
    ),
    "a label without value": usage(
        ["get", "pools", "-l", "tier"],
        "Invalid value for '-l' / '--label': 'tier' is not KEY=VALUE",
    ),
    "an allocation to delete": usage(
        ["delete", "allocation", "10.0.0.5"],
        "Invalid value for '[KIND]': 'allocation' is none of: vrfs, nodes, pools, reservations",
    ),
    "nothing to release": usage(["release"], "give either --container-id or --ip"),
    "nobody to assign to": usage(["assign"], "Missing option '--container-id'."),
    "an address out of range": usage(
        ["show", "--ip", "10.0.0.300"], f"Invalid value for '--ip': '10.0.0.300' {_NO_IP}"
    ),
    "an address with a leading zero": usage(
        assign("--ip", "010.0.0.7"), f"Invalid value for '--ip': '010.0.0.7' {_NO_IP}"
    ),
    "an address with a prefix length": usage(
        ["release", "--ip", "10.0.0.5/32"], f"Invalid value for '--ip': '10.0.0.5/32' {_NO_IP}"
    ),
    "a pool by its CIDR with host bits": usage(
        assign("--pool", "10.0.0.5/24"), "Invalid value for --pool: 10.0.0.5/24 has host bits set"
    ),
    "an argument that is no UTF-8": (
        ["get", "pool", b"\xff"],
        2,
        [r"moorctl: '\udcff' is not text in UTF-8"],
    ),
    "an address with a zone": usage(
        ["show", "--ip", "fe80::1%eth0"],
        f"Invalid value for '--ip': 'fe80::1%eth0': {tables.ZONE}",
    ),
    "an allocation with a leading zero": refused(
        ["get", "allocation", "010.0.0.5"],
        2,
        "get allocation/010.0.0.5",
        f'name: "010.0.0.5": {tables.LEADING_ZERO}',
    ),
    "a CIDR with a netmask": refused(
        ["get", "allocations", "--cidr", "10.0.0.0/255.255.255.0"],
        2,
        "get allocations",
        f'filter.cidr: "10.0.0.0/255.255.255.0": {tables.NO_PLAIN_LENGTH}',
    ),
    "a label with a newline": refused(
        ["get", "pools", "-l", "tier=a\nb"],
        2,
        "get pools",
        f"labels[tier]: {_TWO_LINES}",
    ),
    "an unknown VRF": refused(
        ["get", "pools", "--vrf", "nowhere"],
        3,
        "get pools",
        'there is no VRF "nowhere"; create it or correct the name',
        "VRF_NOT_FOUND: vrf=nowhere",
    ),
    "names that no CNI runtime gives": refused(
        assign("--interface", "eth 0", "--network", "a/b"),
        2,
        _ASSIGN,
        f'attachment.network: "a/b" {tables.NO_CNI_NAME};'
        f' attachment.interface: "eth 0" {tables.NO_INTERFACE}',
    ),
    "an unknown pool": refused(
        assign("--pool", "nowhere"),
        3,
        _ASSIGN,
        'VRF "default" has no pool "nowhere"; give the id or the exact CIDR of a pool',
        "POOL_NOT_FOUND: pool=nowhere, vrf=default",
    ),
    "a pool that is full": refused(
        assign("--pool", "full"),
        5,
        _ASSIGN,
        'no free IPV4 address in pool "full" (1 addresses): 1 assigned, 0 reserved or excluded;'
        " add a pool or release allocations",
        "POOL_EXHAUSTED: assigned=1, family=IPV4, kept=0, pools=full, reserved=0, size=1,"
        " vrf=default",
    ),
    "an address that somebody holds": refused(
        assign("--ip", "10.0.0.5"),
        4,
        _ASSIGN,
        'held by another attachment: 10.0.0.5 (pool "web");'
        " ask for another address, or wait until it is released",
        "ADDRESS_IN_USE: address=10.0.0.5, pool=web, vrf=default",
    ),
    "an address that nobody holds": refused(
        ["release", "--ip", "::ffff:10.0.0.99"],
        3,
        "release 10.0.0.99",
        'nobody holds 10.0.0.99 in VRF "default"',
        "ALLOCATION_NOT_FOUND: address=10.0.0.99, vrf=default",
    ),
    "a pool in use": refused(
        ["delete", "pool", "web"],
        4,
        "delete pool/web",
        'pool "web" still has 1 allocation; drain it and release what is assigned first',
        "POOL_IN_USE: allocation_count=1, pool=web, vrf=default",
    ),
    "a node that is not there": refused(
        ["delete", "node", "nowhere"],
        3,
        "delete node/nowhere",
        'VRF "default" has no node "nowhere"',
        "NODE_NOT_FOUND: node=nowhere, vrf=default",
        "next: to pass over what is not there, add --ignore-not-found",
    ),
}


@tables.each(ROWS)
def test_a_wrong_call_is_explained(ground: Ground, row: Row) -> None:
    arguments, code, lines = row
    moorctl = program.Moorctl(variables={"MOORAGE_SERVER": ground.server})
    ended = moorctl(*arguments)
    assert ended.err.splitlines() == lines
    assert (ended.code, ended.out) == (code, "")


def test_a_wrong_environment_is_explained(ground: Ground) -> None:
    variables = {"MOORAGE_SERVER": ground.server, "MOORAGE_VRF": "a\nb"}
    ended = program.Moorctl(variables=variables)("get", "pools")
    violations = [
        f"parent: {_TWO_LINES}",
        rf'parent: "a\nb" {tables.NO_LABEL}',
    ]
    assert ended.err == f"moorctl: cannot get pools: {'; '.join(violations)}\n"
    assert (ended.code, ended.out) == (2, "")
