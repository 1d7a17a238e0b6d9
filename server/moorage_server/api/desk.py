"""Carries calls from the event loop to the database threads and back.

A use case is plain blocking code; it runs in one of a few threads, each with a
connection of its own. Cancelling the RPC leaves the thread alone: a transaction
that has begun ends by itself, so no cancellation ever reaches a COMMIT. A query that
tells of what it finds while it goes on has nothing to commit, and is ended.
"""

import asyncio
import concurrent.futures
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, cast

import grpc.aio

from moorage_server import traces
from moorage_server.api import corruption, handover
from moorage_server.api.admission import Admission, Class
from moorage_server.domain import errors
from moorage_server.storage import database
from moorage_server.storage.interruption import Interruption

P = ParamSpec("P")
T = TypeVar("T")
Context = grpc.aio.ServicerContext[Any, Any]  # its messages are the method's

DEFAULT_TIMEOUT = 10.0  # seconds, for a call that brings no deadline
LONGEST_TIMEOUT = 60.0  # seconds, whatever the call brings
STREAM_TIMEOUT = 600.0  # seconds, for a call that is told of things while they are found
# Of a call's time, and seconds at most, kept back: so the caller hears our error, not its own.
RETURN_SHARE = 0.05
RETURN_MARGIN = 0.2


def deadline_of(
    context: Context, *, default: float = DEFAULT_TIMEOUT, longest: float = LONGEST_TIMEOUT
) -> float:
    """When to give up on a call, on time.monotonic()'s clock."""
    remaining = context.time_remaining()
    if remaining is None:
        remaining = default
    remaining = min(remaining, longest)
    return time.monotonic() + remaining - min(RETURN_SHARE * remaining, RETURN_MARGIN)


class Change(Protocol):
    """A request to change something, or only to say whether it could be changed."""

    @property
    def validate_only(self) -> bool:
        """Whether nothing is to be changed."""


