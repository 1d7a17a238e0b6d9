"""Which ranges have addresses in common: of pools, reservations, grants and blocks."""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Iterable, Iterator

import moorage
from moorage import names
from moorage.ctl import times
from moorage.ctl.describe import sheet
from moorage.v1 import resources_pb2

_HEADER = ["NAME", "CIDRS", "OWNER", "EXPIRES", "DESCRIPTION"]


@functools.cache
def _network(cidr: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    return ipaddress.ip_network(cidr)


def overlap(one: str, other: str) -> bool:
    """Whether an address lies in both, each a CIDR or an address."""
    ours, theirs = _network(one), _network(other)
    if isinstance(ours, ipaddress.IPv4Network):
        return isinstance(theirs, ipaddress.IPv4Network) and ours.overlaps(theirs)
    return isinstance(theirs, ipaddress.IPv6Network) and ours.overlaps(theirs)


def common(cidr: str, cidrs: Iterable[str]) -> list[str]:
    """Return those that have addresses in common with a range."""
    return [each for each in cidrs if overlap(cidr, each)]


def reservations(client: moorage.Client, vrf: str, cidr: str) -> Iterator[str]:
    """Yield the reservations of a VRF that hide addresses of a range, and which."""
    found = ((each, common(cidr, each.cidrs)) for each in client.reservations(vrf=vrf))
    rows = [_row(each, inside) for each, inside in found if inside]
    rest = "moorctl get reservations"
    yield from sheet.table("Reservations", _HEADER, rows, rest=rest)


def grants(vrf: resources_pb2.Vrf, cidr: str) -> Iterator[str]:
    """Yield to which namespaces addresses of a range are granted by name."""
    found = ((each.namespace, common(cidr, each.cidrs)) for each in vrf.fixed_address_grants)
    rows = [[namespace, ",".join(inside)] for namespace, inside in found if inside]
    rest = f"moorctl get vrf {names.id_of(vrf.name)} -o yaml"
    yield from sheet.table("Fixed Address Grants", ["NAMESPACE", "CIDRS"], rows, rest=rest)


def _row(reservation: resources_pb2.Reservation, inside: list[str]) -> list[str]:
    return [
        names.id_of(reservation.name),
        ",".join(inside),
        reservation.owner_key,
        expiry(reservation),
        reservation.description,
    ]


def expiry(reservation: resources_pb2.Reservation) -> str:
    """Return until when it hides anything; empty where that is for ever."""
    expires = reservation.HasField("expire_time")
    return times.spelled(reservation.expire_time) if expires else ""
