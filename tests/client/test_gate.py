"""How many assigns a client sends at once to a server that is busy."""

import concurrent.futures
import time

import grpc
import pytest

import moorage
from client import peer as peers
from moorage import gate
from moorage.v1 import allocation_service_pb2, resources_pb2

ANY_IPV4 = allocation_service_pb2.AddressRequest(family=resources_pb2.IP_FAMILY_IPV4)
ASSIGNED = peers.answer(allocation_service_pb2.AssignAddressesResponse())
RELEASED = peers.answer(allocation_service_pb2.ReleaseAddressesResponse())
BUSY = peers.refuse(grpc.StatusCode.RESOURCE_EXHAUSTED, "SERVER_BUSY", retry_delay=0.1)


def attachment(container: str) -> resources_pb2.Attachment:
    return resources_pb2.Attachment(network="net", container_id=container, interface="eth0")


def entered(limit: gate.Limit) -> int:
    """How many more get in."""
    count = 0
    while limit.has_room and count < 1000:
        limit.enter()
        count += 1
    return count


def test_it_stands_open_until_a_server_is_busy() -> None:
    limit = gate.Limit()
    assert entered(limit) == 1000
    limit.leave("POOL_EXHAUSTED")
    limit.leave("")
    assert limit.has_room


def test_told_busy_it_lets_half_as_many_in_and_one_more_with_each_round_that_is_served() -> None:
    limit = gate.Limit()
    for _ in range(16):
        limit.enter()
    for _ in range(16):
        limit.leave("SERVER_BUSY")  # all at one moment: heeded once
    assert entered(limit) == 8
    for _ in range(8):
        limit.leave("")
    assert entered(limit) == 9


def test_after_as_many_as_never_are_at_once_it_stands_open_again() -> None:
    limit = gate.Limit()
    limit.enter()
    limit.leave("SERVER_BUSY")
    for _ in range(int(gate.OPEN**2)):
        limit.enter()
        limit.leave("")
    assert entered(limit) == 1000


def test_who_gets_no_turn_is_told_that_the_server_is_busy_and_releases_pass(
    peer: peers.Peer, caller: moorage.Client
) -> None:
    peer.will(BUSY, peer.hang(), RELEASED)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        first = pool.submit(caller.assign, attachment("c1"), [ANY_IPV4], timeout=3)
        until = time.monotonic() + 10
        while len(peer.calls) < 2:
            assert time.monotonic() < until
        with pytest.raises(moorage.Unavailable) as caught:
            caller.assign(attachment("c2"), [ANY_IPV4], timeout=0.3)
        assert (caught.value.reason, caught.value.in_doubt) == ("SERVER_BUSY", False)
        assert "was not sent" in str(caught.value)
        assert caller.release(attachment("c3")) == []
        assert len(peer.calls) == 3
        with pytest.raises(moorage.MoorageError):
            first.result()
