"""Hands what a database thread finds to the event loop, a few pieces at a time."""

import asyncio
import concurrent.futures
import threading
from collections.abc import AsyncGenerator, Callable
from typing import Generic, TypeVar

T = TypeVar("T")

PIECES = 2  # found and not taken
# Seconds until whoever takes nothing is given up. Shorter than a transaction may stand
# idle (`storage.database.IDLE_IN_TRANSACTION`): one is open until all is found.
PATIENCE = 9.0


class NotTaken(Exception):
    """Whoever was to take it has gone, or does not take it."""


class Handover(Generic[T]):
    """A queue from one thread to one task on the loop, where it is made."""

    def __init__(self, patience: float = PATIENCE) -> None:
        """Waits so many seconds for each piece to be taken."""
        self._loop = asyncio.get_running_loop()
        self._found: asyncio.Queue[T | None] = asyncio.Queue()
        self._room = threading.Semaphore(PIECES)
        self._patience = patience
        self._gone = False

    def put(self, piece: T) -> None:
        """From the thread; waits until there is room. Raises NotTaken."""
        if not self._room.acquire(timeout=self._patience) or self._gone:
            raise NotTaken
        self._loop.call_soon_threadsafe(self._found.put_nowait, piece)

    async def taken(
        self,
        threads: concurrent.futures.Executor,
        work: Callable[[], None],
        *,
        idle: T,
        every: float,
        interrupt: Callable[[], None],
    ) -> AsyncGenerator[T, None]:
        """The pieces that `work`, done in one of these threads, puts; raises what it raises.

        `idle` where none has come for so many seconds. Where nobody goes on taking, the
        work ends with NotTaken; `interrupt`, which may block, ends what it waits for.
        """
        working = self._loop.run_in_executor(threads, work)
        # Behind everything that was put; None is the end.
        working.add_done_callback(lambda _: self._found.put_nowait(None))
        try:
            while True:
                try:
                    piece = await asyncio.wait_for(self._found.get(), every)
                except TimeoutError:
                    yield idle
                    continue
                if piece is None:
                    break
                yield piece
                self._room.release()
            working.result()
        finally:
            self._gone = True
            self._room.release()
            if working.cancel():  # what has not begun never will
                self._loop.run_in_executor(None, interrupt)
