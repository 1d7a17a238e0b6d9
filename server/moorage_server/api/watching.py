"""Watches: a snapshot, then what changes, to as many as will listen.

A watch that has come as far as the tail of its VRF takes from there; one that is
behind it reads pages from the database until it has. Both go by revision, so nothing
is missed or told twice where it passes from one to the other.

What a server spends on watches is bounded: it sends so many messages in a second, each
with all that has happened since the one before. With more watches each is told later.
"""

import asyncio
import collections
import concurrent.futures
import contextlib
import dataclasses
import math
import time
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator

from moorage.v1 import history_pb2 as messages
from moorage_server.api import backward, callers, decode_watch, encode_watch, handover, limits, tail
from moorage_server.api.bell import Bell
from moorage_server.api.desk import Context, Desk
from moorage_server.domain import errors, feed, model
from moorage_server.storage import catalogs, database
from moorage_server.storage.interruption import Interruption
from moorage_server.usecases import query, watch

# Enough for the heartbeats of as many watches as there may be.
MESSAGES_PER_SECOND = 200
BEAT = 0.02  # seconds between two messages of one watch, at least
LOOKED_AT = 4 * watch.PAGE  # events between two pauses of one watch
SNAPSHOTS = 2  # read at the same time; further ones wait
SNAPSHOT_TIME = 120.0  # seconds for one


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How watches are treated; times are in seconds."""

    most: int = 2000  # watches at once; more are refused
    most_of_tenant: int = 5
    room: int = 10_000  # events that may pile up for a watch that was up to date
    heartbeat: float = 30.0
    longest: float = 1800.0  # then a watch ends, and may go on at another server
    patience: float = handover.PATIENCE  # with one who takes nothing of a snapshot


class Watching:
    """All watches of one server."""

    def __init__(self, desk: Desk, compiled: catalogs.Catalogs, rules: Rules) -> None:
        """Nobody watches yet."""
        self.rules = rules
        self.tails = tail.Tails(desk.store, room=rules.room)
        self.stopping = False
        self._desk = desk
        self._compiled = compiled
        self.count = 0  # watches at the moment
        self._of_tenants = collections.Counter[str]()
        self._next = 0.0  # when the next message may be sent
        self._stopped = Bell()
        # Of snapshots, some of which have been read.
        self._reading: weakref.WeakSet[Interruption] = weakref.WeakSet()
        self._snapshots = concurrent.futures.ThreadPoolExecutor(SNAPSHOTS, "snapshot")
        self._pages = concurrent.futures.ThreadPoolExecutor(1, "page")

    async def watch(
        self, request: messages.WatchAllocationsRequest, context: Context
    ) -> AsyncIterator[bytes]:
        """The messages of a watch, serialized, until it has lasted long enough."""
        wanted, cursor = decode_watch.watch(request)
        with self._counted(), _time_of(context):
            try:
                wanted, place = await self._desk.run(
                    context,
                    watch.begin,
                    self._compiled,
                    wanted=wanted,
                    pools=tuple(request.filter.pools),
                    cursor=cursor,
                )
            except errors.CursorUnknown as unknown:
                if cursor is not None and cursor.epoch == unknown.metadata["epoch"]:
                    await self._require_lost(wanted.vrf, cursor)
                raise
            interest = feed.Interest(
                filter=dataclasses.replace(wanted, pools=()), pools=place.pools
            )
            # Before the snapshot is read, so that what comes meanwhile is here afterwards.
            since = cursor.revision if cursor else None
            with self.tails.following(place, interest, since) as following:
                watcher = _Watcher(self, wanted, interest, following, cursor)
                async with contextlib.aclosing(watcher.messages()) as told:
                    async for message in told:
                        yield message

    def stop(self) -> None:
        """Ends every watch at once, as if it had lasted long enough."""
        self.stopping = True
        self.tails.stop()
        self._stopped.ring()
        for each in self._reading:
            asyncio.get_running_loop().run_in_executor(None, each.interrupt)

    def close(self) -> None:
        """Waits for what is being read."""
        self.tails.close()
        self._pages.shutdown(wait=True, cancel_futures=True)
        self._snapshots.shutdown(wait=True, cancel_futures=True)

    async def turn(self) -> None:
        """Returns when one more message may be sent: a few with each beat, never all at once."""
        now = time.monotonic()
        self._next = max(self._next, now) + 1 / MESSAGES_PER_SECOND
        await self._stopped.wait(math.ceil(self._next / BEAT) * BEAT - now)

    async def page(self, cursor: feed.Cursor, vrf: str, interest: feed.Interest) -> tail.Page:
        """What is wanted behind a cursor that the tail has left behind."""
        return await self.tails.read(vrf, cursor, interest, self._pages)

    def snapshot(
        self, wanted: model.AllocationFilter, taken: "handover.Handover[bytes]"
    ) -> "tuple[AsyncGenerator[bytes, None], list[feed.Cursor]]":
        """What is held, as messages, and behind them the revision that it is of."""
        reached: list[feed.Cursor] = []
        end, interruption = 0.0, Interruption()
        self._reading.add(interruption)

        def put(messages: Iterable[bytes]) -> None:
            for message in messages:
                # Whoever takes all of it slowly holds up who waits, and what is to be vacuumed.
                if time.monotonic() >= end or self.stopping:
                    raise handover.NotTaken
                taken.put(message)

        def tell(page: query.Page) -> None:
            put(encode_watch.held(page))

        def work() -> None:
            nonlocal end
            end = time.monotonic() + SNAPSHOT_TIME
            bounds = database.Limits.until(end)
            store, compiled = self._desk.store, self._compiled
            with self._interrupted_when_stopping():
                told = watch.snapshot(store, bounds, tell, compiled, interruption, wanted=wanted)
            put(encode_watch.released(told.released))
            reached.append(told.cursor)

        pieces = taken.taken(
            self._snapshots,
            work,
            idle=encode_watch.HEARTBEAT,
            every=self.rules.heartbeat,
            interrupt=interruption.interrupt,
        )
        return pieces, reached

    @contextlib.contextmanager
    def _interrupted_when_stopping(self) -> Iterator[None]:
        """What the server's stop has interrupted has not run out of time."""
        try:
            yield
        except errors.DeadlineTooShort:
            if self.stopping:
                raise handover.NotTaken from None
            raise

    async def _require_lost(self, vrf: str, cursor: feed.Cursor) -> None:
        """Of a cursor that is ahead of its own history: raises DatabaseUnavailable unless it is
        certain that this has gone back. What it was held against may be behind the one that leads.
        """
        if callers.CURRENT.get().bounds.is_tenant:
            return  # whose word shuts no VRF
        seen = model.Position(epoch=cursor.epoch, revision=cursor.revision)
        if not await backward.shut(self._desk, vrf, seen):
            raise errors.DatabaseUnavailable

    @contextlib.contextmanager
    def _counted(self) -> Iterator[None]:
        if self.count >= self.rules.most:
            raise errors.ServerBusy
        tenant = callers.CURRENT.get().bounds.tenant
        if tenant and self._of_tenants[tenant] >= self.rules.most_of_tenant:
            raise errors.ServerBusy(f"a tenant has {self.rules.most_of_tenant} watches at most")
        self.count += 1
        self._of_tenants[tenant] += 1
        try:
            yield
        finally:
            self.count -= 1
            self._of_tenants[tenant] -= 1


