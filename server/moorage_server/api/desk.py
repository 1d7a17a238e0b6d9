"""Carries calls from the event loop to the database threads and back.

A use case is plain blocking code; it runs in one of a few threads, each with a
connection of its own. Cancelling the RPC leaves the thread alone: a transaction
that has begun ends by itself, so no cancellation ever reaches a COMMIT.
"""

import asyncio
import concurrent.futures
import time
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

import grpc.aio

from moorage_server.domain import errors
from moorage_server.storage import database

P = ParamSpec("P")
T = TypeVar("T")
Context = grpc.aio.ServicerContext[Any, Any]  # its messages are the method's

DEFAULT_TIMEOUT = 10.0  # seconds, for a call that brings no deadline
LONGEST_TIMEOUT = 60.0  # seconds, whatever the call brings
RETURN_MARGIN = 0.02  # seconds kept back, so that the caller hears our error, not its own


def deadline_of(context: Context) -> float:
    """When to give up on a call, on time.monotonic()'s clock."""
    remaining = context.time_remaining()
    if remaining is None:
        remaining = DEFAULT_TIMEOUT
    return time.monotonic() + min(remaining, LONGEST_TIMEOUT) - RETURN_MARGIN


class Desk:
    """The database threads."""

    def __init__(self, store: database.Database, *, threads: int) -> None:
        """`threads` use cases run at the same time."""
        self.store = store
        self.threads = threads
        self._threads = concurrent.futures.ThreadPoolExecutor(threads, "database")

    async def run(
        self,
        context: Context,
        use_case: Callable[Concatenate[database.Database, database.Limits, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """The result of a use case, within the call's deadline."""
        deadline = deadline_of(context)
        limits = database.Limits.until(deadline)
        running = self.call(lambda: use_case(self.store, limits, *args, **kwargs))
        try:
            # A database that is frozen answers nothing, not even that time is up.
            return await asyncio.wait_for(running, deadline - time.monotonic())
        except TimeoutError:
            raise errors.OutcomeUnknown from None

    async def call(self, work: Callable[[], T]) -> T:
        """The result of blocking work, done in a database thread."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def close(self) -> None:
        """Waits for the transactions under way."""
        self._threads.shutdown(wait=True, cancel_futures=True)
