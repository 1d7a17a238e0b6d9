"""How many assigns a client has at a server at once, while that is busy.

A call that is turned away costs the server a good part of one that is served: callers who all come
again and again take from each other what there is to have. So a client that was told SERVER_BUSY
sends half as many at once as it had, one more with every round that is served, and has the others
wait here for their turn. Releases never wait: the server serves them first.
"""

from __future__ import annotations

import math
import threading
import time

import grpc

from moorage import errors

REASON = "SERVER_BUSY"
# Told so by many calls of one moment, a client heeds it once.
HEEDED_EVERY = 1.0  # seconds
# As many at once as a client never has: the gate stands open.
OPEN = 256.0
# Whenever one has come out: the limit may have grown past the next whole number.
LET_IN = 2


class Limit:
    """The number itself; it is infinite until a server is busy."""

    def __init__(self) -> None:
        """Nobody is inside."""
        self._most = math.inf
        self._inside = 0
        self._heed_from = 0.0

    @property
    def has_room(self) -> bool:
        """Whether one more may be sent."""
        return self._inside < self._most

    def enter(self) -> None:
        """One is sent."""
        self._inside += 1

    def leave(self, reason: str) -> None:
        """One has come to something; `reason` is empty where it was served."""
        if reason == REASON:
            self._narrow()
        else:
            self._most = self._most + 1 / self._most if self._most < OPEN else math.inf
        self._inside -= 1

    def _narrow(self) -> None:
        now = time.monotonic()
        if now >= self._heed_from:
            self._most = max(1.0, min(self._most, self._inside) / 2)
            self._heed_from = now + HEEDED_EVERY


class Gate:
    """Where the assigns of one client pass, from whichever thread."""

    def __init__(self) -> None:
        """Stands open."""
        self._limit = Limit()
        self._changed = threading.Condition()

    def enter(self, seconds: float) -> None:
        """Return when a call may be sent.

        Raises errors.Unavailable, with the reason of the server, where that is not within so long.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._limit.has_room, seconds):
                said = "the server is busy; the call was not sent"
                raise errors.Unavailable(grpc.StatusCode.RESOURCE_EXHAUSTED, REASON, said)
            self._limit.enter()

    def leave(self, error: errors.MoorageError | None) -> None:
        """Tell what became of a call that was sent."""
        with self._changed:
            self._limit.leave(error.reason if error else "")
            self._changed.notify(LET_IN)
