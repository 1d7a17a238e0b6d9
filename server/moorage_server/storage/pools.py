"""Rows of pools: reading, creating, changing and deleting them.

Whoever writes one holds `vrfs.lock` of its VRF. Which pools serve a request is
decided in `domain.catalog`; their blocks are drawn from in `blocks`.
"""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from moorage_server.domain import addresses, errors, model, resources
from moorage_server.storage import arrays, stored, tables, vrfs
from moorage_server.storage import errors as database_errors

_TABLE = tables.pools
_SELECT = sa.select(tables.vrfs.c.name.label("vrf"), _TABLE).join_from(
    _TABLE, tables.vrfs, tables.vrfs.c.vrf_id == _TABLE.c.vrf_id
)

_OPEN_FRONTIER = sa.text("""
INSERT INTO pool_frontiers (vrf_id, pool_id, unused)
VALUES (:vrf_id, :pool_id, CAST(:unused AS nummultirange))
""")

_LOCK_FRONTIER = sa.text("""
SELECT FROM pool_frontiers JOIN pools USING (vrf_id, pool_id) JOIN vrfs v USING (vrf_id)
WHERE v.name = :vrf AND pools.name = :name FOR UPDATE OF pool_frontiers
""")


def get(connection: sa.Connection, vrf: str, name: str) -> resources.Pool:
    """A pool; raises PoolNotFound, also where the VRF is not there."""
    query = _SELECT.where(tables.vrfs.c.name == vrf, _TABLE.c.name == name)
    row = connection.execute(query).one_or_none()
    if row is None:
        raise errors.PoolNotFound(vrf, name)
    return _pool(row)


def page(
    connection: sa.Connection, vrf: str, *, labels: Mapping[str, str], after: str, limit: int
) -> list[resources.Pool]:
    """Pools of a VRF in order of name, from the one behind `after`."""
    of_vrf = _SELECT.where(tables.vrfs.c.name == vrf)
    query = stored.page(of_vrf, _TABLE, labels=labels, after=after, limit=limit)
    return [_pool(row) for row in connection.execute(query)]


def with_ids(connection: sa.Connection, vrf_id: int) -> list[tuple[int, resources.Pool]]:
    """Every pool of a VRF with the id of its row."""
    rows = connection.execute(_SELECT.where(_TABLE.c.vrf_id == vrf_id))
    return [(row.pool_id, _pool(row)) for row in rows]


def in_the_way(connection: sa.Connection, pool: resources.Pool) -> str | None:
    """The name of a pool that has this one's name, else of one that overlaps it, if any."""
    same_name = _TABLE.c.name == pool.name
    overlaps = _TABLE.c.cidr.op("&&")(sa.cast(str(pool.cidr), _TABLE.c.cidr.type))
    found: str | None = connection.scalar(
        sa.select(_TABLE.c.name)
        .where(_TABLE.c.vrf_id == vrfs.id_of(pool.vrf), same_name | overlaps)
        .order_by(same_name.desc(), _TABLE.c.cidr)
        .limit(1)
    )
    return found


def create(connection: sa.Connection, pool: resources.Pool) -> None:
    """Adds a pool, none of its blocks opened.

    Raises PoolAlreadyExists, or PoolOverlaps without the name of the other pool.
    """
    values = {"name": pool.name, "cidr": pool.cidr, "block_size": pool.block_size}
    insert = _TABLE.insert().values(vrf_id=vrfs.id_of(pool.vrf), **values, **_fields(pool))
    try:
        row = connection.execute(insert.returning(_TABLE.c.vrf_id, _TABLE.c.pool_id)).one()
    except sa.exc.IntegrityError as error:
        raise _refusal(pool, error) from error
    unused = arrays.multirange([(0, pool.block_count)])
    connection.execute(
        _OPEN_FRONTIER, {"vrf_id": row.vrf_id, "pool_id": row.pool_id, "unused": unused}
    )


def update(connection: sa.Connection, pool: resources.Pool) -> None:
    """Writes the fields of a pool that may change."""
    values = {**_fields(pool), **stored.changed(_TABLE)}
    connection.execute(_TABLE.update().where(*_is(pool)).values(values))


def lock_blocks(connection: sa.Connection, pool: resources.Pool) -> None:
    """Nobody opens a block of a pool or draws from one until the transaction ends.

    Open blocks, then the frontier, as an assign goes: the other way round, each
    would hold what the other waits for. Then the blocks once more: whoever was opening
    one held the frontier until the block could be seen, and now nobody does.
    """
    cidr = tables.blocks.c.cidr
    inside = sa.select(cidr).where(*_inside(cidr, pool)).order_by(cidr).with_for_update()
    connection.execute(inside)
    connection.execute(_LOCK_FRONTIER, {"vrf": pool.vrf, "name": pool.name})
    connection.execute(inside)


def allocation_count(connection: sa.Connection, pool: resources.Pool) -> int:
    """How many addresses of a pool are assigned."""
    inside = _inside(tables.allocations.c.address, pool)
    return connection.scalar(sa.select(sa.func.count()).where(*inside)) or 0


