"""The rules that what is stored of a VRF keeps, each as a query for what breaks it.

Most of them are constraints of the tables too, or cannot be: whoever repairs rows by
hand, restores half of a backup or switches constraints off is who they are for.
"""

import dataclasses

from moorage_server.storage import history

# Which rows a query looks at: all of a VRF, or those of some blocks of it.
WHOLE = {
    "of_blocks": "b.vrf_id = :vrf_id",
    "of_allocations": "l.vrf_id = :vrf_id",
    "of_events": "vrf_id = :vrf_id",
}
SOME = {
    "of_blocks": "b.vrf_id = :vrf_id AND b.cidr = ANY (CAST(:blocks AS cidr[]))",
    "of_allocations": "l.vrf_id = :vrf_id AND l.block = ANY (CAST(:blocks AS cidr[]))",
    "of_events": "vrf_id = :vrf_id AND address = ANY (CAST(:addresses AS inet[]))",
}

_PARTS = {
    # Filled in at last, by one of the above.
    **{each: f"{{{each}}}" for each in WHOLE},
    "bits": "(CASE family(b.cidr) WHEN 4 THEN 32 ELSE 128 END)",
    "who": "a.network, a.container_id, a.interface",
    "of_pool": "FROM blocks b JOIN pools p ON p.vrf_id = b.vrf_id AND p.pool_id = b.pool_id",
    "kept_since": history.KEPT_SINCE,
    "free": "SELECT ordinal::int FROM unnest(b.free) AS ordinal",
    # What is no number is no ordinal: NULL.
    "cooling": """SELECT CASE jsonb_typeof(entry->0) WHEN 'number' THEN (entry->>0)::numeric::int
        END FROM jsonb_array_elements(b.cooling) AS entry""",
    "sticky": """SELECT CASE jsonb_typeof(entry->0) WHEN 'number' THEN (entry->>0)::numeric::int
        END FROM jsonb_array_elements(b.sticky) AS entry""",
}


def _query(text: str, **parts: str) -> str:
    """A query with parts that several have, and with some of its own."""
    return text.format(**_PARTS, **parts)


# The difference of two IPv6 addresses has more bits than PostgreSQL's own operator.
_PARTS["index"] = _query("""(SELECT div(sum((get_byte(inet_send(b.cidr::inet), at)
        - get_byte(inet_send(p.cidr::inet), at)) * 256::numeric ^ (3 + {bits} / 8 - at)),
        2::numeric ^ ({bits} - p.block_size))
    FROM generate_series(4, 3 + {bits} / 8) AS at)""")
_PARTS["size"] = _query("(1 << ({bits} - masklen(b.cidr)))")
_PARTS["address"] = _query("set_masklen(b.cidr::inet, {bits}) + o.ordinal")
_PARTS["inside"] = _query("{of_blocks} AND o.ordinal BETWEEN 0 AND {size} - 1")
_PARTS["held"] = _query("""SELECT (l.address - set_masklen(b.cidr::inet, {bits}))::int
    FROM allocations l
    WHERE l.block = b.cidr AND l.vrf_id = b.vrf_id AND l.address <<= b.cidr""")

