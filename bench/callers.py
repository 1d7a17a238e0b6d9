"""The callers of one load process.

They call through no SDK and keep the answers as bytes: on the machine that also runs the server,
what the load costs is taken away from what is measured. Each has a connection of its own, as each
node of a cluster has.
"""

import asyncio
import collections
import itertools
import os
import time
from typing import Final

import grpc
import grpc.aio
import psycopg

from bench import loops, messages
from bench.work import Ask, Phase, Place, Sample
from moorage import jitter
from moorage.v1 import resources_pb2 as resources

TIMEOUT: Final = 60.0  # seconds of a call with all its tries
BUSY: Final = "SERVER_BUSY"
BUSY_PAUSE: Final = 1.0  # seconds that a busy server wants to be left alone
MOST: Final = 1024  # callers of one place
OWN_CONNECTION: Final = (("grpc.use_local_subchannel_pool", 1),)
COMMIT: Final = "INSERT INTO bench_commits (caller, filler) VALUES (%s, 'x')"

_METHODS: Final = {
    "assign": "/moorage.v1.AllocationService/AssignAddresses",
    "release": "/moorage.v1.AllocationService/ReleaseAddresses",
    "look_up": "/moorage.v1.AllocationService/GetAllocation",
    "empty": "/grpc.health.v1.Health/Check",
    "create_pool": "/moorage.v1.PoolService/CreatePool",
    "delete_pool": "/moorage.v1.PoolService/DeletePool",
    "delete_node": "/moorage.v1.NodeService/DeleteNode",
    "peer_acquire": "/api.v1.IpamService/AcquireIP",
    "peer_release": "/api.v1.IpamService/ReleaseIP",
    "peer_create": "/api.v1.IpamService/CreatePrefix",
    "peer_delete": "/api.v1.IpamService/DeletePrefix",
    "peer_acquire_child": "/api.v1.IpamService/AcquireChildPrefix",
    "peer_release_child": "/api.v1.IpamService/ReleaseChildPrefix",
}

_Holding = tuple[Place, tuple[Ask, ...]]


class Caller:
    """One connection to the server and one to the database, opened when first needed."""

    def __init__(self, place: Place, *, number: int, of: int) -> None:
        """`number` tells it from the others, of which there are fewer than `of`."""
        self.number = number
        self._of = of
        self._place = place
        self._count = 0
        self._channel = grpc.aio.insecure_channel(place.target, options=OWN_CONNECTION)
        self._methods = {name: _Method(self._channel, path) for name, path in _METHODS.items()}
        self._database: psycopg.AsyncConnection | None = None

    async def call(self, method: str, request: bytes) -> bytes:
        """One call, and its answer."""
        return await self._methods[method](request)

    @property
    def turned_away(self) -> int:
        """How often it was told SERVER_BUSY."""
        return sum(each.turned_away for each in self._methods.values())

    async def commit(self) -> None:
        """Inserts one row and commits it, in one round trip."""
        if self._database is None:
            self._database = await psycopg.AsyncConnection.connect(
                self._place.commit_conninfo, autocommit=True, prepare_threshold=1
            )
        await self._database.execute(COMMIT, (str(self.number),))

    def next_assign(self, ask: Ask, node: str) -> tuple[resources.Attachment, bytes]:
        """An attachment that no call has named before, and the request for its addresses."""
        self._count += 1
        holder = messages.attachment(f"caller-{os.getpid()}-{self.number}-{self._count}")
        address = self.number + self._count * self._of
        return holder, messages.assign(holder, ask, node, address)

    async def close(self) -> None:
        """Ends both connections."""
        await self._channel.close()
        if self._database is not None:
            await self._database.close()


class Callers:
    """All callers of one process, and the attachments that they hold addresses for."""

    def __init__(self, process: int, processes: int) -> None:
        """`process` tells them from those of the others."""
        self._process = process
        self._processes = processes
        self._callers: dict[Place, list[Caller]] = collections.defaultdict(list)
        self._held: dict[_Holding, loops.Held] = collections.defaultdict(collections.deque)

    async def run(self, phase: Phase) -> Sample:
        """Lets `phase.callers` of them do their work."""
        callers = self._callers[phase.place]
        while len(callers) < phase.callers:
            number = len(callers) * self._processes + self._process
            callers.append(Caller(phase.place, number=number, of=MOST))
        loop = loops.Loop(phase, self._held[phase.place, phase.asks])
        await asyncio.sleep(phase.start - time.monotonic())
        before = sum(each.turned_away for each in callers)
        cpu = time.process_time()
        await loop.run(callers[: phase.callers])
        cpu = time.process_time() - cpu
        return loop.sample(cpu, sum(each.turned_away for each in callers) - before)

    async def close(self) -> None:
        """Ends every connection."""
        everybody = itertools.chain.from_iterable(self._callers.values())
        await asyncio.gather(*(caller.close() for caller in everybody))


class _Method:
    """Calls until it is not turned away, as callers of the client library do."""

    def __init__(self, channel: grpc.aio.Channel, path: str) -> None:
        self._call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(path)
        self.turned_away = 0

    async def __call__(self, request: bytes) -> bytes:
        """The answer; the time until then counts as that of one call."""
        until = time.monotonic() + TIMEOUT
        while True:
            try:
                answer: bytes = await self._call(request, timeout=until - time.monotonic())
            except grpc.aio.AioRpcError as error:
                pause = BUSY_PAUSE + jitter.between(0.05, 0.1)
                is_busy = messages.reason(error.trailing_metadata() or ()) == BUSY
                if not is_busy or time.monotonic() + pause >= until:
                    raise
                self.turned_away += 1
                await asyncio.sleep(pause)
            else:
                return answer
