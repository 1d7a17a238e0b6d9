"""Messages about VRFs, reservations and nodes -> domain; pools are in `decode_pools`.

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
from moorage.v1 import vrf_service_pb2 as vrf_messages
from moorage_server.api import encode_resources, field_masks, limits, names
from moorage_server.api.violations import Violations, shown
from moorage_server.domain import addresses, resources
from moorage_server.usecases.targets import Target

S = TypeVar("S", bound=resources.Stored)


def vrf_target(name: str, etag: str = "") -> Target:
    """The VRF that a get or delete names."""
    found = Violations()
    target = _vrf_target(found, "name", name, etag)
    found.check()
    return target


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


def new_vrf(request: vrf_messages.CreateVrfRequest) -> resources.Vrf:
    """The VRF that CreateVrf adds."""
    found = Violations()
    vrf = _vrf(found, names.vrf_id(found, "vrf_id", request.vrf_id), request.vrf)
    found.check()
    return vrf


def vrf_change(
    request: vrf_messages.UpdateVrfRequest,
) -> tuple[Target, Callable[[resources.Vrf], resources.Vrf]]:
    """What UpdateVrf is about, and what it makes of it."""
    found = Violations()
    target = _vrf_target(found, "vrf.name", request.vrf.name, request.vrf.etag)
    mask = field_masks.decode(found, request.update_mask, messages.Vrf.DESCRIPTOR)
    found.check()

    def change(stored: resources.Vrf) -> resources.Vrf:
        found = Violations()
        merged = field_masks.merged(mask, given=request.vrf, stored=encode_resources.vrf(stored))
        decoded = _vrf(found, stored.name, merged)
        found.check()
        return replaced(stored, decoded)

    return target, change


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


def _vrf_target(found: Violations, field: str, name: str, etag: str) -> Target:
    if not name:
        found.add(field, 'is required; write "vrfs/{vrf}"')
    vrf = names.parent(found, name, field)
    return Target(vrf=vrf, name=vrf, resource=name, etag=etag)


def _vrf(found: Violations, name: str, message: messages.Vrf) -> resources.Vrf:
    description = message.description
    return resources.Vrf(
        name=name,
        description=found.text("vrf.description", description, limits.DESCRIPTION_LENGTH),
        configuration=_configuration(found, message.configuration),
        labels=found.labels("vrf.labels", message.labels),
        fixed_address_grants=_grants(found, message.fixed_address_grants),
        strict_namespaces=message.strict_namespaces,
    )


def _grants(
    found: Violations, given: Sequence[messages.FixedAddressGrant]
) -> tuple[resources.FixedAddressGrant, ...]:
    field = "vrf.fixed_address_grants"
    if not found.at_most(field, given, limits.GRANTS_PER_VRF):
        return ()
    granted: dict[str, resources.FixedAddressGrant] = {}
    for at, each in enumerate(given):
        place, namespace = f"{field}[{at}]", each.namespace
        found.text(f"{place}.namespace", namespace, limits.TEXT_LENGTH, required=True)
        if namespace in granted:
            found.add(f"{place}.namespace", f"{shown(namespace)} has a grant already; make it one")
        cidrs = _cidrs(found, f"{place}.cidrs", each.cidrs, limits.CIDRS_PER_GRANT)
        granted[namespace] = resources.FixedAddressGrant(namespace=namespace, cidrs=cidrs)
    return tuple(granted[namespace] for namespace in sorted(granted))


def _configuration(
    found: Violations, message: messages.VrfConfiguration
) -> resources.VrfConfiguration:
    strict, blocks = message.strict_affinity, message.max_blocks_per_node
    auto = message.auto_allocate_blocks or not message.HasField("auto_allocate_blocks")
    field = "vrf.configuration"
    within(found, f"{field}.max_blocks_per_node", blocks, limits.BLOCKS_PER_NODE)
    within(found, f"{field}.cooldown_seconds", message.cooldown_seconds, limits.COOLDOWN_SECONDS)
    retention = resources.DEFAULT_HISTORY_RETENTION
    if message.HasField("history_retention_days"):
        retention = message.history_retention_days
    most = limits.HISTORY_RETENTION_DAYS
    within(found, f"{field}.history_retention_days", retention, most)
    # A node that may open no block borrows; where it may, neither limits anything.
    if blocks > 0 and not strict:
        text = f"is {blocks}, which requires strict_affinity to be enabled; set it, or leave this"
        found.add(f"{field}.max_blocks_per_node", text)
    if not auto and not strict:
        text = "cannot be disabled at the same time as strict_affinity; enable one of them"
        found.add(f"{field}.auto_allocate_blocks", text)
    return resources.VrfConfiguration(
        strict_affinity=strict,
        auto_allocate_blocks=auto,
        max_blocks_per_node=blocks,
        cooldown=message.cooldown_seconds,
        history_retention=retention,
    )


def within(found: Violations, field: str, value: int, most: int) -> None:
    """Notes a number that is negative or too large."""
    if not 0 <= value <= most:
        found.add(field, f"is {value}; give 0 to {most}")


def _reservation(
    found: Violations, vrf: str, name: str, message: messages.Reservation
) -> resources.Reservation:
    field, description = "reservation.description", message.description
    most = limits.CIDRS_PER_RESERVATION
    cidrs = _cidrs(found, "reservation.cidrs", message.cidrs, most)
    if message.owner_key:
        _check_owned(found, cidrs)
    return resources.Reservation(
        vrf=vrf,
        name=name,
        cidrs=cidrs,
        description=found.text(field, description, limits.DESCRIPTION_LENGTH),
        expire_time=_expire_time(found, message),
        owner_key=found.text("reservation.owner_key", message.owner_key, limits.TEXT_LENGTH),
        labels=found.labels("reservation.labels", message.labels),
    )


def _check_owned(found: Violations, cidrs: Sequence[addresses.Network]) -> None:
    most = limits.ADDRESSES_PER_OWNED_CIDR
    for cidr in cidrs:
        if cidr.num_addresses > most:
            text = f"{cidr} has more than {most} addresses, the most that are held for an owner"
            found.add("reservation.cidrs", f"{text}; give smaller ones, or leave out owner_key")


def _expire_time(found: Violations, message: messages.Reservation) -> datetime.datetime | None:
    """When a reservation expires, to the microsecond, as it is stored."""
    if not message.HasField("expire_time"):
        return None
    return found.time("reservation.expire_time", message.expire_time)


def _cidrs(
    found: Violations, field: str, values: Sequence[str], most: int
) -> tuple[addresses.Network, ...]:
    if not values:
        found.add(field, "is required; give at least one CIDR or address")
    if not found.at_most(field, values, most):
        return ()
    return found.each(field, values, addresses.parse_network_or_address)
