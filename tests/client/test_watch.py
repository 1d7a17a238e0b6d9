"""A watch outlives its connections: what a consumer sees is one sequence of updates."""

import threading

import grpc
import pytest

import moorage
from client import peer as peers
from moorage import retries, watch
from moorage.v1 import filter_pb2, history_pb2, resources_pb2

Message = history_pb2.WatchAllocationsResponse


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(retries, "LONGEST_PAUSE", 0.001)


def at(revision: int) -> history_pb2.Cursor:
    """A cursor."""
    return history_pb2.Cursor(epoch="e", revision=revision)


def part(*addresses: str) -> peers.Step:
    """A part of a snapshot."""
    held = [resources_pb2.Allocation(address=each) for each in addresses]
    return peers.answer(Message(held=held))


def told(revision: int) -> peers.Step:
    """A change, or with revision 0 the end of an empty snapshot."""
    events = [history_pb2.AllocationEvent(revision=revision)] if revision else []
    return peers.answer(Message(events=events, cursor=at(revision)))


def sent(peer: peers.Peer) -> list[history_pb2.WatchAllocationsRequest]:
    """What was asked for, connection by connection."""
    return [history_pb2.WatchAllocationsRequest.FromString(each.request) for each in peer.calls]


def test_a_watch_sends_filter_cursor_and_vrf(peer: peers.Peer, caller: moorage.Client) -> None:
    peer.will(told(6), peer.hang())
    wanted = filter_pb2.AllocationFilter(owner_key="cart")
    with caller.watch(wanted, cursor=at(5), vrf="blue") as updates:
        update = next(updates)
    assert (update.cursor, update.held, [each.revision for each in update.events]) == (
        at(6),
        None,
        [6],
    )
    assert sent(peer) == [
        history_pb2.WatchAllocationsRequest(parent="vrfs/blue", filter=wanted, cursor=at(5))
    ]
    assert peer.calls[0].method == "/moorage.v1.AllocationService/WatchAllocations"


def test_a_snapshot_is_one_update(peer: peers.Peer, caller: moorage.Client) -> None:
    peer.will(part("10.0.0.1", "10.0.0.2"), part(), part("10.0.0.3"), told(0), peer.hang())
    with caller.watch() as updates:
        update = next(updates)
    assert [each.address for each in update.held or ()] == ["10.0.0.1", "10.0.0.2", "10.0.0.3"]
    assert update.events == ()


def test_half_a_snapshot_is_dropped(peer: peers.Peer, caller: moorage.Client) -> None:
    peer.will(part("10.0.0.1"), peers.refuse(grpc.StatusCode.UNAVAILABLE))
    with caller.watch() as updates:
        peer.then(part("10.0.0.2"), told(0), peer.hang())
        update = next(updates)
    assert [each.address for each in update.held or ()] == ["10.0.0.2"]
    assert not any(each.HasField("cursor") for each in sent(peer))


@pytest.mark.parametrize(
    "end",
    [
        None,
        peers.refuse(grpc.StatusCode.UNAVAILABLE),
        peers.refuse(grpc.StatusCode.CANCELLED),
        peers.refuse(grpc.StatusCode.UNAVAILABLE, "DATABASE_UNAVAILABLE", retry_delay=0.001),
        peers.refuse(grpc.StatusCode.RESOURCE_EXHAUSTED, "SERVER_BUSY"),
        peers.refuse(grpc.StatusCode.RESOURCE_EXHAUSTED, "CONSUMER_TOO_SLOW"),
    ],
    ids=[
        "OK",
        "UNAVAILABLE",
        "CANCELLED",
        "DATABASE_UNAVAILABLE",
        "SERVER_BUSY",
        "CONSUMER_TOO_SLOW",
    ],
)
def test_a_watch_goes_on_from_its_last_cursor(
    peer: peers.Peer, caller: moorage.Client, end: peers.Step | None
) -> None:
    peer.will(told(0), told(1), *([end] if end else []))
    peer.then(told(2), peer.hang())
    with caller.watch() as updates:
        revisions = [next(updates).cursor.revision for _ in range(3)]
    assert revisions == [0, 1, 2]
    assert [each.cursor.revision for each in sent(peer)] == [0, 1]


@pytest.mark.parametrize("reason", ["CURSOR_EXPIRED", "CURSOR_UNKNOWN"])
def test_a_cursor_that_is_lost_is_told(
    peer: peers.Peer, caller: moorage.Client, reason: str
) -> None:
    peer.will(peers.refuse(grpc.StatusCode.OUT_OF_RANGE, reason, vrf="default"))
    with caller.watch(cursor=at(5)) as updates, pytest.raises(moorage.CursorLost) as caught:
        next(updates)
    assert (caught.value.reason, caught.value.metadata) == (reason, {"vrf": "default"})


def test_what_no_later_try_mends_is_told(peer: peers.Peer, caller: moorage.Client) -> None:
    peer.will(peers.refuse(grpc.StatusCode.NOT_FOUND, "VRF_NOT_FOUND"))
    with caller.watch() as updates, pytest.raises(moorage.NotFound):
        next(updates)
    assert len(peer.calls) == 1


def test_with_a_timeout_a_watch_gives_up(peer: peers.Peer, caller: moorage.Client) -> None:
    peer.will(peers.refuse(grpc.StatusCode.UNAVAILABLE))
    for _ in range(1000):
        peer.then(peers.refuse(grpc.StatusCode.UNAVAILABLE))
    with caller.watch(timeout=0.3) as updates, pytest.raises(moorage.Unavailable):
        next(updates)
    assert len(peer.calls) > 1


def test_with_a_timeout_a_server_that_says_nothing_is_given_up(
    peer: peers.Peer, caller: moorage.Client
) -> None:
    # Each stream ends at once, without a failure.
    with caller.watch(timeout=0.3) as updates, pytest.raises(moorage.Unavailable) as caught:
        next(updates)
    assert "ended before it said anything" in str(caught.value)
    assert len(peer.calls) > 1


def test_a_server_that_falls_silent_is_left(
    peer: peers.Peer, caller: moorage.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "SILENCE", 0.05)
    peer.will(told(0), peer.hang())
    peer.then(told(1), peer.hang())
    with caller.watch() as updates:
        assert [next(updates).cursor.revision for _ in range(2)] == [0, 1]


def test_a_consumer_may_take_its_time(
    peer: peers.Peer, caller: moorage.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "SILENCE", 0.05)
    peer.will(told(0), told(1), peer.hang())
    with caller.watch() as updates:
        next(updates)
        threading.Event().wait(0.2)
        next(updates)
    assert len(peer.calls) == 1


def test_a_watch_that_is_closed_elsewhere_ends(peer: peers.Peer, caller: moorage.Client) -> None:
    peer.will(told(0), peer.hang())
    updates = caller.watch()
    next(updates)
    threading.Timer(0.05, updates.close).start()
    assert list(updates) == []


def test_a_watch_ends_with_its_client(peer: peers.Peer) -> None:
    peer.will(told(0), peer.hang())
    with moorage.Client(peer.target) as client:
        updates = client.watch()
        next(updates)
    assert list(updates) == []
