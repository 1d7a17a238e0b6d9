"""Administrators against each other and against the data path, at the same moment.

Everybody is lined up behind a lock that the test holds, and let go at once.
"""

import concurrent.futures
import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator
from typing import Any, Concatenate, ParamSpec, TypeVar

import pytest
import sqlalchemy as sa

from harness import postgres, world
from moorage_server.domain import addresses, errors, model, resources
from moorage_server.storage import catalogs
from moorage_server.storage import database as databases
from moorage_server.usecases import batch, nodes, pools, reservations, vrfs
from moorage_server.usecases.targets import Target

P = ParamSpec("P")
T = TypeVar("T")
Future = concurrent.futures.Future

ALONE = batch.Locking.WAITING
PATIENCE = 20.0  # seconds: on a busy machine, too, it is the test that decides who waits
POOL_A = Target(vrf="default", name="a", resource="vrfs/default/pools/a")
BLUE = Target(vrf="blue", name="blue", resource="vrfs/blue")
VRF_ROW = "SELECT FROM vrfs WHERE name = 'default' FOR UPDATE"
WAITING = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


class Crowd:
    """Use cases, each in a thread of its own."""

    def __init__(self, database: postgres.Database) -> None:
        self._database = database
        self._store = databases.Database(database.service_url, threads=4)
        self._threads = concurrent.futures.ThreadPoolExecutor(4)

    def call(
        self,
        use_case: Callable[Concatenate[databases.Database, databases.Limits, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """The result of a use case that nobody holds up."""
        return use_case(self._store, _limits(), *args, **kwargs)

    def start(
        self,
        use_case: Callable[Concatenate[databases.Database, databases.Limits, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> "Future[T]":
        """Returns once the use case waits for a lock, behind those that wait already."""
        waiting = self._waiting()
        future = self._threads.submit(use_case, self._store, _limits(), *args, **kwargs)
        deadline = time.monotonic() + PATIENCE / 2
        while self._waiting() == waiting:
            assert not future.done(), f"it did not wait: {future}"
            assert time.monotonic() < deadline, "it never waited"
        return future

    def _waiting(self) -> object:
        return self._database.scalar(WAITING)

    def close(self) -> None:
        """Waits for everybody."""
        self._threads.shutdown()
        self._store.close()


@pytest.fixture
def crowd(database: postgres.Database) -> Iterator[Crowd]:
    gathered = Crowd(database)
    yield gathered
    gathered.close()


@contextlib.contextmanager
def holding(database: postgres.Database, statement: str) -> Iterator[None]:
    """What a statement locks stays locked, and what it writes is never seen."""
    with database.connect() as connection:
        connection.execute(sa.text(statement))
        yield


def _limits() -> databases.Limits:
    return databases.Limits(lock=PATIENCE, statement=PATIENCE, deadline=time.monotonic() + PATIENCE)


def before_commit(container_id: str) -> str:
    """Stops the assign of an attachment when it has written everything about blocks."""
    uid = attachment(container_id).uid(1)
    return (
        "INSERT INTO attachments (vrf_id, uid, network, container_id, interface, state, use)"
        f" VALUES (1, '{uid}', 'n', '{container_id}', 'eth0', 'RELEASED', 'WORKLOAD')"
    )


def attachment(container_id: str) -> model.AttachmentKey:
    return model.AttachmentKey(
        vrf="default", network="n", container_id=container_id, interface="eth0"
    )


def assign(
    store: databases.Database, limits: databases.Limits, container_id: str, node: str = ""
) -> list[batch.Outcome]:
    """What an assign that waits for locks is told."""
    request = model.AssignRequest(
        attachment=attachment(container_id),
        addresses=(world.any_ipv4(),),
        facts=model.Facts(workload=model.Workload(node=node)),
    )
    ran = batch.run(store, limits, [request], compiled=catalogs.Catalogs(), locking=ALONE)
    return ran.outcomes


def release(
    store: databases.Database, limits: databases.Limits, container_id: str
) -> list[batch.Outcome]:
    request = model.ReleaseRequest(attachment=attachment(container_id))
    ran = batch.run(store, limits, [request], compiled=catalogs.Catalogs(), locking=ALONE)
    return ran.outcomes


def refusal_of(future: "Future[Any]") -> errors.IpamError:  # whatever the use case returns
    """Why a use case was refused."""
    refusal = future.exception(PATIENCE)
    assert isinstance(refusal, errors.IpamError), refusal
    return refusal


def test_of_two_overlapping_pools_created_at_once_the_second_is_told_of_the_first(
    crowd: Crowd, database: postgres.Database
) -> None:
    with holding(database, VRF_ROW):
        first = crowd.start(pools.create, world.pool("a", "10.0.0.0/16"))
        second = crowd.start(pools.create, world.pool("b", "10.0.9.0/24"))
    calls = {"a": first, "b": second}
    lost = next(name for name, call in calls.items() if call.exception(PATIENCE) is not None)
    won = "b" if lost == "a" else "a"
    refusal = refusal_of(calls[lost])
    assert refusal.reason == "POOL_OVERLAPS"
    assert refusal.metadata == {
        "vrf": "default",
        "pool": lost,
        "cidr": "10.0.0.0/16" if lost == "a" else "10.0.9.0/24",
        "conflicting_pool": won,
    }
    assert calls[won].result().name == won
    listed, _ = crowd.call(pools.page, "default", labels={}, after="", size=10)
    assert [pool.name for pool in listed] == [won]


def test_of_two_updates_of_one_version_one_is_refused(
    crowd: Crowd, database: postgres.Database
) -> None:
    made = crowd.call(pools.create, world.pool("a", "10.0.0.0/24"))
    seen = Target(vrf="default", name="a", resource=POOL_A.resource, etag=made.etag)

    def changed(stored: resources.Pool) -> resources.Pool:
        return world.pool("a", str(stored.cidr), disabled=True)

    with holding(database, VRF_ROW):
        calls = [crowd.start(pools.update, seen, changed) for _ in range(2)]
    refused = [call for call in calls if call.exception(PATIENCE) is not None]
    assert [refusal_of(call).reason for call in refused] == ["ETAG_MISMATCH"]
    assert crowd.call(pools.get, "default", "a").version == 2


def test_administration_does_not_wait_for_the_data_path(
    crowd: Crowd, database: postgres.Database
) -> None:
    networks = (addresses.parse_network("10.0.0.0/30"),)
    target = Target(vrf="default", name="r", resource="vrfs/default/reservations/r")
    with holding(database, before_commit("c1")):
        crowd.call(pools.create, world.pool("a", "10.0.0.0/24"))
        crowd.call(pools.delete, POOL_A)
        reservation = resources.Reservation(vrf="default", name="r", cidrs=networks)
        crowd.call(reservations.create, reservation)
        crowd.call(reservations.delete, target)


@pytest.mark.parametrize("block", ["opened before", "opened by the assign"])
def test_an_assign_that_came_first_keeps_its_pool(
    crowd: Crowd, database: postgres.Database, block: str
) -> None:
    flat = resources.BlockAffinity.NONE
    crowd.call(pools.create, world.pool("a", "10.0.0.0/24", block_affinity=flat))
    if block == "opened before":
        crowd.call(assign, "c1")
        crowd.call(release, "c1")
    with holding(database, before_commit("c2")):
        assigned = crowd.start(assign, "c2")
        deleted = crowd.start(pools.delete, POOL_A)
    assert not isinstance(assigned.result(PATIENCE)[0], errors.IpamError)
    refusal = refusal_of(deleted)
    assert (refusal.reason, refusal.metadata["allocation_count"]) == ("POOL_IN_USE", "1")


@pytest.mark.parametrize("block", ["opened before", "opened by the assign"])
def test_an_assign_that_came_first_is_seen_by_who_drains_its_pool(
    crowd: Crowd, database: postgres.Database, block: str
) -> None:
    crowd.call(pools.create, world.pool("a", "10.0.0.0/24"))
    if block == "opened before":
        crowd.call(assign, "c1", "n1")
        crowd.call(release, "c1")
    with holding(database, before_commit("c2")):
        assigned = crowd.start(assign, "c2", "n1")
        drained = crowd.start(pools.drain, POOL_A)
    assert not isinstance(assigned.result(PATIENCE)[0], errors.IpamError)
    assert drained.result(PATIENCE).state is resources.PoolState.DRAINING
    assert database.scalar("SELECT count(*) FROM blocks WHERE node IS NULL") == 1
    assert database.scalar("SELECT count(*) FROM blocks") == 1


def test_a_node_and_a_pool_give_up_the_same_blocks_at_once(
    crowd: Crowd, database: postgres.Database
) -> None:
    crowd.call(pools.create, world.pool("a", "10.0.0.0/24", block_size=32))
    crowd.call(nodes.upsert, resources.Node(vrf="default", name="n1"))
    for at in range(4):
        crowd.call(assign, f"c{at}", "n1")
    for at in range(2):
        crowd.call(release, f"c{at}")
    node = Target(vrf="default", name="n1", resource="vrfs/default/nodes/n1")
    with holding(database, "SELECT FROM blocks ORDER BY cidr LIMIT 1 FOR UPDATE"):
        drained = crowd.start(pools.drain, POOL_A)
        deleted = crowd.start(nodes.delete, node)
    drained.result(PATIENCE)
    deleted.result(PATIENCE)
    assert database.scalar("SELECT count(*) FROM blocks WHERE node IS NULL") == 2
    assert database.scalar("SELECT count(*) FROM blocks") == 2


def test_a_pool_that_comes_while_its_vrf_is_deleted_keeps_it(
    crowd: Crowd, database: postgres.Database
) -> None:
    crowd.call(vrfs.create, resources.Vrf(name="blue"))
    with holding(database, "SELECT FROM vrfs WHERE name = 'blue' FOR UPDATE"):
        created = crowd.start(pools.create, world.pool("a", "10.0.0.0/24", vrf="blue"))
        deleted = crowd.start(vrfs.delete, BLUE)
    outcomes = [call.exception(PATIENCE) for call in (created, deleted)]
    assert [each.reason for each in outcomes if isinstance(each, errors.IpamError)] in (
        ["VRF_IN_USE"],
        ["VRF_NOT_FOUND"],
    )


def test_what_comes_for_a_vrf_while_it_is_deleted_finds_it_gone(
    crowd: Crowd, database: postgres.Database
) -> None:
    crowd.call(vrfs.create, resources.Vrf(name="blue"))
    crowd.call(nodes.upsert, resources.Node(vrf="blue", name="early"))
    with holding(database, "SELECT FROM nodes FOR UPDATE"):
        deleted = crowd.start(vrfs.delete, BLUE)
        upserted = crowd.start(nodes.upsert, resources.Node(vrf="blue", name="late"))
    deleted.result(PATIENCE)
    assert refusal_of(upserted).reason == "VRF_NOT_FOUND"


def assign_of_shop(
    store: databases.Database,
    limits: databases.Limits,
    container_id: str,
    want: model.AddressRequest,
) -> list[batch.Outcome]:
    """As `assign`, for a namespace."""
    request = model.AssignRequest(
        attachment=attachment(container_id),
        addresses=(want,),
        facts=model.Facts(workload=model.Workload(namespace="shop")),
    )
    ran = batch.run(store, limits, [request], compiled=catalogs.Catalogs(), locking=ALONE)
    return ran.outcomes


def no_list(stored: resources.Pool) -> resources.Pool:
    """The pool is another namespace's."""
    return dataclasses.replace(stored, allowed_namespaces=frozenset({"bank"}))


def no_grants(stored: resources.Vrf) -> resources.Vrf:
    """Nobody may ask for an address by name."""
    return dataclasses.replace(stored, fixed_address_grants=())


@pytest.mark.parametrize("what", ["pool", "address"])
def test_once_a_grant_is_withdrawn_nothing_is_assigned_by_it(
    crowd: Crowd, database: postgres.Database, what: str
) -> None:
    granted = world.pool(
        "a",
        "10.0.0.0/24",
        allowed_namespaces=frozenset({"shop"}),
        fixed_addresses=resources.FixedAddresses.GRANTED,
    )
    crowd.call(pools.create, granted)
    default = Target(vrf="default", name="default", resource="vrfs/default")
    grant = world.fixed_grant("shop", "10.0.0.7")
    crowd.call(
        vrfs.update, default, lambda old: dataclasses.replace(old, fixed_address_grants=(grant,))
    )
    want = world.any_ipv4("a") if what == "pool" else world.fixed("10.0.0.7")
    with holding(database, before_commit("first")):
        first = crowd.start(assign_of_shop, "first", want)
        if what == "pool":
            withdrawn: Future[Any] = crowd.start(pools.update, POOL_A, no_list)
        else:
            withdrawn = crowd.start(vrfs.update, default, no_grants)
        late = crowd.start(assign_of_shop, "late", want)
        # Whoever was first is not told of a grant that was there, and whoever withdraws waits.
        assert not withdrawn.done()
    assert isinstance(first.result(PATIENCE)[0], tuple)
    withdrawn.result(PATIENCE)
    (refusal,) = late.result(PATIENCE)
    assert isinstance(refusal, errors.NamespaceNotGranted)
