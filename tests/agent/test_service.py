"""The life of an agent: whom it lets in, what harms it, and how it ends."""

import concurrent.futures
import contextlib
import json
import os
import resource
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from agent.node import Node, address, until
from cni import agents, program
from moorage.agent import service, wire
from moorage.cni import forwarder


def refused(agent: agents.Agent) -> str:
    """Why an agent does not start."""
    done = subprocess.run(agent.command, capture_output=True, timeout=60, check=False, text=True)
    assert done.returncode == 1, done
    (line,) = done.stderr.splitlines()
    told = json.loads(line)
    assert (told["level"], told["event"]) == ("error", "cannot start")
    return str(told["why"])


def test_nobody_else_can_reach_the_socket_or_the_journal(node: Node) -> None:
    node.add("a")
    node.way.leave()
    node.delete("a")
    (kept,) = node.agent.journal.iterdir()
    modes = {
        node.agent.socket: 0o600,
        node.agent.socket.parent: 0o700,
        node.agent.journal: 0o700,
        kept: 0o600,
    }
    assert {path: path.stat().st_mode & 0o777 for path in modes} == modes


def test_a_second_agent_is_refused_on_the_socket_and_on_the_journal(
    own: agents.Agent, tmp_path: Path
) -> None:
    assert refused(own) == f"{own.journal} is the journal of an agent that runs; stop it first"
    (tmp_path / "other").mkdir()
    other = agents.Agent(tmp_path / "other")
    other.command[other.command.index(str(other.socket))] = str(own.socket)
    assert refused(other) == f"an agent listens on {own.socket} already; stop it first"
    assert own.status()["pid"] == own.process.pid if own.process else False


@pytest.mark.parametrize("which", ["journal", "run"])
def test_a_folder_that_lets_others_in_is_refused(which: str, tmp_path: Path) -> None:
    agent = agents.Agent(tmp_path)
    folder = tmp_path / which
    folder.mkdir()
    folder.chmod(0o755)
    why = f"{folder} lets others in (mode 0755); chmod 0700 {folder}"
    assert refused(agent) == why


def test_a_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder away")
    agent = agents.Agent(tmp_path)
    agent.journal.mkdir(mode=0o700)
    os.chown(agent.journal, 65534, 65534)
    assert refused(agent) == f"{agent.journal} belongs to uid 65534, and this is uid 0"


def test_a_lock_that_cannot_be_had_is_named(tmp_path: Path) -> None:
    agent = agents.Agent(tmp_path)
    lock = agent.socket.with_name(f"{agent.socket.name}.lock")
    lock.mkdir(parents=True)
    agent.socket.parent.chmod(0o700)
    assert refused(agent) == f"{lock} cannot be locked: Is a directory; see what is there"


def test_what_is_no_socket_is_not_removed(tmp_path: Path) -> None:
    agent = agents.Agent(tmp_path)
    agent.socket.parent.mkdir(mode=0o700)
    agent.socket.write_text("somebody's")
    assert "is no socket" in refused(agent)
    assert agent.socket.read_text() == "somebody's"


def test_a_path_that_is_too_long_for_a_socket_is_refused(tmp_path: Path) -> None:
    agent = agents.Agent(tmp_path)
    long = str(tmp_path / ("x" * 100))
    agent.command[agent.command.index(str(agent.socket))] = long
    assert "is too long for a socket" in refused(agent)


CALL = forwarder.CALL
MALFORMED = {
    "nothing": b"",
    "stranger": b"GET / HTTP/1.1\r\n\r\n",
    "half a header": CALL + b"\0" * 7,
    "long environment": CALL + b"\0" * 8 + b"\xff" * 4 + b"\0" * 4,
    "long input": CALL + b"\0" * 8 + b"\0" * 4 + b"\xff" * 4,
    "half an environment": CALL + b"\0" * 8 + b"\0\0\0\x09" + b"\0" * 4 + b"CNI_",
    "no environment": CALL + b"\0" * 16,
    "garbage": CALL + b"\0" * 8 + b"\0\0\0\x09" + b"\0\0\0\x01" + b"\0\0=\0=\xff\0\0x{",
}


