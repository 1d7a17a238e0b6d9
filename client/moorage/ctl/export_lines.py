"""The format of an export: lines of JSON, each one object, the first and the last about the rest.

    {"format": "moorage-export", "version": 1, "exportTime": "...", "vrfs": ["default"]}
    {"kind": "Vrf", "metadata": {"name": "default"}, "spec": {...}, "position": {...}}
    {"kind": "Node", ...} {"kind": "Pool", ...} {"kind": "Reservation", ...}
    {"kind": "Block", "cidr": "10.0.0.0/26", "node": "n1"}
    {"kind": "StickyAddress", "address": "10.0.0.7", "ownerKey": "db-0", ...}
    {"kind": "Allocation", "address": "10.0.0.8", "attachment": {...}, "workload": {...}, ...}
    {"kind": "End", "counts": {"Vrf": 1, ...}, "sha256": "..."}

What follows a VRF is of it. Everything administered is written as a manifest is. Here messages
become lines; `moorage.ctl.import_.export_file` reads them back.
"""

from __future__ import annotations

import collections
import datetime
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence

from google.protobuf import json_format

from moorage.ctl import kinds, manifests, specs
from moorage.v1 import admin_service_pb2, reconciliation_pb2, resources_pb2

FORMAT = "moorage-export"
VERSION = 1

VRF, NODE, POOL, RESERVATION = (kind.title for kind in kinds.WRITABLE)
BLOCK = "Block"
STICKY_ADDRESS = "StickyAddress"
ALLOCATION = "Allocation"
END = "End"
# In the order of an export.
KINDS = (VRF, NODE, POOL, RESERVATION, BLOCK, STICKY_ADDRESS, ALLOCATION)

_WRITTEN_OF = {
    BLOCK: frozenset({"cidr", "node"}),
    STICKY_ADDRESS: frozenset({"address", "ownerKey", "network", "interface", "expireTime"}),
    ALLOCATION: frozenset({"address", "attachment", "workload", "use", "ownerKey"}),
}


class Sheet:
    """An export that grows: what has been written is counted, and hashed."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.counts: collections.Counter[str] = collections.Counter()
        self._hash = hashlib.sha256()

    def header(self, vrfs: Sequence[str], now: datetime.datetime) -> bytes:
        """Return the first line."""
        time = now.astimezone(datetime.UTC).isoformat(timespec="seconds")
        told = {"format": FORMAT, "version": VERSION, "exportTime": time, "vrfs": list(vrfs)}
        return self._line(told)

    def lines(self, part: admin_service_pb2.ExportVrfResponse) -> Iterator[bytes]:
        """Yield the lines of a part of an export."""
        for told in _objects(part):
            self.counts[str(told["kind"])] += 1
            yield self._line(told)

    def end(self) -> bytes:
        """Return the last line."""
        counts = {kind: self.counts[kind] for kind in KINDS}
        return self._line({"kind": END, "counts": counts, "sha256": self._hash.hexdigest()})

    def _line(self, told: Mapping[str, object]) -> bytes:
        line = json.dumps(told, separators=(",", ":")).encode() + b"\n"
        self._hash.update(line)
        return line


def _objects(part: admin_service_pb2.ExportVrfResponse) -> Iterator[dict[str, object]]:
    if part.HasField("vrf"):
        position = {"epoch": part.position.epoch, "revision": part.position.revision}
        yield {**_manifest(part.vrf), "position": position}
    administered: Iterable[kinds.Resource] = (*part.nodes, *part.pools, *part.reservations)
    yield from map(_manifest, administered)
    # Of no node, a block is no more than what is held in it.
    yield from (_own(BLOCK, each) for each in part.blocks if each.node)
    yield from (_own(STICKY_ADDRESS, each) for each in part.sticky_addresses)
    yield from map(_allocation, part.allocations)


def _manifest(resource: kinds.Resource) -> dict[str, object]:
    """Return a manifest without what is only of this server."""
    written = manifests.write(resource)
    labels = dict(sorted(resource.labels.items()))
    metadata = {"name": resource.name.rpartition("/")[2], "labels": labels}
    told = {
        "kind": written["kind"],
        "metadata": {key: value for key, value in metadata.items() if value},
        "spec": written.get("spec", {}),
    }
    if isinstance(resource, resources_pb2.Pool):
        return {**told, "draining": resource.state == resources_pb2.POOL_STATE_DRAINING}
    return told


def _allocation(held: resources_pb2.Allocation) -> dict[str, object]:
    told = _own(ALLOCATION, held)
    if held.HasField("sticky"):
        told["stickySeconds"] = held.sticky.seconds
    if held.labels:
        told["labels"] = dict(sorted(held.labels.items()))
    return told


def _own(
    kind: str,
    told: resources_pb2.Block | reconciliation_pb2.StickyAddress | resources_pb2.Allocation,
) -> dict[str, object]:
    written = specs.short(told.DESCRIPTOR, json_format.MessageToDict(told))
    return {"kind": kind, **{key: written[key] for key in written if key in _WRITTEN_OF[kind]}}
