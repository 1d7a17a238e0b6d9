"""One call of the client, and the two shapes that repeat: a listing and a deletion.

Which methods there are is said in `moorage.client` and `moorage.administration`; what is sent again
in `moorage.retries`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, TypeVar

import grpc

from moorage import errors, retries


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

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout

    def _call(
        self,
        method: grpc.UnaryUnaryMultiCallable[_Request, _Response],
        request: _Request,
        timeout: float | None,
        *,
        creates: bool = False,
    ) -> _Response:
        limit = self._timeout if timeout is None else timeout
        return retries.call(method, request, timeout=limit, creates=creates)

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

    def _delete(
        self,
        method: grpc.UnaryUnaryMultiCallable[_Request, _Response],
        request: _Request,
        timeout: float | None,
    ) -> None:
        try:
            self._call(method, request, timeout)
        except errors.NotFound as error:
            # The answer to an earlier try was lost, and what it asked for has come true.
            if not error.in_doubt:
                raise
