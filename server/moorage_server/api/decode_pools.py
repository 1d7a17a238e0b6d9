"""Messages about pools -> domain; refuses what is malformed or contradicts itself, all at once.

What needs other rows, such as overlap, is the use case's.
"""

import dataclasses
import ipaddress
from collections.abc import Callable, Sequence

from google.protobuf import field_mask_pb2

from moorage.v1 import pool_service_pb2 as pool_messages
from moorage.v1 import resources_pb2 as messages
from moorage_server.api import (
    decode_resources,
    encode_resources,
    enums,
    field_masks,
    limits,
    names,
)
from moorage_server.api.violations import Violations, shown
from moorage_server.domain import addresses, errors, model, resources, selectors
from moorage_server.usecases.targets import Target

# Hosts give themselves the addresses of the first two; one of the third is an IPv4
# address in disguise.
_UNASSIGNABLE = tuple(
    ipaddress.ip_network(text) for text in ("169.254.0.0/16", "fe80::/10", "::ffff:0:0/96")
)
_UNREAD = ipaddress.ip_network("0.0.0.0/0")  # stands for a CIDR that was refused
_IMMUTABLE = ("cidr", "block_size")


def new_pool(request: pool_messages.CreatePoolRequest) -> resources.Pool:
    """The pool that CreatePool adds."""
    found = Violations()
    vrf = names.parent(found, request.parent)
    name = names.child_id(found, "pool_id", request.pool_id)
    pool = _pool(found, vrf, name, request.pool)
    found.check()
    return pool


def pool_change(
    request: pool_messages.UpdatePoolRequest,
) -> tuple[Target, Callable[[resources.Pool], resources.Pool]]:
    """What UpdatePool is about, and what it makes of it."""
    found, given = Violations(), request.pool
    target = decode_resources.child_target(
        found, "pool.name", given.name, names.POOLS, etag=given.etag
    )
    mask = field_masks.decode(found, request.update_mask, messages.Pool.DESCRIPTOR)
    found.check()

    def change(stored: resources.Pool) -> resources.Pool:
        found = Violations()
        mutable = _without_immutable(found, mask, given, stored)
        merged = field_masks.merged(mutable, given=given, stored=encode_resources.pool(stored))
        decoded = _pool(found, stored.vrf, stored.name, merged)
        _check_use_change(found, stored, decoded)
        found.check()
        replaced = decode_resources.replaced(stored, decoded)
        return dataclasses.replace(replaced, state=stored.state)

    return target, change


def _without_immutable(
    found: Violations,
    mask: field_mask_pb2.FieldMask,
    given: messages.Pool,
    stored: resources.Pool,
) -> field_mask_pb2.FieldMask:
    """The rest of a mask; raises FieldImmutable where a value is given and is another one."""
    if "cidr" in mask.paths and given.cidr:
        cidr = found.parsed("pool.cidr", given.cidr, addresses.parse_network)
        if cidr not in (None, stored.cidr):
            raise errors.FieldImmutable(given.name, "cidr")
    if "block_size" in mask.paths and given.block_size not in (0, stored.block_size):
        raise errors.FieldImmutable(given.name, "block_size")
    return field_mask_pb2.FieldMask(paths=[path for path in mask.paths if path not in _IMMUTABLE])


def _pool(found: Violations, vrf: str, name: str, message: messages.Pool) -> resources.Pool:
    """The pool as far as it can be read; it is sound where nothing is noted."""
    cidr = _cidr(found, message.cidr)
    namespace_selector = _namespace_selector(found, message.namespace_selector)
    mode, affinity, form = message.assignment_mode, message.block_affinity, message.result_form
    pool = resources.Pool(
        vrf=vrf,
        name=name,
        cidr=cidr or _UNREAD,
        block_size=_block_size(found, message.block_size, cidr),
        node_selector=_selector(found, "pool.node_selector", message.node_selector),
        namespace_selector=namespace_selector,
        allowed_uses=_uses(found, message.allowed_uses, namespace_selector),
        assignment_mode=enums.ASSIGNMENT_MODES.decode(
            found, "pool.assignment_mode", mode, resources.AssignmentMode.AUTOMATIC
        ),
        disabled=message.disabled,
        block_affinity=enums.BLOCK_AFFINITIES.decode(
            found, "pool.block_affinity", affinity, resources.BlockAffinity.NODE
        ),
        priority=_priority(found, message.priority),
        result_form=enums.RESULT_FORMS.decode(
            found, "pool.result_form", form, resources.ResultForm.HOST
        ),
        gateway=_gateway(found, message.gateway, cidr),
        routes=_routes(found, message.routes, cidr),
        dns=_dns(found, message.dns),
        excluded=_excluded(found, message.excluded_ranges, cidr),
        exclude_network_addresses=message.exclude_network_addresses,
        cooldown=_cooldown(found, message),
        cooldown_policy=enums.COOLDOWN_POLICIES.decode(
            found, "pool.cooldown_policy", message.cooldown_policy, resources.CooldownPolicy.REFUSE
        ),
        allowed_namespaces=_namespaces(found, message.allowed_namespaces),
        fixed_addresses=enums.FIXED_ADDRESSES.decode(
            found, "pool.fixed_addresses", message.fixed_addresses, resources.FixedAddresses.ANY
        ),
        labels=found.labels("pool.labels", message.labels),
    )
    _check_uses(found, pool)
    return pool


