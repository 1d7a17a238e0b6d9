"""Reads what kubectl prints of whereabouts: IPPools, OverlappingRangeIPReservations and, where they
are given as well, the NetworkAttachmentDefinitions that say which networks draw from which range,
and the Pods that say which node they are on.

An IPPool counts its addresses from the first of its range on.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from moorage.cni import jsontext
from moorage.ctl import documents, manifests, specs
from moorage.ctl.import_ import estate, values
from moorage.v1 import resources_pb2

SOURCE = "whereabouts"

_LONGEST_NAME = 253


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """An address, and who holds it."""

    address: values.Address
    container_id: str
    namespace: str
    pod: str
    interface: str
    claim: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """An IPPool."""

    where: str
    name: str
    cidr: estate.Network
    allocations: tuple[Allocation, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lone:
    """An OverlappingRangeIPReservation; its name may be read as several addresses."""

    where: str
    addresses: tuple[values.Address, ...]
    podref: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """A range of a NetworkAttachmentDefinition, and the network that draws from it."""

    network: str
    network_name: str
    cidr: estate.Network
    span: tuple[values.Address, values.Address]
    excluded: tuple[str, ...]
    gateway: str
    routes: list[resources_pb2.Route]

    def is_of(self, pool: Pool) -> bool:
        """Whether it draws from a pool: those of a network_name have it before the range."""
        own = not self.network_name or pool.name.startswith(f"{self.network_name}-")
        return self.cidr == pool.cidr and own


class _Named(NamedTuple):
    """What an object is called."""

    namespace: str
    name: str


@dataclass(slots=True)
class Dump:
    """What has been read; `nodes` by namespace and name of a pod, `notes` are for people."""

    pools: list[Pool] = field(default_factory=list)
    lone: list[Lone] = field(default_factory=list)
    definitions: list[Definition] = field(default_factory=list)
    nodes: dict[tuple[str, str], str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def read(sources: Sequence[str], sheet: specs.Place) -> Dump:
    """Return what files, directories and "-" tell; what is wrong is written down."""
    found = Dump()
    for document in documents.read(sources):
        _take(document.value, specs.Place(where=document.where, problems=sheet.problems), found)
    return found


def _take(value: object, place: specs.Place, found: Dump) -> None:
    given = values.mapping(value, place)
    kind = values.text(given.get("kind"), place.child("kind"))
    group, _, _ = values.text(given.get("apiVersion"), place.child("apiVersion")).partition("/")
    reader = _READERS.get((group, kind))
    if reader is None:
        found.notes.append(f"{place.where}: {kind or 'this'} is not of {SOURCE}; left out")
        return
    inside, spec = place.child("metadata"), place.child("spec")
    metadata = values.mapping(given.get("metadata"), inside)
    name, namespace = (
        values.text(metadata.get(key), inside.child(key)) for key in ("name", "namespace")
    )
    reader(_Named(namespace, name), values.mapping(given.get("spec"), spec), spec, found)


def _take_pool(named: _Named, spec: Mapping[str, object], place: specs.Place, found: Dump) -> None:
    start, cidr = _start(spec.get("range"), place.child("range"))
    if start is None or cidr is None:
        return
    allocations, inside = [], place.child("allocations")
    for offset, each in values.mapping(spec.get("allocations") or {}, inside).items():
        spot = inside.child(str(offset))
        address = _counted(offset, start, cidr, spot)
        if address is not None:
            allocations.append(_allocation(address, each, spot))
    found.pools.append(
        Pool(where=place.where, name=named.name, cidr=cidr, allocations=tuple(allocations))
    )


def _start(
    value: object, place: specs.Place
) -> tuple[values.Address, estate.Network] | tuple[None, None]:
    """Return the address that a range begins with, and the network it is of."""
    text = values.text(value, place)
    try:
        cidr = manifests.network(text, bare=False, strict=False)
        return ipaddress.ip_address(text.partition("/")[0]), cidr
    except ValueError as error:
        place.refuse(f"must be a CIDR: {error}")
        return None, None


def _allocation(address: values.Address, value: object, place: specs.Place) -> Allocation:
    given = values.mapping(value, place)
    namespace, pod = _podref(given.get("podref"), place.child("podref"))
    return Allocation(
        address=address,
        container_id=values.identifier(given.get("id"), place.child("id")),
        namespace=namespace,
        pod=pod,
        interface=values.interface(given.get("ifname"), place.child("ifname")),
        claim=values.text(given.get("ipamclaimref"), place.child("ipamclaimref")),
    )


def _counted(
    offset: object, start: values.Address, cidr: estate.Network, place: specs.Place
) -> values.Address | None:
    """Return the address that stands so far from the start of a range."""
    number = str(offset)
    if not re.fullmatch(r"[0-9]{1,39}", number):
        place.refuse("must be the distance of an address from the start of the range")
        return None
    if int(start) + int(number) > int(cidr[-1]):
        place.refuse(f"lies beyond the end of {cidr}")
        return None
    return start + int(number)


def _podref(value: object, place: specs.Place) -> tuple[str, str]:
    """Return namespace and name of a pod; old versions kept neither."""
    text = values.text(value, place)
    namespace, slash, pod = text.partition("/")
    if text and not (slash and max(len(namespace), len(pod)) <= _LONGEST_NAME):
        place.refuse(f"must be a namespace and a pod, as in shop/cart-0, not {specs.shown(text)}")
        return "", ""
    return values.printable(namespace, _LONGEST_NAME), values.printable(pod, _LONGEST_NAME)


def _take_lone(named: _Named, spec: Mapping[str, object], place: specs.Place, found: Dump) -> None:
    addresses = tuple(_spelled(named.name))
    if not addresses:
        place.refuse(f"has the name {specs.shown(named.name)}, which ends with no address")
        return
    podref = values.text(spec.get("podref"), place.child("podref"))
    found.lone.append(Lone(where=place.where, addresses=addresses, podref=podref))


def _spelled(name: str) -> Iterator[values.Address]:
    """Yield the addresses that a name may end with; colons are dashes in it, like what is before.

    The longest first: what looks like a part of the address mostly is one.
    """
    parts = name.split("-")
    for at in range(len(parts)):
        tail = parts[at:]
        text = tail[0] if len(tail) == 1 else ":".join(tail)
        try:
            yield ipaddress.ip_address(text)
        except ValueError:
            continue


def _take_definition(
    named: _Named, spec: Mapping[str, object], place: specs.Place, found: Dump
) -> None:
    inside = place.child("config")
    try:
        decoded = jsontext.decode(values.text(spec.get("config"), inside) or "{}")
    except ValueError as error:
        inside.refuse(f"must be the JSON of a network: {error}")
        return
    config = values.mapping(decoded, inside)
    # Multus gives a network that has no name the definition's.
    network = values.identifier(config.get("name"), inside.child("name")) or named.name
    for plugin in values.items(config.get("plugins"), inside.child("plugins")) or [config]:
        ipam = plugin.get("ipam") if isinstance(plugin, dict) else None
        if isinstance(ipam, dict) and ipam.get("type") == SOURCE:
            found.definitions += _definitions(network, ipam, inside.child("ipam"))


def _definitions(
    network: str, ipam: Mapping[str, object], place: specs.Place
) -> Iterator[Definition]:
    ranges = [(place, ipam)] if ipam.get("range") else []
    inside = place.child("ipRanges")
    for at, each in enumerate(values.items(ipam.get("ipRanges"), inside)):
        ranges.append((inside.item(at), values.mapping(each, inside.item(at))))
    gateway = values.text(ipam.get("gateway"), place.child("gateway"))
    routes = values.routes(ipam.get("routes"), place.child("routes"))
    for spot, given in ranges:
        spread = _spread(given, spot)
        if spread is None:
            continue
        cidr, span = spread
        yield Definition(
            network=network,
            network_name=values.text(ipam.get("network_name"), place.child("network_name")),
            cidr=cidr,
            span=span,
            excluded=tuple(_excluded(given, cidr, spot.child("exclude"))),
            gateway=_gateway(gateway, cidr, place.child("gateway")),
            routes=routes,
        )


def _spread(
    given: Mapping[str, object], place: specs.Place
) -> tuple[estate.Network, tuple[values.Address, values.Address]] | None:
    """Return the network of a range, and the first and last address of it that are dealt out.

    A range is a CIDR, or a first and a last address with a prefix length.
    """
    text = values.text(given.get("range"), place.child("range"))
    first, dash, rest = text.partition("-")
    start, cidr = _start(rest.strip() if dash else text, place.child("range"))
    if start is None or cidr is None:
        return None
    lower, upper = (first.strip(), str(start)) if dash else (None, None)
    return cidr, (
        _end(given.get("range_start") or lower, cidr, place.child("range_start")) or cidr[0],
        _end(given.get("range_end") or upper, cidr, place.child("range_end")) or cidr[-1],
    )


def _end(value: object, cidr: estate.Network, place: specs.Place) -> values.Address | None:
    if value is None:
        return None
    found = values.address(value, place)
    if found is not None and found not in cidr:
        place.refuse(f"{found} is not in {cidr}")
    return found


def _excluded(
    given: Mapping[str, object], cidr: estate.Network, place: specs.Place
) -> Iterator[str]:
    for at, each in enumerate(values.items(given.get("exclude"), place)):
        text = values.text(each, place.item(at))
        try:
            excluded = ipaddress.ip_network(text, strict=False)
        except ValueError as error:
            place.item(at).refuse(f"must be a CIDR or an address: {error}")
            continue
        if excluded.version == cidr.version and excluded.overlaps(cidr):
            yield str(excluded)


def _gateway(text: str, cidr: estate.Network, place: specs.Place) -> str:
    """Return the gateway, where it is one of this range."""
    found = values.address(text, place) if text else None
    return str(found) if found is not None and found in cidr else ""


def _take_pod(named: _Named, spec: Mapping[str, object], place: specs.Place, found: Dump) -> None:
    node = values.text(spec.get("nodeName"), place.child("nodeName"))
    found.nodes[named] = values.printable(node, _LONGEST_NAME)


_READERS = {
    ("v1", "Pod"): _take_pod,
    ("whereabouts.cni.cncf.io", "IPPool"): _take_pool,
    ("whereabouts.cni.cncf.io", "OverlappingRangeIPReservation"): _take_lone,
    ("k8s.cni.cncf.io", "NetworkAttachmentDefinition"): _take_definition,
}
