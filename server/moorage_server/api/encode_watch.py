"""What a watch tells -> parts of its messages, serialized: parts that are joined are a message."""

from collections.abc import Iterable, Iterator

from moorage.v1 import history_pb2 as messages
from moorage_server.api import encode_history, limits
from moorage_server.domain import feed, history

HEARTBEAT = b""  # a message without fields


def held(page: Iterable[history.Holding]) -> Iterator[bytes]:
    """What is held, in as many messages as it takes: labels make rows large."""
    message, size = messages.WatchAllocationsResponse(), 0
    for each in page:
        allocation = encode_history.held(each)
        if size and size + allocation.ByteSize() > limits.PAGE_BYTES:
            yield message.SerializeToString()
            message, size = messages.WatchAllocationsResponse(), 0
        message.held.append(allocation)
        size += allocation.ByteSize()
    if size:
        yield message.SerializeToString()


def event(told: history.Event) -> bytes:
    """One change."""
    message = messages.WatchAllocationsResponse()
    encode_history.event(told, message.events.add())
    return message.SerializeToString()


def cursor(at: feed.Cursor) -> bytes:
    """How far everything has been told."""
    known = messages.Cursor(epoch=at.epoch, revision=at.revision)
    return messages.WatchAllocationsResponse(cursor=known).SerializeToString()
