"""Who made a change: in the history of addresses, and of what is administered.

The servers of before leave the new columns as they are, and write no changes: who called them is
not known.
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

SERVICE_ROLE = "moorage_service"

# Defaults that are constants, so that no row of history is written anew.
STATEMENTS = (
    """
CREATE TABLE actors (
    uid UUID NOT NULL,
    month DATE NOT NULL,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    proof TEXT NOT NULL,
    credential TEXT DEFAULT '' NOT NULL,
    source TEXT DEFAULT '' NOT NULL,
    CONSTRAINT actors_pkey PRIMARY KEY (uid, month),
    CONSTRAINT actors_uid
        CHECK (uid = CAST(encode(substring(sha256(convert_to(role || chr(10) || proof || chr(10)
            || credential || chr(10) || source || chr(10) || name, 'UTF8')) FOR 16), 'hex')
            AS uuid)),
    CONSTRAINT actors_proof
        CHECK (proof IN ('NONE', 'CERTIFICATE', 'TOKEN', 'CERTIFICATE_AND_TOKEN', 'SERVER'))
)
""",
    "CREATE INDEX actors_month_idx ON actors ((month + 0))",
    "ALTER TABLE events ADD COLUMN actor_uid UUID",
    "ALTER TABLE events ADD COLUMN request_id TEXT DEFAULT '' NOT NULL",
    """
CREATE TABLE changes (
    change_id BIGINT GENERATED ALWAYS AS IDENTITY,
    vrf TEXT COLLATE "C" NOT NULL,
    change_time timestamptz DEFAULT clock_timestamp() NOT NULL,
    method TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    reason TEXT DEFAULT '' NOT NULL,
    before JSONB DEFAULT '{}' NOT NULL,
    after JSONB DEFAULT '{}' NOT NULL,
    actor_uid UUID NOT NULL,
    request_id TEXT DEFAULT '' NOT NULL,
    CONSTRAINT changes_pkey PRIMARY KEY (change_id, vrf),
    CONSTRAINT changes_kind
        CHECK (kind IN ('VRF', 'POOL', 'RESERVATION', 'NODE', 'BLOCK', 'STICKY_ADDRESS',
            'QUARANTINE'))
)
""",
    "CREATE INDEX changes_vrf_idx ON changes (vrf, change_id)",
    "CREATE INDEX changes_name_idx ON changes (name, vrf, change_id)",
    "CREATE INDEX changes_change_time_idx ON changes (change_time)",
)

# What the service may only add to goes with history, by the same cutoff as in keep_history. Of
# actors a month later: a transaction may have begun in the month before its events.
KEEP_AUDIT = """
CREATE FUNCTION keep_audit(at_once integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp SET timezone = 'UTC' SET lock_timeout = '200ms'
AS $function$
DECLARE
    days integer;
    cutoff timestamptz;
    done integer;
BEGIN
    -- One server at a time; the number is that of storage/locks.py.
    IF NOT pg_try_advisory_xact_lock(4, 0) THEN
        RETURN 0;
    END IF;

    -- 0 is for ever.
    SELECT CASE WHEN bool_or(history_retention_days = 0) THEN NULL
        ELSE coalesce(max(history_retention_days), 400) END INTO days FROM vrfs;
    IF days IS NULL THEN
        RETURN 0;
    END IF;
    cutoff := date_trunc('month',
        clock_timestamp() - greatest(days, 1) * interval '1 day' - interval '1 hour');

    DELETE FROM changes WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM changes WHERE change_time < cutoff LIMIT at_once));
    GET DIAGNOSTICS done = ROW_COUNT;
    IF done > 0 THEN
        RETURN done;
    END IF;

    DELETE FROM actors WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM actors WHERE month + 0 < CAST(cutoff - interval '1 month' AS date)
        LIMIT at_once));
    GET DIAGNOSTICS done = ROW_COUNT;
    RETURN done;
END
$function$
"""


def upgrade() -> None:
    """Adds them; what the service writes there it can neither change nor take out."""
    for statement in STATEMENTS:
        op.execute(statement)
    op.execute(f"GRANT SELECT, INSERT ON actors, changes TO {SERVICE_ROLE}")
    op.execute(KEEP_AUDIT)
    op.execute("REVOKE ALL ON FUNCTION keep_audit FROM PUBLIC")
    op.execute(f"GRANT EXECUTE ON FUNCTION keep_audit TO {SERVICE_ROLE}")


def downgrade() -> None:
    """Drops who made what."""
    op.execute("DROP FUNCTION keep_audit")
    op.execute("DROP TABLE changes")
    op.execute("ALTER TABLE events DROP COLUMN request_id, DROP COLUMN actor_uid")
    op.execute("DROP TABLE actors")