@pytest.mark.parametrize("request_", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_frame_does_no_harm(request_: bytes, agent: agents.Agent) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(20)
        connection.connect(os.fspath(agent.socket))
        connection.sendall(request_)
        with contextlib.suppress(ConnectionError):
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(1 << 16):
                pass
    assert agent.call({"CNI_COMMAND": "VERSION"}, b"")[0] == 0


def test_one_that_sends_nothing_holds_nobody_up(own: agents.Agent) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.connect(os.fspath(own.socket))
        assert own.call({"CNI_COMMAND": "VERSION"}, b"")[0] == 0
        silent.settimeout(wire.SENT_WITHIN + 20)
        assert silent.recv(1) == b""


def test_a_call_that_was_begun_is_answered_after_sigterm(node: Node) -> None:
    started = node.hang("a")
    assert node.agent.process is not None
    node.agent.process.send_signal(signal.SIGTERM)
    until(lambda: any("finishes" in str(each["event"]) for each in node.agent.events()))
    assert node.agent.process.poll() is None
    node.way.drop()
    with started:
        assert started.wait(60) == 0
    assert node.agent.process.wait(60) == 0
    assert node.agent.taken_over() == 0
    assert set(node.held().values()) == {"a", "before"}
    assert not node.agent.socket.exists()


def test_a_call_that_is_not_answered_soon_after_sigterm_is_made_again_without_it(
    node: Node,
) -> None:
    started = node.hang("a")
    assert node.agent.process is not None
    node.agent.process.send_signal(signal.SIGTERM)
    assert node.agent.process.wait(service.FINISHED_WITHIN + 10) == 0
    assert node.agent.events()[-1]["event"] == "ends, and cuts calls off"
    node.way.drop()
    with started:
        assert started.wait(60) == 0
    assert node.agent.taken_over() == 1
    assert sorted(node.held().values()) == ["a", "before"]


def test_a_second_sigterm_ends_it_at_once(node: Node) -> None:
    started = node.hang("a")
    assert node.agent.process is not None
    node.agent.process.send_signal(signal.SIGTERM)
    until(lambda: any("finishes" in str(each["event"]) for each in node.agent.events()))
    node.agent.process.send_signal(signal.SIGTERM)
    assert node.agent.process.wait(20) == -signal.SIGTERM
    node.way.drop()
    with started:
        assert started.wait(60) == 0


@pytest.mark.parametrize("is_alone", [False, True])
def test_of_fifty_adds_none_fails_while_the_agent_is_started_again(
    is_alone: bool, node: Node
) -> None:
    path = node.agent.alone() if is_alone else node.agent.launcher
    containers = [f"c{at}" for at in range(50)]
    node.ipam["timeout_seconds"] = 60
    with concurrent.futures.ThreadPoolExecutor(25) as threads:
        running = [threads.submit(node.run, "ADD", each, path) for each in containers]
        until(lambda: len(node.held()) > 5)
        assert node.agent.stop() == 0
        node.agent.start()
        outcomes = [each.result() for each in running]
    assert [outcome.text for outcome in outcomes if outcome.code != 0] == []
    given = dict(zip(map(address, outcomes), containers, strict=True))
    assert node.held() == given
    assert len(given) == 50


def test_its_lines_say_nothing_of_what_it_was_given(own: agents.Agent) -> None:
    secret = "do-not-tell"
    config = program.annotated(
        {"cni.projectcalico.org/ipv4pools": secret, "token": secret},
        {"kubernetes": {"api_root": f"https://{secret}", "token_file": secret}},
    )
    variables = program.CONTAINER | {"CNI_COMMAND": "ADD", "TOKEN": secret}
    for args in ("", program.POD_ARGS):
        code, printed = own.call(variables | {"CNI_ARGS": args}, json.dumps(config).encode())
        assert code == 1
        assert secret.encode() in printed
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(os.fspath(own.socket))
        connection.sendall(secret.encode())
    until(lambda: len(own.events()) >= 4)
    assert secret not in own.log.read_text()
    assert {each["event"] for each in own.events()} >= {"serves", "a call failed", "gave a call up"}


def test_status_is_a_command(own: agents.Agent) -> None:
    command = [str(agents.PROGRAM), "status", "--socket", str(own.socket)]
    done = subprocess.run(command, capture_output=True, check=True)
    assert own.process is not None
    assert json.loads(done.stdout) == {
        "pid": own.process.pid,
        "calls": 0,
        "sent_again": 0,
        "releases_waiting": 0,
        "servers_away": [],
        "namespace_watches": 0,
    }
    own.stop()
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 1
    assert b"no agent answers on" in done.stderr


def test_however_many_calls_wait_it_says_how_it_is(node: Node) -> None:
    node.add("before")
    node.way.hold()
    request = agents.frame(node.variables("ADD", "a"), node.stdin())
    with contextlib.ExitStack() as until_gone:
        for at in range(service.WORKERS + service.MOST_WAITING + 1):
            connection = until_gone.enter_context(socket.socket(socket.AF_UNIX))
            connection.connect(str(node.agent.socket))
            connection.sendall(request)
            if at < service.WORKERS:
                assert connection.recv(1) == forwarder.TAKEN
        until(lambda: "turned a call away" in node.agent.log.read_text())
        command = [str(agents.PROGRAM), "status", "--socket", str(node.agent.socket)]
        told = subprocess.run(command, capture_output=True, check=True).stdout
        assert json.loads(told)["calls"] == 1
    node.way.drop()


def test_more_connections_than_it_may_open_end_no_agent(node: Node) -> None:
    assert node.agent.process is not None
    open_files = resource.prlimit(node.agent.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(node.agent.process.pid, resource.RLIMIT_NOFILE, (64, open_files[1]))
    with contextlib.ExitStack() as until_gone:
        for _ in range(100):
            connection = until_gone.enter_context(socket.socket(socket.AF_UNIX))
            connection.connect(str(node.agent.socket))
        until(lambda: "cannot let a call in" in node.agent.log.read_text())
    resource.prlimit(node.agent.process.pid, resource.RLIMIT_NOFILE, open_files)
    node.add()
