"""The rules that must hold whatever happened, as SQL: each query must find nothing.

What is of its own time is not among them: how many blocks a node may open, which a fixed address
does not heed, and whether whoever made a change was allowed to.
"""

from harness.postgres import Database

INVARIANTS = {
    "every address of a block is either free, cooling, sticky or assigned, and nothing twice": """
        WITH ordinals AS (
            SELECT vrf_id, cidr, ordinal FROM blocks CROSS JOIN unnest(free) AS ordinal
            UNION ALL SELECT vrf_id, cidr, (entry->>0)::int
            FROM blocks CROSS JOIN jsonb_array_elements(cooling || sticky) AS entry
        ), counted AS (
            SELECT vrf_id, block AS cidr, address FROM allocations
            UNION ALL SELECT vrf_id, cidr, ordinal + set_masklen(cidr::inet,
                CASE family(cidr) WHEN 4 THEN 32 ELSE 128 END) FROM ordinals
        )
        SELECT b.vrf_id, b.cidr, count(c.address), count(DISTINCT c.address) FROM blocks b
        LEFT JOIN counted c USING (vrf_id, cidr) GROUP BY b.vrf_id, b.cidr
        HAVING count(c.address) <> count(DISTINCT c.address)
            OR count(c.address) <> count(c.address) FILTER (WHERE c.address <<= b.cidr)
            OR count(c.address)
            <> 2 ^ (CASE family(b.cidr) WHEN 4 THEN 32 ELSE 128 END - masklen(b.cidr))""",
    "a block knows when the next of its addresses is ready": """
        SELECT vrf_id, cidr FROM blocks WHERE next_ready_tick IS DISTINCT FROM (
            SELECT min((entry->>1)::bigint) FROM jsonb_array_elements(cooling || sticky) AS entry)
        """,
    "what is kept for an owner has one, and is kept while it cools down": """
        SELECT vrf_id, cidr, entry FROM blocks CROSS JOIN jsonb_array_elements(sticky) AS entry
        WHERE entry->>2 = '' OR (entry->>1)::bigint < (entry->>5)::bigint
            OR jsonb_array_length(entry) <> 6""",
    "an address that is held is one address, in an open block, in a pool": """
        SELECT l.vrf_id, l.address, l.block FROM allocations l
        LEFT JOIN blocks b ON b.vrf_id = l.vrf_id AND b.cidr = l.block
        LEFT JOIN pools p ON p.vrf_id = b.vrf_id AND p.pool_id = b.pool_id
        WHERE (l.address <<= b.cidr AND b.cidr <<= p.cidr
            AND masklen(l.address) = CASE family(l.address) WHEN 4 THEN 32 ELSE 128 END
            AND NOT l.address <<= inet '::ffff:0:0/96') IS NOT TRUE""",
    "the pools of a VRF lie apart, and so do their blocks": """
        SELECT a.name, b.name FROM pools a
        JOIN pools b ON b.vrf_id = a.vrf_id AND b.pool_id > a.pool_id AND a.cidr && b.cidr
        UNION ALL
        SELECT a.cidr::text, b.cidr::text FROM blocks a
        JOIN blocks b ON b.vrf_id = a.vrf_id AND b.cidr > a.cidr AND a.cidr && b.cidr""",
    "a block is of its pool's block size": """
        SELECT b.vrf_id, b.cidr, p.block_size FROM blocks b JOIN pools p USING (vrf_id, pool_id)
        WHERE masklen(b.cidr) <> p.block_size""",
    "a block that was opened is not at the frontier, and the rest is": """
        SELECT p.name FROM pools p JOIN pool_frontiers f USING (vrf_id, pool_id)
        WHERE (SELECT coalesce(sum(upper(run) - lower(run)), 0) FROM unnest(f.unused) AS run)
            + (SELECT count(*) FROM blocks b WHERE b.vrf_id = p.vrf_id AND b.pool_id = p.pool_id)
            <> 2 ^ (p.block_size - masklen(p.cidr))""",
    "where affinity is strict an address is of a block of the node that asked, or of nobody's": """
        SELECT l.vrf_id, l.address, b.cidr, b.node, e.node AS asking FROM vrfs v
        JOIN allocations l USING (vrf_id)
        JOIN events e ON e.vrf_id = l.vrf_id AND e.event_id = l.generation
        JOIN blocks b ON b.vrf_id = l.vrf_id AND b.cidr = l.block
        JOIN pools p ON p.vrf_id = b.vrf_id AND p.pool_id = b.pool_id
        -- An owner finds what was kept for him wherever that is; what is adopted is as it was. A
        -- block of nobody was one of the node, until that was deleted or the pool drained.
        WHERE v.strict_affinity AND p.block_affinity = 'NODE' AND b.node <> e.node
            AND e.cause = 'REQUESTED' AND e.owner_key = ''
            AND e.event_time > (SELECT max(change_time) FROM changes c WHERE c.vrf = v.name AND (
                c.kind = 'VRF' AND jsonb_exists(c.before || c.after, 'configuration')
                OR c.kind = 'POOL' AND c.name = p.name
                AND jsonb_exists(c.before || c.after, 'block_affinity')))""",
    "of each change it is known who made it, known by what, from where, and in which call": """
        SELECT made.* FROM (
            SELECT vrf_id::text AS vrf, event_id AS id, kind, actor_uid, request_id FROM events
            UNION ALL SELECT vrf, change_id, kind, actor_uid, request_id FROM changes
        ) AS made LEFT JOIN (SELECT DISTINCT ON (uid) * FROM actors) AS who ON uid = actor_uid
        WHERE CASE proof
            WHEN 'SERVER' THEN who.name <> ''
            WHEN 'NONE' THEN true
            ELSE '' NOT IN (who.name, who.role, who.credential, who.source) AND request_id <> ''
            END IS NOT TRUE""",
    "only an attachment that is held has addresses, and it has some": """
        SELECT a.uid FROM attachments a LEFT JOIN allocations l
            ON l.vrf_id = a.vrf_id AND l.attachment_uid = a.uid
        GROUP BY a.vrf_id, a.uid HAVING (a.state = 'HELD') <> (count(l.address) > 0)""",
    "of the sandboxes of one pod at most one has addresses on an interface": """
        SELECT vrf_id, network, interface, node, pod_uid, cluster FROM attachments
        WHERE state = 'HELD' AND pod_uid <> ''
        GROUP BY vrf_id, network, interface, node, pod_uid, cluster HAVING count(*) > 1""",
    "nothing is suspect since a moment that is still to come": """
        SELECT address, suspect_tick FROM allocations, ticks WHERE suspect_tick > tick""",
    "a release tells of the assignment before it": """
        SELECT vrf_id, address, event_id, assign_generation FROM (
            SELECT vrf_id, address, event_id, kind, assign_generation,
                lag(event_id) OVER (PARTITION BY vrf_id, address ORDER BY event_id) AS before
            FROM events) AS chain
        WHERE kind = 'RELEASED' AND assign_generation <> before""",
    "revisions are dense and in the order of events, and all up to the fence have theirs": """
        SELECT vrf_id, revision FROM (
            SELECT vrf_id, revision, event_id, lag(revision) OVER w AS before,
                lag(event_id) OVER w AS event_before
            FROM revisions WINDOW w AS (PARTITION BY vrf_id ORDER BY revision)) AS feed
        WHERE revision <> before + 1 OR event_id <= event_before
        UNION ALL SELECT e.vrf_id, e.event_id FROM events e CROSS JOIN fence f
        JOIN (SELECT vrf_id, min(event_id) AS event_id FROM revisions GROUP BY vrf_id) AS kept
            ON kept.vrf_id = e.vrf_id AND kept.event_id < e.event_id
        WHERE e.event_id <= f.event_id AND NOT EXISTS (
            SELECT FROM revisions r WHERE r.vrf_id = e.vrf_id AND r.event_id = e.event_id)
        UNION ALL SELECT r.vrf_id, r.event_id FROM revisions r CROSS JOIN fence f
        WHERE r.event_id > f.event_id
        UNION ALL SELECT r.vrf_id, r.revision FROM revisions r
        LEFT JOIN revision_heads h ON h.vrf_id = r.vrf_id
        WHERE (r.revision <= h.revision) IS NOT TRUE""",
    "the events of an address alternate and end where the table is": """
        WITH kept AS (
            -- What began before the oldest month that is left may have lost its beginning.
            SELECT least(date_trunc('month', now(), 'UTC'), min(CAST(substring(
                pg_get_expr(relpartbound, oid) FROM $$FROM .'([^']+)$$) AS timestamptz))) AS start
            FROM pg_class JOIN pg_inherits ON inhrelid = oid WHERE inhparent = 'events'::regclass
        ), chain AS (
            SELECT vrf_id, address, kind, event_id, assign_time,
                lag(kind) OVER w AS before, lead(kind) OVER w AS after
            FROM events WINDOW w AS (PARTITION BY vrf_id, address ORDER BY event_id)
        )
        SELECT vrf_id, address FROM chain
        WHERE before = kind OR before IS NULL AND kind <> 'ASSIGNED'
            AND (assign_time < (SELECT start FROM kept)) IS NOT TRUE
        UNION
        SELECT coalesce(c.vrf_id, l.vrf_id), coalesce(c.address, l.address)
        FROM (SELECT * FROM chain WHERE after IS NULL AND kind = 'ASSIGNED') c
        FULL JOIN allocations l ON l.vrf_id = c.vrf_id AND l.address = c.address
            AND l.generation = c.event_id
        WHERE l.address IS NULL
            OR c.address IS NULL AND NOT l.assign_time < (SELECT start FROM kept)""",
}

# All of them in one round trip: every test that has a database ends with it.
_ALL = "\nUNION ALL\n".join(
    f"(SELECT {number}, broken::text FROM ({query}) AS broken LIMIT 5)"
    for number, query in enumerate(INVARIANTS.values())
)


def check(database: Database) -> None:
    """Fails with the rules and the rows that break them."""
    rules = list(INVARIANTS)
    broken = [(rules[int(str(number))], row) for number, row in database.rows(_ALL)]
    assert not broken, f"broken: {broken}"
