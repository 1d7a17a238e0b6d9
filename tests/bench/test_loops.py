"""What callers make of a server's answers: a real one, which is slow, or tells all the same."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import grpc
import grpc.aio
import pytest

from bench import audit
from bench.callers import Callers
from bench.work import Call, Phase, Place, Sample
from moorage.v1 import allocation_service_pb2, resources_pb2

_SAME = allocation_service_pb2.AssignAddressesResponse(
    allocations=[resources_pb2.Allocation(address="10.0.0.1")]
).SerializeToString()

_Answer = Callable[[bytes, object], Awaitable[bytes]]


async def _nothing(_: bytes, __: object) -> bytes:
    return b""


@contextlib.asynccontextmanager
async def _serving(assign: _Answer) -> AsyncIterator[str]:
    server = grpc.aio.server()
    methods: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
        "AssignAddresses": grpc.unary_unary_rpc_method_handler(assign),
        "ReleaseAddresses": grpc.unary_unary_rpc_method_handler(_nothing),
    }
    name = "moorage.v1.AllocationService"
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, methods),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


def _ran(assign: _Answer, call: Call, callers: int, *, calls: int) -> Sample:
    async def work() -> Sample:
        async with _serving(assign) as target:
            crew = Callers(0, 1)
            phase = Phase(
                call=call,
                callers=callers,
                seconds=60.0,
                calls=calls,
                place=Place(target=target),
                start=time.monotonic(),
            )
            try:
                return await crew.run(phase)
            finally:
                await crew.close()

    return asyncio.run(work())


@pytest.mark.parametrize(("callers", "calls"), [(32, 32), (32, 96), (1, 5)])
def test_a_rate_is_of_all_that_was_answered_in_the_time_until_the_last_answer(
    callers: int, calls: int
) -> None:
    turn = asyncio.Lock()

    async def one_by_one(_: bytes, __: object) -> bytes:
        async with turn:
            await asyncio.sleep(0.002)
        return _SAME

    sample = _ran(one_by_one, Call.ASSIGN, callers, calls=calls)
    assert (sample.failures, sample.answered, len(sample.latencies)) == ((), calls, calls)
    # One at a time, each of which took so long.
    assert sample.rate <= 1 / 0.002
    assert sample.lasted >= max(sample.latencies)


@pytest.mark.parametrize("callers", [4, 32])
def test_an_address_that_everybody_is_told_at_once_is_found(callers: int) -> None:
    ready = asyncio.Barrier(callers)

    async def together(_: bytes, __: object) -> bytes:
        await ready.wait()
        return _SAME

    # Several times: on a busy machine what is answered at once may be read one after the other.
    sample = _ran(together, Call.PAIR, callers, calls=8 * callers)
    assert len(sample.holdings) == 8 * callers
    assert len(audit.overlaps(sample.holdings)) >= callers / 2
