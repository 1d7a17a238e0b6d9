"""The gate of the client library, for callers that share an event loop instead of threads."""

import asyncio
import time

from moorage import gate


class Door:
    """The gate of one node."""

    def __init__(self) -> None:
        """Stands open."""
        self._limit = gate.Limit()
        # In the order in which they came.
        self._waiting: dict[asyncio.Future[None], None] = {}

    async def enter(self, until: float) -> bool:
        """Waits for a turn; whether there was one in time."""
        if self._limit.has_room and not self._waiting:
            self._limit.enter()
            return True
        turn = asyncio.get_running_loop().create_future()
        self._waiting[turn] = None
        await asyncio.wait([turn], timeout=until - time.monotonic())
        self._waiting.pop(turn, None)
        return turn.done()

    def leave(self, reason: str) -> None:
        """One has come to something; `reason` is empty where it was served."""
        self._limit.leave(reason)
        for _ in range(gate.LET_IN):
            if self._waiting and self._limit.has_room:
                turn = next(iter(self._waiting))
                del self._waiting[turn]
                self._limit.enter()
                turn.set_result(None)
