"""Diagnose: whether the database is fit to keep addresses."""

from moorage_server.domain import diagnosis
from moorage_server.storage import condition, database


def diagnose(
    store: database.Database, limits: database.Limits, *, processes: int, threads: int
) -> list[diagnosis.Finding]:
    """All that was looked at, for a server of so many processes with so many threads each."""
    needed = processes * (threads + database.RESERVE_CONNECTIONS)

    def work(transaction: database.Transaction) -> diagnosis.Facts:
        return condition.facts(transaction, needed=needed)

    return list(diagnosis.examine(store.run(work, limits)))
