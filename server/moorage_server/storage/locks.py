"""Advisory locks: for what has no row of its own to lock, or one that is locked too often.

All are given back with the transaction. A number stands for each name; two names of
one number merely take turns.
"""

import enum
import zlib
from collections.abc import Iterable

import sqlalchemy as sa

from moorage_server.storage import arrays, statements


class Class(enum.IntEnum):
    """What a lock is about; PostgreSQL keeps the numbers of each apart."""

    ATTACHMENT = 1
    NODE = 2
    VRF = 3
    HISTORY = 4  # taken by the function that keeps history, in the migrations
    FEED = 5
    POD_INTERFACE = 6
    TURN = 7
    RULES = 8
    QUOTA = 9


_LOCK = statements.Statement("SELECT pg_advisory_xact_lock(:class, :number)")
_TRY_LOCK = statements.Statement("SELECT pg_try_advisory_xact_lock(:class, :number)")
_EACH = """
SELECT {function}(:class, number)
FROM unnest(CAST(:numbers AS int[])) WITH ORDINALITY AS wanted (number, at) ORDER BY at
"""
_LOCK_EACH = statements.Statement(_EACH.format(function="pg_advisory_xact_lock"))
_TRY_LOCK_EACH = statements.Statement(_EACH.format(function="pg_try_advisory_xact_lock"))


def number(name: str) -> int:
    """The number that stands for a name."""
    return zlib.crc32(name.encode()) - 2**31


def take(connection: sa.Connection, about: Class, name: str, *, waiting: bool = True) -> bool:
    """Takes one lock; without `waiting`, says whether it could be had at once."""
    parameters = {"class": about.value, "number": number(name)}
    if waiting:
        _LOCK.run(connection, parameters)
        return True
    return bool(_TRY_LOCK.value(connection, parameters))


def take_each(
    connection: sa.Connection, about: Class, names: Iterable[str], *, waiting: bool
) -> set[str]:
    """Takes a lock for each name, in the same order as everybody; returns those that were had.

    Without `waiting` those are left out that others have.
    """
    wanted = sorted(set(names), key=number)
    parameters = {"class": about.value, "numbers": arrays.numbers(map(number, wanted))}
    if waiting:
        _LOCK_EACH.run(connection, parameters)
        return set(wanted)
    had = _TRY_LOCK_EACH.values(connection, parameters)
    return {name for name, is_had in zip(wanted, had, strict=True) if is_had}
