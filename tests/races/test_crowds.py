"""Crowds that want what is in very few blocks, through two servers."""

import collections
import concurrent.futures
import random
from typing import TypeVar

import grpc
import pytest
import sqlalchemy as sa

import moorage
from harness import calls, exposition, postgres, serving
from harness.races import at_once, held
from moorage.v1 import allocation_service_pb2 as requests
from moorage.v1 import allocation_service_pb2_grpc as stubs
from moorage.v1 import resources_pb2 as messages

R = TypeVar("R")
A = TypeVar("A")
CALLERS, TURNS = 24, 8
AFFINITIES = {"none": messages.BLOCK_AFFINITY_NONE, "node": messages.BLOCK_AFFINITY_NODE}
WAITING = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock'
"""
ONE_BLOCK = sa.text("SELECT FROM blocks FOR UPDATE")
BLOCK_OF = sa.text("SELECT FROM blocks WHERE cidr = CAST(:cidr AS cidr) FOR UPDATE")
CROWD = 30


@pytest.mark.parametrize("affinity", AFFINITIES)
def test_nobody_is_told_of_anything_but_that_the_pool_is_full(
    database: postgres.Database, affinity: str
) -> None:
    with serving.in_process(database) as first, serving.in_process(database) as second:
        with moorage.Client(first.target) as client:
            calls.create_pool(
                client, "a", "10.0.0.0/27", block_size=28, block_affinity=AFFINITIES[affinity]
            )
        with concurrent.futures.ThreadPoolExecutor(CALLERS) as crowd:
            targets = [first.target, second.target] * (CALLERS // 2)
            told = sum(crowd.map(_come_and_go, range(CALLERS), targets), collections.Counter())
    assert set(told) <= {"OK", "RESOURCE_EXHAUSTED"}, told
    assert told["OK"] > CALLERS


def _come_and_go(number: int, target: str) -> "collections.Counter[str]":
    """Takes one address or many and gives them back, again and again; never asks twice."""
    chance, told = random.Random(number), collections.Counter[str]()
    with grpc.insecure_channel(target) as channel:
        stub = stubs.AllocationServiceStub(channel)
        for turn in range(TURNS):
            whose = calls.attachment(f"c{number}-{turn}")
            wanted = requests.AssignAddressesRequest(
                attachment=whose,
                addresses=[calls.want()] * chance.choice((1, 1, 6)),
                workload=messages.Workload(node=f"n{number % 5}"),
            )
            given_back = requests.ReleaseAddressesRequest(attachment=whose)
            told[_code(stub.AssignAddresses, wanted)] += 1
            told[_code(stub.ReleaseAddresses, given_back)] += 1
    return told


def _code(method: "grpc.UnaryUnaryMultiCallable[R, A]", request: R) -> str:
    try:
        method(request, timeout=30)
    except grpc.RpcError as error:
        return str(error.code().name)
    return "OK"


def test_what_waited_for_one_lock_is_done_together(
    client: moorage.Client, database: postgres.Database
) -> None:
    calls.create_pool(client, "a", "10.0.0.0/26", block_size=26)
    calls.assign(client, "first")
    with database.connect() as stranger, concurrent.futures.ThreadPoolExecutor(1) as thread:
        stranger.execute(ONE_BLOCK)
        crowd = thread.submit(at_once, 20, lambda at: calls.assign(client, f"c{at}"))
        while not database.scalar(WAITING):
            assert not crowd.done(), crowd
        stranger.rollback()
        assert len(set(held(crowd.result()))) == 20
    transactions = database.scalar("SELECT count(DISTINCT xmin::text) FROM allocations")
    assert isinstance(transactions, int)
    assert transactions <= 6


def test_who_wants_what_a_stranger_has_keeps_nobody_else_waiting(
    database: postgres.Database,
) -> None:
    with (
        serving.in_process(database, metrics_listen="127.0.0.1:0") as server,
        moorage.Client(server.target, timeout=60) as client,
        database.connect() as stranger,
        database.connect() as another,
        concurrent.futures.ThreadPoolExecutor(CROWD + 2) as threads,
    ):
        for pool, cidr in (("a", "10.0.0.0/26"), ("b", "10.1.0.0/26")):
            calls.create_pool(client, pool, cidr, block_size=26)
            calls.assign(client, f"first-{pool}", calls.want(pools=(pool,)))
        stranger.execute(BLOCK_OF, {"cidr": "10.0.0.0/26"})
        another.execute(BLOCK_OF, {"cidr": "10.1.0.0/26"})
        crowd = [
            threads.submit(calls.assign, client, f"c{at}", calls.want(pools=("a",)))
            for at in range(CROWD)
        ]
        _left(server, CROWD)
        beside = threads.submit(calls.assign, client, "beside", calls.want(pools=("b",)))
        back = threads.submit(calls.release, client, "first-b")
        _left(server, CROWD + 2)
        another.rollback()
        # Run one by one, the crowd would keep its places for half a minute.
        assert beside.result(15)
        assert back.result(15)
        assert not any(each.done() and not each.exception() for each in crowd)
        stranger.rollback()
        assert len({each.result()[0].address for each in crowd}) == CROWD


def _left(server: serving.Serving, count: int) -> None:
    """Returns when so many requests were left by batches, since others had their locks."""
    while exposition.number(server.metrics, "moorage_requests_deferred_total") < count:
        pass
