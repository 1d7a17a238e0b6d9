"""The newest events of each VRF that somebody follows, read once for all who do.

Who follows a tail knows how far it has come, and takes what is behind that. So a
follower needs no memory of its own, and one that sleeps costs nothing.
"""

import asyncio
import concurrent.futures
import contextlib
import dataclasses
import time
from collections.abc import Collection, Iterator

from moorage_server.api.bell import Bell
from moorage_server.api.selections import Entry, Selection, Selections
from moorage_server.domain import errors, feed
from moorage_server.storage import database
from moorage_server.usecases import watch

POLL = 0.1  # seconds between two looks for what other servers numbered
TIME = 5.0  # seconds for one look


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Entries, and the revision up to which they are all that is wanted."""

    entries: list[Entry]
    upto: int


class Tail:
    """The newest events of one VRF, as many as there is room for."""

    def __init__(self, tails: "Tails", place: watch.Place) -> None:
        """Begins empty, behind the head of the feed."""
        self.vrf = place.vrf
        self.head = place.head
        self.failure: BaseException | None = None
        self.followers = 0
        self._tails = tails
        self._selections = Selections(tails.room)
        self._news = Bell()
        self._task = asyncio.get_running_loop().create_task(self._work())
        self._task.add_done_callback(self._ended)

    @contextlib.contextmanager
    def selection(self, interest: feed.Interest, since: int | None) -> Iterator[Selection]:
        """What of it somebody wants, behind a revision if it can be, else from its head on."""
        self.followers += 1
        head = self.head.revision
        selection = self._selections.join(interest, head, head if since is None else since)
        try:
            yield selection
        finally:
            self._selections.leave(selection)
            self.followers -= 1

    def goes_on(self, place: watch.Place) -> bool:
        """Whether it is of this history, and being read."""
        return self.failure is None and self.head.epoch == place.head.epoch

    def look(self) -> None:
        """There is something new."""
        self._news.ring()

    def close(self) -> None:
        """Reads no more."""
        self._task.cancel()
        self._selections.wake()

    async def _work(self) -> None:
        while True:
            found = await self._tails.read(self.vrf, self.head)
            if found.entries:
                self.head = dataclasses.replace(self.head, revision=found.upto)
                self._selections.add(found.entries)
            if len(found.entries) < watch.PAGE:
                await self._news.wait(POLL)

    def _ended(self, work: "asyncio.Task[None]") -> None:
        # Whatever ended it, those who follow are told.
        self.failure = None if work.cancelled() else work.exception()
        self._selections.wake()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Following:
    """One who follows a tail, as far as what it wants goes."""

    tail: Tail
    selection: Selection

    def has(self, revision: int) -> bool:
        """Whether everything behind a revision is here; raises why the tail has ended."""
        if self.tail.failure is not None:
            raise self.tail.failure
        return self.selection.has(revision)

    async def grown(self, revision: int, seconds: float) -> None:
        """Returns when something is behind a revision, the tail has ended, or time is up."""
        if self.has(revision) and not self.selection.after(revision, 1):
            await self.selection.grown.wait(seconds)

    def after(self, revision: int, most: int) -> Page:
        """The first entries behind a revision; raises ConsumerTooSlow where they have gone."""
        if not self.has(revision):
            raise errors.ConsumerTooSlow(self.tail.vrf)
        found = self.selection.after(revision, most)
        if len(found) == most:
            return Page(entries=found, upto=found[-1].revision)
        # Who comes from another server may be ahead of what has been read here.
        return Page(entries=found, upto=max(revision, self.tail.head.revision))


class Tails:
    """The tails of one server: there is one for each VRF that somebody follows."""

    def __init__(self, store: database.Database, *, room: int) -> None:
        """Each has room for so many events."""
        self.room = room
        self._store = store
        self._tails: dict[int, Tail] = {}
        # Its own: whoever reads much, or numbers, must not hold it up.
        self._thread = concurrent.futures.ThreadPoolExecutor(1, "tail")

    @contextlib.contextmanager
    def following(
        self, place: watch.Place, interest: feed.Interest, since: int | None
    ) -> Iterator[Following]:
        """The tail of a VRF that is at this place; when the last follower goes, it ends.

        Who has followed the feed before says `since` which revision it has missed it.
        """
        tail = self._tails.get(place.vrf_id)
        if tail is None or not tail.goes_on(place):
            tail = self._tails[place.vrf_id] = Tail(self, place)
        try:
            with tail.selection(interest, since) as selection:
                yield Following(tail=tail, selection=selection)
        finally:
            if tail.followers == 0:
                self._end(place.vrf_id, tail)

    def look(self, vrf_ids: Collection[int]) -> None:
        """The feeds of these VRFs have grown."""
        for vrf_id in vrf_ids:
            if vrf_id in self._tails:
                self._tails[vrf_id].look()

    async def read(
        self,
        vrf: str,
        cursor: feed.Cursor,
        interest: feed.Interest | None = None,
        threads: concurrent.futures.Executor | None = None,
    ) -> Page:
        """What comes behind a cursor, read by the thread of the tails or by others.

        With an interest, what is wanted of it.
        """

        def work() -> Page:
            limits = database.Limits.until(time.monotonic() + TIME)
            found = watch.following(self._store, limits, vrf=vrf, cursor=cursor)
            wanted = (each for each in found if interest is None or interest.wants(each))
            upto = found[-1].revision if found else cursor.revision
            return Page(entries=list(map(Entry, wanted)), upto=upto)

        reading = asyncio.get_running_loop().run_in_executor(threads or self._thread, work)
        try:
            # A database that is frozen answers nothing, not even that time is up. Not wait_for:
            # being cancelled in the moment in which it is answered, it would go on for ever.
            async with asyncio.timeout(TIME):
                return await reading
        except (TimeoutError, errors.DeadlineTooShort):
            # The time was ours: whoever watches has set none, and tries again.
            raise errors.DatabaseUnavailable from None

    def stop(self) -> None:
        """Ends every tail, and wakes who follows."""
        for tail in self._tails.values():
            tail.close()

    def close(self) -> None:
        """Waits for what is being read."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _end(self, vrf_id: int, tail: Tail) -> None:
        tail.close()
        if self._tails.get(vrf_id) is tail:
            del self._tails[vrf_id]
