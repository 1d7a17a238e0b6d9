"""Which failed calls are sent again, how soon, and until when."""

import contextlib
import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterator

import grpc
import pytest

import moorage
from client import peer as peers
from harness import ports
from moorage import retries
from moorage.v1 import allocation_service_pb2, pool_service_pb2, resources_pb2

C1 = resources_pb2.Attachment(network="net", container_id="c1", interface="eth0")
ANY_IPV4 = allocation_service_pb2.AddressRequest(family=resources_pb2.IP_FAMILY_IPV4)
RELEASED = peers.answer(allocation_service_pb2.ReleaseAddressesResponse())
POOL = peers.answer(pool_service_pb2.GetPoolResponse(pool=resources_pb2.Pool(cidr="10.0.0.0/24")))
CREATED = peers.answer(pool_service_pb2.CreatePoolResponse(pool=resources_pb2.Pool(uid="u1")))

AGAIN = [
    (grpc.StatusCode.UNAVAILABLE, ""),
    (grpc.StatusCode.UNAVAILABLE, "DATABASE_UNAVAILABLE"),
    (grpc.StatusCode.UNAVAILABLE, "OUTCOME_UNKNOWN"),
    (grpc.StatusCode.CANCELLED, ""),
    (grpc.StatusCode.ABORTED, "CONTENTION"),
    (grpc.StatusCode.RESOURCE_EXHAUSTED, "SERVER_BUSY"),
]
NEVER = [
    (grpc.StatusCode.RESOURCE_EXHAUSTED, "POOL_EXHAUSTED"),
    (grpc.StatusCode.RESOURCE_EXHAUSTED, ""),
    (grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_TOO_SHORT"),
    (grpc.StatusCode.DEADLINE_EXCEEDED, ""),
    (grpc.StatusCode.ABORTED, "ETAG_MISMATCH"),
    (grpc.StatusCode.ABORTED, ""),
    (grpc.StatusCode.NOT_FOUND, "POOL_NOT_FOUND"),
    (grpc.StatusCode.FAILED_PRECONDITION, "ATTACHMENT_CHANGED"),
    (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST"),
    (grpc.StatusCode.INTERNAL, "INTERNAL"),
    (grpc.StatusCode.UNKNOWN, ""),
]


@pytest.mark.parametrize(("code", "reason"), AGAIN)
def test_a_passing_failure_is_tried_again(
    peer: peers.Peer, caller: moorage.Client, code: grpc.StatusCode, reason: str
) -> None:
    peer.will(peers.refuse(code, reason), POOL)
    assert caller.get_pool("web").cidr == "10.0.0.0/24"
    assert len(peer.calls) == 2


def test_a_last_try_that_runs_out_of_time_does_not_hide_what_was_told_before(
    peer: peers.Peer, caller: moorage.Client
) -> None:
    peer.will(peers.refuse(grpc.StatusCode.ABORTED, "CONTENTION"), peer.hang())
    with pytest.raises(moorage.MoorageError) as caught:
        caller.release(C1, timeout=1.5)
    assert (caught.value.reason, caught.value.in_doubt) == ("CONTENTION", True)
    assert len(peer.calls) == 2


@pytest.mark.parametrize(("code", "reason"), NEVER)
def test_any_other_failure_is_final(
    peer: peers.Peer, caller: moorage.Client, code: grpc.StatusCode, reason: str
) -> None:
    peer.will(peers.refuse(code, reason))
    with pytest.raises(moorage.MoorageError) as caught:
        caller.get_pool("web")
    assert (caught.value.code, caught.value.reason) == (code, reason)
    assert len(peer.calls) == 1


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (grpc.StatusCode.UNAVAILABLE, ""),
        (grpc.StatusCode.UNAVAILABLE, "OUTCOME_UNKNOWN"),
        (grpc.StatusCode.CANCELLED, ""),
    ],
)
def test_a_create_in_doubt_is_not_tried_again(
    peer: peers.Peer, caller: moorage.Client, code: grpc.StatusCode, reason: str
) -> None:
    peer.will(peers.refuse(code, reason))
    with pytest.raises(moorage.Unavailable) as caught:
        caller.create_pool("web", resources_pb2.Pool(cidr="10.0.0.0/24"))
    assert caught.value.in_doubt
    assert len(peer.calls) == 1


