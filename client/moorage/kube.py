"""Requests to the Kubernetes API: JSON in, JSON out, and one class of error for all that fails.

For programs that stay. The plugin, which is gone after one call, has its own (`moorage.cni`), and
both connect alike. Credentials are read anew for every request, so that a token or a CA that was
replaced is used at once, and none is kept for longer than a request. Every request has a connection
of its own: there are few, and none can be found broken.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import urllib.parse
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

from moorage.cni import deadline, errors, kubeconfig, kubernetes

TIMEOUT = 15.0
PAGE_SIZE = 500
LONGEST_BODY = 256 << 20
LONGEST_LINE = 16 << 20
LONGEST_PAUSE = 300.0

JSON = "application/json"

Document = dict[str, object]

_Read = TypeVar("_Read")


class ApiError(Exception):
    """A request failed, or its answer is not what was asked for.

    `status` is 0 where there was no answer; `retry_after` how many seconds the server asked to be
    left alone.
    """

    def __init__(self, message: str, *, status: int = 0, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after


class Api:
    """An API server; safe to share between threads. `access` reads where it is and who we are."""

    def __init__(
        self, access: Callable[[], kubeconfig.Access], *, timeout: float = TIMEOUT
    ) -> None:
        self._access = access
        self._timeout = timeout

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Document:
        """Read one object, or one page of a list; raises ApiError."""
        return self._exchange("GET", _with(path, query or {}), None)

    def create(self, path: str, document: Document) -> Document:
        """Create an object in a collection; raises ApiError."""
        return self._exchange("POST", path, document)

    def replace(self, path: str, document: Document) -> Document:
        """Put an object in place of the one whose resourceVersion it names; raises ApiError."""
        return self._exchange("PUT", path, document)

    def complete(
        self, path: str, *kinds: str, read: Callable[[Document], _Read], accept: str = JSON
    ) -> tuple[list[_Read], str]:
        """Read all of a list of any of these kinds, as it was at one moment, with its version.

        Of each item stays only what `read` makes of it: a list may be larger than memory. Raises
        ApiError, also where the pages are of several moments or any is not such a list: what would
        be missing from it might be taken for gone.
        """
        query = {"limit": str(PAGE_SIZE)}
        found: list[_Read] = []
        version = ""
        while True:
            page = self._exchange("GET", _with(path, query), None, accept)
            items, metadata = _items(path, kinds, page)
            now = str(metadata.get("resourceVersion") or "")
            if not now or version not in ("", now):
                raise ApiError(f"the list of {path} is not of one moment: {version!r}, {now!r}")
            found += map(read, items)
            version, token = now, str(metadata.get("continue") or "")
            if not token:
                return found, version
            query["continue"] = token

    @contextlib.contextmanager
    def watch(
        self, path: str, query: Mapping[str, str], silence: float, accept: str = JSON
    ) -> Iterator[Watch]:
        """Watch a collection; raises ApiError where it cannot be begun.

        `silence` is for how many seconds nothing may come, before the connection counts as broken.
        """
        target = _with(path, {"watch": "true", **query})
        with self._failures(f"watch {path}"):
            connection = self._open(lambda: silence)
        with contextlib.ExitStack() as until:
            until.callback(connection.close)
            plain = connection.sock  # the response's alone, where the server says that it hangs up
            with self._failures(f"watch {path}"):
                _keep_alive(connection)
                response = self._send(connection, "GET", target, None, accept)
                until.callback(response.close)
                if response.status != http.client.OK:
                    raise _refusal(f"watch {path}", response, response.read(LONGEST_BODY))
            yield Watch(path, plain, response)

    def _exchange(
        self, method: str, target: str, document: Document | None, accept: str = JSON
    ) -> Document:
        what = f"{method} {urllib.parse.urlsplit(target).path}"
        with self._failures(what):
            within = deadline.Deadline.after(self._timeout)
            connection = self._open(lambda: within.remaining("the Kubernetes API"))
            with (
                contextlib.closing(connection),
                self._send(connection, method, target, document, accept) as response,
            ):
                body = _body(response)
            if response.status not in (http.client.OK, http.client.CREATED):
                raise _refusal(what, response, body)
            return _decoded(what, body)

    def _open(self, left: Callable[[], float]) -> _Connection:
        access = self._access()
        connection = _Connection(access)
        connection.sock = kubernetes.connect(access, left)
        return connection

    def _send(
        self,
        connection: _Connection,
        method: str,
        target: str,
        document: Document | None,
        accept: str,
    ) -> http.client.HTTPResponse:
        access = connection.access
        headers = kubernetes.headers(access, accept)
        body = None
        if document is not None:
            headers["Content-Type"] = JSON
            body = json.dumps(document).encode()
        connection.request(method, access.path + target, body=body, headers=headers)
        return connection.getresponse()

    @contextlib.contextmanager
    def _failures(self, what: str) -> Iterator[None]:
        try:
            yield
        except errors.CniError as error:
            raise ApiError(f"cannot {what}: {told(error)}") from error
        except (OSError, http.client.HTTPException) as error:
            why = str(error) or type(error).__name__
            raise ApiError(f"cannot {what}: the Kubernetes API: {why}") from error


class _Connection(http.client.HTTPConnection):
    """A connection whose socket speaks TLS already, and the credentials it was opened with.

    That of the library for HTTPS would read every CA that the system trusts, to connect by itself,
    which takes longer than most requests; this one never connects.
    """

    default_port = http.client.HTTPS_PORT
    auto_open = 0

    def __init__(self, access: kubeconfig.Access) -> None:
        super().__init__(access.host, access.port)
        self.access = access


class Watch:
    """A stream of changes, which may be broken off from another thread."""

    def __init__(self, path: str, plain: socket.socket, response: http.client.HTTPResponse) -> None:
        self._path = path
        self._socket = plain
        self._response = response

    def __iter__(self) -> Iterator[tuple[str, Document]]:
        """Give the type and the object of each event, until the server ends the watch.

        Raises ApiError where the watch breaks, falls silent, or cannot go on: status 410, say.
        """
        while line := self._line():
            event = _decoded(f"watch {self._path}", line)
            kind, document = event.get("type"), event.get("object")
            if not isinstance(kind, str) or not isinstance(document, dict):
                raise ApiError(f"cannot watch {self._path}: an event without type or object")
            if kind == "ERROR":
                raise _of_status(f"watch {self._path}", document)
            yield kind, document

    def break_off(self) -> None:
        """End the watch at once; whoever waits for its next event is told that it broke."""
        with contextlib.suppress(OSError):
            # Of the plain socket: that of TLS would take its state away from a waiting reader.
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def _line(self) -> bytes:
        try:
            line = self._response.readline(LONGEST_LINE)
        except (OSError, http.client.HTTPException, ValueError) as error:
            why = str(error) or type(error).__name__
            raise ApiError(f"the watch of {self._path} broke: {why}") from error
        if line and not line.endswith(b"\n"):
            raise ApiError(f"the watch of {self._path} broke in the middle of an event")
        return line


def told(error: errors.CniError) -> str:
    """Return what is wrong with credentials, and what to do next.

    They are read as for the CNI plugin, whose configuration there is none of here.
    """
    return f"{error.msg.replace(' of the CNI config', '')}; {error.details}"


def _keep_alive(connection: _Connection) -> None:
    # So that a peer that is gone without a word is noticed sooner than one that has nothing to say.
    for option, value in (("IDLE", 10), ("INTVL", 5), ("CNT", 3)):
        number = getattr(socket, f"TCP_KEEP{option}")
        connection.sock.setsockopt(socket.IPPROTO_TCP, number, value)
    connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)


def _with(path: str, query: Mapping[str, str]) -> str:
    return f"{path}?{urllib.parse.urlencode(query)}" if query else path


def _body(response: http.client.HTTPResponse) -> bytes:
    body = response.read(LONGEST_BODY + 1)
    if len(body) > LONGEST_BODY:
        raise http.client.HTTPException("the answer is too long")
    if response.length:
        raise http.client.IncompleteRead(body, response.length)
    return body


def _decoded(what: str, body: bytes) -> Document:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ApiError(f"cannot {what}: the answer is no JSON") from error
    if not isinstance(document, dict):
        raise ApiError(f"cannot {what}: the answer is no object")
    return document


def _items(
    path: str, kinds: Sequence[str], page: Document
) -> tuple[list[Document], Mapping[str, object]]:
    kind, items, metadata = (page.get(key) for key in ("kind", "items", "metadata"))
    if kind not in kinds or not isinstance(items, list) or not isinstance(metadata, dict):
        raise ApiError(f"what {path} answers with is no {kinds[0]}")
    if not all(isinstance(item, dict) for item in items):
        raise ApiError(f"what {path} answers with has items that are no objects")
    return items, metadata


def _refusal(what: str, response: http.client.HTTPResponse, body: bytes) -> ApiError:
    try:
        document = _decoded(what, body)
    except ApiError:
        document = {}
    # The status line is what counts: a Status in the body may come from further away.
    error = _of_status(what, {**document, "code": response.status})
    error.retry_after = max(error.retry_after, _seconds(response.headers.get("Retry-After")))
    return error


def _of_status(what: str, document: Mapping[str, object]) -> ApiError:
    code, details = document.get("code"), document.get("details")
    told = f"{document.get('reason') or ''} {document.get('message') or ''}".strip()
    asked = details.get("retryAfterSeconds") if isinstance(details, dict) else None
    return ApiError(
        f"cannot {what}: HTTP status {code} {told}".rstrip(),
        status=code if isinstance(code, int) else 0,
        retry_after=_seconds(asked),
    )


def _seconds(value: object) -> float:
    """Read how long to wait; what is no number of seconds, a date say, is no time at all."""
    try:
        return min(max(float(str(value)), 0.0), LONGEST_PAUSE)
    except ValueError:
        return 0.0


def is_gone(error: ApiError) -> bool:
    """Whether what was asked about lies too far back: it has to be listed anew."""
    return error.status == http.client.GONE


def is_conflict(error: ApiError) -> bool:
    """Whether somebody else wrote first."""
    return error.status == http.client.CONFLICT


def is_missing(error: ApiError) -> bool:
    """Whether there is no such object."""
    return error.status == http.client.NOT_FOUND
