"""Cooling addresses: when a block is empty in spite of them, and what a new cool-down changes."""

import sqlalchemy as sa

from moorage_server.domain import resources


def is_empty(tick: str, of: str = "blocks") -> str:
    """The condition that no address of a block is held, or cooling at this tick, both as SQL.

    Ready ones are free for everybody, although nobody has put them into the queue yet.
    """
    ready = (
        f"FROM jsonb_array_elements({of}.cooling) AS entry"
        f" WHERE CAST(entry ->> 1 AS bigint) <= {tick}"
    )
    bits = f"CASE family({of}.cidr) WHEN 4 THEN 32 ELSE 128 END"
    taken = f"(SELECT count(*) {ready})"
    return f"cardinality({of}.free) + {taken} = 1 << ({bits} - masklen({of}.cidr))"


_CHANGE = """
UPDATE blocks SET cooling = moved.cooling, change_time = clock_timestamp(),
    next_ready_tick = moved.first
FROM (
    SELECT b.vrf_id, b.cidr, min(ready) AS first,
        jsonb_agg(jsonb_build_array(entry -> 0, ready, entry -> 2) ORDER BY place) AS cooling
    FROM (SELECT * FROM blocks
        WHERE (vrf_id, pool_id) IN (SELECT p.vrf_id, p.pool_id FROM pools p
            JOIN vrfs v ON v.vrf_id = p.vrf_id WHERE v.name = :vrf AND {of_pools})
        AND next_ready_tick IS NOT NULL ORDER BY cidr FOR UPDATE) AS b
    CROSS JOIN jsonb_array_elements(b.cooling) WITH ORDINALITY AS kept (entry, place)
    CROSS JOIN LATERAL (SELECT CAST(entry ->> 1 AS bigint) AS until) AS known
    CROSS JOIN LATERAL (SELECT CASE
        -- What is ready already stays so, whether it is in the queue again or not.
        WHEN until > (SELECT tick FROM ticks) THEN until + :ticks ELSE until END AS ready)
        AS wanted
    GROUP BY b.vrf_id, b.cidr
) AS moved
WHERE blocks.vrf_id = moved.vrf_id AND blocks.cidr = moved.cidr
"""
_CHANGE_VRF = sa.text(_CHANGE.format(of_pools="p.cooldown_seconds IS NULL"))
_CHANGE_POOL = sa.text(_CHANGE.format(of_pools="p.name = :pool"))


def change_vrf(connection: sa.Connection, vrf: str, *, ticks: int) -> None:
    """Keeps what is cooling by so many ticks longer, or shorter where negative.

    Not in pools that have a cool-down of their own.
    """
    connection.execute(_CHANGE_VRF, {"vrf": vrf, "ticks": ticks})


def change_pool(connection: sa.Connection, pool: resources.Pool, *, ticks: int) -> None:
    """Keeps what is cooling in a pool by so much longer, or shorter."""
    parameters = {"vrf": pool.vrf, "pool": pool.name, "ticks": ticks}
    connection.execute(_CHANGE_POOL, parameters)
