"""Messages about VRFs -> domain, as `decode_resources` does it for what is inside."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from moorage.v1 import resources_pb2 as messages
from moorage.v1 import vrf_service_pb2 as vrf_messages
from moorage_server.api import decode_resources, encode_resources, field_masks, limits, names
from moorage_server.api.violations import Violations, shown
from moorage_server.domain import resources
from moorage_server.usecases.targets import Target

N = TypeVar("N", messages.FixedAddressGrant, messages.NamespaceQuota)


def vrf_target(name: str, etag: str = "") -> Target:
    """The VRF that a get or delete names."""
    found = Violations()
    target = _vrf_target(found, "name", name, etag)
    found.check()
    return target


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
        return decode_resources.replaced(stored, decoded)

    return target, change


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
        quotas=_quotas(found, message.quotas),
    )


def _grants(
    found: Violations, given: Sequence[messages.FixedAddressGrant]
) -> tuple[resources.FixedAddressGrant, ...]:
    field = "vrf.fixed_address_grants"
    if not found.at_most(field, given, limits.GRANTS_PER_VRF):
        return ()
    granted = []
    for place, each in _one_for_each(found, field, given, "has a grant already; make it one"):
        cidrs = decode_resources.cidrs(found, f"{place}.cidrs", each.cidrs, limits.CIDRS_PER_GRANT)
        granted.append(resources.FixedAddressGrant(namespace=each.namespace, cidrs=cidrs))
    return tuple(sorted(granted, key=lambda each: each.namespace))


def _one_for_each(
    found: Violations, field: str, given: Sequence[N], twice: str
) -> Iterator[tuple[str, N]]:
    """What is said of namespaces, and where; notes what is said of none, or `twice` of one."""
    known: set[str] = set()
    for at, each in enumerate(given):
        place, namespace = f"{field}[{at}]", each.namespace
        found.text(f"{place}.namespace", namespace, limits.TEXT_LENGTH, required=True)
        if namespace in known:
            found.add(f"{place}.namespace", f"{shown(namespace)} {twice}")
        known.add(namespace)
        yield place, each


def _quotas(found: Violations, message: messages.Quotas) -> resources.Quotas:
    field, most = "vrf.quotas", limits.QUOTA_ADDRESSES
    per_node, per_namespace = message.addresses_per_node, message.addresses_per_namespace
    found.within(f"{field}.addresses_per_node", per_node, most)
    found.within(f"{field}.addresses_per_namespace", per_namespace, most)
    return resources.Quotas(
        addresses_per_node=per_node,
        addresses_per_namespace=per_namespace,
        namespaces=_namespace_quotas(found, f"{field}.namespaces", message.namespaces),
    )


def _namespace_quotas(
    found: Violations, field: str, given: Sequence[messages.NamespaceQuota]
) -> tuple[resources.NamespaceQuota, ...]:
    if not found.at_most(field, given, limits.QUOTAS_PER_VRF):
        return ()
    quotas = []
    for place, each in _one_for_each(found, field, given, "has a quota already; leave one"):
        found.within(f"{place}.addresses", each.addresses, limits.QUOTA_ADDRESSES)
        quotas.append(resources.NamespaceQuota(namespace=each.namespace, addresses=each.addresses))
    return tuple(sorted(quotas, key=lambda each: each.namespace))


def _configuration(
    found: Violations, message: messages.VrfConfiguration
) -> resources.VrfConfiguration:
    strict, blocks = message.strict_affinity, message.max_blocks_per_node
    auto = message.auto_allocate_blocks or not message.HasField("auto_allocate_blocks")
    field = "vrf.configuration"
    found.within(f"{field}.max_blocks_per_node", blocks, limits.BLOCKS_PER_NODE)
    found.within(f"{field}.cooldown_seconds", message.cooldown_seconds, limits.COOLDOWN_SECONDS)
    retention = resources.DEFAULT_HISTORY_RETENTION
    if message.HasField("history_retention_days"):
        retention = message.history_retention_days
    most = limits.HISTORY_RETENTION_DAYS
    found.within(f"{field}.history_retention_days", retention, most)
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