def delete(connection: sa.Connection, pool: resources.Pool) -> None:
    """Removes a pool of which nothing is assigned, and its blocks."""
    inside = _inside(tables.blocks.c.cidr, pool)
    connection.execute(tables.blocks.delete().where(*inside))
    connection.execute(_TABLE.delete().where(*_is(pool)))


def _is(pool: resources.Pool) -> tuple[sa.ColumnElement[bool], ...]:
    return _TABLE.c.vrf_id == vrfs.id_of(pool.vrf), _TABLE.c.name == pool.name


def _inside(
    column: sa.Column[Any], pool: resources.Pool
) -> tuple[sa.ColumnElement[bool], ...]:  # a column of networks or addresses, the last of its key
    # By key, because pools overlap nowhere and no index of blocks begins with their
    # pool. PostgreSQL orders networks by their bits, a shorter prefix before a longer
    # one: what is in a CIDR lies between the CIDR and its last address.
    first, last = str(pool.cidr), str(pool.cidr[-1])
    return column.table.c.vrf_id == vrfs.id_of(pool.vrf), column.between(first, last)


def _refusal(pool: resources.Pool, error: sa.exc.IntegrityError) -> Exception:
    match database_errors.violated(error):
        case tables.Constraint.POOL_NAME:
            return errors.PoolAlreadyExists(pool.vrf, pool.name)
        case tables.Constraint.POOL_CIDR:
            return errors.PoolOverlaps(pool.vrf, pool.name, str(pool.cidr), "")
    return error


def _fields(pool: resources.Pool) -> dict[str, Any]:  # columns of many types
    return {
        "node_selector": pool.node_selector,
        "namespace_selector": pool.namespace_selector,
        "allowed_uses": sorted(pool.allowed_uses),
        "assignment_mode": pool.assignment_mode,
        "disabled": pool.disabled,
        "state": pool.state,
        "block_affinity": pool.block_affinity,
        "priority": pool.priority,
        "result_form": pool.result_form,
        "gateway": pool.gateway,
        "routes": [_route_json(route) for route in pool.routes],
        "dns": _dns_json(pool.dns),
        "excluded_ranges": [_range_text(span) for span in pool.excluded],
        "exclude_network_addresses": pool.exclude_network_addresses,
        "cooldown_seconds": pool.cooldown,
        "cooldown_policy": pool.cooldown_policy,
        "allowed_namespaces": sorted(pool.allowed_namespaces),
        "fixed_addresses": pool.fixed_addresses,
        "labels": dict(pool.labels),
    }


def _pool(row: arrays.Row) -> resources.Pool:
    return resources.Pool(
        vrf=row.vrf,
        name=row.name,
        cidr=row.cidr,
        block_size=row.block_size,
        node_selector=row.node_selector,
        namespace_selector=row.namespace_selector,
        allowed_uses=frozenset(model.Use(use) for use in row.allowed_uses),
        assignment_mode=resources.AssignmentMode(row.assignment_mode),
        disabled=row.disabled,
        state=resources.PoolState(row.state),
        block_affinity=resources.BlockAffinity(row.block_affinity),
        priority=row.priority,
        result_form=resources.ResultForm(row.result_form),
        gateway=row.gateway,
        routes=tuple(_route(each) for each in row.routes),
        dns=_dns(row.dns),
        excluded=tuple(addresses.Span.parse(text) for text in row.excluded_ranges),
        exclude_network_addresses=row.exclude_network_addresses,
        cooldown=row.cooldown_seconds,
        cooldown_policy=resources.CooldownPolicy(row.cooldown_policy),
        allowed_namespaces=frozenset(row.allowed_namespaces),
        fixed_addresses=resources.FixedAddresses(row.fixed_addresses),
        **stored.common(row),
    )


def _range_text(span: addresses.Span) -> str:
    return f"{span.family.address(span.first)}-{span.family.address(span.last)}"


def _route_json(route: resources.Route) -> dict[str, str]:
    kept = {"destination": str(route.destination)}
    return kept | ({"gateway": str(route.gateway)} if route.gateway else {})


def _route(kept: Mapping[str, str]) -> resources.Route:
    gateway = kept.get("gateway")
    return resources.Route(
        destination=addresses.parse_network(kept["destination"]),
        gateway=addresses.parse_address(gateway) if gateway else None,
    )


def _dns_json(dns: resources.Dns) -> dict[str, Any]:  # a text and lists of text
    return {
        "nameservers": [str(each) for each in dns.nameservers],
        "domain": dns.domain,
        "searches": list(dns.searches),
        "options": list(dns.options),
    }


def _dns(kept: Mapping[str, Any]) -> resources.Dns:  # what _dns_json wrote, or {}
    return resources.Dns(
        nameservers=tuple(addresses.parse_address(each) for each in kept.get("nameservers", ())),
        domain=kept.get("domain", ""),
        searches=tuple(kept.get("searches", ())),
        options=tuple(kept.get("options", ())),
    )
