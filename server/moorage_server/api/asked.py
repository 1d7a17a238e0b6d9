"""Answers of somebody far away, who is asked each question once at a time."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from typing import Final, Generic, TypeVar

from moorage_server.domain import errors

MOST: Final = 20_000  # answers that are kept, of which a thousand take less than a megabyte
MOST_ASKED: Final = 2000  # questions at once

_Question = TypeVar("_Question", bound=Hashable)
_Answer = TypeVar("_Answer")


class Asked(Generic[_Question, _Answer]):
    """Keeps answers for a while: those that are worth it."""

    def __init__(
        self,
        ask: Callable[[_Question], Awaitable[_Answer]],
        seconds: float,
        is_worth: Callable[[_Answer], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Has asked nothing yet."""
        self._clock = clock
        self._ask = ask
        self._seconds = seconds
        self._is_worth = is_worth
        self._kept: dict[_Question, tuple[float, _Answer]] = {}
        self._asking: dict[_Question, asyncio.Task[_Answer]] = {}

    async def get(self, question: _Question) -> _Answer:
        """The answer, not older than that; raises what `ask` raises, and ServerBusy."""
        kept = self._kept.get(question)
        if kept is not None and self._clock() < kept[0]:
            return kept[1]
        asking = self._asking.get(question)
        if asking is None:
            if len(self._asking) >= MOST_ASKED:
                raise errors.ServerBusy("too many questions wait for an answer from elsewhere")
            asking = self._asking[question] = asyncio.create_task(self._answer(question))
            asking.add_done_callback(_look)
        # Whoever stops waiting leaves it to the others.
        return await asyncio.shield(asking)

    async def _answer(self, question: _Question) -> _Answer:
        began = self._clock()
        try:
            answer = await self._ask(question)
        finally:
            del self._asking[question]
        if self._is_worth(answer):
            if len(self._kept) >= MOST:
                self._kept.clear()
            # As of its question: it may have been on its way for long.
            self._kept[question] = began + self._seconds, answer
        return answer


def _look(asked: asyncio.Task[object]) -> None:
    # Where nobody waits any more, nobody else looks at why it failed, and asyncio complains.
    if not asked.cancelled():
        asked.exception()
