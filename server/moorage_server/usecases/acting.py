"""Transactions that name who acts, and the writing down of who that is."""

import functools
from collections.abc import Callable
from typing import TypeVar

from moorage_server.domain import errors
from moorage_server.storage import actors, database

ATTEMPTS = 3  # others may act when it comes to be decided again

T = TypeVar("T")


def run(
    store: database.Database, limits: database.Limits, work: Callable[[database.Transaction], T]
) -> T:
    """Runs `work`; where the database does not know who acts in it, once more when it does.

    They are written down in a transaction of their own, which is short: whoever writes down the
    same waits for it, and is not to wait for what `work` waits for. Raises Contention where there
    are others each time.
    """
    for _ in range(ATTEMPTS):
        try:
            return store.run(work, limits)
        except actors.Unknown as found:
            store.run(functools.partial(actors.add, acting=found.acting), limits)
    raise errors.Contention
