"""moorctl describe: all that an operator asks of one thing, on one screen."""

import pytest

import moorage
from client import peer as peers
from ctl import program
from harness import calls, past
from harness.postgres import Database
from moorage.ctl.describe import events
from moorage.v1 import (
    audit_pb2,
    pool_service_pb2,
    reservation_service_pb2,
    resources_pb2,
    vrf_service_pb2,
)
from moorage_server import restore


@pytest.fixture
def shop(client: moorage.Client) -> moorage.Client:
    """A pool with blocks of two nodes; c1 to c3 hold an address, c4 did."""
    client.update_vrf(
        resources_pb2.Vrf(
            name="vrfs/default",
            configuration=resources_pb2.VrfConfiguration(cooldown_seconds=600),
            fixed_address_grants=[
                resources_pb2.FixedAddressGrant(namespace="shop", cidrs=["10.0.0.9", "10.9.0.0/24"])
            ],
        ),
        update_mask=["configuration", "fixed_address_grants"],
    )
    client.create_pool(
        "web",
        resources_pb2.Pool(cidr="10.0.0.0/28", block_size=30, labels={"tier": "front"}),
    )
    client.create_pool("db", resources_pb2.Pool(cidr="10.1.0.0/24", disabled=True))
    client.create_reservation(
        "printers", resources_pb2.Reservation(cidrs=["10.0.0.12/31", "10.2.0.0/24"])
    )
    client.create_reservation("far", resources_pb2.Reservation(cidrs=["10.1.0.0/31", "fd00::/64"]))
    client.upsert_node(resources_pb2.Node(name="vrfs/default/nodes/n1", labels={"zone": "east"}))
    for container, node in (("c1", "n1"), ("c2", "n1"), ("c3", "n2"), ("c4", "n1")):
        calls.assign(client, container, node=node)
    calls.release(client, "c4")
    return client


def described(moorctl: program.Moorctl, kind: str, name: str, *more: str) -> dict[str, list[str]]:
    """What is said below each title, its own line first."""
    return parts(moorctl.must("describe", kind, name, *more))


def parts(whole: str) -> dict[str, list[str]]:
    """What a description says: words of every line, in order, by title."""
    found: dict[str, list[str]] = {}
    title = ""
    for line in whole.splitlines():
        if not line.startswith(" "):
            title = line.partition(":")[0]
            found[title] = []
        if text := line.removeprefix(f"{title}:").strip():
            found[title].append(" ".join(text.split()))
    return found


def test_a_pool_says_how_full_it_is_and_what_has_to_do_with_it(
    moorctl: program.Moorctl, shop: moorage.Client
) -> None:
    told = described(moorctl, "pool", "web")
    assert told["Name"] == ["web"]
    assert told["VRF"] == ["default"]
    assert told["Labels"] == ["tier=front"]
    assert told["Etag"] == [shop.get_pool("web").etag]
    assert told["State"] == ["ENABLED"]
    assert told["Quarantine"] == ["<none>"]
    assert told["CIDR"] == ["10.0.0.0/28"]
    assert told["Block Size"] == ["30"]
    assert told["Allowed Uses"] == ["WORKLOAD", "TUNNEL"]
    assert told["Usage"] == [
        "TOTAL USED FREE COOLING STICKY RESERVED FULL",
        "16 3 10 1 0 2 37.5%",
    ]
    assert told["Open Blocks"] == ["2"]
    assert told["Blocks By Node"] == [
        "NODE BLOCKS USED FREE COOLING STICKY",
        "n1 1 2 1 1 0",
        "n2 1 1 3 0 0",
    ]
    assert told["Reservations"] == [
        "NAME CIDRS OWNER EXPIRES DESCRIPTION",
        "printers 10.0.0.12/31 - - -",
    ]
    assert told["Fixed Address Grants"] == ["NAMESPACE CIDRS", "shop 10.0.0.9/32"]