class Desk:
    """The database threads."""

    def __init__(self, store: database.Database, admission: Admission, *, threads: int) -> None:
        """`threads` use cases run at the same time, a quarter of them by `run`."""
        self.store = store
        self.threads = threads
        self._admission = admission
        # What reads much would else take the interpreter from the batch, and threads from all.
        self._queries = asyncio.Semaphore(max(2, threads // 4))
        self._threads = concurrent.futures.ThreadPoolExecutor(threads, "database")
        # One at a time, beside the others: a look at everything takes long.
        self._streams = concurrent.futures.ThreadPoolExecutor(1, "stream")
        # Whether all is well is asked for beside all the rest: a server that is busy is ready.
        self._probes = concurrent.futures.ThreadPoolExecutor(1, "probe")

    async def run(
        self,
        context: Context,
        use_case: Callable[Concatenate[database.Database, database.Limits, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """The result of what waits its turn as queries do, within the call's deadline."""
        if not self._admission.admits(Class.QUERY):
            raise errors.ServerBusy
        deadline = deadline_of(context)
        async with self._turn(deadline):
            return await self._run(self.store, deadline, use_case, *args, **kwargs)

    @contextlib.asynccontextmanager
    async def _turn(self, deadline: float) -> AsyncIterator[None]:
        """Waits for the turn of a query."""
        self._admission.waiting[Class.QUERY] += 1
        try:
            await asyncio.wait_for(self._queries.acquire(), deadline - time.monotonic())
        except TimeoutError:
            raise errors.DeadlineTooShort from None
        finally:
            self._admission.waiting[Class.QUERY] -= 1
        try:
            yield
        finally:
            self._queries.release()

    async def change(
        self,
        request: Change,
        context: Context,
        use_case: Callable[Concatenate[database.Database, database.Limits, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """The result of a use case that changes something, or would, if only asked to validate."""
        store = self.store.rehearsing() if request.validate_only else self.store
        return await self._run(store, deadline_of(context), use_case, *args, **kwargs)

    async def _run(
        self,
        store: database.Database,
        deadline: float,
        use_case: Callable[Concatenate[database.Database, database.Limits, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        limits = database.Limits.until(deadline)
        running = self.call(lambda: use_case(store, limits, *args, **kwargs))
        try:
            # A database that is frozen answers nothing, not even that time is up.
            async with self._heeding():
                return await asyncio.wait_for(running, deadline - time.monotonic())
        except TimeoutError:
            raise errors.OutcomeUnknown from None

    @contextlib.asynccontextmanager
    async def _heeding(self) -> AsyncIterator[None]:
        """Nobody is told that what is stored may be corrupt before it is shut."""
        try:
            yield
        except database.Corrupt as error:
            await corruption.shut(self.call, self.store, error)
            raise

    async def stream(
        self,
        context: Context,
        use_case: Callable[
            Concatenate[database.Database, database.Limits, Callable[[T], None], Interruption, P],
            None,
        ],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> AsyncIterator[T]:
        """What a query tells of, as it does; it ends with the call, whoever ends that."""
        deadline = deadline_of(context, default=STREAM_TIMEOUT, longest=STREAM_TIMEOUT)
        loop, told, interruption = (
            asyncio.get_running_loop(),
            asyncio.Queue[T | None](),
            Interruption(),
        )

        def tell(each: T) -> None:
            loop.call_soon_threadsafe(told.put_nowait, each)

        def stop(_: object) -> None:
            # In a thread of its own, since it blocks.
            loop.run_in_executor(None, interruption.interrupt)

        def work() -> None:
            limits = database.Limits.until(deadline)
            use_case(self.store, limits, tell, interruption, *args, **kwargs)

        # The type stubs have a class where any function is taken.
        context.add_done_callback(cast("Any", stop))
        running = loop.run_in_executor(self._streams, traces.carried(work))
        # Behind everything that it has told; None is the end.
        running.add_done_callback(lambda _: told.put_nowait(None))
        while (each := await _next(told, deadline)) is not None:
            yield each
        async with self._heeding():
            running.result()

    async def hand_over(
        self,
        context: Context,
        use_case: Callable[
            Concatenate[database.Database, database.Limits, Callable[[T], None], Interruption, P],
            None,
        ],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> AsyncGenerator[T, None]:
        """Like `stream`, of what is too much to pile up: the query waits until it is taken.

        Raises handover.NotTaken where nobody does.
        """
        deadline = deadline_of(context, default=STREAM_TIMEOUT, longest=STREAM_TIMEOUT)
        loop, taken, interruption = (
            asyncio.get_running_loop(),
            handover.Handover[T | None](),
            Interruption(),
        )

        def stop(_: object) -> None:
            # In a thread of its own, since it blocks.
            loop.run_in_executor(None, interruption.interrupt)

        def work() -> None:
            limits = database.Limits.until(deadline)
            use_case(self.store, limits, taken.put, interruption, *args, **kwargs)

        # The type stubs have a class where any function is taken.
        context.add_done_callback(cast("Any", stop))
        left = deadline - time.monotonic()
        pieces = taken.taken(
            self._streams,
            traces.carried(work),
            idle=None,
            every=left,
            interrupt=interruption.interrupt,
        )
        async with contextlib.aclosing(pieces), self._heeding():
            async for piece in pieces:
                # Also where each piece was taken in time: a transaction is open for all of it.
                if piece is None or time.monotonic() > deadline:
                    raise errors.DeadlineTooShort
                yield piece

    async def call(self, work: Callable[[], T]) -> T:
        """The result of blocking work, done in a database thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, traces.carried(work))

    async def probe(self, work: Callable[[], T]) -> T:
        """The result of blocking work that waits behind no call."""
        return await asyncio.get_running_loop().run_in_executor(self._probes, work)

    def close(self) -> None:
        """Waits for the transactions under way."""
        self._probes.shutdown(wait=True, cancel_futures=True)
        self._streams.shutdown(wait=True, cancel_futures=True)
        self._threads.shutdown(wait=True, cancel_futures=True)


async def _next(told: asyncio.Queue[T | None], deadline: float) -> T | None:
    try:
        return await asyncio.wait_for(told.get(), deadline - time.monotonic())
    except TimeoutError:
        raise errors.DeadlineTooShort from None
