"""Rows of allocations: which address is held by which attachment.

No statement on the way of an assign joins two tables by the VRF: see `tables` on
what a planner makes of that while a table is small.
"""

import datetime
from collections.abc import Iterable, Sequence

import sqlalchemy as sa

from moorage_server.domain import addresses, model
from moorage_server.storage import arrays, filters, statements

_HELD = """
SELECT a.network, a.container_id, a.interface, a.node, a.namespace, a.pod, a.pod_uid, a.cluster,
    a.owner_key, a.sticky_seconds, a.use, a.labels, l.address, l.generation, l.block, l.assign_time,
    l.yielded, l.suspect_tick
FROM {held} AS l JOIN attachments a ON a.uid = l.attachment_uid
WHERE {condition}
"""
# Each by its whole key: for many at once another index could seem as good (decision 5).
_EACH = """unnest(CAST(:addresses AS inet[])) AS asked (address) CROSS JOIN LATERAL (
    SELECT * FROM allocations WHERE vrf_id = :vrf_id AND allocations.address = asked.address LIMIT 1
)"""
_AMONG = statements.Statement(_HELD.format(held=_EACH, condition="true"))
_OF_OWNER = statements.Statement(
    _HELD.format(
        held="allocations",
        condition="a.owner_key = :owner_key AND a.owner_key <> '' AND a.vrf_id = :vrf_id"
        " AND a.network = :network AND a.interface = :interface"
        " AND a.container_id <> :container_id ORDER BY l.address",
    )
)

_SUSPECT = statements.Statement("""
UPDATE allocations l SET suspect_tick = new.tick
FROM unnest(CAST(:addresses AS inet[]), CAST(:generations AS bigint[]), CAST(:ticks AS bigint[]))
    AS new (address, generation, tick)
WHERE l.generation = new.generation AND l.vrf_id + 0 = :vrf_id AND l.address = new.address
""")


def suspect(connection: sa.Connection, vrf_id: int, changed: Sequence[model.Allocation]) -> None:
    """Writes since when allocations are suspect, or that they are not, each at its generation.

    Their attachments are locked.
    """
    parameters = {
        "vrf_id": vrf_id,
        "addresses": arrays.texts(str(each.address) for each in changed),
        "generations": arrays.numbers(each.generation for each in changed),
        "ticks": arrays.numbers(each.suspect_tick for each in changed),
    }
    _SUSPECT.run(connection, parameters)


def get(
    connection: sa.Connection, vrf_id: int, vrf: str, address: addresses.Address
) -> model.Allocation | None:
    """The allocation of an address, if somebody holds it."""
    return among(connection, vrf_id, vrf, [address]).get(address)


def among(
    connection: sa.Connection, vrf_id: int, vrf: str, wanted: Iterable[addresses.Address]
) -> dict[addresses.Address, model.Allocation]:
    """Those of these addresses that are held, with their allocations."""
    parameters = {"vrf_id": vrf_id, "addresses": arrays.texts(map(str, wanted))}
    rows = _AMONG.rows(connection, parameters)
    return {row.address: allocation(row, vrf) for row in rows}


def of_owner(
    connection: sa.Connection, vrf_id: int, owner_key: str, *, beside: model.AttachmentKey
) -> tuple[model.Allocation, ...]:
    """What an owner holds on the network and interface of an attachment, under others."""
    parameters = {
        "vrf_id": vrf_id,
        "owner_key": owner_key,
        "network": beside.network,
        "interface": beside.interface,
        "container_id": beside.container_id,
    }
    rows = _OF_OWNER.rows(connection, parameters)
    return tuple(allocation(row, beside.vrf) for row in rows)


def assigned(
    connection: sa.Connection,
    vrf_id: int,
    wanted: model.AllocationFilter,
    *,
    before: datetime.datetime | None,
    after: int,
    limit: int,
) -> list[model.Allocation]:
    """Allocations in order of generation, from the one behind `after`; assigned `before` then."""
    of = filters.held(vrf_id, wanted).also("l.generation > :after", after=after)
    if before is not None:
        of = of.also("l.assign_time < :before", before=before)
    query = _HELD.format(
        held="allocations", condition=f"{of.text} ORDER BY l.generation LIMIT :limit"
    )
    rows = connection.execute(sa.text(query), {**of.parameters, "limit": limit}).all()
    return [allocation(row, wanted.vrf) for row in rows]


def allocation(row: arrays.Row, vrf: str) -> model.Allocation:
    """The allocation in a row of `a` and `l`."""
    return model.Allocation(
        attachment=attachment_key(row, vrf),
        address=row.address,
        generation=row.generation,
        block=row.block,
        assign_time=row.assign_time,
        facts=model.Facts(
            workload=model.Workload(
                node=row.node,
                namespace=row.namespace,
                pod=row.pod,
                pod_uid=row.pod_uid,
                cluster=row.cluster,
            ),
            use=model.Use(row.use),
            owner_key=row.owner_key,
            sticky=row.sticky_seconds,
            labels=row.labels,
        ),
        yielded=row.yielded,
        suspect_tick=row.suspect_tick,
    )


def attachment_key(row: arrays.Row, vrf: str) -> model.AttachmentKey:
    """The attachment in a row of `a`."""
    return model.AttachmentKey(
        vrf=vrf,
        network=row.network,
        container_id=row.container_id,
        interface=row.interface,
    )
