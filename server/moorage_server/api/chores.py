"""What a server does again and again beside answering calls.

Every server does all of it: none leads, and what two do at the same time is done once. A
turn that fails is told of, and is not the last, whatever it failed of.
"""

import asyncio
import dataclasses
import time
from collections.abc import Awaitable, Callable

import structlog

from moorage_server.api.desk import Desk
from moorage_server.domain import errors
from moorage_server.storage import database
from moorage_server.usecases import expire, forget, tick, tidy

AFTER_INCIDENT = 1.0  # seconds

_log = structlog.get_logger()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Chore:
    """One of them; times are in seconds."""

    every: float  # from the end of a turn to the next
    within: float  # one turn; what is left then, the next one does
    failure: str  # what it means for people that a turn has failed
    work: Callable[[database.Database, database.Limits], int]


FORGET = Chore(every=10.0, within=10.0, failure="tombstones not forgotten", work=forget.forget)
TIDY = Chore(every=60.0, within=10.0, failure="unused blocks not closed", work=tidy.tidy)
EXPIRE = Chore(
    # History that comes at thousands of events a second has to go at thousands a second; but a
    # server neither starts nor stops in the middle of a turn.
    every=30.0,
    within=10.0,
    failure="old history not given up, or coming months not made",
    work=expire.expire,
)


class Chores:
    """The chores of one server process."""

    def __init__(self, desk: Desk) -> None:
        """Nothing is done yet."""
        self._desk = desk
        time_goes_on = Chore(
            every=1.02 * tick.PERIOD,  # a timer may be a little early
            within=10.0,
            failure="time stands still",
            work=tick.Ticker().tick,
        )
        self._chores = (time_goes_on, FORGET, TIDY, EXPIRE)
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Does what must be done before the first call, and has the rest done on this loop."""
        # The present month must be there before the first event of it.
        await self._turn(EXPIRE)
        self._tasks = [asyncio.create_task(self._repeated(each)) for each in self._chores]

    def stop(self) -> None:
        """Begins no further turn."""
        for task in self._tasks:
            task.cancel()

    async def _repeated(self, chore: Chore) -> None:
        while True:
            await asyncio.sleep(chore.every)
            await self._turn(chore)

    async def _turn(self, chore: Chore) -> None:
        limits = database.Limits.until(time.monotonic() + chore.within)

        async def turn() -> None:
            try:
                await self._desk.call(lambda: chore.work(self._desk.store, limits))
            except (errors.IpamError, database.Fault) as error:
                _log.warning(chore.failure, why=str(error))

        await survived(turn, chore.failure)


async def survived(turn: Callable[[], Awaitable[None]], failure: str) -> bool:
    """Takes a turn of something that must never end; what nobody thought of is logged.

    Returns whether nothing of that kind happened. The outermost frame of work that goes on
    whatever becomes of one turn.
    """
    try:
        await turn()
    except Exception:  # whatever it is, the next turn begins anew
        _log.exception(failure)
        await asyncio.sleep(AFTER_INCIDENT)
        return False
    return True
