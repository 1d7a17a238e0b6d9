"""Cooling addresses: when a block is empty in spite of them, and what a new cool-down changes."""

import datetime

import sqlalchemy as sa

_EPOCH = datetime.datetime.fromtimestamp(0, datetime.UTC)
_MICROSECOND = datetime.timedelta(microseconds=1)


def microseconds(time: datetime.datetime) -> int:
    """A time as blocks keep it."""
    return (time - _EPOCH) // _MICROSECOND


def time_of(kept: int) -> datetime.datetime:
    """The time that a block keeps."""
    return _EPOCH + kept * _MICROSECOND


def is_empty(now: str, of: str = "blocks") -> str:
    """The condition that no address of a block is held, or cooling at this time, both as SQL.

    Ready ones are free for everybody, although nobody has put them into the queue yet.
    """
    ready = (
        f"FROM jsonb_array_elements({of}.cooling) AS entry"
        f" WHERE CAST(entry ->> 1 AS bigint) <= 1000000 * extract(epoch FROM {now})"
    )
    bits = f"CASE family({of}.cidr) WHEN 4 THEN 32 ELSE 128 END"
    taken = f"(SELECT count(*) {ready})"
    return f"cardinality({of}.free) + {taken} = 1 << ({bits} - masklen({of}.cidr))"


_CHANGE = sa.text("""
UPDATE blocks SET cooling = moved.cooling, change_time = clock_timestamp(),
    next_ready_time = to_timestamp(0) + moved.first * interval '1 microsecond'
FROM (
    SELECT b.cidr, min(ready) AS first,
        jsonb_agg(jsonb_build_array(entry -> 0, ready, entry -> 2) ORDER BY place) AS cooling
    FROM (SELECT * FROM blocks WHERE vrf_id = (SELECT vrf_id FROM vrfs WHERE name = :vrf)
        AND next_ready_time IS NOT NULL ORDER BY cidr FOR UPDATE) AS b
    CROSS JOIN jsonb_array_elements(b.cooling) WITH ORDINALITY AS kept (entry, place)
    CROSS JOIN LATERAL (SELECT CAST(entry ->> 1 AS bigint) AS until) AS known
    CROSS JOIN LATERAL (SELECT CASE
        -- What is ready already stays so, whether it is in the queue again or not.
        WHEN until > 1000000 * extract(epoch FROM clock_timestamp())
        THEN until + 1000000 * :seconds ELSE until END AS ready) AS wanted
    GROUP BY b.cidr
) AS moved
WHERE blocks.vrf_id = (SELECT vrf_id FROM vrfs WHERE name = :vrf) AND blocks.cidr = moved.cidr
""")


def change(connection: sa.Connection, vrf: str, *, seconds: int) -> None:
    """Keeps what is cooling by so much longer, or shorter where it is negative."""
    connection.execute(_CHANGE, {"vrf": vrf, "seconds": seconds})
