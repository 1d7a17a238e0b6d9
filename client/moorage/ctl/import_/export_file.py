"""Reads what `moorctl export` has written, all of it before anything is done with it.

The lines are described in `moorage.ctl.export_lines`. Whatever is wrong is refused with its line:
a file that was cut off, changed since, or written by a newer moorctl changes nothing.
"""

from __future__ import annotations

import collections
import hashlib
import ipaddress
import pathlib
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import IO, TypeAlias

import moorage
from moorage import names
from moorage.cni import jsontext
from moorage.ctl import exits, export_lines, manifests, specs
from moorage.ctl.import_ import estate, ranges, values
from moorage.v1 import admin_service_pb2, reconciliation_pb2, resources_pb2

SOURCE = "the export"

# What nobody could read is not listed to the end.
_MOST_PROBLEMS = 20
_LONGEST_LINE = 16 * 1024 * 1024
_LONGEST_STICKY = 2**31  # seconds; the server has the last word


@dataclass(slots=True, kw_only=True)
class _Block:
    """A block that fills up while lines are read."""

    node: str = ""
    addresses: list[admin_service_pb2.AdoptedAddress] = field(default_factory=list)
    sticky: list[reconciliation_pb2.StickyAddress] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Section:
    """One VRF of a file, line by line: what it was called there, and is to be called here."""

    name: str
    vrf: str
    manifests: list[manifests.Manifest] = field(default_factory=list)
    _pools: list[ranges.Range] = field(default_factory=list)
    _blocks: dict[estate.Network, _Block] = field(
        default_factory=lambda: collections.defaultdict(_Block)
    )
    _lines: dict[str, str] = field(default_factory=dict)

    def estate(self) -> estate.Estate:
        """Return all of it."""
        blocks = (
            estate.Block(
                cidr=cidr,
                node=each.node,
                addresses=tuple(each.addresses),
                sticky=tuple(each.sticky),
            )
            for cidr, each in self._blocks.items()
        )
        return estate.Estate(
            source=SOURCE, manifests=tuple(self.manifests), blocks=tuple(blocks), is_exact=True
        )

    def administered(self, kind: str, told: dict[str, object], place: specs.Place) -> None:
        """Take a manifest; of a pool, it is also told whether it is being drained."""
        draining = told.pop("draining", False) is True
        known = len(place.problems)
        made = manifests.read({"kind": kind, **told}, self.vrf, place)
        if made is None or len(place.problems) > known:
            return
        if made.kind.in_vrf and names.vrf_of(made.resource.name) != self.vrf:
            place.child("metadata").child("vrf").refuse("cannot be another than that of the lines")
        self._once(made.label, place)
        if isinstance(made.resource, resources_pb2.Pool):
            self._add(made.resource, place)
        self.manifests.append(replace(made, withdrawn=draining))

    def block(self, told: dict[str, object], place: specs.Place) -> None:
        """Take a block that belongs to a node."""
        made = resources_pb2.Block()
        if not specs.fill(made, told, place):
            return
        cidr = values.network(made.cidr, place.child("cidr"))
        if cidr is None:
            return
        pool = ranges.holding(cidr, self._pools)
        if pool is None or pool.block_size != cidr.prefixlen:
            place.child("cidr").refuse(f"{cidr} is not a block of a pool that stands before")
            return
        self._once(f"block {cidr}", place)
        self._blocks[cidr].node = made.node

    def sticky(self, told: dict[str, object], place: specs.Place) -> None:
        """Take an address that is kept for its owner."""
        made = reconciliation_pb2.StickyAddress()
        if specs.fill(made, told, place) and (block := self._block_of(made.address, place)):
            block.sticky.append(made)

    def allocation(self, told: dict[str, object], place: specs.Place) -> None:
        """Take an address that is held."""
        made = admin_service_pb2.AdoptedAddress()
        made.labels.update(manifests.labels_of(told.pop("labels", {}), place.child("labels")))
        seconds = told.pop("stickySeconds", 0)
        if type(seconds) is not int or not 0 <= seconds < _LONGEST_STICKY:
            place.child("stickySeconds").refuse("must be a whole number of seconds")
        elif seconds:
            made.sticky.seconds = seconds
        if specs.fill(made, told, place) and (block := self._block_of(made.address, place)):
            block.addresses.append(made)

    def _add(self, pool: resources_pb2.Pool, place: specs.Place) -> None:
        try:
            self._pools.append(ranges.of(pool, exists=False))
        except ValueError as error:
            place.child("spec").refuse(f"is not that of a pool: {error}")

    def _block_of(self, text: str, place: specs.Place) -> _Block | None:
        """Return the block that an address lies in; it stands in the file once."""
        address = values.address(text, place.child("address"))
        if address is None:
            return None
        alone = ipaddress.ip_network(address)
        pool = ranges.holding(alone, self._pools)
        if pool is None or not pool.cidr.prefixlen <= pool.block_size <= alone.max_prefixlen:
            place.child("address").refuse(f"{address} lies in no pool that stands before")
            return None
        self._once(str(address), place)
        return self._blocks[alone.supernet(new_prefix=pool.block_size)]

    def _once(self, what: str, place: specs.Place) -> None:
        known = self._lines.setdefault(what, place.where)
        if known != place.where:
            place.refuse(f"{what} stands in {known} as well")


