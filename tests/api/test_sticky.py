"""Sticky addresses, through a real channel: kept, counted, listed, given back and given up."""

import datetime

import grpc
import pytest
from google.protobuf import duration_pb2

import moorage
from api import refusals
from harness import calls, serving
from moorage.v1 import allocation_service_pb2 as messages
from moorage.v1 import allocation_service_pb2_grpc, reconciliation_pb2, resources_pb2

Stub = allocation_service_pb2_grpc.AllocationServiceStub
HOUR = 3600


@pytest.fixture
def stub(channel: grpc.Channel) -> Stub:
    return Stub(channel)


def asked(
    container: str,
    *wants: messages.AddressRequest,
    owner: str = "db-0",
    sticky: int = HOUR,
    node: str = "",
    **duration: int,
) -> messages.AssignAddressesRequest:
    """A request of an owner, by default for an address that is to stay its own for an hour."""
    return messages.AssignAddressesRequest(
        attachment=calls.attachment(container),
        addresses=wants or [calls.want()],
        owner_key=owner,
        workload=resources_pb2.Workload(node=node),
        sticky=duration_pb2.Duration(seconds=sticky, **duration) if sticky or duration else None,
    )


def assign(stub: Stub, container: str, *wants: messages.AddressRequest, **who: object) -> list[str]:
    """The addresses that an owner is given."""
    request = asked(container, *wants, **who)  # type: ignore[arg-type]  # those of asked
    return [each.address for each in stub.AssignAddresses(request).allocations]


def listed(client: moorage.Client, **wanted: object) -> list[tuple[str, str]]:
    """The addresses that are kept, and for whom."""
    found = client.sticky_addresses(**wanted)  # type: ignore[arg-type]  # those of the SDK
    return [(each.address, each.owner_key) for each in found]


def told(counts: resources_pb2.AddressCounts) -> tuple[int, int, int, int, int]:
    return (
        counts.assigned_count,
        counts.cooling_count,
        counts.sticky_count,
        counts.reserved_count,
        counts.available_count,
    )


def test_an_allocation_says_for_how_long_it_stays_kept(client: moorage.Client, stub: Stub) -> None:
    calls.create_pool(client, "a", "10.0.0.0/24")
    request = asked("c1", nanos=1)
    (given,) = stub.AssignAddresses(request).allocations
    assert given.sticky == duration_pb2.Duration(seconds=HOUR + 1)
    assert client.get_allocation(given.address) == given
    assert not calls.assign(client, "c2")[0].HasField("sticky")


@pytest.mark.parametrize(
    ("fields", "owner"),
    [
        ({"seconds": -1}, "o"),
        ({"seconds": 7_776_001}, "o"),
        ({"nanos": -1000000000}, "o"),
        ({"seconds": 1}, ""),
    ],
)
def test_what_is_asked_has_limits_and_needs_an_owner(
    unchanged: grpc.Channel, fields: dict[str, int], owner: str
) -> None:
    request = asked("c1", owner=owner, sticky=0)
    request.sticky.CopyFrom(duration_pb2.Duration(**fields))
    refusal = refusals.of(Stub(unchanged).AssignAddresses, request)
    assert (refusal.reason, refusal.fields) == ("INVALID_REQUEST", ["sticky"])


def test_it_comes_back_to_its_owner_alone(client: moorage.Client, stub: Stub) -> None:
    calls.create_pool(client, "a", "10.0.0.0/30")
    (first,) = assign(stub, "c1")
    calls.release(client, "c1")
    refusal = refusals.of(
        stub.AssignAddresses, asked("c2", calls.fixed(first), owner="db-1", sticky=0)
    )
    assert refusal.told() == (
        grpc.StatusCode.ALREADY_EXISTS,
        "ADDRESS_KEPT",
        {"vrf": "default", "address": first, "pool": "a"},
    )
    others = [calls.assign(client, f"x{at}")[0].address for at in range(3)]
    assert first not in others
    with pytest.raises(moorage.Exhausted, match="3 assigned, 1 kept for their owners, 0 reserved"):
        calls.assign(client, "x4")
    assert assign(stub, "c3", sticky=0) == [first]
    assert listed(client) == []


def test_it_comes_back_out_of_what_is_reserved_for_its_owner(
    client: moorage.Client, stub: Stub
) -> None:
    calls.create_pool(client, "a", "10.0.0.0/24", block_size=28)
    client.create_reservation(
        "databases", resources_pb2.Reservation(cidrs=["10.0.0.0/28"], owner_key="db-0")
    )
    assert [assign(stub, each) for each in ("c1", "c2")] == [["10.0.0.0"], ["10.0.0.1"]]
    calls.release(client, "c2")
    assert assign(stub, "c3") == ["10.0.0.1"]


