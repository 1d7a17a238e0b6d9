"""WatchAllocations, through real channels: a snapshot, then every change, once and in order."""

import concurrent.futures
import dataclasses
import threading
import time
from collections.abc import Iterator

import grpc
import pytest
import sqlalchemy as sa

import moorage
from api import refusals
from harness import calls, postgres, serving, watches
from harness.calls import assign, create_pool, release
from harness.watches import fence_held, watching
from moorage.v1 import admin_service_pb2, allocation_service_pb2_grpc, resources_pb2
from moorage.v1 import filter_pb2 as filters
from moorage.v1 import history_pb2 as messages
from moorage_server.api import desk, limits, tail
from moorage_server.api import watching as watched
from moorage_server.domain import feed, history
from moorage_server.storage import database as database_
from moorage_server.usecases import watch

QUICK = watched.Rules(heartbeat=0.05)
LARGE = {f"label-{at}": "x" * 250 for at in range(30)}  # an event of some 8 KB


@pytest.fixture
def quick(database: postgres.Database) -> Iterator[serving.Serving]:
    """A server with a quick heartbeat."""
    with serving.in_process(database, rules=QUICK) as running:
        yield running


@pytest.fixture
def pool(client: moorage.Client) -> None:
    """The pool that addresses come from."""
    create_pool(client, "a", "10.0.0.0/24")


def revision(database: postgres.Database) -> object:
    """How many events have a revision."""
    return database.scalar("SELECT count(*) FROM revisions")


def refusal(
    target: str, request: messages.WatchAllocationsRequest, time: float | None = 30
) -> refusals.Refusal:
    """What a watch ends with."""
    with grpc.insecure_channel(target) as channel:
        stub = allocation_service_pb2_grpc.AllocationServiceStub(channel)
        return refusals.of(lambda asked: list(stub.WatchAllocations(asked, timeout=time)), request)


def large(client: moorage.Client, container: str) -> None:
    """Eight addresses with labels that make every message of them large."""
    client.assign(calls.attachment(container), [calls.want()] * 8, labels=LARGE)


def test_a_watch_tells_what_is_held_and_then_every_change_in_order(
    server: serving.Serving, client: moorage.Client, pool: None
) -> None:
    (held,) = assign(client, "c1", node="n1")
    with watching(server.target) as stream:
        # Of before or behind the change: it may have been numbered, or not yet.
        snapshot = stream.until(1)
        assert snapshot.held + [change[1:] for change in snapshot.changes] == ["10.0.0.0"]
        assign(client, "c2")
        release(client, "c1")
        told = stream.until(3)
        told.events = snapshot.events + told.events
        assert told.changes[-2:] == ["+10.0.0.1", "-10.0.0.0"]
        assert told.revisions[-2:] == [2, 3]
        gone = told.events[-1]
    assert gone.cause == messages.ALLOCATION_EVENT_CAUSE_REQUESTED
    assert gone.generation > gone.allocation.generation == held.generation
    expected = resources_pb2.Allocation()
    expected.CopyFrom(held)
    expected.prefix_length = 0
    assert gone.allocation == expected
    assert gone.event_time.ToDatetime() > held.assign_time.ToDatetime()


def test_a_watch_of_nothing_begins_with_a_cursor(server: serving.Serving) -> None:
    with watching(server.target) as stream:
        first = next(stream.call)
    assert not first.held
    assert not first.events
    assert first.cursor.epoch
    assert first.cursor.revision == 0


def test_a_large_snapshot_comes_in_messages_that_any_client_takes(
    server: serving.Serving,
    client: moorage.Client,
    pool: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watch, "PAGE", 10)
    monkeypatch.setattr(limits, "PAGE_BYTES", 20_000)
    for at in range(3):
        large(client, f"c{at}")
    with watching(server.target) as stream:
        stream.until(24)
    with watching(server.target) as stream:
        parts: list[messages.WatchAllocationsResponse] = []
        while not parts or not parts[-1].HasField("cursor"):
            parts.append(next(stream.call))
    assert [each.address for part in parts for each in part.held] == [
        f"10.0.0.{at}" for at in range(24)
    ]
    assert max(part.ByteSize() for part in parts) < 20_500
    assert len(parts) == 13  # two allocations in each, and the cursor


