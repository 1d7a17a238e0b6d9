"""What the service's connections are doing, as PostgreSQL sees it."""

import sqlalchemy as sa

# Of its own role alone a role without further rights is told. What only reads, as the verifier
# does for as long as it takes, is in nobody's way.
_OLDEST = sa.text("""
SELECT coalesce(extract(epoch FROM max(clock_timestamp() - xact_start)), 0) FROM pg_stat_activity
WHERE datname = current_database() AND usename = current_user AND backend_xid IS NOT NULL
""")


def oldest_change(connection: sa.Connection) -> float:
    """For how long, in seconds, a transaction that changes something has been open; 0: none is."""
    return float(connection.scalar(_OLDEST) or 0)
