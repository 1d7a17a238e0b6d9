"""PoolService against others at the same moment: administrators and the data path.

The losers and winners are lined up behind a lock that the test holds.
"""

import contextlib
from collections.abc import Iterator

import grpc
import pytest
import sqlalchemy as sa

from api import pool_requests, refusals
from api.pool_requests import Pool, create, creation, name, update
from harness import postgres
from moorage.v1 import allocation_service_pb2 as allocation_messages
from moorage.v1 import allocation_service_pb2_grpc, resources_pb2
from moorage.v1 import pool_service_pb2 as messages
from moorage_server.domain import model

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


@contextlib.contextmanager
def holding(database: postgres.Database, statement: str) -> Iterator[None]:
    """What a statement locks stays locked, and what it writes is never seen."""
    with database.connect() as connection:
        connection.execute(sa.text(statement))
        yield


def before_commit(container_id: str) -> str:
    """Stops an assign of this attachment when it has written everything about blocks."""
    key = model.AttachmentKey(
        vrf="default", network="n", container_id=container_id, interface="eth0"
    )
    return (
        "INSERT INTO attachments (vrf_id, uid, network, container_id, interface, state, use)"
        f" VALUES (1, '{key.uid(1)}', 'n', '{container_id}', 'eth0', 'RELEASED', 'WORKLOAD')"
    )


def test_of_two_overlapping_pools_created_at_once_one_is_told_of_the_other(
    pools: pool_requests.Stub, database: postgres.Database
) -> None:
    with holding(database, "SELECT FROM vrfs WHERE name = 'default' FOR UPDATE"):
        calls = {
            "a": pools.CreatePool.future(creation("a", Pool(cidr="10.0.0.0/16"))),
            "b": pools.CreatePool.future(creation("b", Pool(cidr="10.0.9.0/24"))),
        }
        refusals.wait_for_locks(database, 2)
    lost = [pool_id for pool_id, call in calls.items() if call.exception() is not None]
    assert len(lost) == 1
    winner = "b" if lost == ["a"] else "a"
    assert refusals.read(calls[lost[0]].exception()).told() == (
        grpc.StatusCode.ALREADY_EXISTS,
        "POOL_OVERLAPS",
        {
            "vrf": "default",
            "pool": lost[0],
            "cidr": "10.0.0.0/16" if lost == ["a"] else "10.0.9.0/24",
            "conflicting_pool": winner,
        },
    )
    listed = pools.ListPools(messages.ListPoolsRequest()).pools
    assert [each.name for each in listed] == [name(winner)]


def test_of_two_updates_with_one_etag_the_second_is_refused(
    pools: pool_requests.Stub, database: postgres.Database
) -> None:
    create(pools, "a", "10.0.0.0/24")
    with holding(database, "SELECT FROM vrfs WHERE name = 'default' FOR UPDATE"):
        calls = [
            pools.UpdatePool.future(update(Pool(name=name("a"), priority=priority, etag="1")))
            for priority in (1, 2)
        ]
        refusals.wait_for_locks(database, 2)
    refused = [call.exception() for call in calls if call.exception() is not None]
    assert [refusals.read(each).reason for each in refused] == ["ETAG_MISMATCH"]
    assert pools.GetPool(messages.GetPoolRequest(name=name("a"))).pool.etag == "2"


def test_administration_does_not_wait_for_the_data_path(
    pools: pool_requests.Stub, database: postgres.Database
) -> None:
    with holding(database, before_commit("c1")):
        create(pools, "a", "10.0.0.0/24")
        pools.UpdatePool(update(Pool(name=name("a"), disabled=True)))
        pools.DeletePool(DELETE)


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
    with holding(database, "SELECT FROM blocks, pool_frontiers FOR UPDATE"):
        assert refusals.of(pools.DeletePool, DELETE).told() == IN_USE


@pytest.mark.parametrize("block", ["opened before", "opened by the assign"])
def test_an_assign_that_came_first_keeps_its_pool(
    pools: pool_requests.Stub,
    allocations: allocation_service_pb2_grpc.AllocationServiceStub,
    database: postgres.Database,
    block: str,
) -> None:
    create(pools, "a", "10.0.0.0/24", block_affinity=resources_pb2.BLOCK_AFFINITY_NONE)
    if block == "opened before":
        allocations.AssignAddresses(assignment("c1"))
        allocations.ReleaseAddresses(release("c1"))
    with holding(database, before_commit("c2")):
        assign = allocations.AssignAddresses.future(assignment("c2"))
        refusals.wait_for_locks(database, 1)
        delete = pools.DeletePool.future(DELETE)
        refusals.wait_for_locks(database, 2)
    assert len(assign.result().allocations) == 1
    assert refusals.read(delete.exception()).told() == IN_USE