def test_the_last_events_are_the_latest_with_their_cause(
    moorctl: program.Moorctl, shop: moorage.Client, database: Database
) -> None:
    past.age(database, 0.5, "c1")
    header, *rows = described(moorctl, "pool", "web")["Last Events"]
    assert header == "TIME EVENT ADDRESS NAMESPACE POD NODE CONTAINER BY CAUSE"
    assert [row.split()[1:] for row in rows] == [
        ["ASSIGNED", "10.0.0.1", "shop", "c2", "n1", "c2", "anonymous", "-"],
        ["ASSIGNED", "10.0.0.4", "shop", "c3", "n2", "c3", "anonymous", "-"],
        ["ASSIGNED", "10.0.0.2", "shop", "c4", "n1", "c4", "anonymous", "-"],
        ["RELEASED", "10.0.0.2", "shop", "c4", "n1", "c4", "anonymous", "REQUESTED"],
    ]
    rows = described(moorctl, "pool", "web", "--since", "-1d")["Last Events"][1:]
    assert rows[0].split()[6] == "c1"
    (none,) = described(moorctl, "pool", "db")["Last Events"]
    assert none.startswith("none since 2")


def test_who_has_changed_it_last_is_named(moorctl: program.Moorctl, shop: moorage.Client) -> None:
    shop.update_pool(
        resources_pb2.Pool(name="vrfs/default/pools/web", priority=7), update_mask=["priority"]
    )
    header, *rows = described(moorctl, "pool", "web")["Last Changes"]
    assert header == "TIME WHO FROM METHOD KIND NAME CHANGED"
    assert [row.split()[1:] for row in rows] == [
        ["anonymous", "ipv4:127.0.0.1", "CreatePool", "pool", "web", "-"],
        ["anonymous", "ipv4:127.0.0.1", "UpdatePool", "pool", "web", "priority"],
    ]
    methods = {
        kind: [row.split()[3] for row in described(moorctl, kind, name)["Last Changes"][1:]]
        for kind, name in (("node", "n1"), ("reservation", "far"), ("vrf", "default"))
    }
    assert methods["node"] == ["UpsertNode"]
    assert methods["reservation"] == ["CreateReservation"]
    assert methods["vrf"] == [
        *("UpdateVrf", "CreatePool", "CreatePool", "CreateReservation", "CreateReservation"),
        *("UpsertNode", "UpdatePool"),
    ]


def test_of_many_events_there_are_the_last_ten(
    moorctl: program.Moorctl, shop: moorage.Client
) -> None:
    for number in range(10):
        calls.assign(shop, f"more-{number}", node="n2")
        calls.release(shop, f"more-{number}")
    rows = described(moorctl, "pool", "web")["Last Events"][1:]
    assert [row.split()[6] for row in rows] == [f"more-{n}" for n in range(5, 10) for _ in "ab"]


def test_a_pool_in_trouble_says_so(
    moorctl: program.Moorctl, shop: moorage.Client, database: Database
) -> None:
    shop.drain_pool("web")
    restore.check(database.service_url)
    told = described(moorctl, "pool", "web")
    assert told["State"] == ["DRAINING"]
    (why,) = told["Quarantine"]
    assert why.startswith("RESTORED since 2")
    assert told["Blocks By Node"][1:] == ["<none> 2 3 4 1 0"]
    assert described(moorctl, "pool", "db")["State"] == ["DISABLED"]


def test_a_reservation_says_in_which_pools_it_lies_and_who_holds_addresses_of_it(
    moorctl: program.Moorctl, shop: moorage.Client
) -> None:
    calls.assign(shop, "asked", calls.fixed("10.0.0.13"))
    told = described(moorctl, "reservation", "printers")
    assert told["State"] == ["IN FORCE"]
    assert told["CIDRs"] == ["10.0.0.12/31", "10.2.0.0/24"]
    assert told["Pools"] == ["NAME CIDR RESERVED", "web 10.0.0.0/28 10.0.0.12/31"]
    assert told["Held"] == ["ADDRESS POOL NAMESPACE POD NODE OWNER", "10.0.0.13 web shop asked - -"]
    assert told["Last Events"][1].split()[1:3] == ["ASSIGNED", "10.0.0.13"]


def test_a_reservation_that_has_expired_says_so(
    moorctl: program.Moorctl, shop: moorage.Client
) -> None:
    reservation = resources_pb2.Reservation(cidrs=["10.0.0.15"])
    reservation.expire_time.GetCurrentTime()
    shop.create_reservation("over", reservation)
    assert described(moorctl, "reservation", "over")["State"] == ["EXPIRED"]


