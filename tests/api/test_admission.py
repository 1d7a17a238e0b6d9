"""Who is turned away by a busy server, and who goes first."""

import asyncio
import concurrent.futures
import contextlib
import threading
import time
from collections.abc import Callable, Coroutine
from typing import cast

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status

import moorage
from harness import calls, exposition, postgres, serving
from moorage.v1 import allocation_service_pb2 as messages
from moorage.v1 import allocation_service_pb2_grpc as stubs
from moorage_server.api import admission, server, tickets
from moorage_server.domain import model


def test_who_would_wait_too_long_is_told_so_at_once_and_when_to_come_again(
    database: postgres.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        serving.in_process(database, metrics_listen="127.0.0.1:0") as server,
        moorage.Client(server.target) as client,
        grpc.insecure_channel(server.target) as channel,
    ):
        calls.create_pool(client, "a", "10.0.0.0/24")
        calls.assign(client, "c1")
        calls.release(client, "c0")
        monkeypatch.setattr(admission, "LONGEST_WAIT", -1.0)
        allocations = stubs.AllocationServiceStub(channel)
        for refused in (
            lambda: allocations.AssignAddresses(messages.AssignAddressesRequest()),
            lambda: allocations.ReleaseAddresses(messages.ReleaseAddressesRequest()),
        ):
            with pytest.raises(grpc.RpcError) as caught:
                refused()
            assert _told(caught.value) == ("SERVER_BUSY", 1.0)  # not even that it is empty
        assert [each.address for each in client.allocations()] == ["10.0.0.0"]
        monkeypatch.undo()
        calls.release(client, "c1")
        told = exposition.text(server.metrics)
        assert 'moorage_calls_turned_away_total{class="assign"} 1.0' in told
        assert 'moorage_calls_turned_away_total{class="release"} 1.0' in told
        assert 'moorage_calls_turned_away_total{class="query"} 0.0' in told


def test_queries_wait_in_a_line_of_their_own(
    client: moorage.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls.create_pool(client, "a", "10.0.0.0/24")
    client.get_pool("a")
    monkeypatch.setattr(admission, "WAITING_QUERIES", 0)
    with pytest.raises(moorage.Unavailable) as caught:
        client.get_pool("a", timeout=0.5)
    assert caught.value.reason == "SERVER_BUSY"
    assert calls.addresses_of(calls.assign(client, "c1")) == ["10.0.0.0"]


def test_a_server_whose_queries_are_all_held_up_is_ready(
    database: postgres.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "READINESS_PERIOD", 0.01)
    monkeypatch.setattr(server, "READINESS_TIMEOUT", 2.0)
    with (
        serving.in_process(database) as running,
        moorage.Client(running.target) as client,
        grpc.insecure_channel(running.target) as channel,
        concurrent.futures.ThreadPoolExecutor(8) as threads,
    ):
        with database.connect() as stranger:
            stranger.exec_driver_sql("LOCK TABLE pools IN ACCESS EXCLUSIVE MODE")
            asked = [threads.submit(lambda: list(client.pools())) for _ in range(8)]
            statuses = health_pb2_grpc.HealthStub(channel).Watch(  # type: ignore[attr-defined]  # not in the stubs
                health_pb2.HealthCheckRequest(), timeout=4
            )
            told = []
            with contextlib.suppress(grpc.RpcError):  # the time is over
                for each in statuses:
                    told.append(each.status)  # noqa: PERF401 - what was told before is kept
            assert told == [health_pb2.HealthCheckResponse.SERVING]
            stranger.rollback()
        for query in asked:
            with contextlib.suppress(moorage.Unavailable):  # it was held up for long
                query.result()


def test_releases_go_before_assigns_that_came_earlier(
    client: moorage.Client,
    database: postgres.Database,
    submitted: threading.Semaphore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls.create_pool(client, "a", "10.0.0.0/24")
    calls.assign(client, "c0")
    assert submitted.acquire(timeout=20)
    monkeypatch.setattr(admission, "BATCH_SIZE", 1)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        with database.frozen():
            waiting = []
            for container in ("c1", "c2", "c3"):
                waiting.append(pool.submit(calls.assign, client, container))
                assert submitted.acquire(timeout=20)
            gone = pool.submit(calls.release, client, "c0")
            assert submitted.acquire(timeout=20)
        for each in waiting:
            each.result()
        gone.result()
    told = database.rows("SELECT container_id, kind FROM events ORDER BY event_id")
    assert [container for container, _ in told] == ["c0", "c1", "c0", "c2", "c3"], told


def test_batches_are_half_as_large_while_calls_are_turned_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    present, now = admission.Admission(), 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    assert present.batch_size == admission.BATCH_SIZE
    present.refuse(admission.Class.QUERY)
    now += admission.CROWDED - 0.1
    assert present.batch_size == admission.CROWDED_BATCH_SIZE
    now += 0.2
    assert present.batch_size == admission.BATCH_SIZE


def test_no_batch_has_more_than_is_let_into_one() -> None:
    async def taken() -> list[int]:
        door = admission.Admission()
        queue, loop = tickets.Queue(door), asyncio.get_running_loop()
        for at in range(4 * admission.BATCH_SIZE):
            key = model.AttachmentKey(
                vrf="default", network="n", container_id=f"c{at}", interface="eth0"
            )
            request = model.ReleaseRequest(attachment=key)
            queue.add(
                tickets.Ticket(
                    request=request, deadline=loop.time() + 60, answer=loop.create_future()
                )
            )
        usual = await queue.next()
        door.refuse(admission.Class.ASSIGN)
        return [len(usual), len(await queue.next())]

    assert asyncio.run(taken()) == [admission.BATCH_SIZE, admission.CROWDED_BATCH_SIZE]


def test_a_batch_does_not_wait_for_who_comes_now_and_then() -> None:
    async def steadily(door: admission.Admission) -> None:
        while True:
            door.came += 1
            await asyncio.sleep(admission.MOMENT / 4)

    assert _taking_up(steadily, longest=5.0) < 2.5


def test_a_batch_waits_until_those_outside_are_taken_up() -> None:
    outside = 50

    async def busily(door: admission.Admission) -> None:
        nonlocal outside
        while outside:
            outside -= 1
            door.came += 1
            end = time.thread_time() + admission.MOMENT
            while time.thread_time() < end:
                pass
            await asyncio.sleep(0)

    _taking_up(busily, longest=30.0)
    assert outside == 0


def _taking_up(
    coming: Callable[[admission.Admission], Coroutine[None, None, None]], *, longest: float
) -> float:
    """For how many seconds those who come are taken up."""

    async def taken_up() -> float:
        door, began = admission.Admission(), time.monotonic()
        who_comes = asyncio.create_task(coming(door))
        await door.take_up(longest)
        who_comes.cancel()
        return time.monotonic() - began

    return asyncio.run(taken_up())


def _told(error: grpc.RpcError) -> tuple[str, float]:
    status = rpc_status.from_call(cast("grpc.Call", error))
    assert status is not None
    info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
    for detail in status.details:
        detail.Unpack(info)
        detail.Unpack(retry)
    return info.reason, retry.retry_delay.ToTimedelta().total_seconds()


def test_a_database_that_hung_leaves_nobody_turned_away_afterwards() -> None:
    present = admission.Admission()
    for _ in range(100):
        present.served(admission.BATCH_SIZE, seconds=60.0)
    present.waiting[admission.Class.ASSIGN] = 2 * admission.BATCH_SIZE
    assert present.admits(admission.Class.ASSIGN), "no batch is ever full again, and tells better"
