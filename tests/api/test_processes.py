"""Several processes of one command on one port: together they are one server."""

import concurrent.futures
import contextlib
import dataclasses
import os
import pathlib
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator

import grpc
import pytest

import moorage
from harness import postgres, serving, several
from harness.calls import addresses_of, assign, attachment, create_pool, fixed, release
from harness.several import Command
from moorage.v1 import pool_service_pb2 as requests
from moorage.v1 import pool_service_pb2_grpc as stubs
from moorage.v1 import resources_pb2 as messages
from moorage_server import config
from moorage_server.api.server import BindError
from moorage_server.processes import port

CONNECTIONS = 32
ASSIGNS = 6  # on each connection


@pytest.fixture
def command(database: postgres.Database) -> Iterator[Command]:
    """Two processes that serve."""
    with several.running(database) as running:
        yield running


@contextlib.contextmanager
def client_on(channel: grpc.Channel) -> Iterator[moorage.Client]:
    """The SDK on a channel that is there."""
    with moorage.Client(channel=channel) as client:
        yield client


def add(client: moorage.Client, container: str, *, wait: float = 0) -> list[str]:
    """An ADD of a pod that was replaced: each container is of another uid."""
    workload = messages.Workload(node="n1", namespace="shop", pod="db-0", pod_uid=container)
    wants = (fixed("10.0.0.7"),)
    return addresses_of(
        client.assign(attachment(container), wants, workload=workload, wait=wait, timeout=40)
    )


@pytest.mark.parametrize(
    ("listen", "metrics"), [("127.0.0.1:7716", "127.0.0.1:7712"), ("[::1]:7711", "[::1]:65532")]
)
def test_each_process_has_a_metrics_port_and_settings_that_hold(listen: str, metrics: str) -> None:
    given = {"MOORAGE_LISTEN": listen, "MOORAGE_METRICS_LISTEN": metrics, "MOORAGE_PROCESSES": "4"}
    whole = config.Settings.read(given, database_url="postgresql://")
    each = [whole.of_process(number) for number in (1, 2, 3, 4)]
    assert [config.Settings(**dataclasses.asdict(one)) for one in each] == each
    host, _, first = metrics.rpartition(":")
    ports = range(int(first), int(first) + 4)
    assert [one.metrics_listen for one in each] == [f"{host}:{number}" for number in ports]


def test_connections_reach_every_process_and_no_address_is_given_twice(command: Command) -> None:
    with contextlib.ExitStack() as until:
        channels = [
            until.enter_context(several.watching(command.target)) for _ in range(CONNECTIONS)
        ]
        shares = [command.watches(each) for each in command.metrics]
        assert sum(shares) == CONNECTIONS
        assert min(shares) > 0, shares
        with client_on(channels[0]) as client:
            create_pool(client, "a", "10.0.0.0/24")

        def work(number: int) -> list[str]:
            with client_on(channels[number]) as client:
                containers = [f"c-{number}-{at}" for at in range(ASSIGNS)]
                return [each.address for name in containers for each in assign(client, name)]

        with concurrent.futures.ThreadPoolExecutor(CONNECTIONS) as threads:
            given = [each for own in threads.map(work, range(CONNECTIONS)) for each in own]
    assert len(set(given)) == len(given) == CONNECTIONS * ASSIGNS


def test_what_one_process_begins_another_goes_on_with(command: Command) -> None:
    with contextlib.ExitStack() as until:
        first, second = several.one_to_each(command, until)
        threads = until.enter_context(concurrent.futures.ThreadPoolExecutor(1))
        with client_on(first) as client, client_on(second) as other:
            create_pool(client, "a", "10.0.0.0/24")
            create_pool(client, "b", "10.0.1.0/24")
            request = requests.ListPoolsRequest(page_size=1)
            listed = stubs.PoolServiceStub(first).ListPools(request)
            request.page_token = listed.next_page_token
            listed.MergeFrom(stubs.PoolServiceStub(second).ListPools(request))
            assert [each.name for each in listed.pools] == [
                "vrfs/default/pools/a",
                "vrfs/default/pools/b",
            ]
            assert add(client, "old") == add(other, "old") == ["10.0.0.7"]
            waiting = threads.submit(add, client, "new", wait=30)
            with pytest.raises(concurrent.futures.TimeoutError):
                waiting.result(timeout=0.5)
            assert release(other, "old") == ["10.0.0.7"]
            assert waiting.result(timeout=30) == ["10.0.0.7"]


