"""The callers of one load process.

They send prepared bytes and keep the answers as bytes, through no SDK and no message
classes: on the machine that also runs the server, what the load costs is taken away
from what is measured. Each has a connection of its own, as each node of a cluster has.
"""

import asyncio
import collections
import os
import time
from collections.abc import Awaitable, Callable
from typing import Final

import grpc
import grpc.aio
import psycopg

from bench.work import Call, Phase, Place, Sample
from moorage.v1 import allocation_service_pb2 as requests
from moorage.v1 import resources_pb2 as messages

TIMEOUT: Final = 20.0  # seconds
OWN_CONNECTION: Final = (("grpc.use_local_subchannel_pool", 1),)
COMMIT: Final = "INSERT INTO bench_commits (caller, filler) VALUES (%s, 'x')"

_ASSIGN: Final = "/moorage.v1.AllocationService/AssignAddresses"
_RELEASE: Final = "/moorage.v1.AllocationService/ReleaseAddresses"
_HEALTH: Final = "/grpc.health.v1.Health/Check"

_Unary = Callable[[bytes], Awaitable[bytes]]


class _Caller:
    """One connection to the server and one to the database, opened when first needed."""

    def __init__(self, place: Place, name: str) -> None:
        self._place = place
        self._name = name
        self._count = 0
        channel = grpc.aio.insecure_channel(place.target, options=OWN_CONNECTION)
        self.assign, self.release, self.empty = (
            _method(channel, path) for path in (_ASSIGN, _RELEASE, _HEALTH)
        )
        self._channel = channel
        self._database: psycopg.AsyncConnection | None = None

    async def commit(self) -> None:
        """Inserts one row and commits it, in one round trip."""
        if self._database is None:
            self._database = await psycopg.AsyncConnection.connect(
                self._place.commit_conninfo, autocommit=True, prepare_threshold=1
            )
        await self._database.execute(COMMIT, (self._name,))

    def next_attachment(self) -> messages.Attachment:
        """An attachment that no call has named before."""
        self._count += 1
        container = f"{self._name}-{self._count}"
        return messages.Attachment(network="pods", container_id=container, interface="eth0")

    async def close(self) -> None:
        """Ends both connections."""
        await self._channel.close()
        if self._database is not None:
            await self._database.close()


class Callers:
    """All callers of one process, and the attachments that they hold addresses for."""

    def __init__(self, place: Place, process: int) -> None:
        """`process` tells its attachments from those of the others."""
        self._place = place
        self._process = process
        self._callers: list[_Caller] = []
        self._held: dict[str, collections.deque[bytes]] = collections.defaultdict(collections.deque)

    async def run(self, phase: Phase) -> Sample:
        """Lets `phase.callers` of them do their work."""
        while len(self._callers) < phase.callers:
            name = f"caller-{os.getpid()}-{len(self._callers)}"
            self._callers.append(_Caller(self._place, name))
        loop = _Loop(phase, self._held[phase.pool])
        await asyncio.sleep(phase.start - time.monotonic())
        cpu = time.process_time()
        await asyncio.gather(
            *(loop.turn(caller, at) for at, caller in enumerate(self._callers[: phase.callers]))
        )
        return loop.sample(time.process_time() - cpu)

    async def close(self) -> None:
        """Ends every connection."""
        await asyncio.gather(*(caller.close() for caller in self._callers))


class _Loop:
    """One phase: what every caller does until it is over, and what was seen of it."""

    def __init__(self, phase: Phase, held: collections.deque[bytes]) -> None:
        self._phase = phase
        self._held = held
        self._left = phase.calls
        self._latencies: list[float] = []
        self._answers: list[bytes] = []
        self._failures: list[str] = []
        self._end = 0.0
        self._step = {
            Call.EMPTY: self._empty,
            Call.COMMIT: self._commit,
            Call.ASSIGN: self._assign,
            Call.RELEASE: self._release,
            Call.REFUSAL: self._refusal,
            Call.PAIR: self._pair,
        }[phase.call]

    async def turn(self, caller: _Caller, at: int) -> None:
        """Calls until the phase is over."""
        node = f"node-{at % self._phase.nodes}"
        end = self._phase.start + self._phase.seconds
        while time.monotonic() < end and self._take():
            try:
                await self._step(caller, node)
            except grpc.aio.AioRpcError as error:
                self._failures.append(f"{error.code().name}: {error.details()}")
            except psycopg.Error as error:
                self._failures.append(str(error))
        self._end = max(self._end, time.monotonic())

    def sample(self, cpu: float) -> Sample:
        """What was seen; reading the answers is left until nothing is measured any more."""
        answers = map(requests.AssignAddressesResponse.FromString, self._answers)
        return Sample(
            latencies=tuple(self._latencies),
            assigned=tuple(each.address for answer in answers for each in answer.allocations),
            failures=tuple(self._failures),
            end=self._end,
            cpu=cpu,
        )

    def _take(self) -> bool:
        if self._phase.call is Call.RELEASE and not self._held:
            return False
        if self._left is None:
            return True
        self._left -= 1
        return self._left >= 0

    async def _timed(self, call: Awaitable[object]) -> object:
        began = time.perf_counter()
        answer = await call
        self._latencies.append(time.perf_counter() - began)
        return answer

    async def _empty(self, caller: _Caller, _node: str) -> None:
        await self._timed(caller.empty(b""))

    async def _commit(self, caller: _Caller, _node: str) -> None:
        await self._timed(caller.commit())

    async def _assign(self, caller: _Caller, node: str) -> None:
        attachment = caller.next_attachment()
        answer = await self._timed(caller.assign(_assign_request(attachment, self._phase, node)))
        assert isinstance(answer, bytes)
        self._answers.append(answer)
        self._held.append(_release_request(attachment))

    async def _release(self, caller: _Caller, _node: str) -> None:
        await self._timed(caller.release(self._held.popleft()))

    async def _refusal(self, caller: _Caller, node: str) -> None:
        request = _assign_request(caller.next_attachment(), self._phase, node)
        began = time.perf_counter()
        try:
            await caller.assign(request)
        except grpc.aio.AioRpcError as error:
            self._latencies.append(time.perf_counter() - began)
            if error.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED:
                raise
        else:
            self._failures.append(f"pool {self._phase.pool} is full and yet gave an address")

    async def _pair(self, caller: _Caller, node: str) -> None:
        attachment = caller.next_attachment()
        await self._timed(caller.assign(_assign_request(attachment, self._phase, node)))
        await caller.release(_release_request(attachment))


def _method(channel: grpc.aio.Channel, path: str) -> _Unary:
    call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(path)

    async def answered(request: bytes) -> bytes:
        answer: bytes = await call(request, timeout=TIMEOUT)
        return answer

    return answered


def _assign_request(attachment: messages.Attachment, phase: Phase, node: str) -> bytes:
    container = attachment.container_id
    return requests.AssignAddressesRequest(
        attachment=attachment,
        addresses=[requests.AddressRequest(family=messages.IP_FAMILY_IPV4, pools=[phase.pool])],
        workload=messages.Workload(
            node=node, namespace="bench", pod=container, pod_uid=f"uid-{container}"
        ),
        labels={"app": "bench"},
    ).SerializeToString()


def _release_request(attachment: messages.Attachment) -> bytes:
    return requests.ReleaseAddressesRequest(attachment=attachment).SerializeToString()
