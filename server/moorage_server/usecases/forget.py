"""Tombstones do not stay for ever: only as long as an overtaken attempt could arrive."""

from moorage_server.storage import attachments, database

RETENTION = 3600.0  # seconds; far beyond any deadline and any patience of a container runtime
AT_ONCE = 1000  # a short transaction, whatever has piled up


def forget(store: database.Database, limits: database.Limits) -> int:
    """Deletes the tombstones that have served their time; returns how many."""

    def work(transaction: database.Transaction) -> int:
        return attachments.forget(transaction, seconds=RETENTION, limit=AT_ONCE)

    forgotten = 0
    while (some := store.run(work, limits)) == AT_ONCE:
        forgotten += some
    return forgotten + some
