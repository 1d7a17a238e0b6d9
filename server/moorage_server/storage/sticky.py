"""Addresses that are kept for their owners: listing them, and dropping those of a pool."""

import datetime

import sqlalchemy as sa

from moorage_server.domain import addresses, model, resources
from moorage_server.domain.sticky import StickyAddress
from moorage_server.storage import arrays, catalogs

# A block's own ordinals are sorted when its turn has come: a page costs what is on it. The
# smallest prefix that a block may have bounds where the first one begins.
_PAGE = """
SELECT b.pool_id, set_masklen(b.cidr::inet, CASE family(b.cidr) WHEN 4 THEN 32 ELSE 128 END)
    + CAST(entry ->> 0 AS int) AS address,
    CAST(entry ->> 1 AS bigint) AS ready_tick, entry ->> 2 AS owner_key, entry ->> 3 AS network,
    entry ->> 4 AS interface
FROM blocks b CROSS JOIN LATERAL jsonb_array_elements(b.sticky) AS entry
WHERE b.vrf_id = :vrf_id AND b.sticky <> '[]' AND CAST(entry ->> 1 AS bigint) > :tick{conditions}
ORDER BY b.cidr, CAST(entry ->> 0 AS int) LIMIT :limit
"""
_OF_OWNER = """
    AND b.sticky @> jsonb_build_array(jsonb_build_array(CAST(:owner_key AS text)))
    AND entry ->> 2 = :owner_key"""
_BEHIND = """
    AND b.cidr >= network(set_masklen(CAST(:after AS inet), :shortest))
    AND set_masklen(b.cidr::inet, CASE family(b.cidr) WHEN 4 THEN 32 ELSE 128 END)
        + CAST(entry ->> 0 AS int) > CAST(:after AS inet)"""

_DROP = sa.text("""
UPDATE blocks b SET sticky = '[]', change_time = clock_timestamp(),
    cooling = lost.cooling, next_ready_tick = (SELECT min(CAST(entry ->> 1 AS bigint))
        FROM jsonb_array_elements(lost.cooling) AS entry)
FROM (
    SELECT k.vrf_id, k.cidr, k.cooling || (SELECT jsonb_agg(
        jsonb_build_array(entry -> 0, entry -> 5, :owner || (entry ->> 2)) ORDER BY at)
        FROM jsonb_array_elements(k.sticky) WITH ORDINALITY AS kept (entry, at)) AS cooling
    FROM blocks k WHERE k.vrf_id = (SELECT vrf_id FROM vrfs WHERE name = :vrf)
        AND k.cidr BETWEEN CAST(:cidr AS inet) AND CAST(:last AS inet) AND k.sticky <> '[]'
) AS lost
WHERE b.vrf_id = lost.vrf_id AND b.cidr = lost.cidr
""")


def page(
    connection: sa.Connection,
    scope: catalogs.Scope,
    *,
    owner_key: str,
    after: addresses.Address | None,
    limit: int,
) -> list[StickyAddress]:
    """Sticky addresses in order, from the one behind `after`; of one owner, or of all."""
    conditions = _OF_OWNER * bool(owner_key) + _BEHIND * (after is not None)
    parameters: dict[str, object] = {
        "vrf_id": scope.catalog.vrf_id,
        "tick": scope.tick,
        "limit": limit,
    }
    if owner_key:
        parameters["owner_key"] = owner_key
    if after is not None:
        shortest, _ = resources.BLOCK_SIZE_RANGE[addresses.family_of(after)]
        parameters |= {"after": str(after), "shortest": shortest}
    query = sa.text(_PAGE.format(conditions=conditions))
    return [_sticky(row, scope) for row in connection.execute(query, parameters)]


def drop(connection: sa.Connection, pool: resources.Pool) -> None:
    """Keeps no address of a pool for its owner any more; its blocks are locked."""
    inside = {"cidr": str(pool.cidr), "last": str(pool.cidr[-1])}
    connection.execute(_DROP, {"vrf": pool.vrf, "owner": model.owner_of(""), **inside})


def _sticky(row: arrays.Row, scope: catalogs.Scope) -> StickyAddress:
    return StickyAddress(
        pool=scope.catalog.by_id(row.pool_id).pool,
        address=row.address,
        owner_key=row.owner_key,
        network=row.network,
        interface=row.interface,
        expire_time=scope.now + datetime.timedelta(seconds=row.ready_tick - scope.tick),
    )
