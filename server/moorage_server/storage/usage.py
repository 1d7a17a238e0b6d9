"""Counting addresses: held, cooling and sticky ones by their rows, all others by arithmetic.

Nothing here enumerates a range, so a pool of 2^64 addresses costs what its taken
ones cost.
"""

import sqlalchemy as sa

from moorage_server.domain import addresses, catalog, usage
from moorage_server.domain.offers import Offer
from moorage_server.storage import arrays, catalogs

# Blocks by key: the first of a pool comes behind the pool's own CIDR, and before the
# pool's first address.
_TAKEN = sa.text("""
WITH waiting AS (
    SELECT is_sticky, set_masklen(cidr::inet, CASE family(cidr) WHEN 4 THEN 32 ELSE 128 END)
        + CAST(entry ->> 0 AS int) AS address
    FROM blocks CROSS JOIN LATERAL (
        SELECT entry, false FROM jsonb_array_elements(cooling) AS entry
        UNION ALL SELECT entry, true FROM jsonb_array_elements(sticky) AS entry
    ) AS kept (entry, is_sticky)
    WHERE vrf_id = :vrf_id AND cidr BETWEEN CAST(:cidr AS inet) AND CAST(:last AS inet)
        AND next_ready_tick IS NOT NULL AND CAST(entry ->> 1 AS bigint) > :tick
)
SELECT (
    SELECT count(*) FROM allocations
    WHERE vrf_id = :vrf_id AND address BETWEEN CAST(:first AS inet) AND CAST(:last AS inet)
) AS assigned, (
    SELECT count(*) FROM waiting WHERE NOT is_sticky
) AS cooling, (
    SELECT count(*) FROM waiting WHERE is_sticky
) AS sticky, (
    -- Hidden runs are disjoint, so that nothing is counted twice.
    SELECT count(*)
    FROM unnest(CAST(:firsts AS inet[]), CAST(:lasts AS inet[])) AS hidden (first, last)
    CROSS JOIN LATERAL (
        SELECT FROM allocations
        WHERE vrf_id = :vrf_id AND address BETWEEN hidden.first AND hidden.last
        UNION ALL
        SELECT FROM waiting WHERE address BETWEEN hidden.first AND hidden.last
    ) AS taken
) AS hidden
""")

_OPEN = sa.text("""
SELECT count(*) FROM blocks
WHERE vrf_id = :vrf_id AND cidr BETWEEN CAST(:cidr AS inet) AND CAST(:last AS inet)
""")

# Ready ones of those that wait are free for everybody, although nobody has put
# them back into the queue yet.
_PAGE = """
SELECT cidr, pool_id, node, claim_time, free || ARRAY(
    SELECT CAST(entry ->> 0 AS smallint) FROM jsonb_array_elements(cooling || sticky) AS entry
    WHERE CAST(entry ->> 1 AS bigint) <= :tick
) AS free, (
    SELECT count(*) FROM jsonb_array_elements(cooling) AS entry
    WHERE CAST(entry ->> 1 AS bigint) > :tick
) AS cooling, (
    SELECT count(*) FROM jsonb_array_elements(sticky) AS entry
    WHERE CAST(entry ->> 1 AS bigint) > :tick
) AS sticky
FROM blocks WHERE {conditions} ORDER BY cidr LIMIT :limit
"""


def of_pool(connection: sa.Connection, scope: catalogs.Scope, offer: Offer) -> usage.Counts:
    """Counts the addresses of a pool, whether their blocks are open or not."""
    span = addresses.Span.of(offer.pool.cidr)
    address = span.family.address
    parameters = {
        "vrf_id": scope.catalog.vrf_id,
        **_ends(offer),
        "first": str(address(span.first)),
        "tick": scope.tick,
        "firsts": arrays.texts(str(address(run.first)) for run in offer.hidden),
        "lasts": arrays.texts(str(address(run.last)) for run in offer.hidden),
    }
    row = connection.execute(_TAKEN, parameters).one()
    taken = usage.Taken(
        assigned=row.assigned, cooling=row.cooling, sticky=row.sticky, hidden=row.hidden
    )
    return usage.count(span, offer.hidden, taken)


def open_count(connection: sa.Connection, scope: catalogs.Scope, offer: Offer) -> int:
    """How many blocks of a pool are open."""
    parameters = {"vrf_id": scope.catalog.vrf_id, **_ends(offer)}
    return connection.scalar(_OPEN, parameters) or 0


def blocks(
    connection: sa.Connection,
    scope: catalogs.Scope,
    *,
    of: Offer | None,
    node: str,
    after: addresses.Network | None,
    limit: int,
) -> list[usage.OpenBlock]:
    """Open blocks in order of address, from the one behind `after`.

    Those of one pool, or of all; those of one node, or of any where it is empty.
    """
    conditions = ["vrf_id = :vrf_id"]
    conditions += ["cidr BETWEEN CAST(:cidr AS inet) AND CAST(:last AS inet)"] if of else []
    conditions += ["node = :node"] if node else []
    conditions += ["cidr > CAST(:after AS cidr)"] if after is not None else []
    parameters = {
        "vrf_id": scope.catalog.vrf_id,
        "tick": scope.tick,
        "limit": limit,
        **(_ends(of) if of else {}),
        **({"node": node} if node else {}),
        **({} if after is None else {"after": str(after)}),
    }
    query = sa.text(_PAGE.format(conditions=" AND ".join(conditions)))
    return [_block(row, scope.catalog) for row in connection.execute(query, parameters)]


def _block(row: arrays.Row, pools: catalog.Catalog) -> usage.OpenBlock:
    offer = pools.by_id(row.pool_id)
    return usage.OpenBlock(
        pool=offer.pool,
        cidr=row.cidr,
        node=row.node,
        claim_time=row.claim_time,
        counts=usage.count_block(
            row.cidr, offer.hidden, free=row.free, cooling=row.cooling, sticky=row.sticky
        ),
    )


def _ends(offer: Offer) -> dict[str, object]:
    return {"cidr": str(offer.pool.cidr), "last": str(offer.pool.cidr[-1])}
