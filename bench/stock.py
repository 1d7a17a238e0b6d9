"""Addresses that are held from the start, written by the owner of the schema.

Through the API a hundred thousand of them take minutes. What is written is what as many
assigns would have left: `CheckConsistency` is asked at the end.
"""

import dataclasses
import time
from typing import Final

import psycopg

BLOCK_SIZE: Final = 26  # of every pool that is stocked; the server's own choice
SETTLE_TIME: Final = 300.0  # seconds until every event has its revision

# One temporary table says which address of which block is held; the rest follows from it.
_CHOOSE: Final = """
CREATE TEMPORARY TABLE stocked ON COMMIT DROP AS
SELECT p.vrf_id, p.pool_id, p.name AS pool, p.cidr AS pool_cidr, b.cidr AS block, o.ordinal,
    set_masklen(b.cidr::inet, 32) + o.ordinal AS address,
    'stock-' || host(set_masklen(b.cidr::inet, 32) + o.ordinal) AS who,
    o.at <= round((b.at + 1) * %(each)s) - round(b.at * %(each)s) AS held
FROM pools p
CROSS JOIN LATERAL (SELECT at, network(set_masklen(p.cidr::inet + at * %(size)s::bigint,
    p.block_size))::cidr FROM generate_series(0, %(blocks)s - 1) AS at) AS b (at, cidr)
CROSS JOIN LATERAL (SELECT ordinal, row_number() OVER (ORDER BY random())
    FROM generate_series(b.at * 0, %(size)s - 1) AS ordinal) AS o (ordinal, at)
WHERE p.name = %(pool)s
"""
_WRITE: Final = (
    "UPDATE pool_frontiers f SET unused = f.unused - nummultirange(numrange(0, %(blocks)s))"
    " FROM pools p WHERE p.name = %(pool)s AND f.pool_id = p.pool_id AND f.vrf_id = p.vrf_id",
    """
INSERT INTO blocks (vrf_id, cidr, pool_id, pool_cidr, free)
SELECT vrf_id, block, pool_id, pool_cidr,
    coalesce(array_agg(ordinal::smallint ORDER BY ordinal) FILTER (WHERE NOT held), '{}')
FROM stocked GROUP BY vrf_id, block, pool_id, pool_cidr""",
    """
INSERT INTO attachments (uid, vrf_id, network, container_id, interface, state, node, namespace,
    pod, pod_uid, use, labels)
SELECT CAST(encode(substring(sha256(convert_to(vrf_id || '/pods/' || who || '/eth0', 'UTF8'))
    FOR 16), 'hex') AS uuid), vrf_id, 'pods', who, 'eth0', 'HELD', 'stock', 'bench', who,
    'uid-' || who, 'WORKLOAD', '{"app": "bench"}'
FROM stocked WHERE held""",
    """
INSERT INTO events (vrf_id, kind, cause, address, block, pool, network, container_id, interface,
    node, namespace, pod, pod_uid, use, labels)
SELECT vrf_id, 'ASSIGNED', 'REQUESTED', address, block, pool, 'pods', who, 'eth0', 'stock', 'bench',
    who, 'uid-' || who, 'WORKLOAD', '{"app": "bench"}'
FROM stocked WHERE held""",
    """
INSERT INTO allocations (vrf_id, address, block, attachment_uid, position, generation, assign_time)
SELECT e.vrf_id, e.address, e.block, a.uid, 0, e.event_id, e.event_time
FROM events e JOIN attachments a ON a.vrf_id = e.vrf_id AND a.container_id = e.container_id
WHERE e.pool = %(pool)s""",
)
_TABLES: Final = "blocks, attachments, allocations, events, pool_frontiers"
_UNNUMBERED: Final = "SELECT last_value - event_id FROM events_event_id_seq, fence"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Stock:
    """Of the first `addresses` of a pool that nobody has used yet, so many are held.

    They are strewn over the blocks alike: assigned in order, they would leave whole blocks free.
    """

    pool: str
    addresses: int
    held: int

    def write(self, conninfo: str) -> None:
        """All of it, or nothing."""
        size = 1 << (32 - BLOCK_SIZE)
        blocks = -(-self.addresses // size)
        given = {"pool": self.pool, "size": size, "blocks": blocks, "each": self.held / blocks}
        with psycopg.connect(conninfo) as connection:
            connection.execute(_CHOOSE, given)
            for statement in _WRITE:
                connection.execute(statement, given if "%(" in statement else None)


def settle(conninfo: str) -> None:
    """Returns when the feed has come as far as the stock, and the planner knows of it.

    Autovacuum would tell the planner within a minute; nothing is measured before.
    """
    end = time.monotonic() + SETTLE_TIME
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute(f"VACUUM (ANALYZE) {_TABLES}")
        while connection.execute(_UNNUMBERED).fetchone() not in [(0,), (1,)]:
            if time.monotonic() > end:
                raise RuntimeError("the feed did not come up with what was stocked")
            time.sleep(0.1)