def _cidr(found: Violations, value: str) -> addresses.Network | None:
    found.text("pool.cidr", value, limits.CIDR_LENGTH, required=True)
    if not value or len(value) > limits.CIDR_LENGTH:
        return None
    return found.parsed("pool.cidr", value, _assignable)


def _assignable(text: str) -> addresses.Network:
    cidr = addresses.parse_network(text)
    for never in _UNASSIGNABLE:
        if cidr.version == never.version and cidr.overlaps(never):
            raise ValueError(f"overlaps {never}, which is never assigned; choose another range")
    return cidr


def _block_size(found: Violations, value: int, cidr: addresses.Network | None) -> int:
    if cidr is None:
        return value
    field, family = "pool.block_size", addresses.family_of(cidr)
    size = value or max(resources.DEFAULT_BLOCK_SIZE[family], cidr.prefixlen)
    shortest, longest = resources.BLOCK_SIZE_RANGE[family]
    if not shortest <= size <= longest:
        found.add(field, f"is {size}; give {shortest} to {longest} for {family.name}, or leave it")
    elif size < cidr.prefixlen:
        possible = f"{cidr.prefixlen} to {longest}"
        text = f"is {size}, so that {cidr} is smaller than one block; give {possible}, or leave it"
        found.add(field, text)
    return size


def _selector(found: Violations, field: str, value: str) -> str:
    canonical = found.parsed(field, value, _canonical, longest=limits.SELECTOR_LENGTH)
    if canonical is None:
        return ""
    # Between words a tab is a blank; canonical text has one left only where a value has it.
    printable = value if "\t" in canonical else value.replace("\t", " ")
    found.text(field, printable, limits.SELECTOR_LENGTH)
    return canonical


def _namespace_selector(found: Violations, value: str) -> str:
    return _selector(found, "pool.namespace_selector", value) if value.strip() else ""


def _canonical(text: str) -> str:
    selector = selectors.parse(text)
    if selector.uses_global:
        raise ValueError("global() selects neither nodes nor namespaces; write all()")
    return selector.canonical


def _uses(
    found: Violations, numbers: Sequence[messages.Use.ValueType], namespace_selector: str
) -> frozenset[model.Use]:
    if not numbers:
        default = frozenset({model.Use.WORKLOAD})
        return default if namespace_selector else default | {model.Use.TUNNEL}
    field = "pool.allowed_uses"
    if not found.at_most(field, numbers, len(model.Use)):
        return frozenset()
    known = [
        enums.USES.require(found, f"{field}[{at}]", number) for at, number in enumerate(numbers)
    ]
    return frozenset(use for use in known if use is not None)


def _namespaces(found: Violations, values: Sequence[str]) -> frozenset[str]:
    field = "pool.allowed_namespaces"
    if found.at_most(field, values, limits.NAMESPACES_PER_POOL):
        for at, value in enumerate(values):
            found.text(f"{field}[{at}]", value, limits.TEXT_LENGTH, required=True)
    return frozenset(values)


def _check_uses(found: Violations, pool: resources.Pool) -> None:
    if pool.namespace_selector and model.Use.TUNNEL in pool.allowed_uses:
        found.add(
            "pool.namespace_selector",
            f"{shown(pool.namespace_selector)} does not go with use TUNNEL, which is of no "
            "namespace; leave it out, or give allowed_uses without TUNNEL",
        )
    if model.Use.LOAD_BALANCER not in pool.allowed_uses:
        return
    if len(pool.allowed_uses) > 1:
        found.add("pool.allowed_uses", "LOAD_BALANCER goes with no other use; make two pools")
    if pool.node_selector != "all()":
        found.add(
            "pool.node_selector",
            f"{shown(pool.node_selector)} does not go with use LOAD_BALANCER, which is of no "
            "node; leave it out",
        )


