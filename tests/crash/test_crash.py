"""Servers and databases that die at the worst moment: what was acknowledged stays."""

import concurrent.futures
import os
import pathlib
import signal
import threading
import time
from collections.abc import Iterator

import pytest

import moorage
from harness import invariants, ports, postgres, proxy, serving
from harness.calls import assign, create_pool, release
from moorage.v1 import resources_pb2 as messages
from moorage_server.embedded import cluster
from moorage_server.storage import schema


def wait_for(database: postgres.Database, query: str, expected: object) -> None:
    """Returns when a query gives what is expected; fails after 30 s."""
    deadline = time.monotonic() + 30
    with database.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        while connection.exec_driver_sql(query).scalar() != expected:
            assert time.monotonic() < deadline, f"never {expected}: {query}"


@pytest.fixture
def process(database: postgres.Database, tmp_path: pathlib.Path) -> Iterator[serving.Process]:
    """The installed server, ready."""
    running = serving.Process(database, ports.free(), tmp_path / "server.log")
    try:
        running.wait_ready()
        yield running
    finally:
        running.close()


def test_an_assign_whose_server_dies_before_it_answers_is_answered_by_its_retry(
    database: postgres.Database, process: serving.Process, tmp_path: pathlib.Path
) -> None:
    port = int(process.target.rpartition(":")[2])
    with (
        proxy.in_front_of(port) as between,
        moorage.Client(between.target, timeout=60) as client,
        concurrent.futures.ThreadPoolExecutor(1) as pool,
    ):
        create_pool(client, "a", "10.0.0.0/24")
        between.hold()
        answer = pool.submit(assign, client, "c1")
        wait_for(database, "SELECT count(*) FROM allocations", 1)
        process.kill()
        again = serving.Process(database, port, tmp_path / "again.log")
        try:
            again.wait_ready()
            between.drop()
            (held,) = answer.result(timeout=60)
        finally:
            again.close()
    rows = database.rows("SELECT host(address), generation FROM allocations")
    assert rows == [(held.address, held.generation)]
    assert database.scalar("SELECT count(*) FROM events") == 1


def test_a_release_whose_server_dies_before_it_answers_releases_once(
    database: postgres.Database, process: serving.Process, tmp_path: pathlib.Path
) -> None:
    port = int(process.target.rpartition(":")[2])
    with (
        proxy.in_front_of(port) as between,
        moorage.Client(between.target, timeout=60) as client,
        concurrent.futures.ThreadPoolExecutor(1) as pool,
    ):
        create_pool(client, "a", "10.0.0.0/24")
        assign(client, "c1")
        between.hold()
        answer = pool.submit(release, client, "c1")
        wait_for(database, "SELECT count(*) FROM allocations", 0)
        process.kill()
        again = serving.Process(database, port, tmp_path / "again.log")
        try:
            again.wait_ready()
            between.drop()
            assert answer.result(timeout=60) == []
        finally:
            again.close()
    kinds = database.rows("SELECT kind FROM events ORDER BY event_id")
    assert [row[0] for row in kinds] == ["ASSIGNED", "RELEASED"]


def test_a_server_that_is_told_to_stop_finishes_the_calls_it_has(
    database: postgres.Database, process: serving.Process
) -> None:
    with moorage.Client(process.target, timeout=30) as client:
        create_pool(client, "a", "10.0.0.0/26")
        with database.connect() as stranger, concurrent.futures.ThreadPoolExecutor(1) as pool:
            assign(client, "c0")
            stranger.exec_driver_sql("SELECT FROM blocks FOR UPDATE")
            waiting = pool.submit(assign, client, "c1")
            wait_for(
                database,
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                " AND datname = current_database()",
                1,
            )
            process.process.send_signal(signal.SIGTERM)
            stranger.rollback()
            assert [each.address for each in waiting.result(timeout=30)] == ["10.0.0.1"]
    assert process.process.wait(timeout=40) == 0


def test_killing_postgresql_under_load_loses_nothing_that_was_acknowledged(
    tmp_path: pathlib.Path,
) -> None:
    running = cluster.Cluster(tmp_path / "state")
    running.start()
    schema.migrate(running.url(role=cluster.OWNER_ROLE))
    admin = postgres.Postgres(running.url(role=cluster.BOOTSTRAP_ROLE))
    database = postgres.Database(admin, cluster.DATABASE)
    server = serving.Process(database, ports.free(), tmp_path / "server.log")
    try:
        server.wait_ready()
        with moorage.Client(server.target, timeout=60) as client:
            create_pool(client, "a", "10.0.0.0/22")
            acknowledged = Load(client)
            acknowledged.wait_for(50)
            os.killpg(os.getpgid(running.pid), signal.SIGKILL)
            running.stop()
            running.start()
            acknowledged.wait_for(150)
            held = acknowledged.stop()
        rows = database.rows("SELECT host(address), generation FROM allocations")
        assert set(rows) == held
        invariants.check(database)
    finally:
        server.close()
        database.close()
        running.stop()


class Load:
    """Callers that assign, and now and then release, until they are stopped."""

    def __init__(self, client: moorage.Client, *, callers: int = 6) -> None:
        """Starts them."""
        self._client = client
        self._stop = threading.Event()
        self._progress = threading.Condition()
        self._count = 0
        self._held: set[tuple[str, int]] = set()
        self._pool = concurrent.futures.ThreadPoolExecutor(callers)
        self._callers = [self._pool.submit(self._run, at) for at in range(callers)]

    def wait_for(self, count: int) -> None:
        """Returns when that many assigns were acknowledged."""
        with self._progress:
            assert self._progress.wait_for(lambda: self._count >= count, timeout=90)

    def stop(self) -> set[tuple[str, int]]:
        """What is held by all that was acknowledged."""
        self._stop.set()
        for each in self._callers:
            each.result(timeout=90)
        self._pool.shutdown()
        return self._held

    def _run(self, caller: int) -> None:
        turn = 0
        while not self._stop.is_set() and turn < 120:
            name = f"c{caller}-{turn}"
            (allocation,) = assign(self._client, name)
            self._note(allocation)
            if turn % 4 == 3:
                release(self._client, name)
                self._held.discard((allocation.address, allocation.generation))
            turn += 1

    def _note(self, allocation: messages.Allocation) -> None:
        with self._progress:
            self._held.add((allocation.address, allocation.generation))
            self._count += 1
            self._progress.notify_all()
