"""PoolService: how many addresses a pool has, and which of its blocks are open."""

import datetime

import grpc
import pytest

import moorage
from api import refusals
from harness import calls, serving
from moorage.v1 import pool_service_pb2 as messages
from moorage.v1 import pool_service_pb2_grpc, resources_pb2
from moorage_server.api import page_tokens

Counts = resources_pb2.AddressCounts
NODE = resources_pb2.BLOCK_AFFINITY_NODE
MOST = 2**63 - 1

# Reservations, and then capacity, assigned, reserved and available, of the pool and of its
# first block, while 10.0.0.5 is assigned.
RESERVED = [
    (["10.0.0.32/30"], (256, 1, 4, 251), (64, 1, 4, 59)),
    (["10.0.0.128/25"], (256, 1, 128, 127), (64, 1, 0, 63)),
    (["10.0.0.5/32"], (256, 1, 1, 255), (64, 1, 1, 63)),
    (["10.0.0.0/25", "10.0.0.5/32", "10.0.0.64/26"], (256, 1, 128, 128), (64, 1, 64, 0)),
    (["9.0.0.0/8", "fd00::/8"], (256, 1, 0, 255), (64, 1, 0, 63)),
]


def told(counts: Counts) -> tuple[int, int, int, int]:
    return (
        counts.capacity_count,
        counts.assigned_count,
        counts.reserved_count,
        counts.available_count,
    )


def reserve(client: moorage.Client, name: str, *cidrs: str, **fields: object) -> None:
    reservation = resources_pb2.Reservation(cidrs=cidrs, **fields)  # type: ignore[arg-type]  # checked by protobuf
    client.create_reservation(name, reservation)


@pytest.mark.parametrize(("cidrs", "pool", "block"), RESERVED)
def test_what_is_reserved_counts_once(
    client: moorage.Client,
    cidrs: list[str],
    pool: tuple[int, ...],
    block: tuple[int, ...],
) -> None:
    calls.create_pool(client, "a", "10.0.0.0/24")
    calls.assign(client, "c1", calls.fixed("10.0.0.5"))
    reserve(client, "r", *cidrs)
    usage = client.get_pool_usage("a")
    (opened,) = client.blocks(pool="a")
    assert (told(usage.counts), usage.open_block_count) == (pool, 1)
    assert (opened.cidr, told(opened.counts)) == ("10.0.0.0/26", block)


def test_what_the_pool_withholds_is_reserved(client: moorage.Client) -> None:
    calls.create_pool(
        client,
        "a",
        "10.0.0.0/24",
        gateway="10.0.0.1",
        exclude_network_addresses=True,
        excluded_ranges=["10.0.0.0-10.0.0.3", "10.0.0.64/26"],
    )
    reserve(client, "r", "10.0.0.2/32", "10.0.0.8/31")
    calls.assign(client)
    (opened,) = client.blocks()
    assert told(client.get_pool_usage("a").counts) == (256, 1, 4 + 64 + 1 + 2, 184)
    assert told(opened.counts) == (64, 1, 6, 57)


def test_a_reservation_that_has_expired_hides_nothing(client: moorage.Client) -> None:
    calls.create_pool(client, "a", "10.0.0.0/24")
    now = datetime.datetime.now(datetime.UTC)
    hour = datetime.timedelta(hours=1)
    reserve(client, "over", "10.0.0.0/26", expire_time=now - hour)
    reserve(client, "not-yet", "10.0.0.128/30", expire_time=now + hour)
    assert told(client.get_pool_usage("a").counts) == (256, 0, 4, 252)


def test_an_unused_pool_has_no_blocks(client: moorage.Client) -> None:
    calls.create_pool(client, "a", "10.0.0.0/24")
    usage = client.get_pool_usage("a")
    assert (told(usage.counts), usage.open_block_count) == ((256, 0, 0, 256), 0)
    assert list(client.blocks()) == []


@pytest.mark.parametrize(
    ("cidr", "reserved", "counts"),
    [
        ("10.0.0.0/8", ["10.0.0.0/9"], (2**24, 1, 2**23, 2**23)),
        ("fd00::/64", ["fd00::/65"], (MOST, 1, MOST, MOST)),
        ("fd00::/64", ["fd00::/64"], (MOST, 1, MOST, 0)),
        ("fd00::/66", ["fd00::/72"], (2**62, 1, 2**56, 2**62 - 2**56)),
        ("fd00::/32", [], (MOST, 1, 0, MOST)),
    ],
)
def test_a_huge_pool_is_counted_at_once(
    client: moorage.Client, cidr: str, reserved: list[str], counts: tuple[int, ...]
) -> None:
    calls.create_pool(client, "a", cidr)
    calls.assign(client, "c1", calls.fixed(f"{cidr.partition('/')[0]}"))
    if reserved:
        reserve(client, "r", *reserved)
    assert told(client.get_pool_usage("a", timeout=2).counts) == counts


