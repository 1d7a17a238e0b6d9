"""Rows of VRFs, and the locks on them that the administration of a VRF begins with."""

import collections
import dataclasses
import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from moorage_server.domain import errors, grants, quotas, resources
from moorage_server.domain.quarantine import Quarantine
from moorage_server.storage import arrays, locks, quarantines, stored, tables
from moorage_server.storage import errors as database_errors

_TABLE = tables.vrfs
_ID = sa.select(_TABLE.c.vrf_id)


def lock(connection: sa.Connection, vrf: str) -> None:
    """Nobody else administers this VRF, and nobody decides by it, until the transaction ends.

    Taken before anything else by whoever writes its pools or reservations, so that
    what was found there, such as a range that nothing overlaps, stays true until it
    is acted on; and that no assign which has read what there was ends after it. Locks
    no row where there is no such VRF.
    """
    # NO KEY, because the rows of attachments refer to this one and hold a KEY SHARE
    # lock on it: under load there is always some transaction that does, and a plain
    # FOR UPDATE would wait for a moment without any.
    connection.execute(_ID.where(_TABLE.c.name == vrf).with_for_update(key_share=True))
    locks.take(connection, locks.Class.VRF, vrf)


def lock_for_deletion(connection: sa.Connection, vrf: str) -> None:
    """Nobody adds a row of any table to this VRF until the transaction ends."""
    connection.execute(_ID.where(_TABLE.c.name == vrf).with_for_update())


def keep(connection: sa.Connection, vrf: str) -> None:
    """The VRF is there until the transaction ends; raises VrfNotFound."""
    query = _ID.where(_TABLE.c.name == vrf).with_for_update(read=True, key_share=True)
    if connection.scalar(query) is None:
        raise errors.VrfNotFound(vrf)


def require_id(connection: sa.Connection, vrf: str) -> int:
    """The row id of a VRF; raises VrfNotFound."""
    vrf_id = find_id(connection, vrf)
    if vrf_id is None:
        raise errors.VrfNotFound(vrf)
    return vrf_id


def find_id(connection: sa.Connection, vrf: str) -> int | None:
    """The row id of a VRF; None where it is not there."""
    return connection.scalar(_ID.where(_TABLE.c.name == vrf))


def id_of(vrf: str) -> "sa.ScalarSelect[int]":
    """The row id of a VRF, as a part of statements on its rows."""
    return _ID.where(_TABLE.c.name == vrf).scalar_subquery()


def bump(connection: sa.Connection, vrf: str) -> None:
    """Tells every server that a VRF's configuration, pools or reservations have changed."""
    connection.execute(
        _TABLE.update()
        .where(_TABLE.c.name == vrf)
        .values(catalog_version=sa.func.gen_random_uuid())
    )


def get(connection: sa.Connection, vrf: str) -> resources.Vrf:
    """A VRF; raises VrfNotFound."""
    row = connection.execute(sa.select(_TABLE).where(_TABLE.c.name == vrf)).one_or_none()
    if row is None:
        raise errors.VrfNotFound(vrf)
    return _vrf(row, quarantines.begun(connection, row.vrf_id))


def policy(connection: sa.Connection, vrf_id: int) -> tuple[grants.Policy, quotas.Quotas]:
    """Which namespaces may have what in a VRF, and how much of it whoever may have."""
    row = connection.execute(sa.select(_TABLE).where(_TABLE.c.vrf_id == vrf_id)).one()
    fixed = _grants(row.fixed_address_grants)
    return grants.Policy(strict=row.strict_namespaces, fixed=fixed), quotas.Quotas(_quotas(row))


def names(connection: sa.Connection) -> dict[str, int]:
    """Every VRF in order of name, and its row id."""
    rows = connection.execute(sa.select(_TABLE.c.name, _TABLE.c.vrf_id).order_by(_TABLE.c.name))
    return {row.name: row.vrf_id for row in rows}


def page(
    connection: sa.Connection, *, labels: Mapping[str, str], after: str, limit: int
) -> list[resources.Vrf]:
    """VRFs in order of name, from the one behind `after`."""
    query = stored.page(sa.select(_TABLE), _TABLE, labels=labels, after=after, limit=limit)
    rows = connection.execute(query).all()
    begun = collections.defaultdict[str, list[Quarantine]](list)
    for name, each in quarantines.begun_anywhere(connection):
        begun[name].append(each)
    return [_vrf(row, begun[row.name]) for row in rows]


