"""moorctl import netbox: prefixes become pools, and nothing that NetBox has is assigned here."""

import json
import pathlib

import pytest

import moorage
from ctl.program import Moorctl
from harness import calls, digest, serving
from moorage.v1 import resources_pb2

# As the lists export them: the titles of the columns, and the words for each status.
PREFIXES = """\
Prefix,Status,Children,VRF,Utilization,Tenant,Site,VLAN,Role,Description
10.20.0.0/16,Container,2,Global,12.5,—,—,—,—,All of the site
"•
        10.20.1.0/24",Active,1,Global,3.1,—,—,—,Servers,"Rack 4, front"
10.20.1.128/26,Reserved,0,Global,0,—,—,—,—,For the next rack
10.20.2.0/24,Deprecated,0,Global,0,—,—,—,—,
fd00:20::/64,Active,0,Global,0,—,—,—,Servers,
"""
ADDRESSES = """\
IP Address,VRF,Status,Role,Tenant,Assigned,DNS Name,Description
10.20.1.1/24,Global,Active,VIP,—,True,gw.example.org,"The gateway, a pair"
10.20.1.5/24,Global,Reserved,,—,False,,
10.20.1.6/24,Global,DHCP,,—,False,printer.example.org,
fd00:20::1/64,Global,Active,,—,True,,The gateway
10.20.1.1/24,Global,Active,VIP,—,True,,Its other half
"""
# As they are imported into NetBox: the names of the fields.
PLAIN_PREFIXES = "prefix,status,is_pool\n10.30.0.0/28,active,true\n"
PLAIN_ADDRESSES = "address,status,dns_name,description\n10.30.0.1/28,active,,a\n"


def run(
    moorctl: Moorctl, home: pathlib.Path, texts: tuple[str, ...], *arguments: str
) -> tuple[int, list[str], str]:
    """Import files of these contents."""
    files = []
    for at, text in enumerate(texts):
        files.append(home / f"{at}.csv")
        files[-1].write_bytes(text.replace("\n", "\r\n").encode())
    ended = moorctl("import", "netbox", *map(str, files), *arguments)
    return ended.code, ended.out.splitlines(), ended.err


BOTH = (PREFIXES, ADDRESSES)


def test_a_preview_tells_everything_and_changes_nothing(
    moorctl: Moorctl, tmp_path: pathlib.Path, server: serving.Serving
) -> None:
    before = digest.of(server.database)
    code, lines, err = run(moorctl, tmp_path, BOTH)
    assert (code, digest.of(server.database)) == (0, before), err
    assert lines == [
        "pool/netbox-10-20-1-0-24 to be created",
        "pool/netbox-fd00-20---64 to be created",
        "reservation/netbox-10-20-1-128-26 to be created",
        "reservation/netbox-10-20-1-1 to be created",
        "reservation/netbox-10-20-1-5 to be created",
        "reservation/netbox-10-20-1-6 to be created",
        "reservation/netbox-fd00-20--1 to be created",
        "0 addresses to adopt, 0 held already, 0 blocks in no pool, 0 conflicts; nothing was"
        " changed, --apply does it",
    ]
    assert "0.csv, line 2: 10.20.0.0/16 is container; left out" in err
    assert "0.csv, line 6: 10.20.2.0/24 is deprecated; left out" in err
    assert f"1.csv, line 6: 10.20.1.1 stands in {tmp_path}/1.csv, line 2 as well; left out" in err


def test_an_import_keeps_what_netbox_has(
    moorctl: Moorctl, tmp_path: pathlib.Path, client: moorage.Client, server: serving.Serving
) -> None:
    code, _, err = run(moorctl, tmp_path, BOTH, "--apply")
    assert code == 0, err
    told = {each.cidrs[0]: (each.description, dict(each.labels)) for each in client.reservations()}
    active = {"netbox.status": "Active"}
    assert told == {
        "10.20.1.128/26": ("For the next rack", {"netbox.status": "Reserved"}),
        "10.20.1.1/32": (
            "The gateway, a pair",
            {**active, "netbox.role": "VIP", "netbox.dns-name": "gw.example.org"},
        ),
        "10.20.1.5/32": ("reserved in NetBox", {"netbox.status": "Reserved"}),
        "10.20.1.6/32": (
            "printer.example.org",
            {"netbox.status": "DHCP", "netbox.dns-name": "printer.example.org"},
        ),
        "fd00:20::1/128": ("The gateway", active),
    }
    before = digest.of(server.database)
    code, lines, err = run(moorctl, tmp_path, BOTH, "--apply")
    assert (code, lines[-1].endswith("0 conflicts; nothing to change")) == (0, True), err
    assert digest.of(server.database) == before


def test_new_pods_are_given_what_netbox_has_not(
    moorctl: Moorctl, tmp_path: pathlib.Path, client: moorage.Client
) -> None:
    run(moorctl, tmp_path, BOTH, "--apply")
    given = [calls.addresses_of(calls.assign(client, f"c{at}"))[0] for at in range(5)]
    assert given == [f"10.20.1.{last}" for last in (2, 3, 4, 7, 8)]
    six = calls.assign(client, "six", calls.want(calls.IPV6))
    assert calls.addresses_of(six) == ["fd00:20::2"]


def test_the_names_of_fields_will_do(
    moorctl: Moorctl, tmp_path: pathlib.Path, client: moorage.Client
) -> None:
    # Spreadsheets put a mark before the first column.
    texts = (f"\ufeff{PLAIN_PREFIXES}", PLAIN_ADDRESSES)
    code, _, err = run(moorctl, tmp_path, texts, "--apply")
    assert code == 0, err
    given = [calls.addresses_of(calls.assign(client, f"c{at}"))[0] for at in range(2)]
    assert given == ["10.30.0.0", "10.30.0.2"]


