"""The first schema: VRFs, pools, reservations, nodes, blocks, attachments, allocations, events."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SERVICE_ROLE = "moorage_service"

TABLES = {
    "vrfs": """
CREATE TABLE vrfs (
    vrf_id INTEGER GENERATED ALWAYS AS IDENTITY,
    name TEXT COLLATE "C" NOT NULL,
    description TEXT DEFAULT '' NOT NULL,
    strict_affinity BOOLEAN DEFAULT 'false' NOT NULL,
    auto_allocate_blocks BOOLEAN DEFAULT 'true' NOT NULL,
    max_blocks_per_node INTEGER DEFAULT '0' NOT NULL,
    cooldown_seconds INTEGER DEFAULT '0' NOT NULL,
    history_retention_days INTEGER DEFAULT '400' NOT NULL,
    epoch UUID DEFAULT gen_random_uuid() NOT NULL,
    catalog_version UUID DEFAULT gen_random_uuid() NOT NULL,
    uid UUID DEFAULT gen_random_uuid() NOT NULL,
    version BIGINT DEFAULT '1' NOT NULL,
    create_time timestamptz DEFAULT clock_timestamp() NOT NULL,
    update_time timestamptz DEFAULT clock_timestamp() NOT NULL,
    labels JSONB DEFAULT '{}' NOT NULL,
    CONSTRAINT vrfs_pkey PRIMARY KEY (vrf_id),
    CONSTRAINT vrfs_name_key UNIQUE (name),
    CONSTRAINT vrfs_auto_allocate_blocks CHECK (auto_allocate_blocks OR strict_affinity),
    CONSTRAINT vrfs_max_blocks_per_node
        CHECK (max_blocks_per_node = 0
            OR strict_affinity AND max_blocks_per_node BETWEEN 1 AND 1000000),
    CONSTRAINT vrfs_cooldown_seconds CHECK (cooldown_seconds BETWEEN 0 AND 1200),
    CONSTRAINT vrfs_history_retention_days CHECK (history_retention_days BETWEEN 0 AND 36500)
)
""",
    "pools": """
CREATE TABLE pools (
    vrf_id INTEGER NOT NULL,
    pool_id BIGINT GENERATED ALWAYS AS IDENTITY,
    name TEXT COLLATE "C" NOT NULL,
    cidr CIDR NOT NULL,
    block_size SMALLINT NOT NULL,
    node_selector TEXT NOT NULL,
    namespace_selector TEXT DEFAULT '' NOT NULL,
    allowed_uses TEXT[] NOT NULL,
    assignment_mode TEXT NOT NULL,
    disabled BOOLEAN NOT NULL,
    state TEXT DEFAULT 'ACTIVE' NOT NULL,
    block_affinity TEXT NOT NULL,
    priority INTEGER NOT NULL,
    result_form TEXT NOT NULL,
    gateway INET,
    routes JSONB DEFAULT '[]' NOT NULL,
    dns JSONB DEFAULT '{}' NOT NULL,
    excluded_ranges TEXT[] NOT NULL,
    exclude_network_addresses BOOLEAN NOT NULL,
    cooldown_seconds INTEGER,
    cooldown_policy TEXT DEFAULT 'REFUSE' NOT NULL,
    uid UUID DEFAULT gen_random_uuid() NOT NULL,
    version BIGINT DEFAULT '1' NOT NULL,
    create_time timestamptz DEFAULT clock_timestamp() NOT NULL,
    update_time timestamptz DEFAULT clock_timestamp() NOT NULL,
    labels JSONB DEFAULT '{}' NOT NULL,
    CONSTRAINT pools_pkey PRIMARY KEY (vrf_id, pool_id),
    CONSTRAINT pools_vrf_fkey FOREIGN KEY (vrf_id) REFERENCES vrfs (vrf_id),
    CONSTRAINT pools_vrf_id_name_key UNIQUE (vrf_id, name),
    CONSTRAINT pools_vrf_id_pool_id_cidr_key UNIQUE (vrf_id, pool_id, cidr),
    CONSTRAINT pools_no_overlap EXCLUDE USING gist (vrf_id WITH =, cidr inet_ops WITH &&),
    CONSTRAINT pools_block_size
        CHECK (block_size >= masklen(cidr)
            AND CASE family(cidr) WHEN 4 THEN block_size BETWEEN 20 AND 32
            ELSE block_size BETWEEN 116 AND 128 END),
    CONSTRAINT pools_gateway CHECK (gateway <<= cidr),
    CONSTRAINT pools_assignment_mode CHECK (assignment_mode IN ('AUTOMATIC', 'MANUAL')),
    CONSTRAINT pools_state CHECK (state IN ('ACTIVE', 'DRAINING')),
    CONSTRAINT pools_block_affinity CHECK (block_affinity IN ('NODE', 'NONE')),
    CONSTRAINT pools_result_form CHECK (result_form IN ('HOST', 'BLOCK', 'POOL')),
    CONSTRAINT pools_cooldown_seconds CHECK (cooldown_seconds BETWEEN 0 AND 1200),
    CONSTRAINT pools_cooldown_policy CHECK (cooldown_policy IN ('REFUSE', 'YIELD'))
)
""",
    "pool_frontiers": """
