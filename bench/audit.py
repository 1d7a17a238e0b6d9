"""Whether any address was given twice.

What callers were told beside what the database holds, and beside what others were told.
"""

import collections
import itertools
from collections.abc import Iterable, Sequence

import psycopg

from bench.work import Holding

_HELD = "SELECT host(address) FROM allocations WHERE address <<= %s::cidr"

_BROKEN = {
    "an address is free and assigned at once, or free twice": """
        SELECT address FROM (
            SELECT vrf_id, address FROM allocations
            UNION ALL
            SELECT vrf_id,
                set_masklen(cidr::inet, CASE family(cidr) WHEN 4 THEN 32 ELSE 128 END) + ordinal
            FROM blocks, unnest(free) AS ordinal
        ) AS known (vrf_id, address) GROUP BY vrf_id, address HAVING count(*) > 1""",
    "an address was assigned again before its release": """
        SELECT address FROM (
            SELECT address, kind, lag(kind, 1, 'RELEASED') OVER (
                PARTITION BY vrf_id, address ORDER BY event_id) AS before
            FROM events
        ) AS told WHERE kind = before""",
}


def told(conninfo: str, cidr: str, addresses: Sequence[str]) -> list[str]:
    """What is wrong with the addresses that the callers of a pool hold, by their own account."""
    twice = [each for each, count in collections.Counter(addresses).items() if count > 1]
    found = [f"{address} was given to two callers" for address in twice]
    with psycopg.connect(conninfo) as connection:
        held = {row[0] for row in connection.execute(_HELD, (cidr,))}
    if held != set(addresses):
        found.append(f"{len(addresses)} addresses of {cidr} were given, {len(held)} are held")
    return found


def overlaps(holdings: Iterable[Holding]) -> list[str]:
    """What is wrong with what callers held for a while, whichever process they are in."""
    found = []
    for address, several in itertools.groupby(sorted(holdings), key=lambda each: each.address):
        free = 0.0  # when all those that were told it before had begun to release it
        for each in several:
            if each.began < free:
                found.append(f"{address} was given to a caller while another held it")
            free = max(free, each.ended)
    return found


def history(conninfo: str) -> list[str]:
    """What is wrong with the tables as a whole."""
    with psycopg.connect(conninfo) as connection:
        return [
            f"{rule}: {row[0]}"
            for rule, query in _BROKEN.items()
            for row in connection.execute(query).fetchmany(5)
        ]
