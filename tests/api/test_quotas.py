"""Quotas through a real channel: written, kept to, lowered, explained."""

import collections
import concurrent.futures
import re
import threading

import pytest
import sqlalchemy as sa

import moorage
from harness import calls, postgres, serving
from harness.races import at_once
from moorage.v1 import error_reason_pb2, resources_pb2
from moorage_server.storage import locks, quotas

Quotas, NamespaceQuota = resources_pb2.Quotas, resources_pb2.NamespaceQuota
VRF = "vrfs/default"


def limit(client: moorage.Client, **quotas: object) -> resources_pb2.Vrf:
    given = Quotas(**quotas)  # type: ignore[arg-type]  # checked by protobuf
    vrf = resources_pb2.Vrf(name=VRF, quotas=given)
    return client.update_vrf(vrf, update_mask=["quotas"])


def refused(client: moorage.Client, container: str, **who: str) -> dict[str, str]:
    with pytest.raises(moorage.Exhausted) as raised:
        calls.assign(client, container, **who)  # type: ignore[arg-type]  # names and texts
    assert raised.value.reason == "QUOTA_EXCEEDED"
    return dict(raised.value.metadata)


@pytest.fixture
def pool(client: moorage.Client) -> None:
    """Room for everybody."""
    calls.create_pool(client, "a", "10.0.0.0/24")


def test_what_is_written_is_returned_in_one_order(client: moorage.Client) -> None:
    assert not client.get_vrf("default").HasField("quotas")
    given = [
        NamespaceQuota(namespace="shop", addresses=3),
        NamespaceQuota(namespace="bank", addresses=0),
    ]
    stored = limit(client, addresses_per_node=220, addresses_per_namespace=9, namespaces=given)
    assert stored.quotas == Quotas(
        addresses_per_node=220, addresses_per_namespace=9, namespaces=reversed(given)
    )
    assert client.get_vrf("default") == stored
    assert not limit(client).HasField("quotas")


@pytest.mark.usefixtures("pool")
def test_a_node_and_a_namespace_hold_no_more_than_they_may(client: moorage.Client) -> None:
    bank = NamespaceQuota(namespace="bank", addresses=1)
    limit(client, addresses_per_node=3, addresses_per_namespace=2, namespaces=[bank])
    calls.assign(client, "c1", node="n1")
    calls.assign(client, "c2", node="n2")
    told = refused(client, "c3", node="n3")
    assert told == {
        "vrf": "default",
        "node": "",
        "namespace": "shop",
        "limit": "2",
        "held": "2",
        "asked": "1",
    }
    calls.assign(client, "c4", node="n1", namespace="bank")
    assert refused(client, "c5", node="n1", namespace="bank")["namespace"] == "bank"
    calls.assign(client, "c6", node="n1", namespace="rest")
    assert refused(client, "c7", node="n1", namespace="rest")["node"] == "n1"
    # Whom nobody knows is nobody.
    calls.assign(client, "c8", namespace="")
    assert calls.release(client, "c1")
    calls.assign(client, "c3", node="n3")


@pytest.mark.usefixtures("pool")
def test_each_family_of_a_pod_counts_and_nothing_is_kept_of_what_is_refused(
    client: moorage.Client, database: postgres.Database
) -> None:
    calls.create_pool(client, "six", "fd00::/120")
    limit(client, addresses_per_namespace=3)
    both = calls.want(), calls.want(calls.IPV6)
    calls.assign(client, "c1", *both)
    with pytest.raises(moorage.Exhausted):
        calls.assign(client, "c2", *both)
    assert database.scalar("SELECT count(*) FROM allocations") == 2
    calls.assign(client, "c2")


@pytest.mark.usefixtures("pool")
def test_who_asks_again_or_holds_more_than_he_may_by_now_keeps_it(client: moorage.Client) -> None:
    held = calls.assign(client, "c1", node="n1", stamp=1), calls.assign(client, "c2", node="n1")
    limit(client, addresses_per_node=1, addresses_per_namespace=1)
    assert calls.assign(client, "c1", node="n1", stamp=2) == held[0]
    assert refused(client, "c3", node="n2")["held"] == "2"
    calls.release(client, "c2")
    assert refused(client, "c3", node="n2")["held"] == "1"


@pytest.mark.usefixtures("pool")
def test_a_new_sandbox_of_a_pod_takes_the_place_of_the_old_one(client: moorage.Client) -> None:
    limit(client, addresses_per_node=1, addresses_per_namespace=1)
    pod = resources_pb2.Workload(node="n1", namespace="shop", pod="web-0", pod_uid="u")
    first, second = (
        client.assign(
            calls.attachment(container),
            [calls.want()],
            workload=pod,
            attempt=calls.attempt(stamp),
        )
        for stamp, container in enumerate(("old", "new"), start=1)
    )
    assert calls.addresses_of(first) == calls.addresses_of(second)


def keep(client: moorage.Client, container: str, owner: str) -> list[resources_pb2.Allocation]:
    """An address for a container of "shop", which stays its owner's for an hour."""
    return client.assign(
        calls.attachment(container),
        [calls.want()],
        workload=resources_pb2.Workload(namespace="shop"),
        owner_key=owner,
        sticky=3600,
    )


@pytest.mark.usefixtures("pool")
def test_what_a_namespace_keeps_counts_as_well(client: moorage.Client) -> None:
    limit(client, addresses_per_namespace=2)
    for name in ("a", "b"):
        keep(client, name, f"shop/{name}")
        client.release(calls.attachment(name))
    assert refused(client, "c")["held"] == "2"
    with pytest.raises(moorage.Exhausted):
        keep(client, "c", "shop/c")
    # Whose it is has it back, and another namespace has what is its own.
    assert keep(client, "again", "shop/a")
    calls.assign(client, "d", namespace="bank")
    client.delete_sticky_address(only_kept(client))
    assert keep(client, "c", "shop/c")