def test_a_node_says_what_it_has_and_what_is_awaited_of_it(
    moorctl: program.Moorctl, shop: moorage.Client, database: Database
) -> None:
    calls.assign(shop, "borrowed", calls.fixed("10.0.0.5"), node="n1")
    told = described(moorctl, "node", "n1")
    assert (told["State"], told["Labels"]) == (["RECORDED"], ["zone=east"])
    assert [row.split()[0:2] + row.split()[3:] for row in told["Blocks"]] == [
        ["CIDR", "POOL", "USED", "FREE", "COOLING", "STICKY"],
        ["10.0.0.0/30", "web", "2", "1", "1", "0"],
    ]
    assert told["Held"] == [
        "CLUSTER NETWORK POOL HELD SUSPECT BORROWED",
        "- pods web 3 0 1",
    ]
    assert "Lists Awaited" not in told
    restore.check(database.service_url)
    shop.reconcile_node("n1", [calls.attachment("c1"), calls.attachment("lost")])
    told = described(moorctl, "node", "n1")
    assert told["Lists Awaited"] == ["of cluster any, network pods"]
    assert told["Held By Nobody"] == ["pods/lost/eth0"]
    assert told["Held"][1] == "- pods web 3 2 1"


def test_a_node_that_was_never_recorded_is_known_by_what_it_has(
    moorctl: program.Moorctl, shop: moorage.Client
) -> None:
    told = described(moorctl, "nodes", "n2")
    assert told["State"] == ["NOT RECORDED: node selectors see no labels of it"]
    assert len(told["Blocks"]) == 2


def test_a_vrf_says_how_full_its_pools_are(
    moorctl: program.Moorctl, shop: moorage.Client, database: Database
) -> None:
    told = described(moorctl, "vrf", "default")
    assert told["Cooldown Seconds"] == ["600"]
    assert told["Fixed Address Grants"] == ["namespace shop, cidrs 10.0.0.9/32,10.9.0.0/24"]
    assert told["Pools"] == [
        "NAME CIDR STATE TOTAL USED FREE COOLING STICKY RESERVED FULL",
        "web 10.0.0.0/28 ENABLED 16 3 10 1 0 2 37.5%",
        "db 10.1.0.0/24 DISABLED 256 0 254 0 0 2 0.8%",
    ]
    assert (told["Reservations"], told["Nodes"], told["Sticky Addresses"]) == (["2"], ["1"], ["0"])
    assert len(told["Last Events"]) == 6
    restore.check(database.service_url)
    told = described(moorctl, "vrf", "default")
    assert (told["Lists Awaited"], told["Held By Nobody"]) == (["2"], ["0"])


def test_an_address_says_who_holds_it_and_in_what_it_lies(
    moorctl: program.Moorctl, shop: moorage.Client
) -> None:
    told = described(moorctl, "allocation", "10.0.0.1")
    assert told["State"] == ["HELD"]
    assert (told["Container Id"], told["Use"]) == (["c2"], ["WORKLOAD"])
    assert (told["Namespace"], told["Pod"], told["Node"]) == (["shop"], ["c2"], ["n1"])
    assert told["Pool"] == ["web, 10.0.0.0/28, ENABLED"]
    (block,) = told["Block"]
    assert block.startswith("10.0.0.0/30, of node n1, since 2")
    assert [row.split()[1:3] for row in told["Last Events"][1:]] == [["ASSIGNED", "10.0.0.1"]]


def test_an_address_that_nobody_holds_says_who_did(
    moorctl: program.Moorctl, shop: moorage.Client, database: Database
) -> None:
    past.age(database, 3, "c4")
    ended = moorctl("describe", "allocation", "10.0.0.2")
    told = parts(ended.out)
    assert (ended.code, "ALLOCATION_NOT_FOUND" in ended.err) == (3, True)
    assert told["State"] == ["HELD BY NOBODY"]
    assert [row.split()[1:] for row in told["Last Events"][1:]] == [
        ["ASSIGNED", "10.0.0.2", "shop", "c4", "n1", "c4", "anonymous", "-"],
        ["RELEASED", "10.0.0.2", "shop", "c4", "n1", "c4", "anonymous", "REQUESTED"],
    ]
    outside = parts(moorctl("describe", "allocation", "10.2.0.9").out)
    assert outside["Pool"] == ["<none>"]
    assert outside["Reservations"][1] == "printers 10.2.0.0/24 - - -"