@pytest.mark.parametrize(
    ("code", "reason"),
    [row for row in AGAIN if row[1] in {"DATABASE_UNAVAILABLE", "CONTENTION", "SERVER_BUSY"}],
)
def test_a_create_that_changed_nothing_is_tried_again(
    peer: peers.Peer, caller: moorage.Client, code: grpc.StatusCode, reason: str
) -> None:
    peer.will(peers.refuse(code, reason), CREATED)
    assert caller.create_pool("web", resources_pb2.Pool(cidr="10.0.0.0/24")).uid == "u1"


def test_a_call_whose_client_is_closed_is_in_doubt(peer: peers.Peer) -> None:
    client = moorage.Client(peer.target)

    def close_it(context: grpc.ServicerContext) -> bytes:
        client.close()
        return b""

    peer.will(close_it)
    with pytest.raises(moorage.Unavailable) as caught:
        client.release(C1)
    assert (caught.value.code, caught.value.in_doubt) == (grpc.StatusCode.CANCELLED, True)
    with pytest.raises(ValueError, match="closed"):
        client.release(C1)


def test_every_try_sends_the_same_request_with_the_stamp_of_the_first(
    peer: peers.Peer, caller: moorage.Client
) -> None:
    lost = peers.refuse(grpc.StatusCode.UNAVAILABLE)
    peer.will(lost, lost, peers.answer(allocation_service_pb2.AssignAddressesResponse()))
    caller.assign(C1, [ANY_IPV4])
    first, second, third = (call.request for call in peer.calls)
    assert first == second == third
    assert allocation_service_pb2.AssignAddressesRequest.FromString(first).HasField("attempt")


def test_all_tries_of_a_call_have_one_id_which_its_error_tells(
    peer: peers.Peer, caller: moorage.Client
) -> None:
    peer.will(
        peers.refuse(grpc.StatusCode.UNAVAILABLE),
        peers.refuse(grpc.StatusCode.NOT_FOUND, "POOL_NOT_FOUND"),
        peers.refuse(grpc.StatusCode.NOT_FOUND, "POOL_NOT_FOUND"),
    )
    told = []
    for _ in range(2):
        with pytest.raises(moorage.NotFound) as caught:
            caller.get_pool("web")
        told.append(caught.value.request_id)
    first, again, second = (call.request_id for call in peer.calls)
    assert [first, again, second] == [told[0], *told]
    assert first != second


