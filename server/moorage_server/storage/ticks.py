"""The row that time is counted in where no clock can be trusted.

A wall clock may be set; PostgreSQL has no other. So time is counted in ticks, and
whoever has seen one tick stand for a second, by a clock that never goes back, may
raise it (`usecases.tick`). Any number of servers may, none leads: between two ticks at
least a second passes, also across restarts, failovers and steps of any clock. While
no server runs, time stands still, and what waits for it waits longer.
"""

import sqlalchemy as sa

from moorage_server.storage import statements

_READ = statements.Statement("SELECT tick FROM ticks")
# Only from the value that was seen: of two servers that try, one does nothing.
_RAISE = statements.Statement("UPDATE ticks SET tick = tick + 1 WHERE tick = :seen")


def read(connection: sa.Connection) -> int:
    """The present tick."""
    tick: int = _READ.value(connection)
    return tick


def advance(connection: sa.Connection, *, seen: int) -> None:
    """Raises the tick by one, unless somebody has already."""
    _RAISE.run(connection, {"seen": seen})
