"""What is stored, in short: two digests are the same where no row was changed in between."""

from harness.postgres import Database
from moorage_server.storage import tables

# What servers keep up by themselves, whether anything is asked of them or not.
KEPT_UP = {"ticks", "fence", "revisions", "revision_heads"}


def of(database: Database) -> dict[str, object]:
    """A digest of the rows of every table that requests change, their versions included."""
    return {
        name: database.scalar(
            f"SELECT md5(coalesce(string_agg(row.xmin || '|' || row.*::text, E'\\n'"
            f" ORDER BY row.*::text), '')) FROM {name} AS row"
        )
        for name in tables.metadata.tables.keys() - KEPT_UP
    }
