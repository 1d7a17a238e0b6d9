"""Messages about reservations and nodes -> domain; pools and VRFs have modules of their own.

Everything that is wrong with a request is refused at once. An update is decoded
into a change: what it makes of the resource that is stored, or why it must not.
"""

import dataclasses
import datetime
from collections.abc import Callable, Sequence
from typing import TypeVar

from moorage.v1 import node_service_pb2 as node_messages
from moorage.v1 import reservation_service_pb2 as reservation_messages
from moorage.v1 import resources_pb2 as messages
from moorage_server.api import encode_resources, field_masks, limits, names
from moorage_server.api.violations import Violations
from moorage_server.domain import addresses, resources
from moorage_server.usecases.targets import Target

S = TypeVar("S", bound=resources.Stored)


def target(name: str, collection: str, etag: str = "") -> Target:
    """The pool, reservation or node that a get or delete names."""
    found = Violations()
    decoded = child_target(found, "name", name, collection, etag=etag)
    found.check()
    return decoded


def child_target(
    found: Violations, field: str, name: str, collection: str, *, etag: str = ""
) -> Target:
    """The resource inside a VRF that a full name names."""
    vrf, child = names.child(found, name, collection, field)
    if child:
        names.child_id(found, field, child)
    return Target(vrf=vrf, name=child, resource=name, etag=etag)


def replaced(stored: S, decoded: S) -> S:
    """What was decoded, as the successor of what is stored."""
    return dataclasses.replace(
        decoded,
        uid=stored.uid,
        version=stored.version,
        create_time=stored.create_time,
        update_time=stored.update_time,
    )


def new_reservation(
    request: reservation_messages.CreateReservationRequest,
) -> resources.Reservation:
    """The reservation that CreateReservation adds."""
    found = Violations()
    vrf = names.parent(found, request.parent)
    name = names.child_id(found, "reservation_id", request.reservation_id)
    reservation = _reservation(found, vrf, name, request.reservation)
    found.check()
    return reservation


def reservation_change(
    request: reservation_messages.UpdateReservationRequest,
) -> tuple[Target, Callable[[resources.Reservation], resources.Reservation]]:
    """What UpdateReservation is about, and what it makes of it."""
    found = Violations()
    given = request.reservation
    target = child_target(
        found, "reservation.name", given.name, names.RESERVATIONS, etag=given.etag
    )
    mask = field_masks.decode(found, request.update_mask, messages.Reservation.DESCRIPTOR)
    found.check()

    def change(stored: resources.Reservation) -> resources.Reservation:
        found = Violations()
        merged = field_masks.merged(mask, given=given, stored=encode_resources.reservation(stored))
        decoded = _reservation(found, stored.vrf, stored.name, merged)
        found.check()
        return replaced(stored, decoded)

    return target, change


def node(request: node_messages.UpsertNodeRequest) -> resources.Node:
    """The node that UpsertNode records."""
    found = Violations()
    target = child_target(found, "node.name", request.node.name, names.NODES)
    labels = found.labels(
        "node.labels",
        request.node.labels,
        most=limits.OBJECT_LABELS,
        longest_key=limits.OBJECT_LABEL_KEY_LENGTH,
    )
    found.check()
    return resources.Node(vrf=target.vrf, name=target.name, labels=labels)


def _reservation(
    found: Violations, vrf: str, name: str, message: messages.Reservation
) -> resources.Reservation:
    field, description = "reservation.description", message.description
    most = limits.CIDRS_PER_RESERVATION
    covered = cidrs(found, "reservation.cidrs", message.cidrs, most)
    if message.owner_key:
        _check_owned(found, covered)
    return resources.Reservation(
        vrf=vrf,
        name=name,
        cidrs=covered,
        description=found.text(field, description, limits.DESCRIPTION_LENGTH),
        expire_time=_expire_time(found, message),
        owner_key=found.text("reservation.owner_key", message.owner_key, limits.TEXT_LENGTH),
        labels=found.labels("reservation.labels", message.labels),
    )


def _check_owned(found: Violations, covered: Sequence[addresses.Network]) -> None:
    most = limits.ADDRESSES_PER_OWNED_CIDR
    for cidr in covered:
        if cidr.num_addresses > most:
            text = f"{cidr} has more than {most} addresses, the most that are held for an owner"
            found.add("reservation.cidrs", f"{text}; give smaller ones, or leave out owner_key")


def _expire_time(found: Violations, message: messages.Reservation) -> datetime.datetime | None:
    """When a reservation expires, to the microsecond, as it is stored."""
    if not message.HasField("expire_time"):
        return None
    return found.time("reservation.expire_time", message.expire_time)


def cidrs(
    found: Violations, field: str, values: Sequence[str], most: int
) -> tuple[addresses.Network, ...]:
    """At least one CIDR or address."""
    if not values:
        found.add(field, "is required; give at least one CIDR or address")
    if not found.at_most(field, values, most):
        return ()
    return found.each(field, values, addresses.parse_network_or_address)
