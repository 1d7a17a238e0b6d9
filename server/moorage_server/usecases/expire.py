"""History is kept for as long as it is wanted, a month at a time."""

import functools

from moorage_server.storage import database, history

AT_ONCE = 1000  # a short transaction, whatever has piled up


def expire(store: database.Database, limits: database.Limits) -> int:
    """Makes coming months and gives up what is too old; returns how much was done."""
    total = 0
    for keep in (history.keep, history.keep_audit):
        while done := store.run(functools.partial(keep, at_once=AT_ONCE), limits):
            total += done
    return total
