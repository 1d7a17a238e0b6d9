"""What a watch tells -> parts of its messages, serialized: parts that are joined are a message."""

from collections.abc import Iterable, Iterator, Sequence

from moorage.v1 import history_pb2 as messages
from moorage.v1 import resources_pb2
from moorage_server.api import encode_held, encode_history, limits, page_tokens
from moorage_server.domain import feed, history
from moorage_server.usecases import query

HEARTBEAT = b""  # a message without fields


def held(page: query.Page) -> Iterator[bytes]:
    """What is held, in as many messages as it takes: labels make rows large."""
    message = messages.WatchAllocationsResponse()
    encode_held.bare(page, message.held)
    whole = message.SerializeToString()
    if len(whole) <= limits.PAGE_BYTES:
        yield whole
        return
    yield from _pieces(message.held)


def released(told: Iterable[history.Holding]) -> Iterator[bytes]:
    """What was held at the revision of a snapshot and is not any more."""
    return _pieces([encode_history.held(each) for each in told])


def _pieces(held: Sequence[resources_pb2.Allocation]) -> Iterator[bytes]:
    while held:
        few = page_tokens.fitting(held, limits.PAGE_BYTES)
        yield messages.WatchAllocationsResponse(held=few).SerializeToString()
        held = held[len(few) :]


def event(told: history.Event) -> bytes:
    """One change."""
    message = messages.WatchAllocationsResponse()
    encode_history.event(told, message.events.add())
    return message.SerializeToString()


def cursor(at: feed.Cursor) -> bytes:
    """How far everything has been told."""
    known = messages.Cursor(epoch=at.epoch, revision=at.revision)
    return messages.WatchAllocationsResponse(cursor=known).SerializeToString()
