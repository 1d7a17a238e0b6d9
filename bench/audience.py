"""Processes that watch: they take what comes, as bytes, and decode nothing once they have begun.

Each watch has a connection of its own, as each node of a cluster has.
"""

import asyncio
import contextlib
import multiprocessing
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import Final

import grpc
import grpc.aio

from bench import messages
from bench.callers import BUSY, BUSY_PAUSE, OWN_CONNECTION
from bench.work import Audience
from moorage.v1 import filter_pb2, history_pb2, resources_pb2

_WATCH: Final = "/moorage.v1.AllocationService/WatchAllocations"
_SNAPSHOT_TIME: Final = 60.0  # seconds until every watch has begun


@contextlib.contextmanager
def watching(target: str, wanted: Audience) -> Iterator[list[str]]:
    """All have been told what is held; lends a list of what went wrong, complete at the end."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=_work, args=(theirs, target, wanted), daemon=True)
    process.start()
    theirs.close()
    failures = list(ours.recv())
    try:
        yield failures
    finally:
        ours.send(None)
        failures += ours.recv()
        process.join()
        ours.close()


def _work(pipe: "Connection[list[str], None]", target: str, wanted: Audience) -> None:
    asyncio.run(_watch(pipe, target, wanted))


async def _watch(pipe: "Connection[list[str], None]", target: str, wanted: Audience) -> None:
    watches = [_Watch(target, _request(wanted, at)) for at in range(wanted.watches)]
    begun = asyncio.gather(*(each.begun.wait() for each in watches))
    try:
        await asyncio.wait_for(begun, _SNAPSHOT_TIME)
        pipe.send([])
    except TimeoutError:
        pipe.send(["not every watch has begun in time"])
    await asyncio.get_running_loop().run_in_executor(None, pipe.recv)
    ended = [each.failure for each in watches if each.failure]
    await asyncio.gather(*(each.close() for each in watches))
    pipe.send(ended)


class _Watch:
    """One watch; `failure` says why it has ended."""

    def __init__(self, target: str, request: bytes) -> None:
        self.begun = asyncio.Event()
        self.failure = ""
        self._channel = grpc.aio.insecure_channel(target, options=OWN_CONNECTION)
        self._task = asyncio.create_task(self._take(request))

    async def _take(self, request: bytes) -> None:
        call: grpc.aio.UnaryStreamMultiCallable[bytes, bytes] = self._channel.unary_stream(_WATCH)
        while not self.failure:
            try:
                async for message in call(request):
                    if not self.begun.is_set() and messages.ends_snapshot(message):
                        self.begun.set()
                self.failure = "a watch has ended"
            except grpc.aio.AioRpcError as error:
                await self._heed(error)
        self.begun.set()

    async def _heed(self, error: grpc.aio.AioRpcError) -> None:
        if self.begun.is_set() or messages.reason(error.trailing_metadata() or ()) != BUSY:
            self.failure = f"{error.code().name}: {error.details()}"
        else:
            # Of a thousand that begin at once, as those of the client library do.
            await asyncio.sleep(BUSY_PAUSE)

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])
        await self._channel.close()


def _request(wanted: Audience, at: int) -> bytes:
    node = "" if wanted.of_everything else f"quiet-{at}"
    of = filter_pb2.AllocationFilter(workload=resources_pb2.Workload(node=node))
    return history_pb2.WatchAllocationsRequest(filter=of).SerializeToString()