_OUT_OF_RANGE = _query("""
SELECT NULL::inet AS address, b.cidr AS block, 0 AS generation,
    format('block %s has %s as a %s ordinal; repair the row: 0 to %s are the ordinals it has',
        b.cidr, coalesce(o.ordinal::text, 'no number'), o.state, {size} - 1) AS message
FROM blocks b CROSS JOIN LATERAL (
    SELECT ordinal, 'free' FROM ({free}) AS free (ordinal)
    UNION ALL SELECT ordinal, 'cooling' FROM ({cooling}) AS cooling (ordinal)
    UNION ALL SELECT ordinal, 'sticky' FROM ({sticky}) AS sticky (ordinal)) o (ordinal, state)
WHERE {of_blocks} AND (o.ordinal IS NULL OR o.ordinal NOT BETWEEN 0 AND {size} - 1)
""")
_TWICE = """
SELECT {address} AS address, b.cidr AS block, 0 AS generation,
    format('%s is %s times among the {state} ordinals of block %s', host({address}), count(*),
        b.cidr) AS message
FROM blocks b CROSS JOIN LATERAL ({ordinals}) AS o (ordinal)
WHERE {inside} GROUP BY b.cidr, o.ordinal HAVING count(*) > 1
"""
_BOTH = """
SELECT {address} AS address, b.cidr AS block, 0 AS generation,
    format('%s is both {first} and {second} in block %s', host({address}), b.cidr) AS message
FROM blocks b CROSS JOIN LATERAL ({ordinals} INTERSECT {others}) AS o (ordinal)
WHERE {inside}
"""
_AND_HELD = """
SELECT l.address, b.cidr AS block, l.generation,
    format('%s is held at generation %s, and {state} in block %s: it can be given away twice',
        host(l.address), l.generation, b.cidr) AS message
FROM blocks b CROSS JOIN LATERAL ({held} INTERSECT {ordinals}) AS o (ordinal)
JOIN allocations l ON l.vrf_id = b.vrf_id AND l.address = {address}
WHERE {of_blocks}
"""
_LOST = _query("""
SELECT {address} AS address, b.cidr AS block, 0 AS generation,
    format('%s is neither free, cooling nor sticky in block %s, and nobody holds it: it is never'
        ' given', host({address}), b.cidr) AS message
FROM blocks b CROSS JOIN LATERAL (SELECT generate_series(0, {size} - 1)
    EXCEPT {free} EXCEPT {cooling} EXCEPT {sticky} EXCEPT {held}) AS o (ordinal)
WHERE {of_blocks}
""")
_NOT_NEXT = _query("""
SELECT NULL::inet AS address, b.cidr AS block, 0 AS generation,
    format('block %s is to be looked at for addresses that are ready at tick %s, and the first is'
        ' ready at tick %s', b.cidr, coalesce(b.next_ready_tick::text, 'none'),
        coalesce(first.ready_tick::text, 'none')) AS message
FROM blocks b CROSS JOIN LATERAL (
    SELECT min((entry->>1)::numeric) FROM jsonb_array_elements(b.cooling || b.sticky) AS entry
    WHERE jsonb_typeof(entry->1) = 'number') AS first (ready_tick)
WHERE {of_blocks} AND b.next_ready_tick IS DISTINCT FROM first.ready_tick
""")
_WITHOUT_BLOCK = """
SELECT l.address, l.block, l.generation,
    format('%s is held at generation %s in block %s, and no such block is open', host(l.address),
        l.generation, l.block) AS message
FROM allocations l LEFT JOIN blocks b ON b.vrf_id = l.vrf_id AND b.cidr = l.block
WHERE {of_allocations} AND b.cidr IS NULL
"""
_OUTSIDE_ITS_BLOCK = """
SELECT l.address, l.block, l.generation,
    format('%s is held at generation %s in block %s, and does not lie in it', host(l.address),
        l.generation, l.block) AS message
FROM allocations l WHERE {of_allocations} AND NOT l.address <<= l.block
"""
_WITHOUT_ATTACHMENT = """
SELECT l.address, l.block, l.generation,
    format('%s is held at generation %s by attachment %s, which is not there', host(l.address),
        l.generation, l.attachment_uid) AS message
FROM allocations l LEFT JOIN attachments a ON a.uid = l.attachment_uid AND a.vrf_id = l.vrf_id
WHERE {of_allocations} AND a.uid IS NULL
"""
_OUTSIDE_ITS_POOL = """
SELECT NULL::inet AS address, b.cidr AS block, 0 AS generation,
    format('block %s is of pool %s, and does not lie in it', b.cidr,
        coalesce('"' || p.name || '" ' || p.cidr, b.pool_id || ', which is not there')) AS message
FROM blocks b LEFT JOIN pools p ON p.vrf_id = b.vrf_id AND p.pool_id = b.pool_id
WHERE {of_blocks} AND (b.cidr <<= p.cidr) IS NOT TRUE
"""
_OTHER_SIZE = _query("""
SELECT NULL::inet AS address, b.cidr AS block, 0 AS generation,
    format('block %s is not of the block size of pool "%s", which is /%s', b.cidr, p.name,
        p.block_size) AS message
{of_pool} WHERE {of_blocks} AND masklen(b.cidr) <> p.block_size
""")
_OPEN_AND_UNUSED = _query("""
SELECT NULL::inet AS address, b.cidr AS block, 0 AS generation,
    format('block %s is open, and at the frontier of pool "%s" all the same: it can be opened'
        ' again', b.cidr, p.name) AS message
{of_pool} JOIN pool_frontiers f ON f.vrf_id = p.vrf_id AND f.pool_id = p.pool_id
WHERE {of_blocks} AND f.unused @> {index}
""")
_FRONTIER_MISCOUNTS = _query("""
SELECT NULL::inet AS address, NULL::cidr AS block, 0 AS generation,
    format('pool "%s" has %s blocks; %s are at its frontier and %s others are open', p.name,
        counted.total, counted.unused, counted.open) AS message
FROM pools p LEFT JOIN pool_frontiers f ON f.vrf_id = p.vrf_id AND f.pool_id = p.pool_id
CROSS JOIN LATERAL (SELECT trunc(2::numeric ^ (p.block_size - masklen(p.cidr))),
    (SELECT coalesce(sum(upper(run) - lower(run)), 0) FROM unnest(f.unused) AS run),
    (SELECT count(*) FROM blocks b WHERE b.vrf_id = p.vrf_id AND b.pool_id = p.pool_id
        AND (f.unused @> {index}) IS NOT TRUE)) AS counted (total, unused, open)
WHERE p.vrf_id = :vrf_id AND counted.total <> counted.unused + counted.open
""")
_HELD_WITHOUT_ADDRESSES = _query("""
SELECT NULL::inet AS address, NULL::cidr AS block, 0 AS generation,
    format('attachment %s, %s, %s is HELD and holds no address', {who}) AS message
FROM attachments a LEFT JOIN allocations l
    ON l.attachment_uid = a.uid AND l.vrf_id = a.vrf_id
WHERE a.vrf_id = :vrf_id AND a.state = 'HELD' AND l.address IS NULL
""")
_RELEASED_WITH_ADDRESSES = _query("""
SELECT l.address, l.block, l.generation,
    format('%s is held at generation %s by attachment %s, %s, %s, which is RELEASED',
        host(l.address), l.generation, {who}) AS message
FROM attachments a JOIN allocations l ON l.attachment_uid = a.uid AND l.vrf_id = a.vrf_id
WHERE a.vrf_id = :vrf_id AND a.state <> 'HELD'
""")
# Whoever has held an address since before the oldest month that is kept has no event of
# the beginning any more. What lies outside its block breaks another rule, and is not looked
# for among the events of the block. The newest events of all addresses are sorted: to look
# each up, in every month there is, costs three times as much where a million are held.
_NOT_NEWEST = _query("""
SELECT l.address, l.block, l.generation,
    format('%s is held at generation %s, and the newest event of it is %s', host(l.address),
        l.generation, coalesce(e.kind || ' at generation ' || e.event_id, 'missing')) AS message
FROM allocations l LEFT JOIN (
    SELECT DISTINCT ON (address) address, kind, event_id FROM events WHERE {of_events}
    ORDER BY address, event_id DESC) AS e ON e.address = l.address
WHERE {of_allocations} AND l.address <<= l.block
    AND (e.kind = 'ASSIGNED' AND e.event_id = l.generation) IS NOT TRUE
    AND NOT (e.event_id IS NULL AND l.assign_time < {kept_since})
""")
_NOT_HELD = """
SELECT e.address, e.block, e.event_id AS generation,
    format('the newest event of %s says that it was assigned to %s, %s, %s at generation %s, and'
        ' nobody holds it', host(e.address), e.network, e.container_id, e.interface, e.event_id)
        AS message
FROM (SELECT DISTINCT ON (address) * FROM events WHERE {of_events}
    ORDER BY address, event_id DESC) AS e
LEFT JOIN allocations l ON l.vrf_id = e.vrf_id AND l.address = e.address
WHERE e.kind = 'ASSIGNED' AND l.address IS NULL
"""
_OUT_OF_TURN = _query("""
SELECT e.address, e.block, e.event_id AS generation,
    format('event %s of %s is %s, and the one before it is %s', e.event_id, host(e.address),
        e.kind, coalesce(e.before, 'missing')) AS message
FROM (SELECT *, lag(kind) OVER (PARTITION BY address ORDER BY event_id) AS before FROM events
    WHERE {of_events}) AS e
WHERE coalesce(e.before, 'RELEASED') = e.kind
    AND NOT (e.before IS NULL AND e.assign_time < {kept_since})
""")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Something that must hold; its query yields address, block, generation and message.

    `shuts`: where it is broken, an address may be given twice, or nobody can tell who held it.
    """

    name: str
    sentence: str
    query: str
    shuts: bool

    @property
    def is_of_blocks(self) -> bool:
        """Whether it can be held against some blocks of a VRF."""
        return any(f"{{{each}}}" in self.query for each in WHOLE)


# What costs addresses, or misleads who looks, and gives none away twice.
_HARMLESS = {
    "ordinal_out_of_range",
    "address_lost",
    "next_ready_tick_wrong",
    "block_of_other_size",
    "frontier_miscounts",
    "attachment_held_without_addresses",
}

RULES = tuple(
    Rule(name=name, sentence=sentence, query=query, shuts=name not in _HARMLESS)
    for name, sentence, query in (
        ("ordinal_out_of_range", "Ordinals of a block lie inside it.", _OUT_OF_RANGE),
        (
            "address_free_twice",
            "No address is free twice.",
            _query(_TWICE, state="free", ordinals=_PARTS["free"]),
        ),
        (
            "address_cooling_twice",
            "No address is cooling twice.",
            _query(_TWICE, state="cooling", ordinals=_PARTS["cooling"]),
        ),
        (
            "address_sticky_twice",
            "No address is sticky twice.",
            _query(_TWICE, state="sticky", ordinals=_PARTS["sticky"]),
        ),
        *(
            (
                f"address_{first}_and_{second}",
                f"No address is {first} and {second}.",
                _query(
                    _BOTH,
                    first=first,
                    second=second,
                    ordinals=_PARTS[first],
                    others=_PARTS[second],
                ),
            )
            for first, second in (("free", "cooling"), ("free", "sticky"), ("cooling", "sticky"))
        ),
        (
            "address_free_and_held",
            "No address is free and held.",
            _query(_AND_HELD, state="free", ordinals=_PARTS["free"]),
        ),
        (
            "address_cooling_and_held",
            "No address is cooling and held.",
            _query(_AND_HELD, state="cooling", ordinals=_PARTS["cooling"]),
        ),
        (
            "address_sticky_and_held",
            "No address is sticky and held.",
            _query(_AND_HELD, state="sticky", ordinals=_PARTS["sticky"]),
        ),
        ("address_lost", "Every address of a block is free, cooling, sticky or held.", _LOST),
        ("next_ready_tick_wrong", "A block knows when its next address is ready.", _NOT_NEXT),
        ("allocation_without_block", "What is held lies in an open block.", _WITHOUT_BLOCK),
        ("allocation_outside_its_block", "What is held lies in its block.", _OUTSIDE_ITS_BLOCK),
        (
            "allocation_without_attachment",
            "What is held is held by an attachment.",
            _WITHOUT_ATTACHMENT,
        ),
        ("block_outside_its_pool", "Every block lies in its pool.", _OUTSIDE_ITS_POOL),
        ("block_of_other_size", "Every block is of its pool's block size.", _OTHER_SIZE),
        ("block_open_and_unused", "No open block is at the frontier.", _OPEN_AND_UNUSED),
        (
            "frontier_miscounts",
            "Every block of a pool is open or at its frontier.",
            _FRONTIER_MISCOUNTS,
        ),
        (
            "attachment_held_without_addresses",
            "An attachment that is held has addresses.",
            _HELD_WITHOUT_ADDRESSES,
        ),
        (
            "attachment_released_with_addresses",
            "An attachment that is released has no addresses.",
            _RELEASED_WITH_ADDRESSES,
        ),
        (
            "allocation_not_newest_event",
            "What is held was assigned by the newest event of its address.",
            _NOT_NEWEST,
        ),
        (
            "event_without_allocation",
            "What was assigned by the newest event of an address is held.",
            _NOT_HELD,
        ),
        ("events_out_of_turn", "The events of an address alternate.", _OUT_OF_TURN),
    )
)
