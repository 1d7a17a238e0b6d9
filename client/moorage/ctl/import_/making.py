"""What is made of an IPAM that has neither blocks nor manifests: pools, reservations, holders.

What is made of the same input is always the same, and has the same name.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Iterator, Mapping, Sequence

from moorage.ctl import kinds, manifests
from moorage.ctl.import_ import estate, values
from moorage.v1 import admin_service_pb2, resources_pb2

LONGEST_DESCRIPTION = 256

_RESERVATION_FIELDS = frozenset({"cidrs", "description", "labels"})


def pool(own_id: str, vrf: str, where: str, made: resources_pb2.Pool) -> manifests.Manifest:
    """Return the manifest of a flat range, any block of which serves any node."""
    made.name = kinds.name_of(kinds.Kind.POOL, _dns_name(own_id), vrf)
    made.block_affinity = resources_pb2.BLOCK_AFFINITY_NONE
    return manifests.Manifest(where=where, kind=kinds.Kind.POOL, resource=made)


def reservation(
    own_id: str,
    vrf: str,
    where: str,
    cidrs: Sequence[str],
    description: str,
    labels: Mapping[str, str] | None = None,
) -> manifests.Manifest:
    """Return the manifest of a reservation; who holds it here, and how long, is left alone."""
    made = resources_pb2.Reservation(
        name=kinds.name_of(kinds.Kind.RESERVATION, _dns_name(own_id), vrf),
        cidrs=cidrs,
        description=values.printable(description, LONGEST_DESCRIPTION),
        labels=labels,
    )
    return manifests.Manifest(
        where=where,
        kind=kinds.Kind.RESERVATION,
        resource=made,
        fields=_RESERVATION_FIELDS,
    )


def held(
    address: values.Address,
    attachment: resources_pb2.Attachment,
    workload: resources_pb2.Workload,
    labels: Mapping[str, str] | None = None,
) -> admin_service_pb2.AdoptedAddress:
    """Return an address with its holder."""
    return admin_service_pb2.AdoptedAddress(
        address=str(address),
        attachment=attachment,
        workload=workload,
        use=resources_pb2.USE_WORKLOAD,
        labels=labels,
    )


def withholds_its_own(cidr: estate.Network, taken: Collection[values.Address]) -> bool:
    """Whether a pool can withhold its first and last address: none is held, and others are left."""
    return cidr.num_addresses > 2 and cidr[0] not in taken and cidr[-1] not in taken


def routes_of(
    cidr: estate.Network, routes: Sequence[resources_pb2.Route]
) -> list[resources_pb2.Route]:
    """Return the routes of a network's family."""
    return [each for each in routes if (":" in each.destination) == (cidr.version == 6)]


def outside(
    cidr: estate.Network, spans: Sequence[tuple[values.Address, values.Address]]
) -> Iterator[str]:
    """Yield the ranges of a network that no span covers, as a pool excludes them."""
    start = int(cidr[0])
    for first, last in sorted((int(first), int(last)) for first, last in spans):
        if first > start:
            yield _span(cidr, start, first - 1)
        start = max(start, last + 1)
    if start <= int(cidr[-1]):
        yield _span(cidr, start, int(cidr[-1]))


def _span(cidr: estate.Network, first: int, last: int) -> str:
    kind = ipaddress.IPv4Address if cidr.version == 4 else ipaddress.IPv6Address
    return str(kind(first)) if first == last else f"{kind(first)}-{kind(last)}"


def _dns_name(own_id: str) -> str:
    """Return a name that the server takes: of a text in which anything may stand."""
    name = re.sub(r"[^a-z0-9.-]+", "-", own_id.lower())
    # A label of a name begins and ends with a letter or a digit.
    return re.sub(r"-*\.[-.]*", ".", name).strip("-.")[:253].strip("-.")
