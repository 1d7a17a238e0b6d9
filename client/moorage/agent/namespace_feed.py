"""The Kubernetes API's list and watch of namespaces, as messages.

What is kept of it, and for how long it is believed, is `moorage.agent.namespaces`' part.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from moorage import kube
from moorage.cni import kubernetes
from moorage.cni.kubernetes import Metadata

# An API server sends a bookmark about once a minute, if nothing else.
SILENCE = 90.0
# It ends a watch itself after this time; the next one goes on where that was.
WATCH_SECONDS = 300
LIST_SECONDS = 30.0

_PATH = "/api/v1/namespaces"
_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What became of a namespace: without `metadata` it is gone; without a name, of none."""

    name: str
    metadata: Metadata | None
    version: str


def snapshot(cluster: kube.Api) -> tuple[dict[str, Metadata], str]:
    """Return every namespace, and the version from which to watch.

    Raises ApiError; ValueError where an item is no namespace.
    """
    kinds = ("PartialObjectMetadataList", "NamespaceList")
    found, version = cluster.complete(_PATH, *kinds, read=_named, accept=_LIST)
    return dict(found), version


@contextlib.contextmanager
def watch(cluster: kube.Api, version: str) -> Iterator[Iterator[News]]:
    """Lend what happens from a version on; it ends when the API server ends it.

    Raises ApiError; ValueError where an event is of no namespace.
    """
    query = {"resourceVersion": version, "allowWatchBookmarks": "true"}
    query["timeoutSeconds"] = str(WATCH_SECONDS)
    with cluster.watch(_PATH, query, SILENCE, kubernetes.ACCEPT) as events:
        yield (_news(kind, changed) for kind, changed in events)


def _news(kind: str, changed: kube.Document) -> News:
    if kind not in ("ADDED", "MODIFIED", "DELETED", "BOOKMARK"):
        raise ValueError("an event that is no change")
    is_there = kind in ("ADDED", "MODIFIED")
    return News(
        name=_about(changed, "name"),
        metadata=kubernetes.metadata_of(changed) if is_there else None,
        version=_about(changed, "resourceVersion"),
    )


def _named(document: kube.Document) -> tuple[str, Metadata]:
    return _about(document, "name"), kubernetes.metadata_of(document)


def _about(document: kube.Document, key: str) -> str:
    metadata = document.get("metadata")
    value = metadata.get(key) or "" if isinstance(metadata, dict) else None
    if not isinstance(value, str):
        raise ValueError(f"metadata.{key} is no text")
    return value
