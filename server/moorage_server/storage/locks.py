"""Advisory locks: for what has no row of its own to lock, or one that is locked too often.

All are given back with the transaction. A number stands for each name; two names of
one number merely take turns.
"""

import enum
import zlib
from collections.abc import Hashable, Mapping
from typing import TypeVar

import sqlalchemy as sa

from moorage_server.storage import arrays, statements

L = TypeVar("L", bound=Hashable)


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
SELECT CASE WHEN shared THEN {function}_shared(class, number) ELSE {function}(class, number) END
FROM unnest(CAST(:classes AS int[]), CAST(:numbers AS int[]), CAST(:shared AS boolean[]))
    WITH ORDINALITY AS wanted (class, number, shared, at) ORDER BY at
"""
# Locking returns nothing; both branches must return the same.
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
    connection: sa.Connection, wanted: Mapping[L, tuple[Class, int]], *, waiting: bool
) -> set[L]:
    """Takes a lock for each, in this order, of VRFs shared ones; returns those that were had.

    Without `waiting` those are left out that others have.
    """
    classes = [about for about, _ in wanted.values()]
    parameters = {
        "classes": arrays.numbers(classes),
        "numbers": arrays.numbers(number for _, number in wanted.values()),
        "shared": arrays.texts("t" if each is Class.VRF else "f" for each in classes),
    }
    if waiting:
        _LOCK_EACH.run(connection, parameters)
        return set(wanted)
    had = _TRY_LOCK_EACH.values(connection, parameters)
    return {each for each, is_had in zip(wanted, had, strict=True) if is_had}
