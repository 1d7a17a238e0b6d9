"""PoolService: a pool is deleted when nothing of it is assigned, and with it its blocks."""

import grpc
import pytest
import sqlalchemy as sa

from api import pool_requests, refusals
from api.pool_requests import Pool, create, creation, name
from harness import postgres
from moorage.v1 import allocation_service_pb2 as allocation_messages
from moorage.v1 import allocation_service_pb2_grpc, resources_pb2
from moorage.v1 import pool_service_pb2 as messages

DELETE = messages.DeletePoolRequest(name=name("a"))
IN_USE = (
    grpc.StatusCode.FAILED_PRECONDITION,
    "POOL_IN_USE",
    {"vrf": "default", "pool": "a", "allocation_count": "1"},
)


@pytest.fixture
def pools(channel: grpc.Channel) -> pool_requests.Stub:
    return pool_requests.Stub(channel)


@pytest.fixture
def allocations(channel: grpc.Channel) -> allocation_service_pb2_grpc.AllocationServiceStub:
    return allocation_service_pb2_grpc.AllocationServiceStub(channel)


def attachment(container_id: str) -> resources_pb2.Attachment:
    return resources_pb2.Attachment(network="n", container_id=container_id, interface="eth0")


def assignment(container_id: str) -> allocation_messages.AssignAddressesRequest:
    want = allocation_messages.AddressRequest(family=resources_pb2.IP_FAMILY_IPV4)
    return allocation_messages.AssignAddressesRequest(
        attachment=attachment(container_id), addresses=[want]
    )


def release(container_id: str) -> allocation_messages.ReleaseAddressesRequest:
    return allocation_messages.ReleaseAddressesRequest(attachment=attachment(container_id))


def test_a_pool_in_use_is_deleted_once_it_is_not(
    pools: pool_requests.Stub,
    allocations: allocation_service_pb2_grpc.AllocationServiceStub,
    database: postgres.Database,
) -> None:
    create(pools, "a", "10.0.0.0/24", block_size=28)
    create(pools, "b", "10.0.1.0/24")
    allocations.AssignAddresses(assignment("c1"))
    assert refusals.of(pools.DeletePool, DELETE).told() == IN_USE
    pools.DeletePool(messages.DeletePoolRequest(name=name("b")))
    allocations.ReleaseAddresses(release("c1"))
    pools.DeletePool(DELETE)
    assert refusals.of(pools.DeletePool, DELETE).reason == "POOL_NOT_FOUND"
    for table in ("pools", "blocks", "pool_frontiers"):
        assert database.scalar(f"SELECT count(*) FROM {table}") == 0
    create(pools, "c", "10.0.0.0/24", block_size=26)
    allocations.AssignAddresses(assignment("c1"))


def test_blocks_of_other_pools_and_vrfs_stay(
    pools: pool_requests.Stub,
    allocations: allocation_service_pb2_grpc.AllocationServiceStub,
    database: postgres.Database,
) -> None:
    database.execute("INSERT INTO vrfs (name) VALUES ('blue')")
    neighbours = [("before", "9.255.255.0/24", "default"), ("behind", "10.0.1.0/24", "default")]
    for pool_id, cidr, vrf in [*neighbours, ("a", "10.0.0.0/24", "default")]:
        pools.CreatePool(creation(pool_id, Pool(cidr=cidr), vrf))
        request = assignment(pool_id)
        request.addresses[0].pools.append(pool_id)
        allocations.AssignAddresses(request)
    pools.CreatePool(creation("a", Pool(cidr="10.0.0.0/24"), "blue"))
    same_in_blue = assignment("blue")
    same_in_blue.parent = "vrfs/blue"
    allocations.AssignAddresses(same_in_blue)
    allocations.ReleaseAddresses(release("a"))
    pools.DeletePool(DELETE)
    kept = (
        "SELECT string_agg(name || ' ' || cidr, ', ' ORDER BY cidr) FROM blocks"
        " JOIN vrfs USING (vrf_id)"
    )
    assert database.scalar(kept) == "default 9.255.255.0/26, blue 10.0.0.0/26, default 10.0.1.0/26"


def test_a_pool_in_use_is_refused_without_waiting_for_its_blocks(
    pools: pool_requests.Stub,
    allocations: allocation_service_pb2_grpc.AllocationServiceStub,
    database: postgres.Database,
) -> None:
    create(pools, "a", "10.0.0.0/24")
    allocations.AssignAddresses(assignment("c1"))
    with database.connect() as drawing:
        drawing.execute(sa.text("SELECT FROM blocks, pool_frontiers FOR UPDATE"))
        assert refusals.of(pools.DeletePool, DELETE).told() == IN_USE
