"""Watches of the benchmark program: they have begun when they know all, and their end is told."""

import pytest

import moorage
from bench import audience, messages
from bench.work import Audience
from harness.serving import Serving
from moorage.v1 import history_pb2, resources_pb2

MANY = Audience(watches=3, of_everything=True)


@pytest.mark.parametrize(
    ("message", "is_last"),
    [
        (history_pb2.WatchAllocationsResponse(held=[resources_pb2.Allocation()]), False),
        (history_pb2.WatchAllocationsResponse(cursor=history_pb2.Cursor()), True),
    ],
)
def test_a_snapshot_ends_with_the_first_cursor(
    message: history_pb2.WatchAllocationsResponse, is_last: bool
) -> None:
    assert messages.ends_snapshot(message.SerializeToString()) is is_last


def test_watches_that_last_have_not_failed(server: Serving, client: moorage.Client) -> None:
    client.create_pool("p", resources_pb2.Pool(cidr="10.0.0.0/24"))
    with audience.watching(server.target, MANY) as failures:
        assert failures == []
    assert failures == []


def test_each_watch_that_ends_is_told_of(server: Serving) -> None:
    with audience.watching(server.target, MANY) as failures:
        server.stop()
    assert len(failures) == MANY.watches