CREATE TABLE pool_frontiers (
    vrf_id INTEGER NOT NULL,
    pool_id BIGINT NOT NULL,
    unused NUMMULTIRANGE NOT NULL,
    CONSTRAINT pool_frontiers_pkey PRIMARY KEY (vrf_id, pool_id),
    CONSTRAINT pool_frontiers_pool_fkey
        FOREIGN KEY (vrf_id, pool_id) REFERENCES pools (vrf_id, pool_id) ON DELETE CASCADE
)
""",
    "reservations": """
CREATE TABLE reservations (
    vrf_id INTEGER NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    cidrs CIDR[] NOT NULL,
    description TEXT DEFAULT '' NOT NULL,
    expire_time timestamptz,
    owner_key TEXT DEFAULT '' NOT NULL,
    uid UUID DEFAULT gen_random_uuid() NOT NULL,
    version BIGINT DEFAULT '1' NOT NULL,
    create_time timestamptz DEFAULT clock_timestamp() NOT NULL,
    update_time timestamptz DEFAULT clock_timestamp() NOT NULL,
    labels JSONB DEFAULT '{}' NOT NULL,
    CONSTRAINT reservations_pkey PRIMARY KEY (vrf_id, name),
    CONSTRAINT reservations_vrf_fkey FOREIGN KEY (vrf_id) REFERENCES vrfs (vrf_id),
    CONSTRAINT reservations_cidrs CHECK (cardinality(cidrs) BETWEEN 1 AND 256)
)
""",
    "nodes": """
CREATE TABLE nodes (
    vrf_id INTEGER NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    uid UUID DEFAULT gen_random_uuid() NOT NULL,
    version BIGINT DEFAULT '1' NOT NULL,
    create_time timestamptz DEFAULT clock_timestamp() NOT NULL,
    update_time timestamptz DEFAULT clock_timestamp() NOT NULL,
    labels JSONB DEFAULT '{}' NOT NULL,
    CONSTRAINT nodes_pkey PRIMARY KEY (vrf_id, name),
    CONSTRAINT nodes_vrf_fkey FOREIGN KEY (vrf_id) REFERENCES vrfs (vrf_id)
)
""",
    "blocks": """
