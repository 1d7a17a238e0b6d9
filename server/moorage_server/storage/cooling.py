"""Addresses that wait: when a block is empty in spite of them, what a new cool-down changes."""

import sqlalchemy as sa

from moorage_server.domain import resources


def is_empty(tick: str, of: str = "blocks") -> str:
    """The condition that nothing of a block is held, or waits at this tick, both as SQL.

    Ready ones are free for everybody, although nobody has put them into the queue yet.
    """
    ready = (
        f"FROM jsonb_array_elements({of}.cooling || {of}.sticky) AS entry"
        f" WHERE CAST(entry ->> 1 AS bigint) <= {tick}"
    )
    bits = f"CASE family({of}.cidr) WHEN 4 THEN 32 ELSE 128 END"
    taken = f"(SELECT count(*) {ready})"
    return f"cardinality({of}.free) + {taken} = 1 << ({bits} - masklen({of}.cidr))"


# Of each entry, the tick at this place; what is ready already stays so, whether it is in
# the queue again or not.
_MOVED = """(SELECT coalesce(jsonb_agg(jsonb_set(entry, ARRAY['{place}'], to_jsonb(CASE
        WHEN CAST(entry ->> 1 AS bigint) > (SELECT tick FROM ticks)
        THEN CAST(entry ->> {place} AS bigint) + :ticks
        ELSE CAST(entry ->> {place} AS bigint) END)) ORDER BY at), '[]')
    FROM jsonb_array_elements(b.{column}) WITH ORDINALITY AS kept (entry, at))"""
# A sticky address stays kept for as long as was asked, or until it has cooled down.
_KEPT = """(SELECT coalesce(jsonb_agg(jsonb_set(entry, ARRAY['1'], to_jsonb(greatest(
        CAST(entry ->> 1 AS bigint), CAST(entry ->> 5 AS bigint)))) ORDER BY at), '[]')
    FROM jsonb_array_elements(moved.sticky) WITH ORDINALITY AS kept (entry, at))"""
_CHANGE = """
UPDATE blocks SET cooling = moved.cooling, sticky = lasting.sticky,
    change_time = clock_timestamp(), next_ready_tick = (SELECT min(CAST(entry ->> 1 AS bigint))
        FROM jsonb_array_elements(moved.cooling || lasting.sticky) AS entry)
FROM (
    SELECT b.vrf_id, b.cidr, {cooling} AS cooling, {sticky} AS sticky
    FROM (SELECT * FROM blocks
        WHERE (vrf_id, pool_id) IN (SELECT p.vrf_id, p.pool_id FROM pools p
            JOIN vrfs v ON v.vrf_id = p.vrf_id WHERE v.name = :vrf AND {of_pools})
        AND next_ready_tick IS NOT NULL ORDER BY cidr FOR UPDATE) AS b
) AS moved CROSS JOIN LATERAL (SELECT {kept} AS sticky) AS lasting
WHERE blocks.vrf_id = moved.vrf_id AND blocks.cidr = moved.cidr
"""


def _change(of_pools: str) -> sa.TextClause:
    cooling = _MOVED.format(place=1, column="cooling")
    sticky = _MOVED.format(place=5, column="sticky")
    return sa.text(_CHANGE.format(cooling=cooling, sticky=sticky, kept=_KEPT, of_pools=of_pools))


_CHANGE_VRF = _change("p.cooldown_seconds IS NULL")
_CHANGE_POOL = _change("p.name = :pool")


def change_vrf(connection: sa.Connection, vrf: str, *, ticks: int) -> None:
    """Keeps what is cooling by so many ticks longer, or shorter where negative.

    Not in pools that have a cool-down of their own.
    """
    connection.execute(_CHANGE_VRF, {"vrf": vrf, "ticks": ticks})


def change_pool(connection: sa.Connection, pool: resources.Pool, *, ticks: int) -> None:
    """Keeps what is cooling in a pool by so much longer, or shorter."""
    parameters = {"vrf": pool.vrf, "pool": pool.name, "ticks": ticks}
    connection.execute(_CHANGE_POOL, parameters)
