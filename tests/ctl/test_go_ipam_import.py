"""moorctl import go-ipam: nothing that its dump has acquired is assigned here."""

import ipaddress
import json

import pytest

import moorage
from bench import goipam, peers
from ctl.program import Moorctl
from harness import calls, digest, serving
from moorage.v1 import resources_pb2

Prefix = dict[str, object]


def prefix(cidr: str, *taken: str, parent: str = "", **fields: object) -> Prefix:
    """A prefix as go-ipam dumps it: the first address is taken, and of IPv4 the last as well."""
    network = ipaddress.ip_network(cidr)
    own = [network[0], network[-1]] if network.version == 4 else [network[0]]
    return {
        "Cidr": cidr,
        "ParentCidr": parent,
        "Namespace": "",
        "AvailableChildPrefixes": {},
        "ChildPrefixLength": 0,
        "IsParent": False,
        "IPs": {str(each): True for each in (*own, *taken)},
        "Version": 3,
        **fields,
    }


def dump(*prefixes: Prefix) -> str:
    """What Dump answers."""
    return json.dumps({"dump": json.dumps(prefixes)})


WHOLE = dump(
    prefix("10.5.0.0/16", AvailableChildPrefixes={"10.5.0.0/23": False}, IsParent=True),
    prefix("10.5.0.0/23", "10.5.0.1", "10.5.0.2", "10.5.0.3", "10.5.1.7", parent="10.5.0.0/16"),
    prefix("fd05::/64", "fd05::1", "fd05::1:5"),
    prefix("10.6.0.0/28"),
)

KEPT = {
    "go-ipam-10-5-0-0-24": ["10.5.0.1/32", "10.5.0.2/31"],
    "go-ipam-10-5-1-0-24": ["10.5.1.7/32"],
    "go-ipam-fd05---120": ["fd05::1/128"],
    "go-ipam-fd05--1-0-120": ["fd05::1:5/128"],
}


def kept(client: moorage.Client) -> dict[str, list[str]]:
    """What reservations keep, by their id."""
    return {each.name.rpartition("/")[2]: list(each.cidrs) for each in client.reservations()}


def run(moorctl: Moorctl, text: str, *arguments: str) -> tuple[int, list[str], str]:
    """Import a dump."""
    ended = moorctl("import", "go-ipam", "-", *arguments, stdin=text)
    return ended.code, ended.out.splitlines(), ended.err


def test_a_preview_tells_everything_and_changes_nothing(
    moorctl: Moorctl, server: serving.Serving
) -> None:
    before = digest.of(server.database)
    code, lines, err = run(moorctl, WHOLE)
    assert (code, digest.of(server.database)) == (0, before), err
    assert lines == [
        "pool/go-ipam-10-5-0-0-23 to be created",
        "pool/go-ipam-10-6-0-0-28 to be created",
        "pool/go-ipam-fd05---64 to be created",
        *(f"reservation/{each} to be created" for each in KEPT),
        "0 addresses to adopt, 0 held already, 0 blocks in no pool, 0 conflicts; nothing was"
        " changed, --apply does it",
    ]
    assert "10.5.0.0/16 was cut into other prefixes; left out" in err


@pytest.mark.parametrize("form", ["the answer", "the list in it"])
def test_an_import_keeps_what_is_acquired(
    form: str, moorctl: Moorctl, client: moorage.Client, server: serving.Serving
) -> None:
    text = WHOLE if form == "the answer" else json.loads(WHOLE)["dump"]
    code, lines, err = run(moorctl, text, "--apply")
    assert (code, kept(client)) == (0, KEPT), err
    before = digest.of(server.database)
    code, lines, err = run(moorctl, text, "--apply")
    assert (code, lines[-1].endswith("0 conflicts; nothing to change")) == (0, True), err
    assert digest.of(server.database) == before
    assert calls.addresses_of(calls.assign(client, "new")) == ["10.5.0.4"]
    assert calls.addresses_of(calls.assign(client, "six", calls.want(calls.IPV6))) == ["fd05::2"]


def test_importing_again_follows_the_dump(moorctl: Moorctl, client: moorage.Client) -> None:
    run(moorctl, dump(prefix("10.6.0.0/28", "10.6.0.1", "10.6.0.9")), "--apply")
    later = dump(prefix("10.6.0.0/28", "10.6.0.1", "10.6.0.4"))
    code, lines, err = run(moorctl, later, "--apply")
    assert (code, lines[:2]) == (
        0,
        ["pool/go-ipam-10-6-0-0-28 unchanged", "reservation/go-ipam-10-6-0-0-28 configured"],
    ), err
    assert kept(client) == {"go-ipam-10-6-0-0-28": ["10.6.0.1/32", "10.6.0.4/32"]}