CREATE TABLE blocks (
    vrf_id INTEGER NOT NULL,
    cidr CIDR NOT NULL,
    pool_id BIGINT NOT NULL,
    pool_cidr CIDR NOT NULL,
    node TEXT,
    claim_time timestamptz DEFAULT clock_timestamp() NOT NULL,
    change_time timestamptz DEFAULT clock_timestamp() NOT NULL,
    free SMALLINT[] NOT NULL,
    cooling JSONB DEFAULT '[]' NOT NULL,
    sticky JSONB DEFAULT '[]' NOT NULL,
    next_ready_tick BIGINT,
    has_room BOOLEAN GENERATED ALWAYS AS (cardinality(free) > 0) STORED NOT NULL,
    is_empty BOOLEAN
        GENERATED ALWAYS AS (cardinality(free) = 1 << (CASE family(cidr) WHEN 4 THEN 32
            ELSE 128 END - masklen(cidr))) STORED NOT NULL,
    CONSTRAINT blocks_pkey PRIMARY KEY (vrf_id, cidr),
    CONSTRAINT blocks_pool_fkey
        FOREIGN KEY (vrf_id, pool_id, pool_cidr) REFERENCES pools (vrf_id, pool_id, cidr),
    CONSTRAINT blocks_no_overlap EXCLUDE USING gist (cidr inet_ops WITH &&, vrf_id WITH =),
    CONSTRAINT blocks_inside_pool CHECK (cidr <<= pool_cidr),
    CONSTRAINT blocks_free
        CHECK (cardinality(free) + jsonb_array_length(cooling) + jsonb_array_length(sticky)
            <= 1 << (CASE family(cidr) WHEN 4 THEN 32 ELSE 128 END - masklen(cidr))),
    CONSTRAINT blocks_next_ready_tick
        CHECK ((cooling = '[]' AND sticky = '[]') = (next_ready_tick IS NULL))
)
WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02)
""",
    "attachments": """
CREATE TABLE attachments (
    uid UUID NOT NULL,
    vrf_id INTEGER NOT NULL,
    network TEXT NOT NULL,
    container_id TEXT NOT NULL,
    interface TEXT NOT NULL,
    state TEXT NOT NULL,
    boot_id TEXT,
    boot_time_ns BIGINT,
    assign_boot_id TEXT,
    assign_boot_time_ns BIGINT,
    node TEXT DEFAULT '' NOT NULL,
    namespace TEXT DEFAULT '' NOT NULL,
    pod TEXT DEFAULT '' NOT NULL,
    pod_uid TEXT DEFAULT '' NOT NULL,
    cluster TEXT DEFAULT '' NOT NULL,
    owner_key TEXT DEFAULT '' NOT NULL,
    sticky_seconds INTEGER DEFAULT '0' NOT NULL,
    use TEXT NOT NULL,
    labels JSONB DEFAULT '{}' NOT NULL,
    change_time timestamptz DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT attachments_pkey PRIMARY KEY (uid, vrf_id),
    CONSTRAINT attachments_vrf_fkey FOREIGN KEY (vrf_id) REFERENCES vrfs (vrf_id),
    CONSTRAINT attachments_uid
        CHECK (uid = CAST(encode(substring(sha256(convert_to(vrf_id || '/'
            || network || '/' || container_id || '/' || interface, 'UTF8')) FOR 16), 'hex')
            AS uuid)),
    CONSTRAINT attachments_state CHECK (state IN ('HELD', 'RELEASED')),
    CONSTRAINT attachments_use CHECK (use IN ('WORKLOAD', 'TUNNEL', 'LOAD_BALANCER')),
    CONSTRAINT attachments_attempt CHECK ((boot_id IS NULL) = (boot_time_ns IS NULL)),
    CONSTRAINT attachments_assign_attempt
        CHECK ((assign_boot_id IS NULL) = (assign_boot_time_ns IS NULL)),
    CONSTRAINT attachments_sticky_seconds CHECK (sticky_seconds = 0 OR owner_key <> '')
)
WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02)
""",
    "allocations": """
CREATE TABLE allocations (
    vrf_id INTEGER NOT NULL,
    address INET NOT NULL,
    block CIDR NOT NULL,
    attachment_uid UUID NOT NULL,
    position SMALLINT NOT NULL,
    generation BIGINT NOT NULL,
    assign_time timestamptz NOT NULL,
    yielded BOOLEAN DEFAULT 'false' NOT NULL,
    suspect_tick BIGINT,
    CONSTRAINT allocations_pkey PRIMARY KEY (vrf_id, address),
    CONSTRAINT allocations_block_fkey
        FOREIGN KEY (vrf_id, block) REFERENCES blocks (vrf_id, cidr),
    CONSTRAINT allocations_attachment_fkey
        FOREIGN KEY (attachment_uid, vrf_id) REFERENCES attachments (uid, vrf_id),
    CONSTRAINT allocations_attachment_uid_vrf_id_position_key
        UNIQUE (attachment_uid, vrf_id, position),
    CONSTRAINT allocations_inside_block CHECK (address <<= block),
    CONSTRAINT allocations_canonical
        CHECK (masklen(address) = CASE family(address) WHEN 4 THEN 32
            ELSE 128 END
            AND NOT address <<= '::ffff:0.0.0.0/96'::inet),
    CONSTRAINT allocations_generation CHECK (generation > 0)
)
WITH (autovacuum_vacuum_scale_factor = 0.02)
""",
    "events": """
