"""How a server is told to end: told once it goes in order, told again it hurries."""

import asyncio
import contextlib
import os
import threading

import structlog

_log = structlog.get_logger()


class Ending:
    """The wish that a server end, which comes from outside."""

    def __init__(self) -> None:
        """Nobody wishes it."""
        self.begun = asyncio.Event()
        self._skipped = asyncio.Event()
        self._repeated = asyncio.Event()

    def begin(self) -> None:
        """Whoever wishes it once more is in a hurry."""
        if self.begun.is_set():
            self._repeated.set()
            self._skipped.set()
        self.begun.set()

    def skip(self) -> None:
        """Without waiting until others have heard of it."""
        self.begun.set()
        self._skipped.set()

    async def rest(self, seconds: float) -> None:
        """Returns after so long, or where nobody is to be waited for."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._skipped.wait()

    async def again(self) -> None:
        """Returns when somebody wishes it once more from now on."""
        self._repeated.clear()
        await self._repeated.wait()


def give_up_after(seconds: float) -> threading.Timer:
    """Ends the process then, whatever still goes on in it, unless the timer is cancelled.

    A thread that waits for a database which is frozen cannot be ended otherwise. Its caller was
    told long ago that the outcome is unknown.
    """
    timer = threading.Timer(seconds, _give_up)
    timer.daemon = True
    timer.start()
    return timer


def _give_up() -> None:
    _log.error("transactions are not finished in time, ends without them")
    os._exit(0)