def _check_use_change(found: Violations, stored: resources.Pool, pool: resources.Pool) -> None:
    # What a service was given from the pool must not be mistaken for a pod's, as in Calico.
    if model.Use.LOAD_BALANCER in stored.allowed_uses - pool.allowed_uses:
        found.add(
            "pool.allowed_uses",
            "was LOAD_BALANCER, which is not to be exchanged for other uses; give it, or make "
            "another pool",
        )


def _priority(found: Violations, value: int) -> int:
    if abs(value) > limits.PRIORITY:
        found.add("pool.priority", f"is {value}; give -{limits.PRIORITY} to {limits.PRIORITY}")
    return value


def _cooldown(found: Violations, message: messages.Pool) -> int | None:
    if not message.HasField("cooldown_seconds"):
        return None
    field, seconds = "pool.cooldown_seconds", message.cooldown_seconds
    found.within(field, seconds, limits.COOLDOWN_SECONDS)
    return seconds


def _gateway(
    found: Violations, value: str, cidr: addresses.Network | None
) -> addresses.Address | None:
    if not value:
        return None
    gateway = found.parsed("pool.gateway", value, addresses.parse_address)
    if gateway is not None:
        _require_inside(found, "pool.gateway", value, addresses.Span.of(gateway), cidr)
    return gateway


def _excluded(
    found: Violations, values: Sequence[str], cidr: addresses.Network | None
) -> tuple[addresses.Span, ...]:
    if not found.at_most("pool.excluded_ranges", values, limits.EXCLUDED_RANGES):
        return ()
    spans = []
    for at, value in enumerate(values):
        field = f"pool.excluded_ranges[{at}]"
        span = found.parsed(field, value, addresses.Span.parse)
        if span is not None:
            _require_inside(found, field, value, span, cidr)
            spans.append(span)
    return tuple(spans)


def _require_inside(
    found: Violations, field: str, value: str, span: addresses.Span, cidr: addresses.Network | None
) -> None:
    if cidr is not None and not addresses.Span.of(cidr).covers(span):
        found.add(field, f"{shown(value)} is not inside {cidr}; give what belongs to the pool")


def _routes(
    found: Violations, given: Sequence[messages.Route], cidr: addresses.Network | None
) -> tuple[resources.Route, ...]:
    if not found.at_most("pool.routes", given, limits.ROUTES):
        return ()
    routes = (_route(found, f"pool.routes[{at}]", each, cidr) for at, each in enumerate(given))
    return tuple(route for route in routes if route is not None)


def _route(
    found: Violations, field: str, message: messages.Route, cidr: addresses.Network | None
) -> resources.Route | None:
    destination_field, gateway_field = f"{field}.destination", f"{field}.gateway"
    destination = found.parsed(destination_field, message.destination, addresses.parse_network)
    _require_family(found, destination_field, destination, cidr)
    gateway = None
    if message.gateway:
        gateway = found.parsed(gateway_field, message.gateway, addresses.parse_address)
        _require_family(found, gateway_field, gateway, cidr)
    return resources.Route(destination=destination, gateway=gateway) if destination else None


def _require_family(
    found: Violations,
    field: str,
    value: addresses.Address | addresses.Network | None,
    cidr: addresses.Network | None,
) -> None:
    if value is None or cidr is None or value.version == cidr.version:
        return
    family = addresses.family_of(cidr).name
    found.add(field, f"{value} is not of the pool's family; give it in {family}")


def _dns(found: Violations, message: messages.Dns) -> resources.Dns:
    return resources.Dns(
        nameservers=_nameservers(found, message.nameservers),
        domain=found.text("pool.dns.domain", message.domain, limits.TEXT_LENGTH),
        searches=_texts(found, "pool.dns.searches", message.searches),
        options=_texts(found, "pool.dns.options", message.options),
    )


def _nameservers(found: Violations, values: Sequence[str]) -> tuple[addresses.Address, ...]:
    field = "pool.dns.nameservers"
    if not found.at_most(field, values, limits.DNS_ENTRIES):
        return ()
    return found.each(field, values, addresses.parse_address)


def _texts(found: Violations, field: str, values: Sequence[str]) -> tuple[str, ...]:
    if found.at_most(field, values, limits.DNS_ENTRIES):
        for at, value in enumerate(values):
            found.text(f"{field}[{at}]", value, limits.TEXT_LENGTH, required=True)
    return tuple(values)
