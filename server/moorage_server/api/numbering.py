"""Has events numbered, so that they come into the feed: soon after this server wrote some."""

import asyncio
import concurrent.futures
import contextlib
import time
from collections.abc import Callable, Collection

import structlog

from moorage_server.api import chores, measures
from moorage_server.domain import errors
from moorage_server.storage import database
from moorage_server.usecases import number

PERIOD = 1.0  # seconds between two looks for what a server left that has ended since
# Seconds between two passes at least. One numbers whatever has come meanwhile, at the
# same cost: under load, what a pass takes is taken from the assigns.
PACE = 0.1
TIME = 5.0  # seconds for a pass

_log = structlog.get_logger()


class Numbering:
    """Numbers on a thread of its own, one pass at a time; every server does."""

    def __init__(
        self,
        store: database.Database,
        feed: measures.Feed,
        tell: Callable[[Collection[int]], None],
    ) -> None:
        """Tells of the VRFs, by row id, whose feeds have grown."""
        self._store = store
        self._feed = feed
        self._tell = tell
        self._numberer = number.Numberer()
        self._stirred = asyncio.Event()
        self._thread = concurrent.futures.ThreadPoolExecutor(1, "numbering")
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to work on the running loop."""
        self._task = asyncio.get_running_loop().create_task(self._work())

    def stir(self) -> None:
        """Something was committed that may be an event."""
        self._stirred.set()

    async def close(self) -> None:
        """Stops working; what is not numbered, another server will number, or the next."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._thread.shutdown(wait=True)

    async def _work(self) -> None:
        while True:
            # Not wait_for: being cancelled in the moment in which it is stirred, it would go on.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PERIOD):
                    await self._stirred.wait()
            self._stirred.clear()
            await chores.survived(self._pass, "events not numbered, the feed stands still")
            await asyncio.sleep(PACE)

    async def _pass(self) -> None:
        limits = database.Limits.until(time.monotonic() + TIME)
        try:
            numbered = await asyncio.get_running_loop().run_in_executor(
                self._thread, self._numberer.number, self._store, limits
            )
        except (errors.IpamError, database.Fault) as error:
            _log.warning("events not numbered, the feed stands still", why=str(error))
            return
        if numbered.vrf_ids:
            self._tell(numbered.vrf_ids)
        if numbered.more:
            self.stir()
        else:
            self._feed.settle(numbered.since)