CREATE TABLE events (
    vrf_id INTEGER NOT NULL,
    event_id BIGINT DEFAULT nextval('events_event_id_seq') NOT NULL,
    kind TEXT NOT NULL,
    cause TEXT NOT NULL,
    event_time timestamptz DEFAULT clock_timestamp() NOT NULL,
    address INET NOT NULL,
    block CIDR NOT NULL,
    pool TEXT NOT NULL,
    assign_generation BIGINT,
    assign_time timestamptz,
    yielded BOOLEAN DEFAULT 'false' NOT NULL,
    network TEXT NOT NULL,
    container_id TEXT NOT NULL,
    interface TEXT NOT NULL,
    node TEXT DEFAULT '' NOT NULL,
    namespace TEXT DEFAULT '' NOT NULL,
    pod TEXT DEFAULT '' NOT NULL,
    pod_uid TEXT DEFAULT '' NOT NULL,
    cluster TEXT DEFAULT '' NOT NULL,
    owner_key TEXT DEFAULT '' NOT NULL,
    use TEXT NOT NULL,
    labels JSONB DEFAULT '{}' NOT NULL,
    CONSTRAINT events_pkey PRIMARY KEY (event_id, vrf_id, event_time),
    CONSTRAINT events_kind CHECK (kind IN ('ASSIGNED', 'RELEASED')),
    CONSTRAINT events_cause
        CHECK (cause IN ('REQUESTED', 'SUPERSEDED', 'RECONCILED', 'ADOPTED')),
    CONSTRAINT events_assignment CHECK (CASE kind
        WHEN 'RELEASED' THEN assign_generation < event_id AND assign_time IS NOT NULL
        ELSE assign_generation IS NULL AND assign_time IS NULL END),
    CONSTRAINT events_canonical
        CHECK (masklen(address) = CASE family(address) WHEN 4 THEN 32
            ELSE 128 END
            AND NOT address <<= '::ffff:0.0.0.0/96'::inet)
)
PARTITION BY RANGE (event_time)
""",
    "revisions": """
CREATE TABLE revisions (
    vrf_id INTEGER NOT NULL,
    revision BIGINT NOT NULL,
    event_id BIGINT NOT NULL,
    event_time timestamptz NOT NULL,
    CONSTRAINT revisions_pkey PRIMARY KEY (vrf_id, revision),
    CONSTRAINT revisions_event_id_vrf_id_key UNIQUE (event_id, vrf_id),
    CONSTRAINT revisions_revision CHECK (revision > 0)
)
WITH (autovacuum_vacuum_scale_factor = 0.02)
""",
    "revision_heads": """
CREATE TABLE revision_heads (
    vrf_id INTEGER NOT NULL,
    revision BIGINT NOT NULL,
    CONSTRAINT revision_heads_pkey PRIMARY KEY (vrf_id)
)
""",
    "quarantines": """
CREATE TABLE quarantines (
    vrf_id INTEGER NOT NULL,
    quarantine_id BIGINT GENERATED ALWAYS AS IDENTITY,
    cause TEXT NOT NULL,
    message TEXT DEFAULT '' NOT NULL,
    findings TEXT[] DEFAULT '{}' NOT NULL,
    begin_time timestamptz DEFAULT clock_timestamp() NOT NULL,
    begin_tick BIGINT NOT NULL,
    end_time timestamptz,
    end_reason TEXT DEFAULT '' NOT NULL,
    ended_by TEXT DEFAULT '' NOT NULL,
    CONSTRAINT quarantines_pkey PRIMARY KEY (vrf_id, quarantine_id),
    CONSTRAINT quarantines_vrf_fkey FOREIGN KEY (vrf_id) REFERENCES vrfs (vrf_id),
    CONSTRAINT quarantines_cause CHECK (cause IN ('RESTORED', 'WENT_BACK', 'RULES_BROKEN'))
)
""",
    "awaited_lists": """
