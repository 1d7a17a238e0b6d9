"""moorctl get allocations --watch: what is held, then every change, as it comes."""

import contextlib
import json
import pathlib
import signal
import subprocess
from collections.abc import Iterator

import grpc
import pytest
import yaml

import moorage
from client import peer as peers
from ctl import program
from harness import calls, ports, serving
from harness.postgres import Database
from moorage.v1 import history_pb2, resources_pb2


class Watching:
    """The installed program, under way."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        """Reads what it writes."""
        self._process = process

    def line(self) -> str:
        """Its next line."""
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def interrupt(self) -> tuple[int, str, str]:
        """Presses Ctrl-C; returns the exit code, and all that it still wrote."""
        self._process.send_signal(signal.SIGINT)
        out, err = self._process.communicate(timeout=30)
        return self._process.returncode, out, err


@contextlib.contextmanager
def watching(moorctl: program.Moorctl, *more: str) -> Iterator[Watching]:
    """Allocations, watched."""
    process = subprocess.Popen(
        [program.PROGRAM, "get", "allocations", "--watch", *more],
        env=moorctl.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield Watching(process)
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def held(client: moorage.Client) -> moorage.Client:
    """A pool of which c1 holds 10.0.0.0."""
    calls.create_pool(client, "web", "10.0.0.0/24")
    calls.assign(client, "c1", node="n1")
    return client


def test_a_table_grows_by_a_row_with_every_change(
    moorctl: program.Moorctl, held: moorage.Client
) -> None:
    with watching(moorctl) as running:
        header, first = running.line(), running.line()
        assert header.split() == [
            *("EVENT", "TIME", "ADDRESS", "POOL", "NODE", "NAMESPACE", "POD", "OWNER", "ASSIGNED")
        ]
        assert first.split()[:-1] == ["HELD", "-", "10.0.0.0", "web", "n1", "shop", "c1", "-"]
        calls.release(held, "c1")
        event, time, *who = running.line().split()
        assert (event, who[:-1]) == ("RELEASED", first.split()[2:-1])
        assert time >= who[-1].removesuffix("Z")  # of which the seconds alone are told
        calls.assign(held, "c2", node="n2")
        assert running.line().split()[0] == "ASSIGNED"
        code, out, err = running.interrupt()
    assert (code, out, err.strip()) == (130, "", "")


def test_json_has_an_event_on_each_line(moorctl: program.Moorctl, held: moorage.Client) -> None:
    with watching(moorctl, "-o", "json") as running:
        first = json.loads(running.line())
        calls.release(held, "c1")
        second = json.loads(running.line())
    assert list(first) == ["allocation"]
    assert first["allocation"]["address"] == "10.0.0.0"
    assert (second["kind"], second["cause"]) == (
        "ALLOCATION_EVENT_KIND_RELEASED",
        "ALLOCATION_EVENT_CAUSE_REQUESTED",
    )
    assert second["allocation"]["attachment"]["containerId"] == "c1"


def test_what_is_watched_can_be_narrowed_down(
    moorctl: program.Moorctl, held: moorage.Client
) -> None:
    with (
        watching(moorctl, "--node", "n2") as of_node,
        watching(moorctl, "10.0.0.7") as of_address,
    ):
        assert [of_node.line().split()[0], of_address.line().split()[0]] == ["EVENT", "EVENT"]
        calls.assign(held, "c2", node="n1")
        calls.assign(held, "c3", node="n2")
        calls.assign(held, "c7", calls.fixed("10.0.0.7"))
        assert of_node.line().split()[6] == "c3"
        assert of_address.line().split()[6] == "c7"


def test_a_restart_of_the_server_interrupts_nothing(
    database: Database, tmp_path: pathlib.Path
) -> None:
    port = ports.free()
    first = serving.Process(database, port, tmp_path / "log")
    first.wait_ready()
    moorctl = program.Moorctl(
        variables={"MOORAGE_SERVER": first.target, "MOORAGE_TIMEOUT": "60"}, installed=True
    )
    with moorage.Client(first.target, timeout=30) as client:
        calls.create_pool(client, "web", "10.0.0.0/24")
        calls.assign(client, "c1")
        with watching(moorctl, "-o", "json") as running:
            assert json.loads(running.line())["allocation"]["address"] == "10.0.0.0"
            first.kill()
            second = serving.Process(database, port, tmp_path / "log")
            try:
                calls.assign(client, "c2")
                event = json.loads(running.line())
            finally:
                second.close()
                first.close()
    assert event["allocation"]["attachment"]["containerId"] == "c2"


def test_yaml_has_a_document_for_each_event(peer: peers.Peer, scripted: program.Moorctl) -> None:
    cursor = history_pb2.Cursor(epoch="e", revision=7)
    one = resources_pb2.Allocation(address="10.0.0.1")
    event = history_pb2.AllocationEvent(
        kind=history_pb2.ALLOCATION_EVENT_KIND_RELEASED, allocation=one
    )
    peer.will(
        peers.answer(history_pb2.WatchAllocationsResponse(held=[one], cursor=cursor)),
        peers.answer(history_pb2.WatchAllocationsResponse(events=[event], cursor=cursor)),
        peers.refuse(grpc.StatusCode.OUT_OF_RANGE, "CURSOR_EXPIRED", revision="7"),
    )
    ended = scripted("get", "allocations", "-w", "-o", "yaml")
    assert (ended.code, "CURSOR_EXPIRED" in ended.err) == (3, True)
    assert list(yaml.safe_load_all(ended.out)) == [
        {"allocation": {"address": "10.0.0.1"}},
        {"kind": "ALLOCATION_EVENT_KIND_RELEASED", "allocation": {"address": "10.0.0.1"}},
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["pools", "-w"], "only allocations can be watched"),
        (["ippools", "--watch"], "only allocations can be watched"),
        (["allocations", "-w", "-o", "name"], "does not say what happened"),
        (["allocations", "10.0.0.1", "-w", "--node", "n1"], "a listing of allocations"),
    ],
)
def test_what_cannot_be_watched_is_refused(
    offline: program.Moorctl, arguments: list[str], said: str
) -> None:
    ended = offline("get", *arguments)
    assert (ended.code, said in ended.err) == (2, True)
