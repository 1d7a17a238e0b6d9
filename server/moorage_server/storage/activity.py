"""What the service's connections are doing, as PostgreSQL sees it."""

import sqlalchemy as sa

# Of its own role alone a role without further rights is told.
_OLDEST = sa.text("""
SELECT coalesce(extract(epoch FROM max(clock_timestamp() - xact_start)), 0) FROM pg_stat_activity
WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()
""")


def oldest_transaction(connection: sa.Connection) -> float:
    """For how many seconds the oldest transaction of any server has been open; 0 where none is."""
    return float(connection.scalar(_OLDEST) or 0)
