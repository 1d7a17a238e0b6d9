"""The gate of the client library, for callers that share an event loop instead of threads."""

import asyncio
import collections
import time

from moorage import gate


class Door:
    """The gate of one node."""

    def __init__(self) -> None:
        """Stands open."""
        self._limit = gate.Limit()
        self._waiting: collections.deque[asyncio.Future[None]] = collections.deque()

    async def enter(self, until: float) -> bool:
        """Waits for a turn; whether there was one in time."""
        if self._waiting or not self._limit.has_room:
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            try:
                async with asyncio.timeout(until - time.monotonic()):
                    await turn
            except TimeoutError:
                return False
        self._limit.enter()
        return True

    def leave(self, reason: str) -> None:
        """One has come to something; `reason` is empty where it was served."""
        self._limit.leave(reason)
        for _ in range(gate.LET_IN):
            while self._waiting and self._waiting[0].done():
                self._waiting.popleft()
            if self._waiting and self._limit.has_room:
                self._waiting.popleft().set_result(None)
