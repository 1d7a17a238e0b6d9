"""What a decision asks of the open blocks, as SQL: rows to be locked, or what waits to be counted.

Each question leaves out the blocks that the transaction has locked, and most those of
which everything is hidden.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from moorage_server.domain import needs
from moorage_server.storage import cooling, statements

# While PostgreSQL has counted nothing, any index in the wanted order or with a known column, be it
# the VRF's, seems as good as another, and such a plan is kept (decision 5). So a search by pool
# gives the key of its index in a form that no other knows, pool by pool; and one by node, of which
# none has many, has all that other indexes know behind an operator.
_BY_POOL = {"pool": "pool_id", "ready": "next_ready_tick", "empty": "is_empty"}
_BY_NODE = {
    "pool": "pool_id + 0",
    "ready": "next_ready_tick + 0",
    "empty": "CAST(is_empty AS int) = 1",
}
_UNSEEN_OR_HIDDEN = """
FROM blocks WHERE {condition} AND cidr <> ALL (CAST(:seen AS cidr[]))
"""
_UNSEEN = _UNSEEN_OR_HIDDEN + "AND NOT cidr <<= ANY (CAST(:hidden AS cidr[]))\n"
_BLOCK = "pool_id, cidr, node, free, claim_time, cooling, sticky"
_AT_ONCE = "SELECT {columns} {source} ORDER BY {order} LIMIT :limit {{lock}}"
_POOL_BY_POOL = """
SELECT found.* FROM unnest(CAST(:pool_ids AS bigint[])) AS asked (pool) CROSS JOIN LATERAL (
    SELECT {columns} {source} ORDER BY {order} LIMIT :limit {{lock}}
) AS found LIMIT :limit
"""
_TICK = "CAST(:tick AS bigint)"
_WITH_ROOM = "has_room"
_READY = f"{{ready}} <= {_TICK}"
_EMPTY = "{empty}"
_READY_AND_EMPTY = f"{_READY} AND {cooling.is_empty(_TICK)}"


class _Way(NamedTuple):
    """In which order rows are found, and by which key, pool by pool; without one, all at once."""

    order: str
    key: str = ""


_IN_ORDER = _Way(
    "pool_id, vrf_id, cidr",
    "(pool_id, vrf_id) >= (asked.pool, :vrf_id) AND (pool_id, vrf_id) <= (asked.pool, :vrf_id)",
)
_LONGEST_READY = _Way("next_ready_tick, cidr", "pool_id = asked.pool AND vrf_id = :vrf_id")
_SORTED = _Way("network(cidr)")  # by address, of which no index knows


class _Search(NamedTuple):
    """Which blocks a search is about, and by what they are found.

    `rows` are looked for one after the other: of those in which something is ready there are few,
    of those in which something will be there may be many.
    """

    whose: str
    rows: Mapping[str, _Way]
    by: Mapping[str, str]

    def of_pools(self, rows: str) -> str:
        """The condition for blocks of all the pools."""
        pools = "{pool} = ANY (CAST(:pool_ids AS bigint[])) AND vrf_id + 0 = :vrf_id"
        return self._condition(pools, rows)

    def query(self, rows: str, unseen: str) -> str:
        """A query that locks the first blocks: pool by pool where an index has them in order."""
        way = self.rows[rows]
        condition = self._condition(way.key, rows) if way.key else self.of_pools(rows)
        form = _POOL_BY_POOL if way.key else _AT_ONCE
        source = unseen.format(condition=condition)
        return form.format(columns=_BLOCK, source=source, order=way.order)

    def _condition(self, pools: str, rows: str) -> str:
        return f"{pools} AND {self.whose} AND {rows}".format_map(self.by)


_ANY = _Search("true", {_WITH_ROOM: _IN_ORDER, _READY: _LONGEST_READY}, _BY_POOL)
_OWN = _Search("node = :node", {_WITH_ROOM: _SORTED, _READY: _SORTED}, _BY_NODE)
_SEARCHES = {
    needs.OwnBlocks: _OWN,
    needs.UnownedBlocks: _ANY._replace(whose="node IS NULL"),
    needs.AnyBlocks: _ANY,
    needs.EmptyBlocks: _OWN._replace(rows={_EMPTY: _SORTED, _READY_AND_EMPTY: _SORTED}),
    needs.IdleBlocks: _Search(
        "node <> :node AND claim_time <= :claimed_before",
        {_EMPTY: _IN_ORDER, _READY_AND_EMPTY: _LONGEST_READY},
        _BY_POOL,
    ),
}


class Look:
    """One question in its three forms: skipping, waiting, and whether there is anything.

    Where there are several sources, one is looked at where those before it have nothing.
    """

    def __init__(self, queries: Sequence[str], sources: Sequence[str]) -> None:
        """Takes for each source the query, with `{lock}` where it locks what it finds."""
        self.waiting = [_locking(query, "FOR UPDATE") for query in queries]
        self.skipping = [_locking(query, "FOR UPDATE SKIP LOCKED") for query in queries]
        # All in one statement: what moves from one source to another is not overlooked.
        anything = " OR ".join(f"EXISTS (SELECT {source})" for source in sources)
        self.exists = statements.Statement(f"SELECT {anything}")

    @classmethod
    def at(cls, columns: str, source: str, tail: str = "") -> "Look":
        """The rows of one source."""
        return cls([f"SELECT {columns} {source} {tail} {{lock}}"], [source])

    @classmethod
    def first(cls, search: _Search, rows: str, order: str) -> "Look":
        """The first block of a search, of all its pools."""
        source = _UNSEEN.format(condition=search.of_pools(rows))
        return cls.at(_BLOCK, source, f"ORDER BY {order} LIMIT 1")


def _locking(query: str, lock: str) -> statements.Statement:
    return statements.Statement(query.replace("{lock}", lock))


def _room(kind: type[needs.Search], search: _Search) -> Look:
    # A block that is to be closed need not have anything to give.
    unseen = _UNSEEN_OR_HIDDEN if kind is needs.EmptyBlocks else _UNSEEN
    return Look(
        [search.query(rows, unseen) for rows in search.rows],
        [unseen.format(condition=search.of_pools(rows)) for rows in search.rows],
    )


ROOM = {kind: _room(kind, search) for kind, search in _SEARCHES.items()}
# As a pair, which only the primary key's index knows how to compare: the one of the
# exclusion constraint costs several times as much.
_AT = """
FROM blocks WHERE (vrf_id, cidr) >= (:vrf_id, {cidr}) AND (vrf_id, cidr) <= (:vrf_id, {cidr})
"""
AT_CIDR = Look.at(_BLOCK, _AT.format(cidr="CAST(:cidr AS cidr)"))
# What many requests of a batch will ask for, each by itself, in one statement: of several nodes
# the first block of their own that is not locked, and blocks by their CIDRs.
_OF_EACH = """
SELECT found.* FROM unnest({asked}) AS asked (value) CROSS JOIN LATERAL (
    SELECT {columns} {source} FOR UPDATE SKIP LOCKED
) AS found
"""
_OWN_OF_ONE = _OWN._replace(whose="node = asked.value").of_pools(_WITH_ROOM)
OWN_OF_EACH = statements.Statement(
    _OF_EACH.format(
        asked="CAST(:nodes AS text[])",
        columns=_BLOCK,
        source=f"{_UNSEEN.format(condition=_OWN_OF_ONE)} ORDER BY {_SORTED.order} LIMIT 1",
    )
)
AT_EACH = statements.Statement(
    _OF_EACH.format(
        asked="CAST(:cidrs AS cidr[])", columns=_BLOCK, source=_AT.format(cidr="asked.value")
    )
)
AT_FRONTIER = Look.at(
    "pool_id, unused", "FROM pool_frontiers WHERE vrf_id = :vrf_id AND pool_id = :pool_id"
)
_KEPT = (
    "{ready} IS NOT NULL AND cooling @> jsonb_build_array(jsonb_build_array(CAST(:owner AS text)))"
)
KEPT = {kind: Look.first(search, _KEPT, _SORTED.order) for kind, search in _SEARCHES.items()}
# By the owner, which few blocks have in common, by an index of its own. Hidden blocks as
# well: they may be reserved for this very owner.
STICKY = Look.at(
    _BLOCK,
    """
FROM blocks WHERE vrf_id + 0 = :vrf_id AND pool_id = ANY (CAST(:pool_ids AS bigint[]))
    AND cidr <> ALL (CAST(:seen AS cidr[])) AND sticky <> '[]'
    AND sticky @> jsonb_build_array(jsonb_build_array(CAST(:owner_key AS text)))
    AND EXISTS (SELECT FROM jsonb_array_elements(sticky) AS entry
        WHERE entry ->> 2 = :owner_key AND entry ->> 3 = :network AND entry ->> 4 = :interface
            AND CAST(entry ->> 1 AS bigint) > CAST(:tick AS bigint))""",
    f"ORDER BY {_SORTED.order} LIMIT 1",
)
# In order of the index of ready blocks: the first that is locked is nearly always the one.
_COOLEST = "{ready} < CAST(:before AS bigint) AND cooling <> '[]'"
COOLEST = {
    kind: Look.first(search, _COOLEST, _LONGEST_READY.order) for kind, search in _SEARCHES.items()
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
        _COUNTED.format(unseen=_UNSEEN.format(condition=search.of_pools("{ready} IS NOT NULL")))
    )
    for kind, search in _SEARCHES.items()
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