def test_a_reused_address_is_counted_once_whatever_it_is(
    client: moorage.Client, stub: Stub, server: serving.Serving
) -> None:
    calls.create_pool(client, "a", "10.0.0.0/24", cooldown_seconds=600)
    calls.create_pool(client, "six", "fd00::/64")
    calls.assign(client, "held")
    calls.assign(client, "cooling")
    assign(stub, "c1")
    assign(stub, "c2", owner="db-1", sticky=1)
    assign(stub, "c6", calls.want(calls.IPV6))
    for container in ("cooling", "c1", "c2", "c6"):
        calls.release(client, container)
    client.create_reservation("r", resources_pb2.Reservation(cidrs=["10.0.0.2/31"]))
    assert told(client.get_pool_usage("a").counts) == (1, 1, 2, 2, 256 - 4)
    (block,) = client.blocks(pool="a")
    assert told(block.counts) == (1, 1, 2, 2, 64 - 4)
    six = client.get_pool_usage("six").counts
    assert (six.sticky_count, six.available_count) == (1, 2**63 - 1)
    assert told(next(client.blocks(pool="six")).counts) == (0, 0, 1, 0, 63)
    explained = client.explain_assign(calls.attachment("c9"), [calls.want()])
    assert explained.addresses[0].pools[0].counts == client.get_pool_usage("a").counts
    server.database.execute("UPDATE ticks SET tick = tick + 601")
    assert told(client.get_pool_usage("a").counts) == (1, 0, 1, 2, 256 - 1 - 2)
    assert listed(client) == [("10.0.0.2", "db-0"), ("fd00::", "db-0")]


def test_addresses_are_listed_in_order_page_by_page_of_one_owner_or_of_all(
    client: moorage.Client, stub: Stub
) -> None:
    calls.create_pool(client, "a", "10.0.0.0/24", block_size=28)
    calls.create_pool(client, "six", "fd00::/64")
    numbers = (70, 3, 1, 17, 200)
    for at, number in enumerate(numbers):
        assign(stub, f"c{at}", calls.fixed(f"10.0.0.{number}"), owner=f"db-{at % 2}")
    assign(stub, "six", calls.want(calls.IPV6))
    for container in (*(f"c{at}" for at in range(5)), "six"):
        calls.release(client, container)
    expected = [
        ("10.0.0.1", "db-0"),
        ("10.0.0.3", "db-1"),
        ("10.0.0.17", "db-1"),
        ("10.0.0.70", "db-0"),
        ("10.0.0.200", "db-0"),
        ("fd00::", "db-0"),
    ]
    for size in (0, 1, 2, 3):
        assert listed(client, page_size=size) == expected
        owned = [each for each in expected if each[1] == "db-0"]
        assert listed(client, page_size=size, owner_key="db-0") == owned
    assert listed(client, owner_key="eth0") == []
    page = stub.ListStickyAddresses(reconciliation_pb2.ListStickyAddressesRequest(page_size=2))
    assert page.sticky_addresses[0].pool == "vrfs/default/pools/a"
    remaining = page.sticky_addresses[0].expire_time.ToDatetime(
        tzinfo=datetime.UTC
    ) - datetime.datetime.now(datetime.UTC)
    assert abs(remaining.total_seconds() - HOUR) < 60
    other = reconciliation_pb2.ListStickyAddressesRequest(
        owner_key="db-1", page_token=page.next_page_token
    )
    assert refusals.of(stub.ListStickyAddresses, other).reason == "PAGE_TOKEN_MISMATCH"


@pytest.mark.parametrize(
    ("request_given", "reason"),
    [
        ({"parent": "vrfs/none"}, "VRF_NOT_FOUND"),
        ({"page_size": -1}, "INVALID_REQUEST"),
        ({"owner_key": "x" * 254}, "INVALID_REQUEST"),
    ],
)
def test_a_listing_that_cannot_be_is_refused(
    unchanged: grpc.Channel, request_given: dict[str, str], reason: str
) -> None:
    request = reconciliation_pb2.ListStickyAddressesRequest(**request_given)  # type: ignore[arg-type]  # of many types
    assert refusals.of(Stub(unchanged).ListStickyAddresses, request).reason == reason


def test_who_gives_one_up_is_told_what_it_was_and_it_still_cools_down(
    client: moorage.Client, stub: Stub, server: serving.Serving
) -> None:
    calls.create_pool(client, "a", "10.0.0.0/32", cooldown_seconds=600)
    assign(stub, "c1")
    calls.release(client, "c1")
    name = "vrfs/default/stickyAddresses/10.0.0.0"
    request = reconciliation_pb2.DeleteStickyAddressRequest(name=name)
    kept = stub.DeleteStickyAddress(request).sticky_address
    assert (kept.name, kept.address, kept.owner_key) == (name, "10.0.0.0", "db-0")
    assert (kept.network, kept.interface) == ("pods", "eth0")
    with pytest.raises(moorage.Exhausted, match="kept from other workloads"):
        calls.assign(client, "c2")
    server.database.execute("UPDATE ticks SET tick = tick + 601")
    assert calls.assign(client, "c2")[0].address == "10.0.0.0"
    refusal = refusals.of(stub.DeleteStickyAddress, request)
    assert refusal.told() == (
        grpc.StatusCode.NOT_FOUND,
        "STICKY_ADDRESS_NOT_FOUND",
        {"vrf": "default", "address": "10.0.0.0"},
    )


