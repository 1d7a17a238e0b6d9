"""The Kubernetes API's list and watch of namespaces, as messages.

What is kept of it, and for how long it is believed, is `moorage.agent.namespaces`' part.
"""

import http
import http.client
import socket
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from moorage.cni import jsontext, kubernetes
from moorage.cni.deadline import Deadline
from moorage.cni.kubeconfig import Access
from moorage.cni.kubernetes import Metadata

# An API server sends a bookmark about once a minute, if nothing else.
SILENCE = 90.0
# It ends a watch itself after this time; the next one goes on where that was.
WATCH_SECONDS = 300
LIST_SECONDS = 30.0
PAGE_SIZE = 500
LONGEST_LINE = 4 << 20

_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"


class Expired(ValueError):
    """The API server cannot go on from there, or says that something is wrong: list anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What became of a namespace: without `metadata` it is gone; without a name, of none."""

    name: str
    metadata: Metadata | None
    version: str


def snapshot(access: Access) -> tuple[dict[str, Metadata], str]:
    """Return every namespace, and the version from which to watch.

    Raises CniError, as kubernetes.Api.pod; ValueError where the answer is no such list.
    """
    known: dict[str, Metadata] = {}
    query = {"limit": str(PAGE_SIZE)}
    with kubernetes.Api(access, Deadline.after(LIST_SECONDS)) as api:
        while True:
            path = f"/api/v1/namespaces?{urllib.parse.urlencode(query)}"
            page = _fields(jsontext.decode(api.read(path, "the list of namespaces", _LIST)))
            for each in _items(page):
                known[_text(_fields(each.get("metadata")), "name")] = kubernetes.metadata_of(each)
            about = _fields(page.get("metadata"))
            query["continue"] = _text(about, "continue")
            if not query["continue"]:
                return known, _text(about, "resourceVersion")


class Watch:
    """One watch, from a version on; a context manager that is iterated once, until it ends.

    Raises what connect and http.client do, Expired, and ValueError where it is no watch.
    """

    def __init__(self, access: Access, version: str) -> None:
        """Returns when the API server has agreed."""
        self._connection = http.client.HTTPSConnection(access.host, access.port)
        self._connection.sock = sock = kubernetes.connect(access, lambda: SILENCE)
        # So that a peer that is gone without a word is noticed sooner than that.
        for option, value in (("IDLE", 10), ("INTVL", 5), ("CNT", 3)):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, f"TCP_KEEP{option}"), value)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        query = {"watch": "1", "resourceVersion": version, "allowWatchBookmarks": "true"}
        query["timeoutSeconds"] = str(WATCH_SECONDS)
        path = f"{access.path}/api/v1/namespaces?{urllib.parse.urlencode(query)}"
        self._connection.request("GET", path, headers=kubernetes.headers(access, kubernetes.ACCEPT))
        self._response = self._connection.getresponse()
        if self._response.status != http.HTTPStatus.OK:
            self._connection.close()
            raise Expired(f"HTTP status {self._response.status}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def __iter__(self) -> Iterator[News]:
        """Yield what happens; ends when the API server ends it."""
        while line := self._response.readline(LONGEST_LINE):
            if not line.endswith(b"\n"):
                raise Expired("a line without an end")
            yield _news(_fields(jsontext.decode(line)))


def _news(event: dict[str, object]) -> News:
    kind, changed = _text(event, "type"), _fields(event.get("object"))
    about = _fields(changed.get("metadata"))
    if kind not in ("ADDED", "MODIFIED", "DELETED", "BOOKMARK"):
        raise Expired("an event that is no change")
    is_there = kind in ("ADDED", "MODIFIED")
    return News(
        name=_text(about, "name"),
        metadata=kubernetes.metadata_of(changed) if is_there else None,
        version=_text(about, "resourceVersion"),
    )


def _items(page: dict[str, object]) -> list[dict[str, object]]:
    items = page.get("items")
    if not isinstance(items, list):
        raise ValueError("it has no items")
    return [_fields(each) for each in items]


def _fields(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise ValueError("it is no object")
    return value


def _text(fields: dict[str, object], key: str) -> str:
    value = fields.get(key) or ""
    if not isinstance(value, str):
        raise ValueError(f"{key} is no text")
    return value