CREATE TABLE awaited_lists (
    vrf_id INTEGER NOT NULL,
    node TEXT NOT NULL,
    cluster TEXT NOT NULL,
    network TEXT NOT NULL,
    CONSTRAINT awaited_lists_pkey PRIMARY KEY (vrf_id, node, cluster, network),
    CONSTRAINT awaited_lists_vrf_fkey FOREIGN KEY (vrf_id) REFERENCES vrfs (vrf_id)
)
""",
    "unknown_attachments": """
CREATE TABLE unknown_attachments (
    vrf_id INTEGER NOT NULL,
    network TEXT NOT NULL,
    container_id TEXT NOT NULL,
    interface TEXT NOT NULL,
    node TEXT NOT NULL,
    cluster TEXT NOT NULL,
    CONSTRAINT unknown_attachments_pkey PRIMARY KEY (vrf_id, network, container_id, interface),
    CONSTRAINT unknown_attachments_vrf_fkey FOREIGN KEY (vrf_id) REFERENCES vrfs (vrf_id)
)
""",
    "schema_floor": """
CREATE TABLE schema_floor (
    revision TEXT NOT NULL,
    one BOOLEAN DEFAULT 'true' NOT NULL,
    CONSTRAINT schema_floor_pkey PRIMARY KEY (one),
    CONSTRAINT schema_floor_one CHECK (one)
)
""",
    "fence": """
CREATE TABLE fence (
    event_id BIGINT NOT NULL,
    one BOOLEAN DEFAULT 'true' NOT NULL,
    CONSTRAINT fence_pkey PRIMARY KEY (one),
    CONSTRAINT fence_one CHECK (one)
)
""",
    "ticks": """
CREATE TABLE ticks (
    tick BIGINT NOT NULL,
    one BOOLEAN DEFAULT 'true' NOT NULL,
    CONSTRAINT ticks_pkey PRIMARY KEY (one),
    CONSTRAINT ticks_one CHECK (one)
)
""",
    "verifications": """