def test_without_a_cool_down_what_was_given_up_is_free_at_once(
    client: moorage.Client, stub: Stub
) -> None:
    calls.create_pool(client, "a", "10.0.0.0/31")
    (first,) = assign(stub, "c1")
    calls.release(client, "c1")
    client.delete_sticky_address(first)
    assert [calls.assign(client, f"x{at}")[0].address for at in range(2)] == ["10.0.0.1", first]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("vrfs/default/stickyAddresses/10.0.0.1", "STICKY_ADDRESS_NOT_FOUND"),
        ("vrfs/none/stickyAddresses/10.0.0.1", "VRF_NOT_FOUND"),
        ("vrfs/default/allocations/10.0.0.1", "INVALID_REQUEST"),
        ("vrfs/default/stickyAddresses/web", "INVALID_REQUEST"),
        ("", "INVALID_REQUEST"),
    ],
)
def test_what_is_not_kept_cannot_be_given_up(
    unchanged: grpc.Channel, name: str, reason: str
) -> None:
    request = reconciliation_pb2.DeleteStickyAddressRequest(name=name)
    assert refusals.of(Stub(unchanged).DeleteStickyAddress, request).reason == reason


def test_a_cool_down_that_grows_keeps_it_at_least_as_long(
    client: moorage.Client, stub: Stub, server: serving.Serving
) -> None:
    calls.create_pool(client, "a", "10.0.0.0/31")
    assign(stub, "c1", sticky=100)
    assign(stub, "c2", owner="db-1", sticky=1000)
    calls.release(client, "c1")
    calls.release(client, "c2")
    pool = resources_pb2.Pool(name="vrfs/default/pools/a", cooldown_seconds=600)
    client.update_pool(pool, update_mask=["cooldown_seconds"])
    entries = server.database.scalar("SELECT sticky FROM blocks")
    assert isinstance(entries, list)
    base = entries[1][1] - 1001
    assert [(each[1] - base, each[5] - base) for each in entries] in (
        [(601, 601), (1001, 601)],
        [(600, 600), (1001, 601)],
    )


def test_a_draining_pool_keeps_nothing_and_is_deleted(client: moorage.Client, stub: Stub) -> None:
    node = resources_pb2.BLOCK_AFFINITY_NODE
    calls.create_pool(client, "a", "10.0.0.0/24", block_affinity=node)
    assign(stub, "c1", node="n1")
    assign(stub, "c2", owner="db-1", node="n2")
    calls.release(client, "c1")
    client.drain_pool("a")
    assert listed(client) == []
    assert [each.cidr for each in client.blocks()] == ["10.0.0.64/26"]
    calls.release(client, "c2")
    assert listed(client) == []
    client.delete_pool("a")


def test_a_pool_with_sticky_addresses_alone_can_be_deleted(
    client: moorage.Client, stub: Stub
) -> None:
    calls.create_pool(client, "a", "10.0.0.0/24")
    assign(stub, "c1")
    calls.release(client, "c1")
    client.delete_pool("a")
    assert listed(client) == []


def test_the_look_for_an_owner_goes_by_an_index(
    client: moorage.Client, stub: Stub, server: serving.Serving
) -> None:
    calls.create_pool(client, "a", "10.0.0.0/16", block_size=32)
    server.database.execute(
        "INSERT INTO blocks (vrf_id, cidr, pool_id, pool_cidr, free, sticky, next_ready_tick)"
        " SELECT vrf_id, CAST(host(cidr::inet + at) AS cidr), pool_id, cidr, '{}',"
        " jsonb_build_array(jsonb_build_array(0, 1000000, 'o' || at, 'n', 'i', 0)), 1000000"
        " FROM pools, generate_series(0, 4999) AS at"
    )
    server.database.execute("UPDATE pool_frontiers SET unused = '{[5000,65536)}'")
    server.database.execute("ANALYZE blocks")
    with server.database.connect() as connection:
        connection.exec_driver_sql("SET enable_seqscan = off")
        plan = connection.exec_driver_sql(
            "EXPLAIN SELECT cidr FROM blocks WHERE vrf_id = 1 AND sticky <> '[]'"
            " AND sticky @> '[[\"o7\"]]' ORDER BY cidr LIMIT 1 FOR UPDATE"
        ).scalars()
        assert any("blocks_owner_idx" in line for line in plan)
    assert listed(client, owner_key="o4711") == [("10.0.18.103", "o4711")]