def test_what_is_acquired_and_held_here_is_a_conflict(
    moorctl: Moorctl, client: moorage.Client, server: serving.Serving
) -> None:
    calls.create_pool(client, "mine", "10.5.0.0/23")
    calls.assign(client, "other", calls.fixed("10.5.0.2"))
    before = digest.of(server.database)
    code, lines, err = run(moorctl, WHOLE, "--apply")
    assert (code, digest.of(server.database)) == (4, before)
    (line,) = (line for line in lines if "conflict:" in line)
    assert line.startswith("reservation/go-ipam-10-5-0-0-24 conflict: 10.5.0.2 is held here by")
    assert "moorctl: 1 conflict; nothing was changed" in err


def test_a_pool_in_the_way_is_a_conflict(moorctl: Moorctl, client: moorage.Client) -> None:
    client.create_pool("mine", resources_pb2.Pool(cidr="10.6.0.0/29"))
    code, lines, _ = run(moorctl, dump(prefix("10.6.0.0/28", "10.6.0.1")), "--apply")
    assert (code, kept(client)) == (4, {})
    assert lines[0] == (
        "pool/go-ipam-10-6-0-0-28 conflict: 10.6.0.0/28 overlaps 10.6.0.0/29 of pool mine; they"
        " cannot both be"
    )


def test_a_prefix_that_is_there_twice_is_a_conflict(
    moorctl: Moorctl, client: moorage.Client
) -> None:
    text = dump(prefix("10.6.0.0/28", "10.6.0.1"), prefix("10.6.0.0/28", "10.6.0.1"))
    code, lines, _ = run(moorctl, text, "--apply")
    assert (code, list(client.pools()), kept(client)) == (4, [], {})
    assert sum("both make it; leave one of them out" in line for line in lines) == 2


def test_small_prefixes_withhold_nothing(moorctl: Moorctl, client: moorage.Client) -> None:
    text = dump(prefix("10.6.0.0/32"), prefix("10.7.0.0/31", IPs={"10.7.0.1": True}))
    assert run(moorctl, text, "--apply")[0] == 0
    assert kept(client) == {
        "go-ipam-10-6-0-0-32": ["10.6.0.0/32"],
        "go-ipam-10-7-0-0-31": ["10.7.0.1/32"],
    }
    assert calls.addresses_of(calls.assign(client, "new")) == ["10.7.0.0"]


MALFORMED = {
    "no list": ("{}", "", "must be a list"),
    "no prefix": ("[1]", "[0]", "must be a mapping"),
    "no CIDR": (dump({"Cidr": "10.0.0.0"}), "dump[0].Cidr", "must be a CIDR"),
    "no JSON": ('{"dump": "["}', "dump", "must be the JSON of a list of prefixes"),
    "no address": (
        json.dumps([prefix("10.0.0.0/24", IPs={"x": True})]),
        "[0].IPs.x",
        "must be an address",
    ),
    "elsewhere": (
        json.dumps([prefix("10.0.0.0/24", "10.1.0.1")]),
        "[0].IPs.10.1.0.1",
        "is not in 10.0.0.0/24",
    ),
}


@pytest.mark.parametrize("malformed", MALFORMED)
def test_a_malformed_dump_never_reaches_the_server(malformed: str, offline: Moorctl) -> None:
    text, field, told = MALFORMED[malformed]
    code, _, err = run(offline, text, "-o", "json")
    (violation,) = json.loads(err)["violations"]
    assert code == 2
    assert violation["field"].startswith("standard input, document 1 (line 1)")
    assert violation["field"].endswith(field)
    assert told in violation["description"]


def test_several_namespaces_are_refused(offline: Moorctl) -> None:
    text = dump(prefix("10.0.0.0/24"), prefix("10.0.0.0/24", Namespace="blue"))
    code, _, err = run(offline, text)
    assert (code, "several namespaces: the one without a name, blue" in err) == (2, True)


def test_what_the_program_itself_dumped_is_taken_over(
    moorctl: Moorctl, client: moorage.Client
) -> None:
    try:
        program = peers.program(peers.GO_IPAM, build=False)
    except peers.UnavailableError as reason:
        pytest.skip(f"go-ipam cannot be had here: {reason}")
    ranges = ("10.5.0.0/24", "fd05::/120")
    with goipam.in_memory(program) as target:
        goipam.create(target, ranges)
        acquired = [goipam.acquire(target, each) for each in ranges for _ in range(3)]
        text = goipam.dump(target)
    code, lines, err = run(moorctl, text, "--apply")
    assert (code, len(lines)) == (0, 5), err
    hidden = [ipaddress.ip_network(cidr) for cidrs in kept(client).values() for cidr in cidrs]
    found = {str(address) for network in hidden for address in network}
    assert found == set(acquired)
    new = calls.addresses_of(calls.assign(client, "new", calls.want(), calls.want(calls.IPV6)))
    assert new == ["10.5.0.4", "fd05::4"]
