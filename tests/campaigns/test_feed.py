"""Many events, many reconnects, several servers: nothing is lost, told twice or inverted.

MOORAGE_FEED_EVENTS says how many events; `make feed-campaign` makes a million.
"""

import contextlib
import os
import pathlib
import time

import pytest

import moorage
from campaigns import consumers, writers
from harness import calls, ports, postgres, serving
from moorage.v1 import filter_pb2, resources_pb2

EVENTS = int(os.environ.get("MOORAGE_FEED_EVENTS", "8000"))
PROCESSES = 2
EVENTS_PER_CRASH = 100_000  # a server is killed, and comes back, each so many events
RECONNECTS = EVENTS // 1000

_TOLD = """
SELECT r.revision, r.event_id FROM revisions r JOIN events e
    ON e.event_id = r.event_id AND e.vrf_id = r.vrf_id AND e.event_time = r.event_time
WHERE {condition} ORDER BY r.revision
"""
_HELD = """
SELECT host(l.address), l.generation FROM allocations l JOIN events e ON e.event_id = l.generation
WHERE {condition}
"""


@pytest.mark.timeout(180 + EVENTS // 50)
def test_what_consumers_are_told_is_what_happened(
    database: postgres.Database, tmp_path: pathlib.Path
) -> None:
    with contextlib.ExitStack() as until:
        servers = [_Server(database, tmp_path / f"{name}.log") for name in ("one", "other")]
        for server in servers:
            until.callback(server.close)
        for server in servers:
            server.process.wait_ready(120)  # both start at once, beside whatever else runs
        targets = [each.target for each in servers]
        _create_pools(targets[0])
        watching = _consumers(targets)
        until.callback(_leave, watching)
        began = time.monotonic()
        with writers.at_work(database.service_url, database.admin_url, targets, PROCESSES):
            _await_events(database, watching, servers[1])
        head = _settled(database)
        _await_consumers(watching, head)
    _report(watching, head, time.monotonic() - began, servers[1].crashes)
    assert database.scalar("SELECT count(*) FROM events") == head
    for each in watching:
        _check(database, each)
    assert sum(each.connections for each in watching) >= RECONNECTS


def _create_pools(target: str) -> None:
    with moorage.Client(target) as client:
        calls.create_pool(client, "a", writers.POOL)
        calls.create_pool(client, "hot", writers.HOT)


def _consumers(targets: list[str]) -> list[consumers.Consumer]:
    of_node = filter_pb2.AllocationFilter(workload=resources_pb2.Workload(node="n3"))
    of_pool = filter_pb2.AllocationFilter(pools=["hot"])
    return [
        consumers.Consumer(targets, 1),
        consumers.Consumer(targets, 2),
        consumers.Consumer(targets, 3, of_node, "e.node = 'n3'"),
        consumers.Consumer(targets, 4, of_pool, "e.pool = 'hot'"),
    ]


def _leave(watching: list[consumers.Consumer]) -> None:
    for each in watching:
        each.stopping.set()
    for each in watching:
        each.thread.join(timeout=60)


class _Server:
    """The installed program, on a port that it comes back to."""

    def __init__(self, database: postgres.Database, log: pathlib.Path) -> None:
        self._port = ports.free()
        self._database, self._log, self.crashes = database, log, 0
        self.process = serving.Process(database, self._port, log)
        self.target = self.process.target

    def close(self) -> None:
        self.process.close()

    def crash(self) -> None:
        self.crashes += 1
        self.process.kill()
        self.process.close()
        self.process = serving.Process(self._database, self._port, self._log)


def _await_events(
    database: postgres.Database, watching: list[consumers.Consumer], server: _Server
) -> None:
    """Lets events happen, as many as wanted."""
    reported = time.monotonic()
    while (head := _head(database)) < EVENTS:
        _raise_failures(watching)
        if head // EVENTS_PER_CRASH > server.crashes:
            server.crash()
        if time.monotonic() - reported > 30:
            reported = time.monotonic()
            told = ", ".join(f"{each.revision} in {each.connections}" for each in watching)
            print(f"{head} events; consumers are at {told} connections", flush=True)
        time.sleep(0.1)


def _settled(database: postgres.Database) -> int:
    """The last revision, once nobody writes and everything is numbered."""
    deadline = time.monotonic() + 30
    while (head := _head(database)) != database.scalar("SELECT count(*) FROM events"):
        assert time.monotonic() < deadline, f"only {head} events are numbered"
        time.sleep(0.05)
    return head


def _await_consumers(watching: list[consumers.Consumer], head: int) -> None:
    deadline = time.monotonic() + 60 + EVENTS / 500
    while any(each.revision < head for each in watching):
        _raise_failures(watching)
        assert time.monotonic() < deadline, [each.revision for each in watching]
        time.sleep(0.02)


def _head(database: postgres.Database) -> int:
    return int(str(database.scalar("SELECT coalesce(max(revision), 0) FROM revision_heads")))


def _raise_failures(watching: list[consumers.Consumer]) -> None:
    for each in watching:
        if each.failure is not None:
            raise each.failure


def _check(database: postgres.Database, consumer: consumers.Consumer) -> None:
    told = list(zip(consumer.revisions, consumer.generations, strict=True))
    first = told[0][0]
    happened = database.rows(_TOLD.format(condition=consumer.condition))
    # A snapshot that was not empty tells of the first ones.
    expected = [row for row in happened if int(str(row[0])) >= first]
    assert told == expected
    assert len(happened) - len(expected) < 1000
    assert consumer.inverted == 0
    held = {(each.address, each.generation) for each in consumer.copy.allocations.values()}
    assert held == set(database.rows(_HELD.format(condition=consumer.condition)))


def _report(watching: list[consumers.Consumer], head: int, seconds: float, crashes: int) -> None:
    connections = sum(each.connections for each in watching)
    told = sum(len(each.revisions) for each in watching)
    print(
        f"{head} events in {seconds:.0f} s ({head / seconds:.0f}/s), told {told} times to"
        f" {len(watching)} consumers over {connections} connections; {crashes} crashes"
    )