CREATE TABLE verifications (
    extent TEXT NOT NULL,
    tick BIGINT NOT NULL,
    CONSTRAINT verifications_pkey PRIMARY KEY (extent),
    CONSTRAINT verifications_extent CHECK (extent IN ('PART', 'WHOLE'))
)
""",
}

INDEXES = (
    "CREATE UNIQUE INDEX quarantines_open_idx ON quarantines (vrf_id, cause)"
    " WHERE end_time IS NULL",
    "CREATE INDEX blocks_node_room_idx ON blocks (node, vrf_id, pool_id, cidr)"
    " WHERE has_room AND node IS NOT NULL",
    "CREATE INDEX blocks_empty_idx ON blocks (pool_id, vrf_id, cidr) WHERE is_empty",
    "CREATE INDEX blocks_node_idx ON blocks (node, vrf_id) WHERE node IS NOT NULL",
    "CREATE INDEX blocks_owner_idx ON blocks USING gin (sticky jsonb_path_ops)"
    " WHERE sticky <> '[]'",
    "CREATE INDEX blocks_sticky_idx ON blocks (cidr, vrf_id) WHERE sticky <> '[]'",
    "CREATE INDEX blocks_ready_idx ON blocks (pool_id, vrf_id, next_ready_tick)"
    " WHERE next_ready_tick IS NOT NULL",
    "CREATE INDEX blocks_room_idx ON blocks (pool_id, vrf_id, cidr) WHERE has_room",
    "CREATE INDEX blocks_unowned_room_idx ON blocks (pool_id, vrf_id, cidr)"
    " WHERE has_room AND node IS NULL",
    "CREATE INDEX attachments_container_idx ON attachments (container_id, vrf_id)",
    "CREATE INDEX attachments_node_idx ON attachments (node, vrf_id)",
    "CREATE INDEX attachments_owner_idx ON attachments (owner_key, vrf_id) WHERE owner_key <> ''",
    "CREATE INDEX attachments_pod_uid_idx ON attachments (pod_uid, vrf_id) WHERE pod_uid <> ''",
    "CREATE INDEX attachments_pod_idx ON attachments (namespace, pod, vrf_id)",
    "CREATE INDEX attachments_tombstone_idx ON attachments (change_time) WHERE state = 'RELEASED'",
    "CREATE INDEX allocations_block_idx ON allocations (block, vrf_id)",
    "CREATE INDEX allocations_generation_idx ON allocations (generation, vrf_id)",
    "CREATE INDEX events_address_idx ON events (address, vrf_id, event_id)",
    "CREATE INDEX events_holding_idx ON events ((assign_generation + 0), vrf_id)"
    " WHERE kind = 'RELEASED'",
    "CREATE INDEX events_held_address_idx ON events (address, vrf_id, assign_generation)"
    " WHERE kind = 'RELEASED'",
    "CREATE INDEX events_pod_idx ON events (namespace, pod, vrf_id, assign_generation)"
    " WHERE kind = 'RELEASED' AND pod <> ''",
    "CREATE INDEX events_node_idx ON events (node, vrf_id, assign_generation)"
    " WHERE kind = 'RELEASED' AND node <> ''",
    "CREATE INDEX events_owner_idx ON events (owner_key, vrf_id, assign_generation)"
    " WHERE kind = 'RELEASED' AND owner_key <> ''",
    "CREATE INDEX events_container_idx ON events (container_id, vrf_id, assign_generation)"
    " WHERE kind = 'RELEASED'",
)

# Makes the months that history is written to, and gives up what is too old: one thing
# with each call, so that no transaction is long; returns 0 when nothing is left to do.
# It runs as the owner of the tables, because the service may neither make nor drop one,
# nor take a row out of history; what it can take out is decided here, not by its caller,
# and is a day old at the least.
#
# A month that has rows in the default partition stays there: nobody moves them. LIKE and
# ATTACH instead of PARTITION OF, which would keep everybody from the table for a moment.
KEEP_HISTORY = r"""
CREATE FUNCTION keep_history(at_once integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp SET timezone = 'UTC' SET lock_timeout = '200ms'
AS $function$
DECLARE
    month timestamptz;
    partition text;
    days integer;
    cutoff timestamptz;
    done integer;
BEGIN
    -- One server at a time; the number is that of storage/locks.py.
    IF NOT pg_try_advisory_xact_lock(4, 0) THEN
        RETURN 0;
    END IF;

    FOR month IN SELECT date_trunc('month', clock_timestamp()) + ahead * interval '1 month'
        FROM generate_series(0, 3) AS ahead
    LOOP
        partition := 'events_' || to_char(month, 'YYYY_MM');
        CONTINUE WHEN to_regclass(partition) IS NOT NULL OR EXISTS (SELECT FROM events_default
            WHERE event_time >= month AND event_time < month + interval '1 month');
        BEGIN
            EXECUTE format('CREATE TABLE %I (LIKE events INCLUDING ALL) WITH'
                ' (autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_freeze_min_age = 0)',
                partition);
            EXECUTE format('ALTER TABLE events ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                partition, month, month + interval '1 month');
            RETURN 1;
        EXCEPTION WHEN check_violation THEN
            -- A row of the month has just come into the default partition.
            CONTINUE;
        END;
    END LOOP;

    -- The feed of each VRF, from its beginning: what is left has no gaps.
    WITH RECURSIVE fed AS (
        SELECT min(vrf_id) AS vrf_id FROM revisions
        UNION ALL
        SELECT (SELECT min(r.vrf_id) FROM revisions r WHERE r.vrf_id > fed.vrf_id) FROM fed
        WHERE fed.vrf_id IS NOT NULL
    ), oldest AS (
        SELECT fed.vrf_id, r.revision, bool_and(r.event_time < clock_timestamp()
            - coalesce(v.history_retention_days, 1) * interval '1 day')
            OVER (PARTITION BY fed.vrf_id ORDER BY r.revision) AS expired
        FROM fed LEFT JOIN vrfs v ON v.vrf_id = fed.vrf_id
        CROSS JOIN LATERAL (SELECT revision, event_time FROM revisions
            WHERE vrf_id = fed.vrf_id ORDER BY revision LIMIT at_once) AS r
        WHERE v.history_retention_days IS DISTINCT FROM 0
    )
    DELETE FROM revisions WHERE (vrf_id, revision) IN (SELECT oldest.vrf_id, oldest.revision
        FROM oldest WHERE expired ORDER BY oldest.vrf_id, oldest.revision LIMIT at_once);
    GET DIAGNOSTICS done = ROW_COUNT;
    IF done > 0 THEN
        RETURN done;
    END IF;

    -- 0 is for ever. History of VRFs that are gone goes with that of the others.
    SELECT CASE WHEN bool_or(history_retention_days = 0) THEN NULL
        ELSE coalesce(max(history_retention_days), 400) END INTO days FROM vrfs;
    IF days IS NULL THEN
        RETURN 0;
    END IF;
    -- An hour later than the feed, which then tells of nothing that is gone.
    cutoff := date_trunc('month',
        clock_timestamp() - greatest(days, 1) * interval '1 day' - interval '1 hour');

    SELECT format('%I', c.relname) INTO partition
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    CROSS JOIN LATERAL (SELECT CAST(substring(pg_get_expr(c.relpartbound, c.oid)
        FROM $$TO \('([^']+)'\)$$) AS timestamptz) AS ends) AS bound
    WHERE i.inhparent = 'events'::regclass AND bound.ends <= cutoff
    ORDER BY bound.ends LIMIT 1;
    IF FOUND THEN
        EXECUTE 'DROP TABLE ' || partition;
        RETURN 1;
    END IF;

    DELETE FROM events_default WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM events_default WHERE event_time < cutoff LIMIT at_once));
    GET DIAGNOSTICS done = ROW_COUNT;
    RETURN done;
END
$function$
"""

# History is only added to: whoever holds the service's role can neither change
# nor remove what happened.
APPEND_ONLY = ("events", "revisions")
READ_ONLY = ("alembic_version", "schema_floor")


def upgrade() -> None:
    """Creates everything and grants the service's role what it needs."""
    op.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    op.execute("CREATE EXTENSION IF NOT EXISTS btree_gist")
    op.execute("CREATE SEQUENCE events_event_id_seq CACHE 1")
    for statement in (*TABLES.values(), *INDEXES):
        op.execute(statement)
    op.execute("CREATE TABLE events_default PARTITION OF events DEFAULT")
    for table in ("alembic_version", *TABLES):
        op.execute(f"GRANT {_rights(table)} ON {table} TO {SERVICE_ROLE}")
    op.execute(f"GRANT SELECT, USAGE ON SEQUENCE events_event_id_seq TO {SERVICE_ROLE}")
    op.execute(KEEP_HISTORY)
    op.execute("REVOKE ALL ON FUNCTION keep_history FROM PUBLIC")
    op.execute(f"GRANT EXECUTE ON FUNCTION keep_history TO {SERVICE_ROLE}")
    op.execute("SELECT keep_history(1) FROM generate_series(1, 4)")
    op.execute("INSERT INTO vrfs (name, description) VALUES ('default', 'The default VRF')")
    op.execute("INSERT INTO schema_floor (revision) VALUES ('0001')")
    op.execute("INSERT INTO fence (event_id) VALUES (0)")
    op.execute("INSERT INTO ticks (tick) VALUES (0)")
    op.execute("INSERT INTO verifications (extent, tick) VALUES ('PART', 0), ('WHOLE', 0)")


def _rights(table: str) -> str:
    if table in READ_ONLY:
        return "SELECT"
    return "SELECT, INSERT" if table in APPEND_ONLY else "SELECT, INSERT, UPDATE, DELETE"


def downgrade() -> None:
    """Drops everything, history included."""
    op.execute("DROP FUNCTION keep_history")
    for table in reversed(TABLES):
        op.execute(f"DROP TABLE {table}")
    op.execute("DROP SEQUENCE events_event_id_seq")