def test_an_address_that_is_held_here_is_a_conflict(
    moorctl: Moorctl, tmp_path: pathlib.Path, client: moorage.Client, server: serving.Serving
) -> None:
    calls.create_pool(client, "mine", "10.20.1.0/24")
    calls.assign(client, "other", calls.fixed("10.20.1.6"))
    calls.assign(client, "next", calls.fixed("10.20.1.130"))
    before = digest.of(server.database)
    code, lines, err = run(moorctl, tmp_path, BOTH, "--apply")
    assert (code, digest.of(server.database)) == (4, before)
    assert [line.partition(";")[0] for line in lines if " conflict: " in line] == [
        "reservation/netbox-10-20-1-128-26 conflict: 10.20.1.130 is held here by container next of"
        " network pods, pod shop/next, and taken in NetBox",
        "reservation/netbox-10-20-1-6 conflict: 10.20.1.6 is held here by container other of"
        " network pods, pod shop/other, and taken in NetBox",
    ]
    assert "moorctl: 2 conflicts; nothing was changed" in err


def test_what_is_reserved_may_be_assigned_by_name_from_then_on(
    moorctl: Moorctl, tmp_path: pathlib.Path, client: moorage.Client
) -> None:
    run(moorctl, tmp_path, BOTH, "--apply")
    calls.assign(client, "moved", calls.fixed("10.20.1.5"))
    code, lines, err = run(moorctl, tmp_path, BOTH, "--apply")
    assert (code, lines[-1].endswith("nothing to change")) == (0, True), err


def test_prefixes_in_one_another_are_a_conflict(
    moorctl: Moorctl, tmp_path: pathlib.Path, client: moorage.Client
) -> None:
    text = "Prefix,Status\n10.20.0.0/16,Active\n10.20.1.0/24,Active\n"
    code, lines, _ = run(moorctl, tmp_path, (text,), "--apply")
    assert (code, list(client.pools())) == (4, [])
    assert lines[1] == (
        "pool/netbox-10-20-1-0-24 conflict: 10.20.1.0/24 overlaps 10.20.0.0/16 of pool"
        " netbox-10-20-0-0-16; they cannot both be"
    )


def test_a_prefix_that_is_there_twice_is_a_conflict(
    moorctl: Moorctl, tmp_path: pathlib.Path, client: moorage.Client
) -> None:
    text = "Prefix,Status\n10.20.1.0/24,Active\n10.20.1.0/24,Active\n"
    code, lines, _ = run(moorctl, tmp_path, (text,), "--apply")
    assert (code, list(client.pools())) == (4, [])
    file = tmp_path / "0.csv"
    assert lines[1] == (
        f"pool/netbox-10-20-1-0-24 conflict: {file}, line 3 and {file}, line 2 both make it; leave"
        " one of them out"
    )


def test_a_prefix_that_is_a_pool_here_is_used_as_it_is(
    moorctl: Moorctl, tmp_path: pathlib.Path, client: moorage.Client
) -> None:
    client.create_pool("mine", resources_pb2.Pool(cidr="10.20.1.0/24", block_size=28))
    code, lines, err = run(moorctl, tmp_path, BOTH, "--apply")
    assert (code, lines[0]) == (0, "pool/mine unchanged"), err
    assert [each.name.rpartition("/")[2] for each in client.pools()] == [
        "mine",
        "netbox-fd00-20---64",
    ]


MALFORMED = {
    "no column": ("Name,Slug\na,b\n", "line 1", 'must have a column "Prefix" or "IP Address"'),
    "nothing": ("", "line 1", 'must have a column "Prefix" or "IP Address"'),
    "no prefix": ("Prefix\n\n10.0.0.1/24\n", "line 3: prefix", "must be a CIDR"),
    "no address": ("IP Address\n12 IPs available\n", "line 2: ip_address", "must be an address"),
    "too many fields": ("Prefix,Status\na,b,c\n", "line 2", "has 3 fields, and the first line 2"),
    "no CSV": ('Prefix\n"10.0.0.0/24"x\n', "line 2", "is not CSV"),
    "half a quote": ('Prefix\n"10.0.0.0/24\n', "line 2", "is not CSV: unexpected end of data"),
}


@pytest.mark.parametrize("malformed", MALFORMED)
def test_a_malformed_file_never_reaches_the_server(
    malformed: str, offline: Moorctl, tmp_path: pathlib.Path
) -> None:
    text, field, told = MALFORMED[malformed]
    code, _, err = run(offline, tmp_path, (text,), "-o", "json")
    (violation,) = json.loads(err)["violations"]
    assert (code, violation["field"]) == (2, f"{tmp_path}/0.csv, {field}")
    assert told in violation["description"]


def test_several_vrfs_are_refused(offline: Moorctl, tmp_path: pathlib.Path) -> None:
    text = "IP Address,VRF\n10.0.0.1/24,Global\n10.0.0.1/24,blue\n"
    code, _, err = run(offline, tmp_path, (text,))
    assert (code, "several VRFs of NetBox: Global, blue; export and import" in err) == (2, True)


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"\xff\xfe", "is not text in UTF-8"), (None, "No such file or directory")],
)
def test_a_file_that_cannot_be_read_is_told(
    content: bytes | None, told: str, offline: Moorctl, tmp_path: pathlib.Path
) -> None:
    file = tmp_path / "prefixes.csv"
    if content is not None:
        file.write_bytes(content)
    ended = offline("import", "netbox", str(file))
    assert (ended.code, told in ended.err, str(file) in ended.err) == (2, True, True)
