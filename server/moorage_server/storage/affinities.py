"""Blocks that are given up: by a pool that is drained, a node that goes, or for want of use.

An empty block vanishes: its row goes, its index is back at the frontier. Any other
belongs to no node from now on. Blocks are locked in order of address and before any
frontier, as an assign locks them, which comes to a frontier only when the open blocks
have nothing to give.
"""

import itertools
from collections.abc import Iterable

import sqlalchemy as sa

from moorage_server.domain import addresses, resources
from moorage_server.storage import arrays, blocks, cooling, pools, vrfs

_TICK = "(SELECT tick FROM ticks)"
_READY = f"b.next_ready_tick <= {_TICK}"
_EMPTY = cooling.is_empty(_TICK, of="b")
_SELECT = """
SELECT b.vrf_id, b.cidr, b.pool_id, b.pool_cidr, {empty} AS is_empty FROM blocks b
WHERE b.vrf_id = :vrf_id AND {condition} ORDER BY b.cidr FOR UPDATE"""
_OF_POOL = sa.text(
    _SELECT.format(
        empty=_EMPTY, condition="b.cidr BETWEEN CAST(:cidr AS inet) AND CAST(:last AS inet)"
    )
)
_OF_NODE = sa.text(_SELECT.format(empty=_EMPTY, condition="b.node = :node"))

# Of nobody, or not used for a while by a node that has another block of the family: a
# used one, or, where all are empty, one that it has had for longer. Candidates are found
# by the indexes of empty and of ready blocks, never by looking at all blocks.
_SELECT_UNUSED = """
SELECT b.vrf_id, b.cidr FROM pools p
JOIN blocks b ON b.pool_id = p.pool_id AND b.vrf_id = p.vrf_id
WHERE p.block_affinity = 'NODE' AND {is_candidate} AND (b.node IS NULL
    OR b.change_time < clock_timestamp() - make_interval(secs => :idle)
    AND EXISTS (SELECT FROM blocks o
        WHERE o.node = b.node AND o.vrf_id = b.vrf_id AND o.cidr <> b.cidr
            AND family(o.cidr) = family(b.cidr)
            AND (NOT o.is_empty OR (o.claim_time, o.cidr) < (b.claim_time, b.cidr))))
LIMIT :limit
"""
_UNUSED = tuple(
    sa.text(_SELECT_UNUSED.format(is_candidate=condition))
    for condition in ("b.is_empty", f"{_READY} AND {_EMPTY}")
)
# Whatever is locked is in use; whatever is not empty any more is, too.
_LOCK_UNUSED = sa.text(
    _SELECT.format(empty=_EMPTY, condition=f"b.cidr = ANY (CAST(:cidrs AS cidr[])) AND {_EMPTY}")
    + " SKIP LOCKED"
)

_DISOWN = sa.text("""
UPDATE blocks SET node = NULL, change_time = clock_timestamp()
WHERE vrf_id = :vrf_id AND cidr = ANY (CAST(:cidrs AS cidr[])) AND node IS NOT NULL
""")
_RETURN = sa.text("""
UPDATE pool_frontiers SET unused = unused + CAST(:closed AS nummultirange)
WHERE vrf_id = :vrf_id AND pool_id = :pool_id
""")


def give_up_pool(connection: sa.Connection, pool: resources.Pool) -> None:
    """Gives up every block of a pool."""
    pools.lock_blocks(connection, pool)
    vrf_id = vrfs.require_id(connection, pool.vrf)
    inside = {"cidr": str(pool.cidr), "last": str(pool.cidr[-1])}
    _give_up(connection, vrf_id, connection.execute(_OF_POOL, {"vrf_id": vrf_id, **inside}).all())


def give_up_node(connection: sa.Connection, vrf: str, node: str) -> bool:
    """Gives up every block that belongs to a node; returns whether there was one."""
    vrf_id = vrfs.find_id(connection, vrf)
    if vrf_id is None:
        return False
    owned = connection.execute(_OF_NODE, {"vrf_id": vrf_id, "node": node}).all()
    _give_up(connection, vrf_id, owned)
    return bool(owned)


def give_up_unused(
    connection: sa.Connection, *, idle: float, limit: int
) -> dict[int, list[addresses.Network]]:
    """Closes empty blocks that nobody misses, some at a time; returns which, by VRF.

    Those of nodes that have others, after `idle` seconds, and those of nobody.
    """
    parameters = {"idle": idle, "limit": limit}
    found = [row for query in _UNUSED for row in connection.execute(query, parameters)]
    closed: dict[int, list[addresses.Network]] = {}
    by_vrf = sorted(found, key=lambda row: row.vrf_id)
    for vrf_id, rows in itertools.groupby(by_vrf, key=lambda row: row.vrf_id):
        cidrs = arrays.texts(str(row.cidr) for row in rows)
        unused = connection.execute(_LOCK_UNUSED, {"vrf_id": vrf_id, "cidrs": cidrs}).all()
        _give_up(connection, vrf_id, unused)
        closed[vrf_id] = [row.cidr for row in unused]
    return closed


def _give_up(connection: sa.Connection, vrf_id: int, rows: Iterable[arrays.Row]) -> None:
    by_pool = sorted(rows, key=lambda row: row.pool_id)
    kept = arrays.texts(str(row.cidr) for row in by_pool if not row.is_empty)
    connection.execute(_DISOWN, {"vrf_id": vrf_id, "cidrs": kept})
    empty = [row for row in by_pool if row.is_empty]
    blocks.remove(connection, vrf_id, [row.cidr for row in empty])
    for pool_id, of_pool in itertools.groupby(empty, key=lambda row: row.pool_id):
        runs = arrays.multirange((index, index + 1) for index in map(_index, of_pool))
        connection.execute(_RETURN, {"vrf_id": vrf_id, "pool_id": pool_id, "closed": runs})


def _index(row: arrays.Row) -> int:
    """The index of a block, counted from the start of its pool."""
    distance = int(row.cidr.network_address) - int(row.pool_cidr.network_address)
    index: int = distance >> (row.cidr.max_prefixlen - row.cidr.prefixlen)
    return index
