"""Watches as the wire has them: single messages, and what they come to."""

import contextlib
import dataclasses
from collections.abc import Iterator

import grpc

from harness.postgres import Database
from moorage.v1 import allocation_service_pb2_grpc
from moorage.v1 import filter_pb2 as filters
from moorage.v1 import history_pb2 as messages

ASSIGNED = messages.ALLOCATION_EVENT_KIND_ASSIGNED
RELEASED = messages.ALLOCATION_EVENT_KIND_RELEASED
SIGNS = {ASSIGNED: "+", RELEASED: "-"}


@dataclasses.dataclass(kw_only=True)
class Told:
    """What messages came to."""

    held: list[str] = dataclasses.field(default_factory=list)
    events: list[messages.AllocationEvent] = dataclasses.field(default_factory=list)
    cursor: messages.Cursor = dataclasses.field(default_factory=messages.Cursor)

    @property
    def changes(self) -> list[str]:
        """The events in short: +10.0.0.1 where it was assigned, -10.0.0.1 where released."""
        return [f"{SIGNS[each.kind]}{each.allocation.address}" for each in self.events]

    @property
    def revisions(self) -> list[int]:
        """The events' revisions."""
        return [each.revision for each in self.events]


class Stream:
    """One call of WatchAllocations."""

    def __init__(self, target: str, request: messages.WatchAllocationsRequest) -> None:
        """Fails as a whole after 30 s."""
        # A connection of its own, as each consumer has; one that takes little unasked.
        options = [
            ("grpc.use_local_subchannel_pool", 1),
            ("grpc.http2.bdp_probe", 0),
            ("grpc.http2.lookahead_bytes", 65_536),
        ]
        self._channel = grpc.insecure_channel(target, options=options)
        stub = allocation_service_pb2_grpc.AllocationServiceStub(self._channel)
        self.call = stub.WatchAllocations(request, timeout=30)

    def until(self, revision: int) -> Told:
        """What is told until everything up to a revision has been."""
        told = Told()
        while not told.cursor.epoch or told.cursor.revision < revision:
            message = next(self.call)
            told.held += [each.address for each in message.held]
            told.events += message.events
            told.cursor.MergeFrom(message.cursor)
        return told

    def end(self) -> Told:
        """What is told until the stream ends; raises what it ends with."""
        told = Told()
        for message in self.call:
            told.held += [each.address for each in message.held]
            told.events += message.events
            told.cursor.MergeFrom(message.cursor)
        return told

    def close(self) -> None:
        """Cancels it."""
        self.call.cancel()
        self._channel.close()


@contextlib.contextmanager
def watching(
    target: str,
    *,
    cursor: messages.Cursor | None = None,
    filter: filters.AllocationFilter | None = None,
    vrf: str = "default",
) -> Iterator[Stream]:
    """A watch that has been begun."""
    request = messages.WatchAllocationsRequest(parent=f"vrfs/{vrf}", filter=filter, cursor=cursor)
    stream = Stream(target, request)
    try:
        yield stream
    finally:
        stream.close()


@contextlib.contextmanager
def fence_held(database: Database) -> Iterator[None]:
    """A transaction that writes keeps every later event from being numbered."""
    with database.connect() as writer:
        writer.exec_driver_sql("SELECT pg_current_xact_id()")
        yield
