"""Ending a query from outside of the thread that waits for it."""

import contextlib
import threading
from collections.abc import Iterator

import psycopg
import sqlalchemy as sa

CANCEL_TIMEOUT = 5.0  # seconds


class Interruption:
    """Nobody waits for a query's answer any more: it ends, and no other begins."""

    def __init__(self) -> None:
        """Begins with nothing to end."""
        # Held while cancelling, so that a connection is never cancelled on which
        # another transaction works by then.
        self._lock = threading.Lock()
        self._connection: psycopg.Connection | None = None
        self._interrupted = False

    @contextlib.contextmanager
    def ends(self, connection: sa.Connection) -> Iterator[None]:
        """From now on the statements of a transaction may be ended; they then fail as timed out."""
        driver = connection.connection.driver_connection
        with self._lock:
            self._connection = driver if isinstance(driver, psycopg.Connection) else None
        try:
            yield
        finally:
            with self._lock:
                self._connection = None

    @property
    def interrupted(self) -> bool:
        """Whether it is in vain to go on."""
        return self._interrupted

    def interrupt(self) -> None:
        """Ends the statement under way, if any; blocks for a moment."""
        with self._lock:
            self._interrupted = True
            if self._connection is not None:
                # Best effort: the statement's own time limit ends it otherwise.
                with contextlib.suppress(psycopg.Error):
                    self._connection.cancel_safe(timeout=CANCEL_TIMEOUT)
