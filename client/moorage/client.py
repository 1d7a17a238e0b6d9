"""The client: typed calls to a Moorage server, with one deadline for each call and its retries.

Resources are the messages of `moorage.v1.resources_pb2`; requests, stubs, channels and pages stay
in here. What is sent again is decided in `moorage.retries`, what a failure raises in
`moorage.failures`.
"""

import datetime
from collections.abc import Iterator
from types import TracebackType
from typing import Self

import grpc

from moorage import administration, allocations, calls, names, positions, tls, watch
from moorage import channel as channels
from moorage.v1 import filter_pb2, history_pb2

DEFAULT_TIMEOUT = 10.0


class Client(allocations.Allocations, administration.Administration):
    """A connection to a Moorage server, safe to share between threads.

    A server answers 100 calls of it at a time, watches among them; others wait here.

        with moorage.Client("ipam.example:7711") as client:
            for allocation in client.allocations():
                print(allocation.address)

    `target` is a host or an address, its port optional, or a gRPC target such as
    "unix:/run/moorage/server.sock". `timeout` is how many seconds one call may take, its retries
    included; every method takes another one for a single call, and a listing has it for each page.
    With `tls` the connection has TLS, and goes on with the files as they are when they change, also
    with that of a token; without, it is plain text, over which no token is sent. A `channel` takes
    the place of all that where it is given, and stays open. `seen` is where it is kept how far the
    server's history had come, which every call that assigns or releases shows the server: by
    default in memory.

    Resources are named by id and VRF, or by their full name, which then wins over `vrf`. What a
    method returns is as the server stored it. Every method can raise a `moorage.MoorageError`.
    """

    def __init__(
        self,
        target: str = names.DEFAULT_SERVER,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        tls: tls.Tls | None = None,
        channel: grpc.Channel | None = None,
        seen: positions.Seen | None = None,
    ) -> None:
        self._owns_channel = channel is None
        opened = channels.open_channel(target, tls) if channel is None else channel
        super().__init__(opened, timeout, seen)

    def __enter__(self) -> Self:
        """Return the client itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the connection."""
        self.close()

    def close(self) -> None:
        """Close the connection; calls still running fail. Closing twice does no harm."""
        if self._owns_channel:
            self._channel.close()

    def history(
        self,
        filter: filter_pb2.AllocationFilter | None = None,
        *,
        at: datetime.datetime | None = None,
        start: datetime.datetime | None = None,
        end: datetime.datetime | None = None,
        vrf: str = names.DEFAULT_VRF,
        page_size: int = 0,
        timeout: float | None = None,
    ) -> Iterator[history_pb2.Holding]:
        """List who held addresses, and when, in order of assignment, page after page.

        All that is known, or what was held `at` one moment, or at any from `start` on and before
        `end`; a time without a zone is in UTC.
        """
        request = history_pb2.ListAllocationHistoryRequest(
            parent=names.vrf(vrf),
            filter=filter,
            at_time=calls.timestamp(at),
            start_time=calls.timestamp(start),
            end_time=calls.timestamp(end),
            page_size=page_size,
        )
        for page in self._pages(self._allocations.ListAllocationHistory, request, timeout):
            yield from page.holdings

    def history_known_since(
        self, *, vrf: str = names.DEFAULT_VRF, timeout: float | None = None
    ) -> datetime.datetime:
        """Return since when all of the history is known; what ended before is not told, or less."""
        request = history_pb2.ListAllocationHistoryRequest(parent=names.vrf(vrf), page_size=1)
        page = self._call(self._allocations.ListAllocationHistory, request, timeout)
        return page.known_since.ToDatetime(tzinfo=datetime.UTC)

    def watch(
        self,
        filter: filter_pb2.AllocationFilter | None = None,
        *,
        cursor: history_pb2.Cursor | None = None,
        vrf: str = names.DEFAULT_VRF,
        timeout: float | None = None,
    ) -> watch.Watch:
        """Watch allocations: all that are held, or what came after `cursor`, then every change.

        Without end, and across broken connections. `timeout` is for how long no server may be
        heard of; absent, it tries for ever. See `moorage.mirror` for keeping a copy.

            with client.watch() as updates:
                for update in updates:
                    mirror.apply(update)
        """
        request = history_pb2.WatchAllocationsRequest(
            parent=names.vrf(vrf), filter=filter, cursor=cursor
        )
        return watch.Watch(self._allocations.WatchAllocations, request, timeout=timeout)
