"""A database that has gone back in time is noticed by what callers and servers have seen of it."""

import grpc
import pytest
import sqlalchemy as sa

import moorage
from harness import calls, restoring, serving
from moorage import positions
from moorage.v1 import allocation_service_pb2, resources_pb2
from moorage.v1 import allocation_service_pb2_grpc as stubs

WENT_BACK = resources_pb2.QUARANTINE_CAUSE_WENT_BACK
VRF = "vrfs/default"


@pytest.fixture(autouse=True)
def pool(client: moorage.Client) -> None:
    """A pool of a /24, of no node's."""
    calls.create_pool(client, "a", "10.0.0.0/24")


@pytest.fixture
def seen(server: serving.Serving) -> positions.Seen:
    """What a caller was told of a history that goes on behind what there is."""
    epoch = server.database.scalar("SELECT epoch FROM vrfs WHERE name = 'default'")
    shown = positions.Seen()
    shown.note(VRF, resources_pb2.FeedPosition(epoch=str(epoch), revision=1000))
    return shown


def causes(client: moorage.Client) -> list[int]:
    """Why the VRF is in quarantine."""
    return [each.cause for each in client.get_vrf("default").quarantines]


def assign_request(container: str) -> allocation_service_pb2.AssignAddressesRequest:
    """Asks for an address, having seen nothing."""
    return allocation_service_pb2.AssignAddressesRequest(
        attachment=calls.attachment(container), addresses=[calls.want()]
    )


def test_every_answer_says_how_far_the_feed_has_come(channel: grpc.Channel) -> None:
    api = stubs.AllocationServiceStub(channel)
    first = api.AssignAddresses(assign_request("c1")).position
    again = api.AssignAddresses(assign_request("c1")).position
    released = api.ReleaseAddresses(
        allocation_service_pb2.ReleaseAddressesRequest(attachment=calls.attachment("c1"))
    ).position
    assert first.epoch == again.epoch == released.epoch
    assert 1 <= first.revision <= again.revision
    assert released.revision >= 2
    listed = moorage.v1.reconciliation_pb2.ReconcileNodeRequest(node="n1")
    assert api.ReconcileNode(listed).position.revision >= 2


def test_who_has_seen_more_than_there_is_gets_nothing_and_nobody_else_does(
    server: serving.Serving, client: moorage.Client, seen: positions.Seen
) -> None:
    held = calls.assign(client, "c0")
    with moorage.Client(server.target, seen=seen) as knowing:
        with pytest.raises(moorage.MoorageError) as raised:
            calls.assign(knowing, "c1")
        assert raised.value.reason == "VRF_QUARANTINED"
        assert raised.value.metadata["cause"] == "WENT_BACK"
        assert causes(client) == [WENT_BACK]
        # It is another history from now on, of which nobody has seen anything.
        for each in (client, knowing):
            with pytest.raises(moorage.MoorageError, match="has gone back in time"):
                calls.assign(each, "c2")
        assert calls.assign(knowing, "c0") == held
        knowing.lift_quarantine("it was a test")
        assert calls.assign(knowing, "c1")
    assert causes(client) == []


def test_a_release_and_a_list_of_one_who_knows_are_heeded_and_done_all_the_same(
    server: serving.Serving, client: moorage.Client, seen: positions.Seen
) -> None:
    calls.assign(client, "c1", node="n1")
    with moorage.Client(server.target, seen=seen) as knowing:
        assert calls.release(knowing, "c1")
    assert causes(client) == [WENT_BACK]


def test_a_list_of_one_who_knows_is_heeded(
    server: serving.Serving, client: moorage.Client, seen: positions.Seen
) -> None:
    calls.assign(client, "c1", node="n1")
    with moorage.Client(server.target, seen=seen) as knowing:
        done = knowing.reconcile_node("n1", [calls.attachment("c1")])
    assert done.confirmed_count == 1
    assert causes(client) == [WENT_BACK]


def test_a_cursor_ahead_of_the_feed_tells_as_much(
    client: moorage.Client, seen: positions.Seen
) -> None:
    ahead = seen.of(VRF)
    assert ahead is not None
    cursor = moorage.v1.history_pb2.Cursor(epoch=ahead.epoch, revision=ahead.revision)
    with pytest.raises(moorage.MoorageError) as raised, client.watch(cursor=cursor) as updates:
        next(updates)
    assert raised.value.reason == "CURSOR_UNKNOWN"
    assert causes(client) == [WENT_BACK]


def test_what_was_seen_of_another_history_says_nothing(
    server: serving.Serving, client: moorage.Client
) -> None:
    other = positions.Seen()
    other.note(VRF, resources_pb2.FeedPosition(epoch="of before", revision=10**12))
    with moorage.Client(server.target, seen=other) as knowing:
        assert calls.assign(knowing, "c1")
        mine = other.of(VRF)
        assert mine is not None
        assert mine.epoch != "of before"
    assert causes(client) == []


def test_events_without_a_revision_yet_are_no_lost_ones(
    server: serving.Serving, client: moorage.Client
) -> None:
    with server.database.connect() as stranger:
        # As long as this writes, nothing is numbered.
        stranger.execute(sa.text("SELECT pg_current_xact_id()"))
        for at in range(5):
            calls.assign(client, f"c{at}")
        with serving.in_process(server.database) as other, moorage.Client(other.target) as there:
            # What it has not seen by itself, callers tell it.
            carried = positions.Seen()
            with moorage.Client(server.target, seen=carried) as here:
                for at in range(5, 10):
                    calls.assign(here, f"c{at}")
            with moorage.Client(other.target, seen=carried) as knowing:
                for at in range(10, 15):
                    calls.assign(knowing, f"c{at}")
            calls.assign(there, "c15")
        told = carried.of(VRF)
        assert told is not None
        assert told.revision >= 1
        heads = server.database.scalar("SELECT coalesce(sum(revision), 0) FROM revision_heads")
        assert told.revision > int(str(heads))
    assert causes(client) == []


def test_a_server_that_went_on_through_a_restore_notices_by_itself(
    server: serving.Serving, client: moorage.Client
) -> None:
    calls.assign(client, "c1")
    with restoring.backup(server.database) as backup:
        calls.assign(client, "c2")
        backup.restore()
        with (
            moorage.Client(server.target) as unknowing,
            pytest.raises(moorage.MoorageError, match="has gone back in time"),
        ):
            calls.assign(unknowing, "c3")
    assert causes(client) == [WENT_BACK]
    assert server.database.scalar("SELECT count(*) FROM allocations") == 1


def test_a_new_server_is_told_by_the_node_that_has_seen_the_last_change(
    server: serving.Serving, client: moorage.Client
) -> None:
    calls.assign(client, "c1")
    seen = positions.Seen()
    with restoring.backup(server.database) as backup:
        with moorage.Client(server.target, seen=seen) as before:
            calls.assign(before, "c2")
        server.stop()
        backup.restore()
        with (
            serving.in_process(server.database) as new,
            moorage.Client(new.target, seen=seen) as after,
        ):
            with pytest.raises(moorage.MoorageError, match="has gone back in time"):
                calls.assign(after, "c3")
            assert causes(after) == [WENT_BACK]


def test_a_crash_that_loses_nothing_is_no_time_travel(
    server: serving.Serving, client: moorage.Client
) -> None:
    for at in range(3):
        calls.assign(client, f"c{at}")
    server.database.execute(
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    assert calls.assign(client, "c3")
    assert causes(client) == []