def test_cooling_addresses_are_neither_assigned_nor_available(
    client: moorage.Client, server: serving.Serving
) -> None:
    calls.create_pool(client, "a", "10.0.0.0/24")
    calls.assign(client, "c1")
    calls.assign(client, "c2")
    reserve(client, "r", "10.0.0.8/31")
    # Of four addresses that were released, two are ready by now; one that is not is reserved.
    server.database.execute(
        "UPDATE blocks SET free = array_remove(array_remove(array_remove(array_remove("
        " free, 6::smallint), 7::smallint), 8::smallint), 9::smallint),"
        " next_ready_tick = 0, cooling = jsonb_build_array("
        " jsonb_build_array(6, 0, ''), jsonb_build_array(7, 9000000000000000, ''),"
        " jsonb_build_array(8, 0, ''), jsonb_build_array(9, 9000000000000000, ''))"
    )
    for counts, capacity in (
        (client.get_pool_usage("a").counts, 256),
        (next(client.blocks()).counts, 64),
    ):
        assert told(counts) == (capacity, 2, 2, capacity - 2 - 2 - 1)
        assert counts.cooling_count == 2
    server.database.execute(
        "UPDATE blocks SET free = free || ARRAY[6, 7, 8, 9]::smallint[], cooling = '[]',"
        " next_ready_tick = NULL"
    )


def test_blocks_are_listed_by_address_of_a_pool_a_vrf_or_a_node(client: moorage.Client) -> None:
    calls.create_pool(client, "six", "fd00::/64")
    calls.create_pool(client, "b", "10.9.0.0/24", block_affinity=NODE)
    calls.create_pool(client, "a", "10.10.0.0/24", block_affinity=NODE, block_size=28)
    for at, (pool, node) in enumerate([("a", "n1"), ("a", "n2"), ("b", "n2")]):
        calls.assign(client, f"c{at}", calls.want(pools=(pool,)), node=node)
    calls.assign(client, "c6", calls.want(calls.IPV6))
    listed = list(client.blocks())
    assert [(each.pool.rpartition("/")[2], each.node) for each in listed] in (
        [("b", "n2"), ("a", "n1"), ("a", "n2"), ("six", "")],
        [("b", "n2"), ("a", "n2"), ("a", "n1"), ("six", "")],
    )
    assert list(client.blocks(page_size=1)) == listed
    assert list(client.blocks(pool="a", page_size=1)) == listed[1:3]
    assert list(client.blocks(node="n2")) == [each for each in listed if each.node == "n2"]
    assert list(client.blocks(pool="a", node="n2")) == [
        each for each in listed[1:3] if each.node == "n2"
    ]
    assert list(client.blocks(node="n3")) == []
    assert {each.counts.assigned_count for each in listed} == {1}
    assert min(each.claim_time.seconds for each in listed) > 0


def test_a_page_token_belongs_to_its_listing(client: moorage.Client, channel: grpc.Channel) -> None:
    pools = pool_service_pb2_grpc.PoolServiceStub(channel)
    calls.create_pool(client, "a", "10.0.0.0/24", block_affinity=NODE)
    for node in ("n1", "n2"):
        calls.assign(client, node, node=node)
    token = pools.ListBlocks(messages.ListBlocksRequest(page_size=1)).next_page_token
    last = pools.ListBlocks(messages.ListBlocksRequest(page_size=9, page_token=token))
    assert (len(last.blocks), last.next_page_token) == (1, "")
    for other in (
        messages.ListBlocksRequest(page_token=token, node="n1"),
        messages.ListBlocksRequest(page_token=token, parent="vrfs/default/pools/a"),
    ):
        assert refusals.of(pools.ListBlocks, other).reason == "PAGE_TOKEN_MISMATCH"


@pytest.mark.parametrize(
    ("request_", "fields"),
    [
        (messages.GetPoolUsageRequest(), ["name"]),
        (messages.GetPoolUsageRequest(name="vrfs/default/nodes/a"), ["name"]),
        (messages.ListBlocksRequest(parent="default"), ["parent"]),
        (messages.ListBlocksRequest(parent="vrfs/default/nodes/a"), ["parent"]),
        (messages.ListBlocksRequest(parent="vrfs/default/pools/A"), ["parent"]),
        (messages.ListBlocksRequest(parent="vrfs/default/pools/"), ["parent"]),
        (messages.ListBlocksRequest(node="x" * 254, page_size=-1), ["node", "page_size"]),
    ],
)
def test_a_malformed_question_is_refused_with_every_field(
    unchanged: grpc.Channel,
    request_: messages.GetPoolUsageRequest | messages.ListBlocksRequest,
    fields: list[str],
) -> None:
    method = request_.DESCRIPTOR.name.removesuffix("Request")
    stub = pool_service_pb2_grpc.PoolServiceStub(unchanged)
    refusal = refusals.of(getattr(stub, method), request_)
    assert refusal.told() == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST", {})
    assert refusal.fields == fields


def test_a_token_that_is_made_up_is_refused(unchanged: grpc.Channel) -> None:
    request = messages.ListBlocksRequest()
    request.page_token = page_tokens.encode(request, "everything")
    stub = pool_service_pb2_grpc.PoolServiceStub(unchanged)
    assert refusals.of(stub.ListBlocks, request).fields == ["page_token"]


def test_what_is_not_there_is_not_found(unchanged: grpc.Channel) -> None:
    stub = pool_service_pb2_grpc.PoolServiceStub(unchanged)
    code = grpc.StatusCode.NOT_FOUND
    for vrf in ("default", "red"):
        named = f"vrfs/{vrf}/pools/a"
        told = (code, "POOL_NOT_FOUND", {"vrf": vrf, "pool": "a"})
        usage = messages.GetPoolUsageRequest(name=named)
        assert refusals.of(stub.GetPoolUsage, usage).told() == told
        blocks = messages.ListBlocksRequest(parent=named)
        assert refusals.of(stub.ListBlocks, blocks).told() == told
    listing = messages.ListBlocksRequest(parent="vrfs/red")
    told = (code, "VRF_NOT_FOUND", {"vrf": "red"})
    assert refusals.of(stub.ListBlocks, listing).told() == told