def create(connection: sa.Connection, vrf: resources.Vrf) -> None:
    """Adds a VRF; raises VrfAlreadyExists."""
    try:
        connection.execute(_TABLE.insert().values(name=vrf.name, **_fields(vrf)))
    except sa.exc.IntegrityError as error:
        if database_errors.violated(error) == tables.Constraint.VRF_NAME:
            raise errors.VrfAlreadyExists(vrf.name) from error
        raise


def update(connection: sa.Connection, vrf: resources.Vrf) -> None:
    """Writes the fields of a VRF that may change."""
    values = {**_fields(vrf), **stored.changed(_TABLE)}
    connection.execute(_TABLE.update().where(_TABLE.c.name == vrf.name).values(values))


def has_pools(connection: sa.Connection, vrf: str) -> bool:
    """Whether there is any pool in a VRF."""
    pool = sa.select(tables.pools.c.pool_id).where(tables.pools.c.vrf_id == id_of(vrf))
    return bool(connection.scalar(sa.select(pool.exists())))


def delete(connection: sa.Connection, vrf: str) -> None:
    """Removes a VRF without pools and all that is in it; its history stays."""
    for table in (
        tables.reservations,
        tables.nodes,
        tables.attachments,
        tables.quarantines,
        tables.awaited_lists,
        tables.unknown_attachments,
    ):
        connection.execute(table.delete().where(table.c.vrf_id == id_of(vrf)))
    connection.execute(_TABLE.delete().where(_TABLE.c.name == vrf))


def configuration(row: arrays.Row) -> resources.VrfConfiguration:
    """The configuration in a row that has these columns of a VRF."""
    return resources.VrfConfiguration(
        strict_affinity=row.strict_affinity,
        auto_allocate_blocks=row.auto_allocate_blocks,
        max_blocks_per_node=row.max_blocks_per_node,
        cooldown=row.cooldown_seconds,
        history_retention=row.history_retention_days,
    )


def _fields(vrf: resources.Vrf) -> dict[str, object]:
    return {
        "description": vrf.description,
        "strict_affinity": vrf.configuration.strict_affinity,
        "auto_allocate_blocks": vrf.configuration.auto_allocate_blocks,
        "max_blocks_per_node": vrf.configuration.max_blocks_per_node,
        "cooldown_seconds": vrf.configuration.cooldown,
        "history_retention_days": vrf.configuration.history_retention,
        "strict_namespaces": vrf.strict_namespaces,
        "fixed_address_grants": [_grant_json(each) for each in vrf.fixed_address_grants],
        "addresses_per_node": vrf.quotas.addresses_per_node,
        "addresses_per_namespace": vrf.quotas.addresses_per_namespace,
        "namespace_quotas": [dataclasses.asdict(each) for each in vrf.quotas.namespaces],
        "labels": dict(vrf.labels),
    }


def _grant_json(grant: resources.FixedAddressGrant) -> dict[str, object]:
    return {"namespace": grant.namespace, "cidrs": list(map(str, grant.cidrs))}


def _grants(kept: Iterable[Mapping[str, Any]]) -> tuple[resources.FixedAddressGrant, ...]:
    return tuple(
        resources.FixedAddressGrant(
            namespace=each["namespace"],
            cidrs=tuple(map(ipaddress.ip_network, each["cidrs"])),
        )
        for each in kept
    )


def _quotas(row: arrays.Row) -> resources.Quotas:
    return resources.Quotas(
        addresses_per_node=row.addresses_per_node,
        addresses_per_namespace=row.addresses_per_namespace,
        namespaces=tuple(resources.NamespaceQuota(**each) for each in row.namespace_quotas),
    )


def _vrf(row: arrays.Row, begun: Iterable[Quarantine]) -> resources.Vrf:
    return resources.Vrf(
        name=row.name,
        description=row.description,
        configuration=configuration(row),
        quarantines=tuple(begun),
        fixed_address_grants=_grants(row.fixed_address_grants),
        strict_namespaces=row.strict_namespaces,
        quotas=_quotas(row),
        **stored.common(row),
    )
