"""Waking many who wait for one thing, each for as long as it likes, at little cost for each."""

import asyncio
from typing import Any


class Bell:
    """Rings for everybody who waits at that moment."""

    def __init__(self) -> None:
        """Nobody waits yet."""
        self._waiting: set[asyncio.Future[None]] = set()

    def ring(self) -> None:
        """Wakes everybody; only on the event loop."""
        for each in self._waiting:
            _wake(each)

    async def wait(self, seconds: float) -> None:
        """Returns when it rings, or after so many seconds."""
        loop = asyncio.get_running_loop()
        waiting: asyncio.Future[None] = loop.create_future()
        self._waiting.add(waiting)
        alarm = loop.call_later(seconds, _wake, waiting)
        try:
            await waiting
        finally:
            alarm.cancel()
            self._waiting.discard(waiting)


def _wake(waiting: "asyncio.Future[Any]") -> None:
    if not waiting.done():
        waiting.set_result(None)
