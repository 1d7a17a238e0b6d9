"""What a decision asks of the open blocks, as SQL: rows to be locked, or what waits to be counted.

Each question leaves out the blocks that the transaction has locked, and most those of
which everything is hidden.
"""

from moorage_server.domain import needs
from moorage_server.storage import cooling, statements

_UNSEEN_OR_HIDDEN = """
FROM blocks WHERE vrf_id = :vrf_id AND {condition} AND {rows}
    AND cidr <> ALL (CAST(:seen AS cidr[]))
"""
_UNSEEN = _UNSEEN_OR_HIDDEN + "AND NOT cidr <<= ANY (CAST(:hidden AS cidr[]))\n"
_TICK = "CAST(:tick AS bigint)"
_READY = f"next_ready_tick <= {_TICK}"
# Looked for one after the other, each by an index of its own: rows of which something is
# ready are few, those of which something will be may be many.
_WITH_ROOM = ("has_room", _READY)
_EMPTY = ("is_empty", f"{_READY} AND {cooling.is_empty(_TICK)}")
_OF_POOLS = "pool_id = ANY (CAST(:pool_ids AS bigint[]))"
_CONDITIONS = {
    needs.OwnBlocks: (f"node = :node AND {_OF_POOLS}", _WITH_ROOM),
    needs.UnownedBlocks: (f"node IS NULL AND {_OF_POOLS}", _WITH_ROOM),
    needs.AnyBlocks: (_OF_POOLS, _WITH_ROOM),
    needs.EmptyBlocks: (f"node = :node AND {_OF_POOLS}", _EMPTY),
    needs.IdleBlocks: (
        f"node <> :node AND claim_time <= :claimed_before AND {_OF_POOLS}",
        _EMPTY,
    ),
}


class Look:
    """One question in its three forms: skipping, waiting, and whether there is anything.

    Where there are several sources, one is looked at where those before it have nothing.
    """

    def __init__(self, columns: str, *sources: str, tail: str = "") -> None:
        queries = [f"SELECT {columns} {source} {tail} FOR UPDATE" for source in sources]
        self.waiting = [statements.Statement(query) for query in queries]
        self.skipping = [statements.Statement(f"{query} SKIP LOCKED") for query in queries]
        # All in one statement: what moves from one source to another is not overlooked.
        anything = " OR ".join(f"EXISTS (SELECT {source})" for source in sources)
        self.exists = statements.Statement(f"SELECT {anything}")


