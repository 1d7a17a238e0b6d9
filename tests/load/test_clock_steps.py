"""Clocks are set by an hour while addresses cool down: none is given to another too early.

The server and its PostgreSQL each have a clock of their own. What is early is judged by a clock
that nobody sets, here where the calls are made.
"""

import concurrent.futures
import contextlib
import datetime
import itertools
import json
import os
import pathlib
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeVar

import pytest

import moorage
from harness import calls, ports, postgres, serving
from load import clocks
from moorage_server.embedded import cluster
from moorage_server.storage import schema

T = TypeVar("T")
LONG = "MOORAGE_OVERLOAD_SECONDS" in os.environ
COOLDOWN = 4  # seconds
TOLD_WITHIN = 30.0  # seconds in which an address comes again, if time goes on
NODES = 4
HOUR = 3600
# What libfaketime says of a sleep whose end has passed when it is asked for; clocks do not.
NO_SLEEP = "time.sleep(pause)\nOSError: [Errno 22] Invalid argument"
NOW = "SELECT extract(epoch FROM clock_timestamp())"
# By how much the server's clock and PostgreSQL's are off, one after the other.
STEPS = [(0, HOUR), (-HOUR, HOUR), (-HOUR, 0), (HOUR, -HOUR), (HOUR, HOUR), (0, 0)]


class Holding(NamedTuple):
    """One address, held from some moment of the call that assigned it on; times since boot."""

    address: str
    told: float
    released: float  # when the call that did so was begun


class Node:
    """Assigns and releases again and again, each time for another pod."""

    def __init__(self, target: str, name: str) -> None:
        """Begins with `run`."""
        self._client = moorage.Client(target, timeout=60)
        self._name = name
        self.held: list[Holding] = []

    def run(self, over: threading.Event) -> None:
        """Until then."""
        for number in itertools.count():
            if over.is_set():
                return
            pod = f"{self._name}-{number}"
            try:
                [given] = _served(calls.assign, self._client, pod)
            except moorage.Exhausted:
                over.wait(0.05)  # all of them cool down
                continue
            told = time.monotonic()
            self.held.append(Holding(given.address, told, told))
            _served(calls.release, self._client, pod)

    def close(self) -> None:
        self._client.close()


def _served(call: Callable[[moorage.Client, str], T], client: moorage.Client, pod: str) -> T:
    """Asks until the server could sleep; its log has what other faults there were."""
    while True:
        with contextlib.suppress(moorage.ServerFault):
            return call(client, pod)


@contextlib.contextmanager
def _stage(
    own: clocks.Clock, other: clocks.Clock
) -> Iterator[tuple[serving.Process, postgres.Database]]:
    """A server that goes by the one clock on a PostgreSQL that goes by the other."""
    with contextlib.ExitStack() as until:
        state = pathlib.Path(until.enter_context(tempfile.TemporaryDirectory()))
        running = cluster.Cluster(state / "database", installation=other.installation())
        until.enter_context(running)
        schema.migrate(running.url(role=cluster.OWNER_ROLE))
        admin = postgres.Postgres(running.url(role=cluster.BOOTSTRAP_ROLE))
        until.callback(admin.close)
        database = postgres.Database(admin, cluster.DATABASE)
        until.callback(database.close)
        own.set(HOUR)
        with pytest.MonkeyPatch.context() as patch:
            for name, value in own.environment.items():
                patch.setenv(name, value)
            process = serving.Process(database, ports.free(), state / "log")
        until.callback(process.close)
        process.wait_ready(120)
        assert _off(_began(state / "log")) == HOUR, "the server does not go by its clock"
        yield process, database
        faults = [each["exception"] for each in _said(state / "log") if "exception" in each]
        assert not [each for each in faults if not each.endswith(NO_SLEEP)]


@pytest.mark.xdist_group("load")
@pytest.mark.timeout(900)
def test_no_address_is_given_too_early(capsys: pytest.CaptureFixture[str]) -> None:
    library = clocks.library(fetch=LONG)
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder).chmod(0o755)
        own, other = (clocks.Clock.of(pathlib.Path(folder, name), library) for name in "ab")
        with _stage(own, other) as (process, database), moorage.Client(process.target) as client:
            calls.create_pool(client, "a", "10.0.0.0/28", cooldown_seconds=COOLDOWN)
            nodes = [Node(process.target, f"n{at}") for at in range(NODES)]
            with _running(nodes):
                for ours, theirs in STEPS:
                    _wait_for_reuse(nodes)
                    own.set(ours)
                    other.set(theirs)
                    assert _off(float(str(database.scalar(NOW)))) == theirs
                _wait_for_reuse(nodes)
            for each in nodes:
                each.close()
    rests = _rests([each for node in nodes for each in node.held])
    with capsys.disabled():
        print(f"\n{len(STEPS)} steps, {len(rests)} times an address came again, after {COOLDOWN} s")
        print(f"cool-down: {min(rests):.2f} s at least, {max(rests):.2f} s at most", flush=True)
    assert min(rests) >= COOLDOWN
    assert max(rests) <= TOLD_WITHIN


def _began(log: pathlib.Path) -> float:
    """When a server says that it has begun to serve."""
    [when] = [each["timestamp"] for each in _said(log) if each["event"] == "serving"]
    return datetime.datetime.fromisoformat(when).timestamp()


def _said(log: pathlib.Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in log.read_text().splitlines()]


def _off(now: float) -> int:
    """How many seconds this is off, to the minute."""
    return round((now - time.time()) / 60) * 60


def _rests(held: list[Holding]) -> list[float]:
    """From when a release was begun until another had been told the same address."""
    by_address: dict[str, list[Holding]] = {}
    for each in sorted(held, key=lambda each: each.told):
        by_address.setdefault(each.address, []).append(each)
    return [
        later.told - earlier.released
        for each in by_address.values()
        for earlier, later in itertools.pairwise(each)
    ]


def _wait_for_reuse(nodes: list[Node]) -> None:
    """Returns when every address has come again since now."""
    began, until = time.monotonic(), time.monotonic() + 4 * TOLD_WITHIN
    while len({each.address for node in nodes for each in node.held if each.told > began}) < 16:
        assert time.monotonic() < until, "time stands still"
        time.sleep(0.1)


@contextlib.contextmanager
def _running(nodes: list[Node]) -> Iterator[None]:
    over = threading.Event()
    with concurrent.futures.ThreadPoolExecutor(len(nodes)) as threads:
        running = [threads.submit(each.run, over) for each in nodes]
        try:
            yield
        finally:
            over.set()
        for each in running:
            each.result()
