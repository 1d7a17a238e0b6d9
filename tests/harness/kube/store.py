"""What a cluster's API server stores: objects by path, one revision for each change, and the past.

Paths are those of the API: "/api/v1/nodes/n1", "/api/v1/namespaces/shop/pods/web-0".
"""

import copy
import re
import threading
from dataclasses import dataclass, field

from harness.kube.statuses import refused

Document = dict[str, object]

KINDS = {"nodes": "Node", "pods": "Pod", "namespaces": "Namespace", "leases": "Lease"}
_PATH = re.compile(
    r"(?P<root>/api/v1|/apis/(?P<group>[^/]+)/v1)"
    r"(?:/namespaces/(?P<namespace>[^/]+)(?=/))?"
    r"/(?P<resource>nodes|pods|namespaces|leases)(?:/(?P<name>[^/]+))?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a path names: one object, or all of a resource in one namespace or in every one."""

    root: str
    group: str
    resource: str
    namespace: str
    name: str

    @classmethod
    def of(cls, path: str) -> "Target":
        """Reads a path; refuses one that names nothing."""
        found = _PATH.fullmatch(path)
        if found is None:
            raise refused(404, "the server could not find the requested resource")
        parts = {key: value or "" for key, value in found.groupdict().items()}
        return cls(**parts)

    @property
    def kind(self) -> str:
        """The kind of the objects."""
        return KINDS[self.resource]

    @property
    def api_version(self) -> str:
        """As objects carry it."""
        return f"{self.group}/v1" if self.group else "v1"

    def covers(self, path: str) -> bool:
        """Whether an object is in this collection."""
        other = Target.of(path)
        within = not self.namespace or self.namespace == other.namespace
        return (self.group, self.resource) == (other.group, other.resource) and within


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One change."""

    revision: int
    type: str
    path: str
    object: Document


@dataclass
class Store:
    """Objects, and every change since `compacted`."""

    objects: dict[str, Document] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    revision: int = 1
    compacted: int = 0
    changed: threading.Condition = field(default_factory=threading.Condition)
    _pages: dict[str, tuple[int, list[Document]]] = field(default_factory=dict)

    def put(self, path: str, document: Document) -> Document:
        """Stores an object whatever was there; returns it as stored."""
        with self.changed:
            kind = "MODIFIED" if path in self.objects else "ADDED"
            return self._store(path, document, kind)

    def create(self, path: str, document: Document) -> Document:
        """Stores a new object; refuses where there is one."""
        target = Target.of(path)
        with self.changed:
            if path in self.objects:
                raise refused(
                    409,
                    f'{target.resource} "{target.name}" already exists',
                    reason="AlreadyExists",
                    details={"name": target.name, "kind": target.resource},
                )
            return self._store(path, document, "ADDED")

    def replace(self, path: str, document: Document) -> Document:
        """Stores an object in place of the one whose revision it names."""
        target = Target.of(path)
        with self.changed:
            present = self.get(path)
            wanted = _metadata(document).get("resourceVersion")
            if wanted and wanted != _metadata(present)["resourceVersion"]:
                raise refused(
                    409,
                    f"Operation cannot be fulfilled on {target.resource} "
                    f'"{target.name}": the object has been modified; please apply your changes '
                    "to the latest version and try again",
                    details={"name": target.name, "kind": target.resource},
                )
            return self._store(path, document, "MODIFIED")

    def get(self, path: str) -> Document:
        """One object; refuses where there is none."""
        target = Target.of(path)
        with self.changed:
            if path not in self.objects:
                raise refused(
                    404,
                    f'{target.resource} "{target.name}" not found',
                    details={"name": target.name, "kind": target.resource},
                )
            return copy.deepcopy(self.objects[path])

    def remove(self, path: str) -> None:
        """Deletes an object."""
        with self.changed:
            document = self.objects.pop(path)
            self._record("DELETED", path, document)

    def compact(self) -> None:
        """Forgets the past: watches and pages that were begun before are told 410."""
        with self.changed:
            self.compacted = self.revision
            self.events.clear()
            self._pages.clear()

    def page(self, target: Target, limit: int, token: str) -> Document:
        """One page of a list; all pages are of the moment of the first."""
        with self.changed:
            revision, items = self._rest(target, token)
            metadata: Document = {"resourceVersion": str(revision)}
            if limit and len(items) > limit:
                metadata["continue"] = f"{revision}-{target.resource}-{len(items) - limit}"
                metadata["remainingItemCount"] = len(items) - limit
                self._pages[str(metadata["continue"])] = (revision, items[limit:])
                items = items[:limit]
            return {
                "kind": f"{target.kind}List",
                "apiVersion": target.api_version,
                "metadata": metadata,
                "items": items,
            }

    def after(self, target: Target, revision: int, seconds: float) -> list[Event]:
        """The changes after a revision, when there are any, or when the time is over."""
        with self.changed:
            if revision < self.compacted:
                raise refused(410, f"too old resource version: {revision} ({self.compacted})")
            self.changed.wait_for(lambda: self._news(target, revision), timeout=seconds)
            return self._news(target, revision)

    def _news(self, target: Target, revision: int) -> list[Event]:
        return [e for e in self.events if e.revision > revision and target.covers(e.path)]

    def _rest(self, target: Target, token: str) -> tuple[int, list[Document]]:
        if not token:
            found = [self.objects[path] for path in sorted(self.objects) if target.covers(path)]
            return self.revision, copy.deepcopy(found)
        if token not in self._pages:
            raise refused(
                410,
                "The provided continue parameter is too old to display a consistent list result. "
                "You must start a new list without the continue parameter.",
            )
        return self._pages[token]

    def _store(self, path: str, document: Document, kind: str) -> Document:
        target = Target.of(path)
        stored = copy.deepcopy(document)
        metadata = dict(_metadata(stored))
        metadata["name"] = target.name
        if target.namespace:
            metadata["namespace"] = target.namespace
        stored |= {"kind": target.kind, "apiVersion": target.api_version, "metadata": metadata}
        self._record(kind, path, stored)
        self.objects[path] = stored
        return copy.deepcopy(stored)

    def _record(self, kind: str, path: str, document: Document) -> None:
        self.revision += 1
        metadata = dict(_metadata(document)) | {"resourceVersion": str(self.revision)}
        document["metadata"] = metadata
        event = Event(revision=self.revision, type=kind, path=path, object=copy.deepcopy(document))
        self.events.append(event)
        self.changed.notify_all()


def _metadata(document: Document) -> Document:
    metadata = document.get("metadata")
    return metadata if isinstance(metadata, dict) else {}
