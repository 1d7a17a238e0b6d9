"""The forwarder: what it loads, and that no call fails for want of an agent."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent import spoiled
from agent.node import Node, address, is_asleep, until
from cni import agents, program
from moorage.cni import forwarder, versions
from moorage.install import launcher

OLD, NEW = b'{"cniVersion":"0.4.0"}', b'{"cniVersion":"1.1.0"}'
# What a process has to start, on a machine that has much else to do.
STARTING = 3
BARE = "import sys; print(*sys.modules)"


def modules(code: str) -> set[str]:
    """What is loaded at the end of a program."""
    command = [sys.executable, "-IS", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, env={}, check=True)
    return set(done.stdout.split())


def test_it_loads_nothing_but_the_system_and_its_sockets() -> None:
    loading = f"import sys; sys.path.append({str(spoiled.FOLDER)!r}); import forwarder; "
    assert modules(loading + BARE) - modules(f"import os; {BARE}") == {"forwarder", "_socket"}


def test_a_launcher_names_both_programs() -> None:
    python, socket = Path(sys.executable), Path("/run/x/agent.sock")
    first, *rest = launcher.forwarding(python, socket, Path("/opt/x/moorage")).decode().splitlines()
    assert first == f"#!{python} -IS"
    known = f"{versions.VERSIONS}, 30.0"
    assert rest[-1] == f"main('/run/x/agent.sock', '/opt/x/moorage', {known})"
    default = launcher.forwarding(python, socket).decode().splitlines()[-1]
    assert default == f"main('/run/x/agent.sock', '{agents.DIRECT}', {known})"


def test_without_an_agent_every_call_succeeds_all_the_same(node: Node) -> None:
    assert node.agent.stop() == 0
    assert not node.agent.socket.exists()
    given = address(node.run("ADD", "a"))
    assert node.held() == {given: "a"}
    assert node.run("DEL", "a").code == 0
    assert node.held() == {}
    assert node.agent.taken_over() == 2


def test_a_socket_that_a_killed_agent_left_is_no_hindrance(node: Node) -> None:
    node.agent.kill()
    assert node.agent.socket.is_socket()
    assert node.run("ADD", "a").code == 0
    node.agent.start()
    assert node.run("DEL", "a").code == 0
    assert node.held() == {}
    assert node.agent.taken_over() == 1


@contextlib.contextmanager
def impostor(path: Path, behave: Callable[[socket.socket], None]) -> Iterator[None]:
    """Something else that listens there, and does with a call as it likes."""
    path.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.fspath(path))
        listener.listen()

        def answer() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection:
                        behave(connection)

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def hang_up(connection: socket.socket) -> None:
    """As an agent that has no room."""


def die(connection: socket.socket) -> None:
    """As an agent that is killed while it works on a call."""
    connection.recv(1 << 16)
    connection.sendall(forwarder.TAKEN)


def die_later(connection: socket.socket) -> None:
    """As one that is killed while it answers."""
    die(connection)
    connection.sendall(b"\0" + (100).to_bytes(4, "big") + b"{")


def say_nothing(connection: socket.socket) -> None:
    """As one that is stopped."""
    while connection.recv(1 << 16):
        pass


def say_something_else(connection: socket.socket) -> None:
    """As a program that is no agent."""
    connection.recv(1 << 16)
    connection.sendall(b"H" + b"\0" + (2).to_bytes(4, "big") + b"{}")
    connection.recv(1)


def claim_much(connection: socket.socket) -> None:
    """As one whose answer would fill the memory."""
    die(connection)
    connection.sendall(b"\0\xff\xff\xff\xff{}")
    connection.recv(1)


def take(connection: socket.socket) -> None:
    """As one that is stopped while it works on a call."""
    die(connection)
    say_nothing(connection)


def drip(connection: socket.socket) -> None:
    """As one that is never silent for long, and never done."""
    die(connection)
    connection.sendall(b"\0" + (50).to_bytes(4, "big"))
    connection.settimeout(0.1)
    while True:
        connection.sendall(b" ")
        with contextlib.suppress(TimeoutError):
            if not connection.recv(1):
                return


def hurried(seconds: float) -> str:
    """What makes a forwarder wait for other times."""
    return f"forwarder.TAKEN_WITHIN = forwarder.ANSWERED_WITHIN = {seconds}"


@pytest.mark.parametrize(
    "behave",
    [hang_up, die, die_later, say_nothing, say_something_else, drip],
    ids=lambda each: each.__name__,
)
def test_whatever_an_agent_does_the_call_is_answered(
    behave: Callable[[socket.socket], None], tmp_path: Path
) -> None:
    path = tmp_path / "run" / "agent.sock"
    with impostor(path, behave):
        outcome = spoiled.run(hurried(0.5), "VERSION", OLD, agent=path, direct=agents.DIRECT)
    assert outcome.document["cniVersion"] == "0.4.0"
    assert (outcome.code, outcome.stderr) == (0, b"")


def test_an_answer_that_would_fill_the_memory_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "run" / "agent.sock"
    began = time.monotonic()
    with impostor(path, claim_much):
        outcome = spoiled.run(hurried(60), "VERSION", OLD, agent=path, direct=agents.DIRECT)
    assert (outcome.code, outcome.document["cniVersion"]) == (0, "0.4.0")
    assert time.monotonic() - began < 30


@pytest.mark.parametrize(
    "behave", [hang_up, take, drip, say_nothing], ids=lambda each: each.__name__
)
def test_a_status_takes_no_longer_than_it_may_whatever_an_agent_does(
    behave: Callable[[socket.socket], None], tmp_path: Path
) -> None:
    assert forwarder.STATUS_PATIENCE + STARTING < 30
    path = tmp_path / "run" / "agent.sock"
    spoil = "forwarder.STATUS_PATIENCE = 1"
    began = time.monotonic()
    with impostor(path, behave):
        outcome = spoiled.run(spoil, "STATUS", NEW, agent=path, patience=1e6)
    assert time.monotonic() - began < 1 + STARTING
    assert (outcome.error["code"], outcome.error["cniVersion"]) == (50, "1.1.0")
    assert "within 1 seconds" in outcome.text


def test_a_queue_that_is_full_is_waited_for(own: agents.Agent, tmp_path: Path) -> None:
    path = tmp_path / "full.sock"
    call = f"forwarder.main({str(path)!r}, {str(agents.DIRECT)!r}, {versions.VERSIONS}, 30)"
    first = socket.socket(socket.AF_UNIX)
    with socket.socket(socket.AF_UNIX) as listener, first:
        listener.bind(os.fspath(path))
        listener.listen(0)
        first.connect(os.fspath(path))
        with subprocess.Popen(
            [sys.executable, "-IS", "-c", f"{spoiled.LOAD}{hurried(20)}\n{call}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={"CNI_COMMAND": "VERSION"},
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.close()
            until(lambda: is_asleep(process))
            listener.accept()[0].close()
            connection, _ = listener.accept()
            with connection:
                connection.recv(1 << 16)
                connection.sendall(forwarder.TAKEN + b"\7" + (2).to_bytes(4, "big") + b"{}")
                assert connection.recv(1) == forwarder.HEARD
            assert process.stdout.read() == b"{}"
            assert process.wait() == 7


def test_an_agent_that_is_stopped_in_the_middle_of_an_add_does_not_make_it_fail(node: Node) -> None:
    started = node.hang("a")
    node.agent.kill()
    node.way.drop()
    with started:
        assert started.wait(60) == 0
        assert started.stdout is not None
        (ip,) = json.loads(started.stdout.read())["ips"]
    assert node.held()[ip["address"].removesuffix("/32")] == "a"
    assert len(node.held()) == 2


def test_an_address_of_which_a_killed_forwarder_was_not_told_is_free_again(node: Node) -> None:
    with node.hang("a") as started:
        started.kill()
    node.way.drop()
    until(lambda: set(node.held().values()) == {"before"})


def test_an_answer_that_was_sent_and_not_printed_is_taken_back(node: Node) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(os.fspath(node.agent.socket))
        connection.sendall(agents.frame(node.variables("ADD", "a"), node.stdin()))
        until(lambda: node.held() != {})
    until(lambda: node.held() == {})


def test_what_is_taken_back_is_not_what_was_asked_for_again(node: Node) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(os.fspath(node.agent.socket))
        connection.sendall(agents.frame(node.variables("ADD", "a"), node.stdin()))
        until(lambda: node.held() != {})
        # Its caller lost patience, and asked without the agent.
        assert node.run("ADD", "a", agents.DIRECT).code == 0
        held = node.held()
    until(lambda: any("took back" in str(each["event"]) for each in node.agent.events()))
    assert node.held() == held != {}


@pytest.mark.parametrize("redirection", ["<&-", "0>/dev/null"])
def test_a_standard_input_that_cannot_be_read_is_an_io_failure(
    redirection: str, own: agents.Agent
) -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", f'"$0" {redirection}', own.launcher],
        env=program.CONTAINER | {"CNI_COMMAND": "ADD"},
        capture_output=True,
        check=False,
    )
    outcome = program.Outcome(code=done.returncode, stdout=done.stdout, stderr=done.stderr)
    assert outcome.error["code"] == 5


def test_an_add_that_failed_unheard_takes_nothing_from_an_earlier_one(node: Node) -> None:
    node.add("c")
    held = node.held()
    node.ipam["ipv4_pools"] = ["10.0.0.0/33"]
    assert node.run_unheard("ADD", "c") == 1
    assert node.held() == held


def test_a_closed_standard_output_is_nobody_listening(node: Node) -> None:
    assert node.run_closed("ADD", "a") == (1, b"")
    # The forwarder has waited for that.
    assert node.held() == {}
    assert node.agent.taken_over() == 0