@contextlib.contextmanager
def _time_of(context: Context) -> Iterator[None]:
    """A watcher who has set no time is not told that it was too short: it was ours."""
    try:
        yield
    except errors.DeadlineTooShort:
        if context.time_remaining() is None:
            raise errors.DatabaseUnavailable from None
        raise


class _Watcher:
    """One watch: how far it has come."""

    def __init__(
        self,
        watching: Watching,
        wanted: model.AllocationFilter,
        interest: feed.Interest,
        following: tail.Following,
        cursor: feed.Cursor | None,
    ) -> None:
        self._watching = watching
        self._rules = watching.rules
        self._wanted = wanted
        self._interest = interest
        self._following = following
        self._cursor = cursor
        self._is_up_to_date = False

    async def messages(self) -> AsyncGenerator[bytes, None]:
        """A snapshot where there is no cursor, then changes."""
        cursor = self._cursor
        if cursor is None:
            taken: handover.Handover[bytes] = handover.Handover(self._rules.patience)
            pieces, reached = self._watching.snapshot(self._wanted, taken)
            try:
                async with contextlib.aclosing(pieces):
                    async for piece in pieces:
                        if self._watching.stopping:
                            return
                        yield piece
            except handover.NotTaken:
                if self._watching.stopping:
                    return
                raise errors.ConsumerTooSlow(self._wanted.vrf) from None
            (cursor,) = reached
            yield encode_watch.cursor(cursor)
        async for message in self._changes(cursor):
            yield message

    async def _changes(self, cursor: feed.Cursor) -> AsyncIterator[bytes]:
        # Who goes on from a cursor hears at once that it is known; who has had a snapshot, did.
        now = due = time.monotonic()
        end = now + self._rules.longest
        if self._cursor is None:
            due += self._rules.heartbeat
        while not self._watching.stopping and now < end:
            parts, upto = _fitting(await self._next(cursor, min(end, due)))
            cursor = dataclasses.replace(cursor, revision=upto)
            now = time.monotonic()
            if parts or now >= due:
                yield b"".join((*parts, encode_watch.cursor(cursor)))
                due = now + self._rules.heartbeat

    async def _next(self, cursor: feed.Cursor, until: float) -> tail.Page:
        """What is wanted behind a cursor; nothing where nothing has come in time."""
        revision = cursor.revision
        if self._is_up_to_date or self._following.has(revision):
            self._is_up_to_date = True
            await self._following.grown(revision, until - time.monotonic())
            await self._watching.turn()
            return self._following.after(revision, LOOKED_AT)
        await self._watching.turn()
        return await self._watching.page(cursor, self._wanted.vrf, self._interest)


def _fitting(page: tail.Page) -> tuple[list[bytes], int]:
    """The parts that one message has room for, and the revision up to which they tell all."""
    parts: list[bytes] = []
    size = 0
    for each in page.entries:
        parts.append(each.part)
        size += len(each.part)
        if size > limits.PAGE_BYTES:
            return parts, each.revision
    return parts, page.upto
