"""Rows of allocations, and the events that go with every change of them."""

import dataclasses
import datetime
import uuid
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from moorage_server.domain import addresses, model
from moorage_server.storage import arrays, tables

# What `allocation` reads, of the joined tables v, a, l, b and p.
COLUMNS = """v.name AS vrf, a.uid, a.network, a.container_id, a.interface, a.node, a.namespace,
    a.pod, a.pod_uid, a.owner_key, a.use, a.labels, l.address, l.generation, l.block,
    l.assign_time, p.name AS pool"""

# The events come first: an event's id is the generation of what it tells of. The
# address's block is locked and written by then, so for one address ids are drawn
# in the order of the changes, by transactions that can be told to be over.
_ASSIGN = sa.text("""
WITH placed AS (
    SELECT * FROM unnest(CAST(:vrf_ids AS int[]), CAST(:addresses AS inet[]),
        CAST(:blocks AS cidr[]), CAST(:pools AS text[]), CAST(:uids AS uuid[]),
        CAST(:positions AS smallint[])) AS placed (vrf_id, address, block, pool, uid, position)
), told AS (
    INSERT INTO events (vrf_id, kind, address, block, pool, network, container_id, interface,
        node, namespace, pod, pod_uid, owner_key, use, labels)
    SELECT vrf_id, 'ASSIGNED', address, block, pool, network, container_id, interface,
        node, namespace, pod, pod_uid, owner_key, use, labels
    FROM placed JOIN attachments USING (vrf_id, uid)
    RETURNING vrf_id, address, event_id, event_time
)
INSERT INTO allocations (vrf_id, address, block, attachment_uid, position, generation, assign_time)
SELECT vrf_id, address, block, uid, position, event_id, event_time
FROM placed JOIN told USING (vrf_id, address)
RETURNING vrf_id, address, generation, assign_time
""")

_RELEASE = sa.text("""
WITH gone AS (
    DELETE FROM allocations l
    USING unnest(CAST(:vrf_ids AS int[]), CAST(:addresses AS inet[]),
        CAST(:generations AS bigint[]), CAST(:pools AS text[]))
        AS held (vrf_id, address, generation, pool)
    WHERE l.vrf_id = held.vrf_id AND l.address = held.address AND l.generation = held.generation
    RETURNING l.vrf_id, l.address, l.block, held.pool, l.attachment_uid AS uid
)
INSERT INTO events (vrf_id, kind, address, block, pool, network, container_id, interface,
    node, namespace, pod, pod_uid, owner_key, use, labels)
SELECT vrf_id, 'RELEASED', address, block, pool, network, container_id, interface,
    node, namespace, pod, pod_uid, owner_key, use, labels
FROM gone JOIN attachments USING (vrf_id, uid)
""")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """One address to be written for an attachment, at its position in the request."""

    vrf_id: int
    uid: uuid.UUID
    position: int
    address: addresses.Address
    block: addresses.Network
    pool: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What the database adds to a grant."""

    generation: int
    assign_time: datetime.datetime


def assign(
    connection: sa.Connection, grants: Sequence[Grant]
) -> dict[tuple[int, addresses.Address], Written]:
    """Writes allocations and their events; returns what was written, by VRF and address."""
    rows = connection.execute(
        _ASSIGN,
        {
            "vrf_ids": [each.vrf_id for each in grants],
            "addresses": [str(each.address) for each in grants],
            "blocks": [str(each.block) for each in grants],
            "pools": [each.pool for each in grants],
            "uids": [each.uid for each in grants],
            "positions": [each.position for each in grants],
        },
    )
    return {
        (row.vrf_id, row.address): Written(generation=row.generation, assign_time=row.assign_time)
        for row in rows
    }


def release(
    connection: sa.Connection, released: Sequence[model.Allocation], vrf_ids: dict[str, int]
) -> None:
    """Removes allocations, each only at its generation, and writes their events."""
    connection.execute(
        _RELEASE,
        {
            "vrf_ids": [vrf_ids[each.attachment.vrf] for each in released],
            "addresses": [str(each.address) for each in released],
            "generations": [each.generation for each in released],
            "pools": [each.pool for each in released],
        },
    )


def get(connection: sa.Connection, vrf: str, address: addresses.Address) -> model.Allocation | None:
    """The allocation of an address, if somebody holds it."""
    found = _select().where(_v.c.name == vrf, _l.c.address == str(address))
    row = connection.execute(found).one_or_none()
    return allocation(row) if row else None


def page(
    connection: sa.Connection,
    vrf_id: int,
    wanted: model.AllocationFilter,
    *,
    after: addresses.Address | None,
    limit: int,
) -> list[model.Allocation]:
    """Allocations in order of address, from the one behind `after`."""
    query = _select().where(_l.c.vrf_id == vrf_id, *_conditions(wanted))
    if after is not None:
        query = query.where(_l.c.address > str(after))
    rows = connection.execute(query.order_by(_l.c.address).limit(limit))
    return [allocation(row) for row in rows]


def allocation(row: arrays.Row) -> model.Allocation:
    """The allocation in a row of COLUMNS."""
    return model.Allocation(
        attachment=attachment_key(row),
        address=row.address,
        generation=row.generation,
        pool=row.pool,
        block=row.block,
        assign_time=row.assign_time,
        workload=model.Workload(
            node=row.node, namespace=row.namespace, pod=row.pod, pod_uid=row.pod_uid
        ),
        use=model.Use(row.use),
        owner_key=row.owner_key,
        labels=row.labels,
    )


def attachment_key(row: arrays.Row) -> model.AttachmentKey:
    """The attachment in a row of COLUMNS."""
    return model.AttachmentKey(
        vrf=row.vrf,
        network=row.network,
        container_id=row.container_id,
        interface=row.interface,
    )


_v = tables.vrfs.alias("v")
_a = tables.attachments.alias("a")
_l = tables.allocations.alias("l")
_b = tables.blocks.alias("b")
_p = tables.pools.alias("p")


def _select() -> "sa.Select[*tuple[Any, ...]]":  # the columns are COLUMNS
    joined = (
        _l.join(_v, _v.c.vrf_id == _l.c.vrf_id)
        .join(_a, sa.and_(_a.c.vrf_id == _l.c.vrf_id, _a.c.uid == _l.c.attachment_uid))
        .join(_b, sa.and_(_b.c.vrf_id == _l.c.vrf_id, _b.c.cidr == _l.c.block))
        .join(_p, sa.and_(_p.c.vrf_id == _b.c.vrf_id, _p.c.pool_id == _b.c.pool_id))
    )
    return sa.select(sa.text(COLUMNS)).select_from(joined)


def _conditions(wanted: model.AllocationFilter) -> list[sa.ColumnElement[bool]]:
    exact = ("network", "container_id", "interface", "node", "namespace", "pod", "pod_uid")
    conditions: list[sa.ColumnElement[bool]] = [
        _a.c[name] == getattr(wanted, name)
        for name in (*exact, "owner_key")
        if getattr(wanted, name)
    ]
    if wanted.pools:
        conditions.append(_p.c.name.in_(wanted.pools))
    if wanted.within is not None:
        conditions.append(_l.c.address.between(str(wanted.within[0]), str(wanted.within[-1])))
    if wanted.labels:
        conditions.append(_a.c.labels.contains(dict(wanted.labels)))
    return conditions
