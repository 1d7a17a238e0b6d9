"""Administered resources -> messages. Allocations are encoded in `encode`."""

import datetime

from google.protobuf import timestamp_pb2

from moorage.v1 import resources_pb2 as messages
from moorage_server.api import enums, names
from moorage_server.domain import addresses, quarantine, resources, usage

_MOST = 2**63 - 1
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_NO_DNS = resources.Dns()


def vrf(stored: resources.Vrf) -> messages.Vrf:
    """A VRF."""
    return messages.Vrf(
        name=names.vrf_name(stored.name),
        uid=stored.uid,
        description=stored.description,
        labels=stored.labels,
        etag=stored.etag,
        create_time=timestamp(stored.create_time),
        update_time=timestamp(stored.update_time),
        configuration=messages.VrfConfiguration(
            strict_affinity=stored.configuration.strict_affinity,
            auto_allocate_blocks=stored.configuration.auto_allocate_blocks,
            max_blocks_per_node=stored.configuration.max_blocks_per_node,
            cooldown_seconds=stored.configuration.cooldown,
            history_retention_days=stored.configuration.history_retention,
        ),
        quarantines=map(quarantined, stored.quarantines),
        fixed_address_grants=map(_grant, stored.fixed_address_grants),
        strict_namespaces=stored.strict_namespaces,
        quotas=_quotas(stored.quotas),
    )


def _quotas(stored: resources.Quotas) -> messages.Quotas | None:
    if stored == resources.NO_QUOTAS:
        return None
    return messages.Quotas(
        addresses_per_node=stored.addresses_per_node,
        addresses_per_namespace=stored.addresses_per_namespace,
        namespaces=[
            messages.NamespaceQuota(namespace=each.namespace, addresses=each.addresses)
            for each in stored.namespaces
        ],
    )


def _grant(grant: resources.FixedAddressGrant) -> messages.FixedAddressGrant:
    return messages.FixedAddressGrant(namespace=grant.namespace, cidrs=map(str, grant.cidrs))


def quarantined(begun: quarantine.Quarantine) -> messages.Quarantine:
    """Why nothing new is assigned in a VRF."""
    return messages.Quarantine(
        cause=enums.QUARANTINE_CAUSES.encode(begun.cause),
        message=begun.message,
        begin_time=timestamp(begun.begin_time),
        awaits_lists=begun.cause.awaits_lists,
    )


def pool(stored: resources.Pool) -> messages.Pool:
    """A pool; the gateways of its routes as they were given."""
    return messages.Pool(
        name=names.child_name(stored.vrf, names.POOLS, stored.name),
        uid=stored.uid,
        cidr=str(stored.cidr),
        block_size=stored.block_size,
        node_selector=stored.node_selector,
        namespace_selector=stored.namespace_selector,
        allowed_uses=sorted(map(enums.USES.encode, stored.allowed_uses)),
        assignment_mode=enums.ASSIGNMENT_MODES.encode(stored.assignment_mode),
        disabled=stored.disabled,
        block_affinity=enums.BLOCK_AFFINITIES.encode(stored.block_affinity),
        priority=stored.priority,
        result_form=enums.RESULT_FORMS.encode(stored.result_form),
        gateway=_text(stored.gateway),
        routes=[_route(route, route.gateway) for route in stored.routes],
        dns=dns(stored),
        excluded_ranges=map(_span, stored.excluded),
        exclude_network_addresses=stored.exclude_network_addresses,
        labels=stored.labels,
        etag=stored.etag,
        create_time=timestamp(stored.create_time),
        update_time=timestamp(stored.update_time),
        state=enums.POOL_STATES.encode(stored.state),
        cooldown_seconds=stored.cooldown,
        cooldown_policy=enums.COOLDOWN_POLICIES.encode(stored.cooldown_policy),
        allowed_namespaces=sorted(stored.allowed_namespaces),
        fixed_addresses=enums.FIXED_ADDRESSES.encode(stored.fixed_addresses),
    )


def routes(stored: resources.Pool) -> list[messages.Route]:
    """The routes of a pool for a workload: those without a gateway go by the pool's."""
    return [_route(route, route.gateway or stored.gateway) for route in stored.routes]


def dns(stored: resources.Pool) -> messages.Dns | None:
    """The name resolution of a pool, if it has any."""
    if stored.dns == _NO_DNS:
        return None
    return messages.Dns(
        nameservers=map(str, stored.dns.nameservers),
        domain=stored.dns.domain,
        searches=stored.dns.searches,
        options=stored.dns.options,
    )


def reservation(stored: resources.Reservation) -> messages.Reservation:
    """A reservation."""
    return messages.Reservation(
        name=names.child_name(stored.vrf, names.RESERVATIONS, stored.name),
        uid=stored.uid,
        cidrs=map(str, stored.cidrs),
        description=stored.description,
        labels=stored.labels,
        etag=stored.etag,
        create_time=timestamp(stored.create_time),
        update_time=timestamp(stored.update_time),
        expire_time=timestamp(stored.expire_time) if stored.expire_time else None,
        owner_key=stored.owner_key,
    )


def node(stored: resources.Node) -> messages.Node:
    """A node."""
    return messages.Node(
        name=names.child_name(stored.vrf, names.NODES, stored.name),
        labels=stored.labels,
        etag=stored.etag,
        create_time=timestamp(stored.create_time),
        update_time=timestamp(stored.update_time),
    )


def counts(counted: usage.Counts) -> messages.AddressCounts:
    """Numbers of addresses, as far as 63 bits count."""
    return messages.AddressCounts(
        capacity_count=min(counted.capacity, _MOST),
        assigned_count=counted.assigned,
        cooling_count=counted.cooling,
        sticky_count=counted.sticky,
        reserved_count=min(counted.reserved, _MOST),
        available_count=min(counted.available, _MOST),
    )


def block(opened: usage.OpenBlock) -> messages.Block:
    """An open block."""
    return messages.Block(
        cidr=str(opened.cidr),
        pool=names.child_name(opened.pool.vrf, names.POOLS, opened.pool.name),
        node=opened.node or "",
        claim_time=timestamp(opened.claim_time),
        counts=counts(opened.counts),
    )


def timestamp(
    moment: datetime.datetime, into: timestamp_pb2.Timestamp | None = None
) -> timestamp_pb2.Timestamp:
    """A moment, to the microsecond, written into a message where there is one already."""
    message = timestamp_pb2.Timestamp() if into is None else into
    message.seconds, message.nanos = seconds_and_nanos(moment)
    return message


def seconds_and_nanos(moment: datetime.datetime) -> tuple[int, int]:
    """A moment as a timestamp has it."""
    # As FromDatetime, in a fifth of its time: there is one in everything that is told.
    since = moment - _EPOCH
    return since.days * 86400 + since.seconds, since.microseconds * 1000


def _route(route: resources.Route, gateway: addresses.Address | None) -> messages.Route:
    return messages.Route(destination=str(route.destination), gateway=_text(gateway))


def _span(span: addresses.Span) -> str:
    """The shortest spelling: an address, a CIDR, else "first-last"."""
    first, last = span.family.address(span.first), span.family.address(span.last)
    if first == last:
        return str(first)
    networks = addresses.RangeSet(span.family, [span]).networks()
    return str(networks[0]) if len(networks) == 1 else f"{first}-{last}"


def _text(address: addresses.Address | None) -> str:
    return "" if address is None else str(address)
