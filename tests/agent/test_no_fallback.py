"""A node with nothing to fall back to, as deploy/base/node makes it: calls wait for the agent."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent import spoiled
from agent.node import Node, address, is_asleep, until
from cni import agents, program
from moorage.cni import errors, forwarder, handler, versions
from moorage.cni.host import Direct
from moorage.install import launcher

WAITING = ("ADD", "DEL", "CHECK", "GC")
# No test could bear to wait for so long.
FOR_EVER = 1e6


@pytest.fixture
def absent(tmp_path: Path) -> agents.Agent:
    """An agent that has never run."""
    return agents.Agent(tmp_path)


def call(path: Path, verb: str, stdin: bytes = b'{"cniVersion":"0.4.0"}') -> program.Outcome:
    """One call of a launcher."""
    done = subprocess.run(
        [path],
        input=stdin,
        env=program.CONTAINER | {"CNI_COMMAND": verb},
        capture_output=True,
        timeout=60,
        check=False,
    )
    return program.Outcome(code=done.returncode, stdout=done.stdout, stderr=done.stderr)


def result(process: "subprocess.Popen[bytes]") -> program.Outcome:
    """What a call ends with that was begun before."""
    with process:
        assert process.stdout is not None
        assert process.stderr is not None
        stdout, stderr = process.stdout.read(), process.stderr.read()
    return program.Outcome(code=process.returncode, stdout=stdout, stderr=stderr)


def test_calls_that_come_before_the_agent_wait_for_it(node: Node) -> None:
    node.agent.stop()
    started = {each: node.begin("ADD", each, node.agent.alone()) for each in ("a", "b")}
    for process in started.values():
        until(lambda process=process: is_asleep(process))  # type: ignore[misc]
    node.agent.start()
    given = {address(result(process)): each for each, process in started.items()}
    assert node.held() == given
    assert len(given) == 2


def test_a_call_that_a_killed_agent_had_begun_is_made_again_by_the_next(node: Node) -> None:
    started = node.hang("a", node.agent.alone())
    node.agent.kill()
    until(lambda: is_asleep(started))
    node.way.drop()
    node.agent.start()
    given = address(result(started))
    assert node.held()[given] == "a"
    assert sorted(node.held().values()) == ["a", "before"]


def test_a_del_whose_agent_is_killed_is_done_by_the_next(node: Node) -> None:
    node.add("a")
    node.agent.kill()
    started = node.begin("DEL", "a", node.agent.alone())
    until(lambda: is_asleep(started))
    node.agent.start()
    assert result(started) == program.Outcome(code=0, stdout=b"", stderr=b"")
    assert node.held() == {}


@contextlib.contextmanager
def dying(path: Path, times: int, stamps: list[int]) -> Iterator[None]:
    """An agent that is killed in the middle of its first calls, and answers the one after them."""
    path.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.fspath(path))
        listener.listen()

        def answer() -> None:
            for left in range(times, -1, -1):
                connection, _ = listener.accept()
                with connection:
                    stamps.append(int.from_bytes(connection.recv(1 << 16)[4:12], "big"))
                    connection.sendall(forwarder.TAKEN)
                    if not left:
                        connection.sendall(b"\7" + (2).to_bytes(4, "big") + b"{}")
                        assert connection.recv(1) == forwarder.HEARD

        thread = threading.Thread(target=answer)
        thread.start()
        yield
        thread.join()


def test_an_attempt_is_later_than_the_one_before_and_earlier_than_any_call_since(
    absent: agents.Agent,
) -> None:
    stamps: list[int] = []
    with dying(absent.socket, 3, stamps):
        outcome = call(absent.alone(), "ADD")
    assert (outcome.code, outcome.stdout, outcome.stderr) == (7, b"{}", b"")
    assert [stamp - stamps[0] for stamp in stamps] == [0, 1, 2, 3]


def test_what_is_taken_back_of_one_attempt_is_not_what_the_next_was_told(node: Node) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(os.fspath(node.agent.socket))
        frame = agents.frame(node.variables("ADD", "a"), node.stdin())
        connection.sendall(frame)
        until(lambda: node.held() != {})
        later = (int.from_bytes(frame[4:12], "big") + 1).to_bytes(8, "big")
        with socket.socket(socket.AF_UNIX) as second:
            second.connect(os.fspath(node.agent.socket))
            second.sendall(frame[:4] + later + frame[12:])
            assert second.recv(2, socket.MSG_WAITALL) == forwarder.TAKEN + b"\0"
            second.sendall(forwarder.HEARD)
            until(lambda: not second.recv(1 << 16))
        held = node.held()
    until(lambda: any("took back" in str(each["event"]) for each in node.agent.events()))
    assert node.held() == held != {}


@pytest.mark.parametrize("verb", WAITING)
def test_where_no_agent_comes_the_error_says_what_to_do(verb: str, absent: agents.Agent) -> None:
    outcome = call(absent.alone(0.1), verb)
    assert outcome.error["cniVersion"] == "0.4.0"
    assert outcome.error["code"] == errors.Code.TRY_AGAIN_LATER
    assert outcome.error["msg"] == (
        f"moorage-agent gives no answer at {absent.socket} within 0.1 seconds (FileNotFoundError), "
        f"and {absent.socket.parents[1] / 'absent'}, which needs none, cannot be run"
    )
    assert "see why moorage-agent does not run on this node" in outcome.text
    assert errors.harmless(outcome.text) == outcome.text
    assert outcome.stderr == b""


def test_an_agent_that_turns_every_call_away_is_not_waited_for_for_ever(
    absent: agents.Agent,
) -> None:
    absent.socket.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.fspath(absent.socket))
    outcome = call(absent.alone(0.1), "ADD")
    assert outcome.error["code"] == 11
    assert "(ConnectionRefusedError)" in outcome.text


def test_a_status_that_comes_while_the_agent_is_replaced_waits_for_the_next(node: Node) -> None:
    node.agent.stop()
    config = json.dumps(json.loads(node.stdin()) | {"cniVersion": "1.1.0"}).encode()
    started = node.begin("STATUS", "a", node.agent.alone(), config)
    until(lambda: is_asleep(started))
    node.agent.start()
    assert result(started) == program.Outcome(code=0, stdout=b"", stderr=b"")


def test_a_status_says_that_no_pod_can_be_made(tmp_path: Path) -> None:
    spoil, stdin = "forwarder.STATUS_PATIENCE = 1", b'{"cniVersion":"1.1.0"}'
    agent = tmp_path / "agent.sock"
    outcome = spoiled.run(spoil, "STATUS", stdin, agent=agent, patience=FOR_EVER)
    assert outcome.error["cniVersion"] == "1.1.0"
    assert outcome.error["code"] == 50
    assert "gives no answer at " in outcome.text
    assert "within 1 seconds (FileNotFoundError)" in outcome.text


def test_a_call_that_an_agent_is_replaced_under_waits_as_long_as_one_that_came_later(
    node: Node,
) -> None:
    started = node.hang("a", node.agent.alone(patience := 2))
    until(lambda: is_past(started, patience))
    node.agent.kill()
    until(lambda: is_asleep(started))
    node.way.drop()
    node.agent.start()
    assert node.held()[address(result(started))] == "a"


def is_past(process: "subprocess.Popen[bytes]", seconds: float) -> bool:
    """Whether a call began so long ago."""
    began = int(Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[19])
    since_boot = time.clock_gettime(time.CLOCK_BOOTTIME)
    return since_boot - began / os.sysconf("SC_CLK_TCK") > seconds


def test_an_agent_that_ends_does_not_keep_the_next_from_calls_that_wait(node: Node) -> None:
    node.add("b")
    started = node.hang("a", node.agent.alone())
    assert node.agent.process is not None
    node.agent.process.send_signal(signal.SIGTERM)
    until(lambda: any("finishes" in str(each["event"]) for each in node.agent.events()))
    delete = node.begin("DEL", "b", node.agent.alone())
    # As a service manager does: the next begins when this one is gone, and nothing lets it go on.
    assert node.agent.process.wait(launcher.PATIENCE / 2) == 0
    node.way.drop()
    node.agent.start()
    assert result(delete) == program.Outcome(code=0, stdout=b"", stderr=b"")
    given = address(result(started))
    assert {node.held()[given], *node.held().values()} == {"a", "before"}


def test_a_launcher_whose_other_program_is_itself_does_not_start_it(absent: agents.Agent) -> None:
    path = absent.alone(0.1)
    path.with_name("absent").symlink_to(path)
    outcome = call(path, "ADD")
    assert outcome.error["code"] == errors.Code.TRY_AGAIN_LATER


STDINS = [
    *(json.dumps({"cniVersion": version}).encode() for version in versions.VERSIONS),
    *(b"", b"{}", b"[]", b"null", b"7", b"{", b"\xff", b"\xef\xbb\xbf{}", b"[" * 5000),
    *(b'{"cniVersion":""}', b'{"cniVersion":null}', b'{"cniVersion":"9.9.9"}'),
    *(b'{"cniVersion":1.0}', b'{"cniVersion":["1.0.0"]}', b'{"cniVersion":{}}'),
    *(b'{"cniVersion":"0.4.0","x":NaN}', b'{"cniVersion":"0.4.0","x":-Infinity}'),
]


@pytest.mark.parametrize("stdin", STDINS, ids=lambda stdin: repr(stdin[:24]))
def test_versions_are_told_as_the_agent_would(stdin: bytes, absent: agents.Agent) -> None:
    expected = handler.handle({"CNI_COMMAND": "VERSION"}, stdin, Direct(), 1)
    outcome = call(absent.alone(FOR_EVER), "VERSION", stdin)
    assert (outcome.code, outcome.stdout) == (expected.exit_code, expected.stdout)
    assert outcome.stderr == b""


def test_what_no_agent_could_mend_is_not_waited_for(absent: agents.Agent) -> None:
    launcher = absent.alone(FOR_EVER)
    for variables, shell, code in (({}, '"$0"', 4), ({"CNI_COMMAND": "ADD"}, '"$0" <&-', 5)):
        done = subprocess.run(
            ["/bin/sh", "-c", shell, launcher],
            env=variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=60,
            check=False,
        )
        outcome = program.Outcome(code=done.returncode, stdout=done.stdout, stderr=done.stderr)
        assert outcome.error["code"] == code


def test_an_answer_that_nobody_can_read_is_a_failure(absent: agents.Agent) -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", '"$0" >&-', absent.alone(FOR_EVER)],
        env={"CNI_COMMAND": "VERSION"},
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, b"")
