"""Tombstones do not stay for ever: only as long as an overtaken attempt could arrive."""

from moorage_server.storage import attachments, database

RETENTION = 3600.0  # seconds; far beyond any deadline and any patience of a container runtime
AT_ONCE = 1000  # a short transaction, whatever has piled up


def forget(store: database.Database, limits: database.Limits) -> int:
    """Deletes tombstones that have served their time, some of them; returns how many."""
    return store.run(
        lambda transaction: attachments.forget(transaction, seconds=RETENTION, limit=AT_ONCE),
        limits,
    )
