"""Ending a query from outside of the thread that waits for it."""

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import psycopg
import sqlalchemy as sa

from moorage_server.domain import errors

CANCEL_TIMEOUT = 5.0  # seconds
AGAIN = 0.1  # seconds; a statement that was not sent yet takes no notice


def cancel(connection: "psycopg.Connection[Any]") -> None:
    """Ends the statement that waits for an answer; blocks for a moment, however it stands.

    Best effort: the statement's own time limit ends it otherwise.
    """
    with contextlib.suppress(psycopg.Error):
        connection.cancel_safe(timeout=CANCEL_TIMEOUT)


class Interruption:
    """Nobody waits for a query's answer any more: it ends, and no other begins."""

    def __init__(self) -> None:
        """Begins with nothing to end."""
        # Held while cancelling, so that a connection is never cancelled on which
        # another transaction works by then.
        self._ended = threading.Condition()
        self._connection: psycopg.Connection | None = None
        self._interrupted = False

    @contextlib.contextmanager
    def ends(self, connection: sa.Connection) -> Iterator[None]:
        """From now on the statements of a transaction may be ended; they then fail as timed out."""
        driver = connection.connection.driver_connection
        with self._ended:
            self._connection = driver if isinstance(driver, psycopg.Connection) else None
        try:
            yield
        finally:
            with self._ended:
                self._connection = None
                self._ended.notify_all()

    @property
    def interrupted(self) -> bool:
        """Whether it is in vain to go on."""
        return self._interrupted

    def require_none(self) -> None:
        """Raises what a statement would that had been under way."""
        if self._interrupted:
            raise errors.DeadlineTooShort

    def interrupt(self) -> None:
        """Ends the statements under way, if any; returns when nobody waits for one."""
        with self._ended:
            self._interrupted = True
            while self._connection is not None:
                cancel(self._connection)
                self._ended.wait(AGAIN)