def test_a_cursor_goes_on_with_what_came_after_it(
    server: serving.Serving, client: moorage.Client, pool: None
) -> None:
    for at in range(4):
        assign(client, f"c{at}")
    with watching(server.target) as stream:
        cursor = stream.until(4).cursor
    for revision in (0, 2, 4):
        cursor.revision = revision
        release(client, f"c{revision // 2}")
        with watching(server.target, cursor=cursor) as stream:
            told = stream.until(5 + revision // 2)
        assert not told.held
        assert told.revisions == list(range(revision + 1, 6 + revision // 2))


def test_who_goes_on_from_a_cursor_hears_at_once_that_it_is_known(
    server: serving.Serving,
) -> None:
    with watching(server.target) as stream:
        cursor = next(stream.call).cursor
    began = time.monotonic()
    with watching(server.target, cursor=cursor) as stream:
        assert next(stream.call) == messages.WatchAllocationsResponse(cursor=cursor)
    assert time.monotonic() - began < watched.Rules().heartbeat / 2


def test_a_watch_far_behind_catches_up_without_a_gap(
    database: postgres.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "PAGE", 3)
    rules = dataclasses.replace(QUICK, room=4)
    with (
        serving.in_process(database, rules=rules) as server,
        moorage.Client(server.target) as client,
        watching(server.target) as first,
    ):
        create_pool(client, "a", "10.0.0.0/24")
        cursor = first.until(0).cursor
        for at in range(9):
            assign(client, f"c{at}")
            first.until(at + 1)
        with watching(server.target, cursor=cursor) as late:
            told = late.until(7)
            release(client, "c0")
            told.events += late.until(10).events
    assert told.revisions == list(range(1, 11))


FILTERS = {
    "a pool by name": filters.AllocationFilter(pools=["a"]),
    "a pool by CIDR": filters.AllocationFilter(pools=["none", "10.0.0.0/24"]),
    "a CIDR": filters.AllocationFilter(cidr="10.0.0.0/31"),
    "an address": filters.AllocationFilter(cidr="10.0.0.0"),
    "an attachment": filters.AllocationFilter(attachment=calls.attachment("c1")),
    "a container": filters.AllocationFilter(attachment=resources_pb2.Attachment(container_id="c1")),
    "a node": filters.AllocationFilter(workload=resources_pb2.Workload(node="n1")),
    "a pod": filters.AllocationFilter(
        workload=resources_pb2.Workload(namespace="shop", pod="cart-0", pod_uid="u1")
    ),
    "a cluster": filters.AllocationFilter(workload=resources_pb2.Workload(cluster="east")),
    "an owner": filters.AllocationFilter(owner_key="cart"),
    "labels": filters.AllocationFilter(labels={"app": "cart"}),
}


@pytest.mark.parametrize("wanted", FILTERS.values(), ids=FILTERS)
def test_a_filter_leaves_out_what_is_not_asked_for_of_snapshot_and_changes(
    quick: serving.Serving, wanted: filters.AllocationFilter
) -> None:
    with moorage.Client(quick.target) as client:
        for name, cidr in (("a", "10.0.0.0/24"), ("b", "10.0.1.0/24"), ("none", "10.0.2.0/24")):
            create_pool(client, name, cidr)
        client.assign(
            calls.attachment("c1"),
            [calls.want(pools=("a",))],
            workload=resources_pb2.Workload(
                node="n1", namespace="shop", pod="cart-0", pod_uid="u1", cluster="east"
            ),
            owner_key="cart",
            labels={"app": "cart", "tier": "front"},
        )
        client.assign(calls.attachment("c2"), [calls.want(pools=("b",))], labels={"app": "till"})
        with watching(quick.target) as everything:
            cursor = everything.until(2).cursor
        with watching(quick.target, filter=wanted) as stream:
            assert stream.until(2).held == ["10.0.0.0"]
            release(client, "c2")
            release(client, "c1")
            assert stream.until(4).changes == ["-10.0.0.0"]
        cursor.revision = 0
        with watching(quick.target, filter=wanted, cursor=cursor) as stream:
            told = stream.until(4)
    assert told.changes == ["+10.0.0.0", "-10.0.0.0"]
    assert told.revisions == [1, 4]


def test_a_heartbeat_comes_when_nothing_happens(quick: serving.Serving) -> None:
    with watching(quick.target) as stream:
        # While the snapshot is being read there may be heartbeats already, without a cursor.
        told = (message for message in stream.call if message.HasField("cursor"))
        first, *beats = (next(told) for _ in range(4))
    assert all(not beat.held and not beat.events for beat in beats)
    assert [beat.cursor for beat in beats] == [first.cursor] * 3


def test_changes_that_a_filter_leaves_out_move_the_cursor(
    quick: serving.Serving, client: moorage.Client, pool: None
) -> None:
    wanted = filters.AllocationFilter(owner_key="nobody")
    with watching(quick.target, filter=wanted) as stream:
        stream.until(0)
        assign(client)
        told = stream.until(1)
    assert told.events == []
    assert told.cursor.revision == 1


def test_a_snapshot_is_of_its_revision_where_later_changes_are_committed(
    database: postgres.Database, server: serving.Serving, client: moorage.Client, pool: None
) -> None:
    for container in ("stays", "goes", "moves"):
        assign(client, container)
    with watching(server.target) as stream:
        stream.until(3)
    with fence_held(database):
        release(client, "goes")
        release(client, "moves")
        client.assign(calls.attachment("moved"), [calls.fixed("10.0.0.2")])
        client.assign(calls.attachment("came"), [calls.fixed("10.0.0.9")])
        release(client, "came")
        with watching(server.target) as stream:
            snapshot = stream.until(3)
            assert sorted(snapshot.held) == ["10.0.0.0", "10.0.0.1", "10.0.0.2"]
            assert snapshot.cursor.revision == 3
    with watching(server.target, cursor=snapshot.cursor) as stream:
        assert stream.until(8).changes == [
            "-10.0.0.1",
            "-10.0.0.2",
            "+10.0.0.2",
            "+10.0.0.9",
            "-10.0.0.9",
        ]


def test_a_snapshot_with_a_filter_is_of_its_revision_too(
    database: postgres.Database, server: serving.Serving, client: moorage.Client, pool: None
) -> None:
    for container in ("c1", "c2"):
        assign(client, container, node=f"node-of-{container}")
    with watching(server.target) as stream:
        stream.until(2)
    wanted = filters.AllocationFilter(workload=resources_pb2.Workload(node="node-of-c1"))
    with fence_held(database):
        release(client, "c1")
        release(client, "c2")
        with watching(server.target, filter=wanted) as stream:
            assert stream.until(2).held == ["10.0.0.0"]


def test_nothing_is_told_behind_an_event_that_may_yet_be_committed(
    database: postgres.Database, quick: serving.Serving, client: moorage.Client
) -> None:
    create_pool(client, "a", "10.0.0.0/24")
    create_pool(client, "b", "10.0.1.0/24")
    with (
        watching(quick.target) as stream,
        database.connect() as stranger,
        concurrent.futures.ThreadPoolExecutor(1) as thread,
    ):
        stream.until(0)
        in_the_way(stranger, "10.0.0.7")
        early = thread.submit(client.assign, calls.attachment("c1"), [calls.fixed("10.0.0.7")])
        waits_for_a_lock(database)
        (late,) = client.assign(calls.attachment("c2"), [calls.want(pools=("b",))])
        assert [next(stream.call).cursor.revision for _ in range(3)] == [0, 0, 0]
        stranger.rollback()
        (first,) = early.result(timeout=30)
        told = stream.until(2)
    generations = [each.generation for each in told.events]
    assert generations == sorted([first.generation, late.generation])
    assert told.revisions == [1, 2]


def in_the_way(stranger: sa.Connection, address: str) -> None:
    """An allocation that is never committed, which another of its address waits for."""
    stranger.exec_driver_sql("SET session_replication_role = replica")
    stranger.exec_driver_sql(
        "INSERT INTO allocations (vrf_id, address, block, attachment_uid, position, generation,"
        " assign_time) VALUES (1, %s, '10.0.0.0/26', gen_random_uuid(), 0, 1, now())",
        (address,),
    )


def waits_for_a_lock(database: postgres.Database) -> None:
    """Returns when a request that was run alone waits."""
    query = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND wait_event_type = 'Lock' AND query LIKE '%%nextval%%'"
        " AND now() - xact_start > interval '0.15 s'"
    )
    with database.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        while connection.exec_driver_sql(query).scalar() != 1:
            pass


def test_what_one_server_commits_is_seen_at_another(database: postgres.Database) -> None:
    with (
        serving.in_process(database) as one,
        serving.in_process(database) as other,
        moorage.Client(one.target) as client,
        watching(other.target) as stream,
    ):
        create_pool(client, "a", "10.0.0.0/24")
        stream.until(0)
        assign(client, "c1")
        release(client, "c1")
        told = stream.until(2)
    assert told.changes == ["+10.0.0.0", "-10.0.0.0"]


def test_a_cursor_never_goes_back_at_a_server_that_has_read_less(
    database: postgres.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail, "POLL", 3600)
    with (
        serving.in_process(database, rules=QUICK) as ahead,
        serving.in_process(database, rules=QUICK) as behind,
        moorage.Client(ahead.target) as client,
        watching(behind.target) as early,
    ):
        early.until(0)
        create_pool(client, "a", "10.0.0.0/24")
        for at in range(5):
            assign(client, f"c{at}")
        while revision(database) != 5:
            pass
        with watching(ahead.target) as stream:  # which has not read anything yet, and looks now
            cursor = stream.until(0).cursor
        assert cursor.revision == 5
        with watching(behind.target, cursor=cursor) as late:
            assert next(late.call).cursor.revision >= cursor.revision


def test_what_a_server_left_unnumbered_the_next_one_tells(database: postgres.Database) -> None:
    with serving.in_process(database) as server, moorage.Client(server.target) as client:
        create_pool(client, "a", "10.0.0.0/24")
        with watching(server.target) as stream:
            cursor = stream.until(0).cursor
        with fence_held(database):
            assign(client, "c1")
            server.stop()
    assert revision(database) == 0
    with serving.in_process(database) as server, watching(server.target, cursor=cursor) as stream:
        assert stream.until(1).changes == ["+10.0.0.0"]


def test_an_adopted_block_is_told_of(server: serving.Serving, client: moorage.Client) -> None:
    create_pool(client, "a", "10.0.0.0/24")
    adopted = admin_service_pb2.AdoptedAddress(
        address="10.0.0.5", attachment=calls.attachment("old")
    )
    with watching(server.target) as stream:
        stream.until(0)
        client.adopt_block("10.0.0.0/26", [adopted])
        (event,) = stream.until(1).events
    assert event.cause == messages.ALLOCATION_EVENT_CAUSE_ADOPTED
    assert event.allocation.attachment.container_id == "old"


def test_a_cursor_of_another_history_is_unknown(server: serving.Serving) -> None:
    with watching(server.target) as stream:
        here = stream.until(0).cursor
    for cursor in (
        messages.Cursor(epoch="another", revision=0),
        messages.Cursor(epoch=here.epoch, revision=1),
    ):
        request = messages.WatchAllocationsRequest(cursor=cursor)
        assert refusal(server.target, request).told() == (
            grpc.StatusCode.OUT_OF_RANGE,
            "CURSOR_UNKNOWN",
            {"vrf": "default", "epoch": here.epoch, "revision": "0"},
        )


def test_a_history_that_begins_anew_ends_the_watch(
    database: postgres.Database, server: serving.Serving
) -> None:
    with watching(server.target) as stream:
        stream.until(0)
        database.execute("UPDATE vrfs SET epoch = gen_random_uuid()")
        ended = refusals.of(lambda _: stream.end(), None)
    assert ended.reason == "CURSOR_UNKNOWN"


@pytest.mark.parametrize("forgotten", ["revisions", "events"])
def test_a_cursor_older_than_what_is_kept_has_expired(
    database: postgres.Database,
    server: serving.Serving,
    client: moorage.Client,
    pool: None,
    forgotten: str,
) -> None:
    for at in range(3):
        assign(client, f"c{at}")
        release(client, f"c{at}")
    with watching(server.target) as stream:
        cursor = stream.until(6).cursor
    database.execute(f"DELETE FROM {forgotten} WHERE event_id <= 4")
    cursor.revision = 3
    ended = refusal(server.target, messages.WatchAllocationsRequest(cursor=cursor))
    assert ended.told() == (
        grpc.StatusCode.OUT_OF_RANGE,
        "CURSOR_EXPIRED",
        {"vrf": "default", "revision": "3", "oldest_revision": "5"},
    )
    cursor.revision = 4
    with watching(server.target, cursor=cursor) as stream:
        assert stream.until(6).revisions == [5, 6]


def test_a_cursor_has_expired_where_nothing_is_kept(
    database: postgres.Database, server: serving.Serving, client: moorage.Client, pool: None
) -> None:
    assign(client)
    release(client)
    with watching(server.target) as stream:
        cursor = stream.until(2).cursor
    database.execute("DELETE FROM revisions")
    cursor.revision = 1
    ended = refusal(server.target, messages.WatchAllocationsRequest(cursor=cursor))
    assert (ended.reason, ended.metadata["oldest_revision"]) == ("CURSOR_EXPIRED", "3")


@pytest.mark.parametrize(
    ("request_", "fields"),
    [
        (messages.WatchAllocationsRequest(parent="vrf/x"), ["parent"]),
        (
            messages.WatchAllocationsRequest(filter=filters.AllocationFilter(cidr="10.0.0.1/24")),
            ["filter.cidr"],
        ),
        (
            messages.WatchAllocationsRequest(cursor=messages.Cursor(revision=-1)),
            ["cursor.revision", "cursor.epoch"],
        ),
        (
            messages.WatchAllocationsRequest(cursor=messages.Cursor(epoch="e" * 65)),
            ["cursor.epoch"],
        ),
    ],
)
def test_a_malformed_request_is_refused(
    unchanged: grpc.Channel, request_: messages.WatchAllocationsRequest, fields: list[str]
) -> None:
    stub = allocation_service_pb2_grpc.AllocationServiceStub(unchanged)
    refused = refusals.of(lambda asked: list(stub.WatchAllocations(asked, timeout=30)), request_)
    assert (refused.reason, refused.fields) == ("INVALID_REQUEST", fields)


def test_what_is_named_must_be_there(server: serving.Serving) -> None:
    request = messages.WatchAllocationsRequest(parent="vrfs/blue")
    assert refusal(server.target, request).reason == "VRF_NOT_FOUND"
    request = messages.WatchAllocationsRequest(filter=filters.AllocationFilter(pools=["b"]))
    assert refusal(server.target, request).reason == "POOL_NOT_FOUND"


def test_a_pool_that_was_made_anew_is_told_of_in_both_its_ranges(
    server: serving.Serving, client: moorage.Client, pool: None
) -> None:
    wanted = filters.AllocationFilter(pools=["a"])
    assign(client, "c1")
    with watching(server.target) as stream:
        cursor = stream.until(1).cursor
    release(client, "c1")
    client.delete_pool("a")
    create_pool(client, "a", "10.1.0.0/24")
    assign(client, "c2")
    with watching(server.target, filter=wanted, cursor=cursor) as stream:
        assert stream.until(3).changes == ["-10.0.0.0", "+10.1.0.0"]


def test_a_time_that_nobody_has_set_is_not_the_watchers(
    database: postgres.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    defaults = desk.deadline_of.__kwdefaults__ or {}
    monkeypatch.setitem(defaults, "default", 0.3)
    with (
        serving.in_process(database) as server,
        moorage.Client(server.target, timeout=10) as client,
        database.frozen(),
        concurrent.futures.ThreadPoolExecutor(2) as others,
    ):
        # A quarter of the threads, two at the least, are for what only reads.
        waiting = [others.submit(lambda: list(client.pools(timeout=2))) for _ in range(2)]
        request = messages.WatchAllocationsRequest()
        reasons = {refusal(server.target, request, time=None).reason for _ in range(4)}
        assert "DEADLINE_TOO_SHORT" not in reasons
        assert "DATABASE_UNAVAILABLE" in reasons
        assert all(each.exception(20) for each in waiting)


def test_a_vrf_that_is_deleted_ends_its_watches(
    server: serving.Serving, client: moorage.Client
) -> None:
    client.create_vrf("blue", resources_pb2.Vrf())
    with watching(server.target, vrf="blue") as stream:
        stream.until(0)
        client.delete_vrf("blue")
        assert refusals.of(lambda _: stream.end(), None).told() == (
            grpc.StatusCode.NOT_FOUND,
            "VRF_NOT_FOUND",
            {"vrf": "blue"},
        )


def test_vrfs_have_feeds_of_their_own(server: serving.Serving, client: moorage.Client) -> None:
    client.create_vrf("blue", resources_pb2.Vrf())
    create_pool(client, "a", "10.0.0.0/24")
    client.create_pool("a", resources_pb2.Pool(cidr="10.0.0.0/24"), vrf="blue")
    with watching(server.target) as stream, watching(server.target, vrf="blue") as blue:
        stream.until(0)
        blue.until(0)
        for container in ("c1", "c2"):
            assign(client, container)
        client.assign(calls.attachment("c1"), [calls.want()], vrf="blue")
        assert blue.until(1).revisions == [1]
        assert stream.until(2).revisions == [1, 2]


def test_who_takes_nothing_is_ended_when_too_much_has_piled_up(
    database: postgres.Database,
) -> None:
    rules = watched.Rules(room=8)
    with (
        serving.in_process(database, rules=rules) as server,
        moorage.Client(server.target) as client,
        watching(server.target) as stream,
    ):
        create_pool(client, "a", "10.0.0.0/20")
        stream.until(0)
        for at in range(20):
            large(client, f"c{at}")
        told = watches.Told()
        ended = refusals.of(lambda _: taking(stream, told), None)
        assert ended.told() == (
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "CONSUMER_TOO_SLOW",
            {"vrf": "default"},
        )
        assert told.revisions == list(range(1, told.cursor.revision + 1))
        while revision(database) != 160:
            pass
        with watching(server.target, cursor=told.cursor) as again:
            rest = again.until(160)
    assert told.revisions + rest.revisions == list(range(1, 161))


def test_what_others_are_told_is_not_held_against_who_wants_little(
    database: postgres.Database,
) -> None:
    of_node = filters.AllocationFilter(workload=resources_pb2.Workload(node="n1"))
    with (
        serving.in_process(database, rules=watched.Rules(room=8)) as server,
        moorage.Client(server.target) as client,
        watching(server.target, filter=of_node) as stream,
        watching(server.target) as other,
    ):
        create_pool(client, "a", "10.0.0.0/24")
        stream.until(0)
        other.until(0)
        for at in range(20):
            assign(client, f"c{at}", node="n2")
            other.until(at + 1)
        assign(client, "c20", node="n1")
        told = stream.until(21)
    assert told.revisions == [21]


def test_who_comes_back_soon_is_told_without_the_database(
    server: serving.Serving,
    client: moorage.Client,
    pool: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    of_node = filters.AllocationFilter(workload=resources_pb2.Workload(node="n1"))
    with watching(server.target) as stream:
        cursor = stream.until(0).cursor
        for at in range(6):
            assign(client, f"c{at}", node=f"n{at % 2}")
        stream.until(6)
        monkeypatch.setattr(watched.Watching, "page", None)  # nobody turns to it
        with watching(server.target, cursor=cursor, filter=of_node) as again:
            assert again.until(6).revisions == [2, 4, 6]


def taking(stream: watches.Stream, told: watches.Told) -> None:
    """Takes what is told until the stream ends, also where it fails."""
    for message in stream.call:
        told.events += message.events
        told.cursor.MergeFrom(message.cursor)


def test_who_takes_nothing_of_a_snapshot_is_ended(
    database: postgres.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "PAGE_BYTES", 50_000)
    rules = watched.Rules(patience=0.5)
    with (
        serving.in_process(database, rules=rules) as server,
        moorage.Client(server.target) as client,
    ):
        create_pool(client, "a", "10.0.0.0/20")
        for at in range(20):
            large(client, f"c{at}")
        with watching(server.target) as stream:
            next(stream.call)
            nobody_reads(database)
            assert refusals.of(lambda _: stream.end(), None).reason == "CONSUMER_TOO_SLOW"


def nobody_reads(database: postgres.Database) -> None:
    """Returns when no transaction of the service is open for long any more."""
    query = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND state <> 'idle' AND usename = 'moorage_service'"
        " AND state_change < now() - interval '0.05 s'"
    )
    with database.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        while connection.exec_driver_sql(query).scalar() != 1:
            pass
        while connection.exec_driver_sql(query).scalar() != 0:
            pass


def test_a_watch_ends_by_itself_and_goes_on_with_its_cursor(database: postgres.Database) -> None:
    rules = dataclasses.replace(QUICK, longest=0.2)
    with (
        serving.in_process(database, rules=rules) as server,
        watching(server.target) as stream,
    ):
        told = stream.end()
        assert told.cursor.epoch
        assert stream.call.code() is grpc.StatusCode.OK
        with watching(server.target, cursor=told.cursor) as again:
            again.until(0)


def test_a_server_that_stops_ends_its_watches_at_once(database: postgres.Database) -> None:
    with serving.in_process(database) as server, watching(server.target) as stream:
        stream.until(0)
        server.stop()
        stream.end()
        assert stream.call.code() is grpc.StatusCode.OK


@pytest.fixture
def slow(database: postgres.Database) -> Iterator[serving.Serving]:
    """A server that reads what is held for longer than any test lasts."""
    with serving.in_process(database) as server:
        with moorage.Client(server.target) as client:
            create_pool(client, "a", "10.0.0.0/24")
            assign(client, "c1")
        # Policies hold for the service, and not for superusers.
        database.execute(
            "CREATE FUNCTION slowly() RETURNS boolean LANGUAGE sql VOLATILE"
            " AS 'SELECT pg_sleep(60) IS NOT NULL'"
        )
        database.execute("CREATE POLICY slow ON allocations USING (slowly())")
        database.execute("ALTER TABLE allocations ENABLE ROW LEVEL SECURITY")
        yield server


def wait_for_readers(database: postgres.Database, count: int) -> None:
    """Returns when so many read what is held; of those who do not come to an end, soon."""
    query = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event = 'PgSleep'"
    )
    until = time.monotonic() + 10
    while database.scalar(query) != count:
        assert time.monotonic() < until, "it is read all the same"


def test_a_snapshot_is_read_no_more_when_its_watch_is_cancelled(
    slow: serving.Serving, database: postgres.Database
) -> None:
    with watching(slow.target):
        wait_for_readers(database, 1)
    wait_for_readers(database, 0)


def test_a_server_that_stops_ends_a_watch_whose_snapshot_is_being_read(
    slow: serving.Serving, database: postgres.Database
) -> None:
    with watching(slow.target) as stream:
        wait_for_readers(database, 1)
        began = time.monotonic()
        slow.stop()
        assert time.monotonic() - began < 10, "it is read to its end"
        stream.end()
        assert stream.call.code() is grpc.StatusCode.OK


def test_one_watch_too_many_is_refused_until_another_is_cancelled(
    database: postgres.Database,
) -> None:
    rules = dataclasses.replace(QUICK, most=1)
    with serving.in_process(database, rules=rules) as server:
        with watching(server.target) as stream:
            stream.until(0)
            request = messages.WatchAllocationsRequest()
            refused = refusal(server.target, request)
            assert refused.told() == (grpc.StatusCode.RESOURCE_EXHAUSTED, "SERVER_BUSY", {})
        with moorage.Client(server.target) as client, client.watch(timeout=30) as updates:
            next(updates)


def test_nobody_reads_the_feed_when_the_last_watch_is_cancelled(
    server: serving.Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, read = threading.Event(), watch.following

    def noticed(
        store: database_.Database, limits: database_.Limits, *, vrf: str, cursor: feed.Cursor
    ) -> list[history.Event]:
        reading.set()
        return read(store, limits, vrf=vrf, cursor=cursor)

    monkeypatch.setattr(watch, "following", noticed)
    with watching(server.target) as stream:
        stream.until(0)
        assert reading.wait(10)
    # More than one look is due in that time; the first may have been under way.
    while reading.wait(3 * tail.POLL):
        reading.clear()