_BLOCK = "pool_id, cidr, node, free, claim_time, cooling, sticky"
ROOM = {
    kind: Look(
        _BLOCK,
        *(
            # A block that is to be closed need not have anything to give.
            (_UNSEEN_OR_HIDDEN if kind is needs.EmptyBlocks else _UNSEEN).format(
                condition=condition, rows=each
            )
            for each in rows
        ),
        tail="ORDER BY cidr LIMIT :limit",
    )
    for kind, (condition, rows) in _CONDITIONS.items()
}
# As a pair, which only the primary key's index knows how to compare: the one of the
# exclusion constraint costs several times as much.
_AT = """
FROM blocks WHERE (vrf_id, cidr) >= (:vrf_id, {cidr}) AND (vrf_id, cidr) <= (:vrf_id, {cidr})
"""
AT_CIDR = Look(_BLOCK, _AT.format(cidr="CAST(:cidr AS cidr)"))
# What many requests of a batch will ask for, each by itself, in one statement: of several nodes
# the first block of their own that is not locked, and blocks by their CIDRs.
_OF_EACH = """
SELECT found.* FROM unnest({asked}) AS asked ({name}) CROSS JOIN LATERAL (
    SELECT {columns} {source} FOR UPDATE SKIP LOCKED
) AS found
"""
OWN_OF_EACH = statements.Statement(
    _OF_EACH.format(
        asked="CAST(:nodes AS text[])",
        name="node",
        columns=_BLOCK,
        source=_UNSEEN.format(
            condition=f"blocks.node = asked.node AND {_OF_POOLS}", rows="has_room"
        )
        + "ORDER BY cidr LIMIT 1",
    )
)
AT_EACH = statements.Statement(
    _OF_EACH.format(
        asked="CAST(:cidrs AS cidr[])",
        name="cidr",
        columns=_BLOCK,
        source=_AT.format(cidr="asked.cidr"),
    )
)
AT_FRONTIER = Look(
    "pool_id, unused", "FROM pool_frontiers WHERE vrf_id = :vrf_id AND pool_id = :pool_id"
)
KEPT = {
    kind: Look(
        _BLOCK,
        _UNSEEN.format(
            condition=condition,
            rows="next_ready_tick IS NOT NULL"
            " AND cooling @> jsonb_build_array(jsonb_build_array(CAST(:owner AS text)))",
        ),
        tail="ORDER BY cidr LIMIT 1",
    )
    for kind, (condition, _) in _CONDITIONS.items()
}
# By the owner, which few blocks have in common, by an index of its own. Hidden blocks as
# well: they may be reserved for this very owner.
STICKY = Look(
    _BLOCK,
    _UNSEEN_OR_HIDDEN.format(
        condition=_OF_POOLS,
        rows="""sticky <> '[]'
    AND sticky @> jsonb_build_array(jsonb_build_array(CAST(:owner_key AS text)))
    AND EXISTS (SELECT FROM jsonb_array_elements(sticky) AS entry
        WHERE entry ->> 2 = :owner_key AND entry ->> 3 = :network AND entry ->> 4 = :interface
            AND CAST(entry ->> 1 AS bigint) > CAST(:tick AS bigint))""",
    ),
    tail="ORDER BY cidr LIMIT 1",
)
# In order of the index of ready blocks: the first that is locked is nearly always the one.
COOLEST = {
    kind: Look(
        _BLOCK,
        _UNSEEN.format(
            condition=condition,
            rows="next_ready_tick < CAST(:before AS bigint) AND cooling <> '[]'",
        ),
        tail="ORDER BY next_ready_tick, cidr LIMIT 1",
    )
    for kind, (condition, _) in _CONDITIONS.items()
}
# Hidden ranges are held against blocks first: there may be many of them, and many addresses.
_COUNTED = """
WITH found AS (
    SELECT set_masklen(cidr::inet, bits) AS first, set_masklen(broadcast(cidr), bits) AS last,
        cooling, sticky
    FROM (SELECT cidr, cooling, sticky, CASE family(cidr) WHEN 4 THEN 32 ELSE 128 END AS bits
        {unseen}) AS blocks
)
SELECT count(*) FILTER (WHERE NOT is_sticky) AS cooling_count,
    count(*) FILTER (WHERE is_sticky) AS sticky_count,
    min(CAST(entry ->> 1 AS bigint)) FILTER (WHERE NOT is_sticky) AS ready_tick
FROM found CROSS JOIN LATERAL (
    SELECT array_agg(hidden.first) AS firsts, array_agg(hidden.last) AS lasts
    FROM unnest(CAST(:firsts AS inet[]), CAST(:lasts AS inet[])) AS hidden (first, last)
    WHERE hidden.first <= found.last AND found.first <= hidden.last
) AS here CROSS JOIN LATERAL (
    SELECT entry, false FROM jsonb_array_elements(cooling) AS entry
    UNION ALL SELECT entry, true FROM jsonb_array_elements(sticky) AS entry
) AS kept (entry, is_sticky)
WHERE NOT EXISTS (
    SELECT FROM unnest(here.firsts, here.lasts) AS hidden (first, last)
    WHERE found.first + CAST(entry ->> 0 AS int) BETWEEN hidden.first AND hidden.last
)"""
WAITING = {
    kind: statements.Statement(
        _COUNTED.format(
            unseen=_UNSEEN.format(condition=condition, rows="next_ready_tick IS NOT NULL")
        )
    )
    for kind, (condition, _) in _CONDITIONS.items()
}

# A refusal is told at once, also where somebody has reserved what a million pods hold: in
# order of the key, so that no more of them are read than are counted.
MOST_HIDDEN = 4096
HIDDEN = statements.Statement("""
SELECT count(*) FROM (
    SELECT FROM unnest(CAST(:firsts AS inet[]), CAST(:lasts AS inet[])) AS hidden (first, last)
    CROSS JOIN LATERAL (
        SELECT FROM allocations
        WHERE vrf_id = :vrf_id AND address BETWEEN hidden.first AND hidden.last
        ORDER BY address LIMIT :limit
    ) AS held
    LIMIT :limit
) AS counted
""")