@pytest.mark.usefixtures("pool")
def test_what_is_given_back_and_kept_makes_no_room_for_who_comes_at_the_same_moment(
    client: moorage.Client, database: postgres.Database, submitted: threading.Semaphore
) -> None:
    limit(client, addresses_per_namespace=1)
    keep(client, "a", "shop/a")
    assert submitted.acquire(timeout=20)
    with concurrent.futures.ThreadPoolExecutor(3) as callers:
        with database.frozen():
            # The batch under way: what comes now is the next one.
            first = callers.submit(calls.assign, client, "c", namespace="bank")
            assert submitted.acquire(timeout=20)
            going = callers.submit(calls.release, client, "a")
            coming = callers.submit(keep, client, "b", "shop/b")
            assert submitted.acquire(timeout=20)
            assert submitted.acquire(timeout=20)
        assert going.result(timeout=20)
        with pytest.raises(moorage.Exhausted) as raised:
            coming.result(timeout=20)
    assert raised.value.metadata["held"] == "1"
    first.result(timeout=20)


def only_kept(client: moorage.Client) -> str:
    """The one address that is kept."""
    (kept,) = client.sticky_addresses()
    return kept.name.rpartition("/")[2]


@pytest.mark.usefixtures("pool")
def test_what_nobody_holds_any_more_is_not_looked_at(
    client: moorage.Client, database: postgres.Database
) -> None:
    limit(client, addresses_per_node=3, addresses_per_namespace=3)
    for at in range(50):
        calls.assign(client, f"c{at}", node="n1")
        calls.release(client, f"c{at}")
    calls.assign(client, "last", node="n1")
    names = {"names": ["n1", "shop"], "vrf_id": 1}
    with database.connect() as connection:
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        for statement in quotas._COUNTS.values():
            explain = sa.text(f"EXPLAIN (ANALYZE) {statement.text}")
            plan = "\n".join(connection.execute(explain, names).scalars())
            # Which of both is all the same of so few.
            assert "attachments_held_" in plan
            tombstones = re.findall(r"Rows Removed by Filter: (\d+)", plan)
            assert sum(map(int, tombstones)) < 10


@pytest.mark.usefixtures("pool")
def test_an_explanation_waits_for_nobody(
    client: moorage.Client, database: postgres.Database
) -> None:
    limit(client, addresses_per_namespace=1)
    vrf_id = database.scalar("SELECT vrf_id FROM vrfs WHERE name = 'default'")
    with database.connect() as stranger:
        locks.take(stranger, locks.Class.QUOTA, f"{vrf_id}/namespace/shop")
        told = client.explain_assign(
            calls.attachment(),
            [calls.want()],
            workload=resources_pb2.Workload(namespace="shop"),
            timeout=10,
        )
    assert not told.HasField("refusal")


@pytest.mark.usefixtures("pool")
def test_an_explanation_tells_of_a_quota(client: moorage.Client) -> None:
    limit(client, addresses_per_namespace=1)
    workload = resources_pb2.Workload(namespace="shop", pod="p")
    wanted = calls.attachment("new"), [calls.want()]
    assert not client.explain_assign(*wanted, workload=workload).HasField("refusal")
    calls.assign(client)
    told = client.explain_assign(*wanted, workload=workload)
    assert told.refusal.reason == error_reason_pb2.ERROR_REASON_QUOTA_EXCEEDED


@pytest.mark.usefixtures("pool")
def test_many_at_once_on_two_servers_are_given_exactly_what_they_may_have(
    client: moorage.Client, database: postgres.Database
) -> None:
    bank = NamespaceQuota(namespace="bank", addresses=5)
    limit(client, addresses_per_node=8, addresses_per_namespace=13, namespaces=[bank])
    with serving.in_process(database) as second, moorage.Client(second.target) as other:
        clients = client, other

        def ask(at: int) -> list[resources_pb2.Allocation]:
            namespace, node = ("bank", "shop")[at % 2], f"n{at % 3}"
            return calls.assign(clients[at // 2 % 2], f"c{at}", node=node, namespace=namespace)

        outcomes = at_once(64, ask)
    given = [each for each in outcomes if isinstance(each, list)]
    assert {each.reason for each in outcomes if isinstance(each, moorage.MoorageError)} == {
        "QUOTA_EXCEEDED"
    }
    assert len(given) == 18
    held = collections.Counter(
        whose
        for each in client.allocations()
        for whose in (each.workload.node, each.workload.namespace)
    )
    assert (held["bank"], held["shop"]) == (5, 13)
    assert max(held[node] for node in ("n0", "n1", "n2")) <= 8


@pytest.mark.usefixtures("pool")
def test_whoever_gives_somebody_something_is_waited_for_but_not_by_others(
    client: moorage.Client, database: postgres.Database
) -> None:
    limit(client, addresses_per_namespace=1)
    vrf_id = database.scalar("SELECT vrf_id FROM vrfs WHERE name = 'default'")
    with concurrent.futures.ThreadPoolExecutor(1) as callers:
        with database.connect() as stranger:
            locks.take(stranger, locks.Class.QUOTA, f"{vrf_id}/namespace/shop")
            waiting = callers.submit(calls.assign, client, "c1", namespace="shop")
            calls.assign(client, "c2", namespace="bank")
            assert not waiting.done()
        assert waiting.result(timeout=20)