def test_an_address_that_is_kept_says_for_whom(
    moorctl: program.Moorctl, shop: moorage.Client
) -> None:
    shop.assign(
        calls.attachment("kept"), [calls.fixed("10.0.0.10")], owner_key="web-0", sticky=3600
    )
    assert described(moorctl, "allocation", "10.0.0.10")["Owner Key"] == ["web-0"]
    calls.release(shop, "kept")
    (kept,) = parts(moorctl("describe", "allocation", "10.0.0.10").out)["Kept For Owner"]
    assert kept.startswith("web-0, until 2")


def test_the_installed_program_describes_as_well(
    moorctl: program.Moorctl, shop: moorage.Client
) -> None:
    installed = program.Moorctl(variables=moorctl.variables, installed=True)
    assert described(installed, "pool", "web")["Open Blocks"] == ["2"]


@pytest.mark.parametrize(
    ("kind", "name", "reason"),
    [
        ("pool", "none", "POOL_NOT_FOUND"),
        ("reservation", "none", "RESERVATION_NOT_FOUND"),
        ("node", "none", "NODE_NOT_FOUND"),
        ("vrf", "none", "VRF_NOT_FOUND"),
    ],
)
def test_what_is_not_there_is_not_found(
    moorctl: program.Moorctl, kind: str, name: str, reason: str
) -> None:
    ended = moorctl("describe", kind, name)
    assert (ended.code, ended.out) == (3, "")
    assert ended.err.startswith(f"moorctl: cannot describe {kind}/{name}: ")
    assert reason in ended.err


def test_what_is_no_address_is_refused(offline: program.Moorctl) -> None:
    ended = offline("describe", "allocation", "10.0.0")
    assert (ended.code, "10.0.0" in ended.err) == (2, True)


def test_a_history_that_is_too_long_is_not_read_to_its_end(
    peer: peers.Peer, scripted: program.Moorctl
) -> None:
    pool = resources_pb2.Pool(name="vrfs/default/pools/web", cidr="10.0.0.0/8")
    many = resources_pb2.AddressCounts(capacity_count=2**24, assigned_count=events.MOST_READ + 1)
    usage = pool_service_pb2.GetPoolUsageResponse(counts=many, open_block_count=10**6)
    peer.will(
        peers.answer(pool_service_pb2.GetPoolResponse(pool=pool)),
        peers.answer(vrf_service_pb2.GetVrfResponse(vrf=resources_pb2.Vrf(name="vrfs/default"))),
        peers.answer(usage),
        peers.answer(reservation_service_pb2.ListReservationsResponse()),
        peers.answer(audit_pb2.ListChangesResponse()),
    )
    told = described(scripted, "pool", "web")
    assert told["Blocks"] == ["1000000 open; see moorctl ipam show --show-blocks"]
    (told_of,) = told["Last Events"]
    assert "see moorctl history --cidr 10.0.0.0/8 --since 2" in told_of
    assert len(peer.calls) == 5


def test_what_others_wrote_steers_no_terminal(peer: peers.Peer, scripted: program.Moorctl) -> None:
    reservation = resources_pb2.Reservation(
        name="vrfs/default/reservations/r", description="\x1b[2J", labels={"a": "\u202e"}
    )
    peer.will(
        peers.answer(reservation_service_pb2.GetReservationResponse(reservation=reservation)),
        peers.answer(vrf_service_pb2.GetVrfResponse(vrf=resources_pb2.Vrf(name="vrfs/default"))),
        peers.answer(pool_service_pb2.ListPoolsResponse()),
        peers.answer(audit_pb2.ListChangesResponse()),
    )
    told = described(scripted, "reservation", "r")
    assert told["Labels"] == ["a=\\u202e"]
    assert told["Description"] == ["\\x1b[2J"]