def read(source: str, into: str) -> list[Section]:
    """Return the VRFs of a file, "-" being standard input; raises exits.Failed.

    `into` is what the only one is to be called here; empty: all keep their names.
    """
    name = "standard input" if source == "-" else source
    try:
        if source == "-":
            return _Reading(name, into).whole(_lines(sys.stdin.buffer))
        with pathlib.Path(source).open("rb") as file:
            return _Reading(name, into).whole(_lines(file))
    except OSError as error:
        raise exits.refused(f"cannot read {name}: {error.strerror}") from error


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    """Yield each line; of one that is too long, so much that this is seen, and no more."""
    while line := file.readline(_LONGEST_LINE + 1):
        yield line
        if len(line) > _LONGEST_LINE:
            return


class _Reading:
    """A file that is read line by line."""

    def __init__(self, name: str, into: str) -> None:
        self._name = name
        self._into = into
        self._number = 1
        self._problems: list[moorage.Violation] = []
        self._sections: list[Section] = []
        self._counts: collections.Counter[str] = collections.Counter()
        self._hash = hashlib.sha256()
        self._is_complete = False

    def whole(self, lines: Iterator[bytes]) -> list[Section]:
        """Return what all lines say; raises exits.Failed."""
        vrfs = self._header(next(lines, b""))
        for self._number, line in enumerate(lines, 2):
            self._take(line)
            self._hash.update(line)
            if len(self._problems) >= _MOST_PROBLEMS:
                break
        if not (self._problems or self._is_complete):
            self._place.refuse("is the last one, and not the end: the file was cut off")
        if not self._problems and [each.name for each in self._sections] != vrfs:
            self._place.refuse("ends other VRFs than the first line tells of")
        self._raise()
        return self._sections

    @property
    def _place(self) -> specs.Place:
        return specs.Place(where=f"{self._name}, line {self._number}", problems=self._problems)

    def _raise(self) -> None:
        estate.refuse_problems(specs.Place(where="", problems=self._problems))

    def _header(self, line: bytes) -> list[object]:
        """Return which VRFs there are; refuses what no later line could mend."""
        told = self._object(line)
        version = told.get("version")
        if told.get("format") != export_lines.FORMAT:
            self._place.refuse("is not the first one of an export by moorctl")
        elif type(version) is not int or version > export_lines.VERSION:
            self._place.refuse(
                f"tells version {specs.shown(version)} of the format, and this moorctl knows "
                f"{export_lines.VERSION}; take a newer one"
            )
        vrfs = told.get("vrfs")
        if not isinstance(vrfs, list):
            self._place.child("vrfs").refuse("must be a list")
        elif self._into and len(vrfs) != 1:
            self._place.child("vrfs").refuse(f"has {len(vrfs)} VRFs; import them by --all-vrfs")
        self._raise()
        self._hash.update(line)
        return vrfs if isinstance(vrfs, list) else []

    def _object(self, line: bytes) -> dict[str, object]:
        if len(line) > _LONGEST_LINE:
            self._place.refuse(f"is longer than {_LONGEST_LINE} bytes")
            return {}
        try:
            value = jsontext.decode(line)
        except ValueError as error:
            self._place.refuse(f"is not JSON: {error}")
            return {}
        if not isinstance(value, dict):
            self._place.refuse("must be a JSON object")
            return {}
        return value

    def _take(self, line: bytes) -> None:
        known = len(self._problems)
        told = self._object(line)
        if len(self._problems) > known:
            return
        kind = told.pop("kind", None)
        if self._is_complete:
            self._place.refuse("comes behind the end")
        elif kind == export_lines.END:
            self._end(told)
        elif not isinstance(kind, str) or kind not in export_lines.KINDS:
            self._place.child("kind").refuse(f"must be one of {', '.join(export_lines.KINDS)}")
        elif kind == export_lines.VRF:
            self._begin(told)
        elif not self._sections:
            self._place.refuse("comes before any VRF")
        else:
            self._counts[kind] += 1
            _ROWS[kind](self._sections[-1], told, self._place)

    def _begin(self, told: dict[str, object]) -> None:
        self._counts[export_lines.VRF] += 1
        told.pop("position", None)
        metadata = told.get("metadata")
        name = metadata.get("name") if isinstance(metadata, dict) else None
        own_id = manifests.dns_name(name, self._place.child("metadata").child("name"))
        if self._into and isinstance(metadata, dict):
            metadata["name"] = self._into
        if any(each.name == own_id for each in self._sections):
            self._place.refuse(f"VRF {own_id} stands in the file before")
        section = Section(name=own_id, vrf=self._into or own_id)
        self._sections.append(section)
        section.administered(export_lines.VRF, told, self._place)

    def _end(self, told: Mapping[str, object]) -> None:
        self._is_complete = True
        counts = {kind: self._counts[kind] for kind in export_lines.KINDS}
        if told.get("counts") != counts:
            self._place.child("counts").refuse("are others than were read: lines are missing")
        elif told.get("sha256") != self._hash.hexdigest():
            self._place.child("sha256").refuse("is another: the file was changed since")


def _administered(kind: str) -> _Row:
    return lambda section, told, place: section.administered(kind, told, place)


_Row: TypeAlias = Callable[[Section, dict[str, object], specs.Place], None]
_ROWS: dict[str, _Row] = {
    export_lines.NODE: _administered(export_lines.NODE),
    export_lines.POOL: _administered(export_lines.POOL),
    export_lines.RESERVATION: _administered(export_lines.RESERVATION),
    export_lines.BLOCK: Section.block,
    export_lines.STICKY_ADDRESS: Section.sticky,
    export_lines.ALLOCATION: Section.allocation,
}
