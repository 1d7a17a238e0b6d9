"""Blocks do not stay for ever with nodes that do not use them."""

from moorage_server.storage import affinities, database

IDLE = 900.0  # seconds that a block has been empty, at least, as in Calico
AT_ONCE = 1000  # a short transaction, whatever has piled up


def tidy(store: database.Database, limits: database.Limits, *, idle: float = IDLE) -> int:
    """Closes the empty blocks that nobody misses; returns how many."""

    def work(transaction: database.Transaction) -> int:
        return affinities.give_up_unused(transaction, idle=idle, limit=AT_ONCE)

    closed = 0
    while some := store.run(work, limits):
        closed += some
    return closed
