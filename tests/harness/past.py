"""A database that looks as if it had been in use for long."""

from harness.postgres import Database

_MONTH = """
DO $$
DECLARE
    start timestamptz := date_trunc('month', clock_timestamp(), 'UTC') - interval '{ago} months';
BEGIN
    EXECUTE format('CREATE TABLE past_{ago} PARTITION OF events FOR VALUES FROM (%L) TO (%L)',
        start, start + interval '1 month');
    ALTER TABLE past_{ago} OWNER TO moorage_owner;
END
$$
"""


def add_months(database: Database, months: int) -> None:
    """Has the history begin so many months ago."""
    database.execute("SET timezone = 'UTC'")
    for ago in range(1, months + 1):
        database.execute(_MONTH.replace("{ago}", str(ago)))


def age(database: Database, days: float, *containers: str) -> None:
    """Moves all that happened to these containers into the past."""
    back = f"interval '1 day' * {days}"
    for table in ("events", "allocations"):
        times = ["assign_time"] + (["event_time"] if table == "events" else [])
        moved = ", ".join(f"{time} = {time} - {back}" for time in times)
        whose = "container_id = ANY (:names)"
        if table == "allocations":
            whose = f"attachment_uid IN (SELECT uid FROM attachments WHERE {whose})"
        database.execute(f"UPDATE {table} SET {moved} WHERE {whose}", names=list(containers))


def months(database: Database) -> int:
    """How many months there are to write events to, or that have some, but for the default."""
    return len(database.rows("SELECT FROM pg_inherits WHERE inhparent = 'events'::regclass")) - 1
