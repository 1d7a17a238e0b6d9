"""One call of the client, and the shapes that repeat: a listing, a stream and a deletion.

Which methods there are is said in `moorage.client` and in its parts, `moorage.allocations` and
those of `moorage.administration`; what is sent again in `moorage.retries`.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator
from typing import Protocol, Self, TypeVar

import grpc
from google.protobuf import field_mask_pb2, timestamp_pb2

from moorage import errors, failures, retries
from moorage import gate as gates


class _Listing(Protocol):
    page_token: str


class _Page(Protocol):
    next_page_token: str


_Request = TypeVar("_Request")
_Response = TypeVar("_Response")
_ListRequest = TypeVar("_ListRequest", bound=_Listing)
_ListResponse = TypeVar("_ListResponse", bound=_Page)


class Calls:
    """Sends requests, each within `timeout` seconds unless the caller says otherwise."""

    def __init__(self, channel: grpc.Channel, timeout: float) -> None:
        # Every part takes its stub from the channel, and ends here.
        self._channel = channel
        self._timeout = timeout

    @classmethod
    def beside(cls, other: Calls) -> Self:
        """Return these calls, over the connection of others."""
        return cls(other._channel, other._timeout)

    def _call(
        self,
        method: grpc.UnaryUnaryMultiCallable[_Request, _Response],
        request: _Request,
        timeout: float | None,
        *,
        creates: bool = False,
        gate: gates.Gate | None = None,
    ) -> _Response:
        limit = self._timeout if timeout is None else timeout
        return retries.call(method, request, timeout=limit, creates=creates, gate=gate)

    def _pages(
        self,
        method: grpc.UnaryUnaryMultiCallable[_ListRequest, _ListResponse],
        request: _ListRequest,
        timeout: float | None,
    ) -> Iterator[_ListResponse]:
        while True:
            page = self._call(method, request, timeout)
            yield page
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def _stream(
        self,
        method: grpc.UnaryStreamMultiCallable[_Request, _Response],
        request: _Request,
        timeout: float | None,
    ) -> Iterator[_Response]:
        limit = self._timeout if timeout is None else timeout
        request_id = retries.new_id()
        stream = method(request, timeout=limit, metadata=((retries.REQUEST_ID, request_id),))
        try:
            yield from stream
        except grpc.RpcError as error:
            raise failures.from_rpc(error, request_id) from error
        finally:
            stream.cancel()  # whoever has read enough leaves nothing running

    def _delete(
        self,
        method: grpc.UnaryUnaryMultiCallable[_Request, _Response],
        request: _Request,
        timeout: float | None,
        *,
        validate_only: bool = False,
    ) -> None:
        try:
            self._call(method, request, timeout)
        except errors.NotFound as error:
            # The answer to an earlier try was lost, and what it asked for has come true.
            if validate_only or not error.in_doubt:
                raise


def mask(paths: Iterable[str]) -> field_mask_pb2.FieldMask | None:
    """Return a mask of these paths; none at all stands for every field that may change."""
    made = field_mask_pb2.FieldMask(paths=paths)
    return made if made.paths else None


def timestamp(time: datetime.datetime | None) -> timestamp_pb2.Timestamp | None:
    """Return a moment as messages have it; without a zone it is in UTC."""
    if time is None:
        return None
    stamp = timestamp_pb2.Timestamp()
    stamp.FromDatetime(time)
    return stamp