def test_an_error_in_a_stream_tells_its_id(peer: peers.Peer, caller: moorage.Client) -> None:
    peer.will(peers.refuse(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST"))
    with pytest.raises(moorage.InvalidRequest) as caught, caller.watch() as updates:
        next(updates)
    assert caught.value.request_id == peer.calls[0].request_id != ""


def test_pauses_grow_between_tries(peer: peers.Peer, caller: moorage.Client) -> None:
    lost = peers.refuse(grpc.StatusCode.UNAVAILABLE)
    peer.will(lost, lost, lost, RELEASED)
    caller.release(C1)
    times = [call.time for call in peer.calls]
    pauses = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert pauses[0] >= 0.05
    assert pauses[1] >= 0.1
    assert pauses[2] >= 0.2


def test_the_pause_that_the_server_asks_for_is_kept(
    peer: peers.Peer, caller: moorage.Client
) -> None:
    busy = peers.refuse(grpc.StatusCode.RESOURCE_EXHAUSTED, "SERVER_BUSY", retry_delay=0.4)
    peer.will(busy, RELEASED)
    caller.release(C1)
    first, second = peer.calls
    assert second.time - first.time >= 0.4


def test_a_pause_that_does_not_fit_ends_the_call_at_once(
    peer: peers.Peer, caller: moorage.Client
) -> None:
    busy = peers.refuse(grpc.StatusCode.RESOURCE_EXHAUSTED, "SERVER_BUSY", retry_delay=30)
    peer.will(busy)
    begin = time.monotonic()
    with pytest.raises(moorage.Unavailable) as caught:
        caller.release(C1, timeout=5)
    assert time.monotonic() - begin < 4
    assert caught.value.retry_delay == 30


def test_a_pause_of_a_confused_server_is_no_pause(peer: peers.Peer, caller: moorage.Client) -> None:
    busy = peers.refuse(grpc.StatusCode.RESOURCE_EXHAUSTED, "SERVER_BUSY", retry_delay=-30)
    peer.will(busy, RELEASED)
    assert caller.release(C1) == []


def test_all_tries_share_one_deadline(peer: peers.Peer, caller: moorage.Client) -> None:
    lost = peers.refuse(grpc.StatusCode.UNAVAILABLE)
    peer.will(*[lost] * 100)
    begin = time.monotonic()
    with pytest.raises(moorage.Unavailable):
        caller.get_pool("web", timeout=1.0)
    assert time.monotonic() - begin < 5.0
    remaining = [call.time_remaining for call in peer.calls]
    assert 2 <= len(remaining) <= 6
    assert remaining == sorted(remaining, reverse=True)
    assert remaining[0] <= 1.1


def test_a_call_ends_at_its_deadline_and_is_then_in_doubt(
    peer: peers.Peer, caller: moorage.Client
) -> None:
    peer.will(peer.hang())
    with pytest.raises(moorage.DeadlineExceeded) as caught:
        caller.release(C1, timeout=1.0)
    assert caught.value.in_doubt
    assert len(peer.calls) == 1


def test_the_timeout_of_the_client_holds_for_every_call(peer: peers.Peer) -> None:
    peer.will(peer.hang())
    with (
        moorage.Client(peer.target, timeout=0.3) as client,
        pytest.raises(moorage.DeadlineExceeded),
    ):
        client.get_pool("web")


def test_an_early_try_in_doubt_keeps_the_whole_call_in_doubt(
    peer: peers.Peer, caller: moorage.Client
) -> None:
    peer.will(
        peers.refuse(grpc.StatusCode.UNAVAILABLE),
        peers.refuse(grpc.StatusCode.FAILED_PRECONDITION, "ATTACHMENT_RELEASED"),
    )
    with pytest.raises(moorage.Conflict) as caught:
        caller.assign(C1, [ANY_IPV4])
    assert caught.value.in_doubt


def test_a_delete_that_may_have_happened_counts_as_done(
    peer: peers.Peer, caller: moorage.Client
) -> None:
    peer.will(
        peers.refuse(grpc.StatusCode.UNAVAILABLE, "OUTCOME_UNKNOWN"),
        peers.refuse(grpc.StatusCode.NOT_FOUND, "POOL_NOT_FOUND"),
    )
    caller.delete_pool("web")
    assert len(peer.calls) == 2


@pytest.mark.parametrize("reason", ["CONTENTION", ""])
def test_a_delete_of_what_was_never_there_says_so(
    peer: peers.Peer, caller: moorage.Client, reason: str
) -> None:
    if reason:
        peer.will(peers.refuse(grpc.StatusCode.ABORTED, reason))
    peer.will(peers.refuse(grpc.StatusCode.NOT_FOUND, "POOL_NOT_FOUND"))
    with pytest.raises(moorage.NotFound):
        caller.delete_pool("web")


def test_a_server_that_is_not_there_is_unavailable() -> None:
    with (
        moorage.Client(f"127.0.0.1:{ports.free()}", timeout=0.5) as client,
        pytest.raises(moorage.Unavailable) as caught,
    ):
        client.get_pool("web")
    assert caught.value.reason == ""


def test_a_call_survives_the_restart_of_the_server(caplog: pytest.LogCaptureFixture) -> None:
    port = ports.free()
    tried = threading.Event()

    def notice(record: logging.LogRecord) -> bool:
        tried.set()
        return True

    caplog.set_level(logging.INFO, retries.__name__)
    found: list[resources_pb2.Pool] = []
    with moorage.Client(f"127.0.0.1:{port}") as client, _filtered(notice):
        thread = threading.Thread(target=lambda: found.append(client.get_pool("web")))
        thread.start()
        assert tried.wait(5)
        with peers.serve(f"127.0.0.1:{port}") as peer:
            peer.will(POOL)
            thread.join(10)
    assert [pool.cidr for pool in found] == ["10.0.0.0/24"]


@contextlib.contextmanager
def _filtered(notice: Callable[[logging.LogRecord], bool]) -> Iterator[None]:
    logger = logging.getLogger(retries.__name__)
    logger.addFilter(notice)
    try:
        yield
    finally:
        logger.removeFilter(notice)
