"""Writes resources as manifests of Calico, which `moorage.ctl.calico` reads back.

What Calico has no word for is left out, and can be asked for by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from moorage import names
from moorage.ctl import calico, calico_configuration, calico_pools, columns, kinds
from moorage.v1 import resources_pb2

_T = TypeVar("_T")

# What every resource of Moorage has, and no manifest asks for.
_OF_THE_SERVER = {"name", "uid", "etag", "create_time", "update_time"}
_DEFAULTS: Mapping[str, object] = {
    "block_affinity": resources_pb2.BLOCK_AFFINITY_NODE,
    "result_form": resources_pb2.RESULT_FORM_HOST,
    "state": resources_pb2.POOL_STATE_ACTIVE,
    "cooldown_policy": resources_pb2.COOLDOWN_POLICY_REFUSE,
    "fixed_addresses": resources_pb2.FIXED_ADDRESSES_ANY,
}


def write(resource: columns.Shown) -> dict[str, object]:
    """Return the manifest of a pool, of a reservation, or of the configuration of a VRF.

    Raises ValueError for what Calico has no manifest for.
    """
    match resource:
        case resources_pb2.Pool():
            return _manifest(calico.Kind.IP_POOL, _metadata(resource), _pool(resource))
        case resources_pb2.Reservation():
            spec: dict[str, object] = {"reservedCIDRs": list(resource.cidrs)}
            return _manifest(calico.Kind.IP_RESERVATION, _metadata(resource), spec)
        case resources_pb2.Vrf():
            spec = _configuration(resource.configuration)
            metadata: dict[str, object] = {"name": calico_configuration.NAME}
            return _manifest(calico.Kind.IPAM_CONFIGURATION, metadata, spec)
        case _:
            raise ValueError(f"Calico has no manifest for {kinds.label_of(resource)}")


def left_out(resource: columns.Shown) -> list[str]:
    """Return the fields, by their JSON name, that ask for something Calico has no word for.

    What a VRF is besides its configuration is not missed.
    """
    match resource:
        case resources_pb2.Pool():
            told = calico.Kind.IP_POOL.fields | _OF_THE_SERVER
        case resources_pb2.Reservation():
            told = calico.Kind.IP_RESERVATION.fields | _OF_THE_SERVER
        case _:
            return []
    return [
        field.json_name
        for field, value in resource.ListFields()
        if field.name not in told and value != _DEFAULTS.get(field.name)
    ]


def _manifest(
    kind: calico.Kind, metadata: dict[str, object], spec: dict[str, object]
) -> dict[str, object]:
    return {"apiVersion": calico.V3, "kind": kind.value, "metadata": metadata, "spec": spec}


def _metadata(resource: resources_pb2.Pool | resources_pb2.Reservation) -> dict[str, object]:
    return _present({"name": names.id_of(resource.name), "labels": dict(resource.labels)})


def _pool(pool: resources_pb2.Pool) -> dict[str, object]:
    spec = {
        "cidr": pool.cidr,
        "blockSize": pool.block_size,
        "nodeSelector": pool.node_selector,
        "namespaceSelector": pool.namespace_selector,
        "allowedUses": [_word(calico_pools.USES, use) for use in pool.allowed_uses],
        "assignmentMode": _word(calico_pools.MODES, pool.assignment_mode),
        "disabled": pool.disabled,
    }
    return _present(spec)


def _configuration(configuration: resources_pb2.VrfConfiguration) -> dict[str, object]:
    automatic = not configuration.HasField("auto_allocate_blocks")
    return {
        "strictAffinity": configuration.strict_affinity,
        "autoAllocateBlocks": automatic or configuration.auto_allocate_blocks,
        "maxBlocksPerHost": configuration.max_blocks_per_node,
        "ipCooldownSeconds": configuration.cooldown_seconds,
    }


def _word(known: Mapping[str, _T], value: _T) -> str:
    """Return the word of Calico for a value; what a later server may say has none."""
    words = [word for word, meaning in known.items() if meaning == value]
    return words[0] if words else str(value)


def _present(fields: dict[str, object]) -> dict[str, object]:
    """Return the fields that say anything."""
    return {name: value for name, value in fields.items() if value not in ("", 0, [], {})}