def test_sigterm_to_the_command_ends_all_of_it(command: Command) -> None:
    command.process.terminate()
    status, log = command.end()
    assert (status, command.left()) == (0, 0)
    assert not [line for line in log if "moorage-server:" in line or "Traceback" in line]


def test_ctrl_c_which_goes_to_all_of_them_ends_them_in_order(command: Command) -> None:
    os.killpg(command.process.pid, signal.SIGINT)
    status, log = command.end()
    assert (status, command.left()) == (0, 0)
    assert not [line for line in log if "moorage-server:" in line or "Traceback" in line]


def test_a_process_that_dies_ends_the_command_which_says_so(command: Command) -> None:
    os.kill(command.pids[1], signal.SIGKILL)
    status, log = command.end()
    assert (status, command.left()) == (1, 0)
    assert log[-1] == (
        f"moorage-server: process 2 of 2 (pid {command.pids[1]}) has ended by itself, by signal 9; "
        "start again"
    )


def test_a_command_that_is_killed_leaves_no_process(command: Command) -> None:
    command.process.kill()
    assert command.left() == 0
    status, _ = command.end()
    assert status == -signal.SIGKILL


def test_a_second_command_on_the_port_is_refused(
    command: Command, database: postgres.Database
) -> None:
    options = ("--listen", command.target, "--metrics-listen", "")
    for processes in ("1", "2"):
        second = _ended(database, *options, "--processes", processes)
        assert second.returncode == 1
        assert second.stderr.splitlines()[-1] == (
            f"moorage-server: cannot listen on {command.target}: it is taken, or not of this "
            "machine; choose another with --listen"
        )


def test_a_metrics_port_that_is_taken_is_named(database: postgres.Database) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        of_second = taken.getsockname()[1]
        metrics = f"127.0.0.1:{of_second - 1}"
        options = ["--listen", "127.0.0.1:0", "--processes", "2", "--metrics-listen", metrics]
        ended = _ended(database, *options)
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1] == (
        f"moorage-server: process 2 of 2 cannot listen on 127.0.0.1:{of_second}: it is taken, or "
        "not of this machine; choose another with --metrics-listen"
    )


def test_processes_end_with_their_embedded_postgresql(tmp_path: pathlib.Path) -> None:
    state = tmp_path / "state"
    options = ["--embedded", str(state), "--metrics-listen", "", "--processes", "2"]
    command = Command(*options)
    try:
        postmaster = (state / "data" / "postmaster.pid").read_text().split()[0]
        os.kill(int(postmaster), signal.SIGKILL)
        status, log = command.end()
    finally:
        command.close()
    assert status == 1
    assert log[-1] == (
        "moorage-server: the embedded PostgreSQL has ended; its log says why; start again"
    )


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "[::]", "[::1]", "localhost"])
def test_a_reserved_port_is_for_those_who_share_it(host: str) -> None:
    with port.reserved(f"{host}:0") as listen:
        number = int(listen.rpartition(":")[2])
        with pytest.raises(BindError), port.reserved(listen):
            pass
        for shares in (0, 1, 1):
            server = grpc.server(
                concurrent.futures.ThreadPoolExecutor(1), options=[("grpc.so_reuseport", shares)]
            )
            if shares:
                assert server.add_insecure_port(listen) == number
                server.start()
            else:
                with pytest.raises(RuntimeError):
                    server.add_insecure_port(listen)
            server.stop(None).wait()
    with port.reserved(listen):
        pass


def test_of_many_who_want_a_port_at_the_same_moment_one_gets_it() -> None:
    together = threading.Barrier(8)

    def want(listen: str) -> bool:
        together.wait()
        try:
            with port.reserved(listen):
                together.wait()
        except BindError:
            together.wait()
            return False
        return True

    with concurrent.futures.ThreadPoolExecutor(together.parties) as threads:
        for _ in range(100):
            with port.reserved("127.0.0.1:0") as listen:
                pass
            assert list(threads.map(want, [listen] * together.parties)).count(True) == 1


def test_a_port_whose_connections_are_being_closed_can_be_reserved() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
        with socket.create_connection(address), server.accept()[0] as accepted:
            accepted.shutdown(socket.SHUT_RDWR)
    with port.reserved(f"127.0.0.1:{address[1]}") as listen:
        assert listen == f"127.0.0.1:{address[1]}"


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(BindError), port.reserved("192.0.2.1:0"):
        pass


def _ended(database: postgres.Database, *options: str) -> "subprocess.CompletedProcess[str]":
    """What became of a command that cannot serve."""
    return subprocess.run(
        [serving.PROGRAM, "serve", "--database-url", database.service_url, *options],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
