"""A node without Python: the same words to the agent, from a program that needs nothing."""

import os
import pathlib
import shutil
import socket
import subprocess
import sys
import threading

import pytest

from agent import static
from agent.node import Node, address
from cni import agents, program
from moorage.cni import forwarder
from moorage.install import launcher

# Whoever comes first builds the program, and the library with it.
pytestmark = pytest.mark.timeout(600)

ABSENT = pathlib.Path("/nowhere/moorage")


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The program, without what it is told when it is installed."""
    return static.built(tmp_path_factory.getbasetemp().parent)


@pytest.fixture
def plugin(node: Node, built: bytes) -> pathlib.Path:
    """It is all that the node has."""
    return static.put(node.agent, built, launcher.PATIENCE)


def called(path: pathlib.Path, verb: str, stdin: bytes = b"{}") -> program.Outcome:
    """One call where no agent is."""
    variables = {"CNI_COMMAND": verb} if verb else {}
    done = subprocess.run([path], input=stdin, env=variables, capture_output=True, check=False)
    return program.Outcome(code=done.returncode, stdout=done.stdout, stderr=done.stderr)


def test_an_address_is_given_and_given_back(node: Node, plugin: pathlib.Path) -> None:
    given = address(node.run("ADD", "a", plugin))
    assert node.held() == {given: "a"}
    assert node.run("DEL", "a", plugin) == program.Outcome(code=0, stdout=b"", stderr=b"")
    assert node.held() == {}


def test_it_needs_nothing_of_the_node(node: Node, plugin: pathlib.Path, built: bytes) -> None:
    if os.geteuid():
        pytest.skip("only root can leave everything else behind")
    root = plugin.parent
    inside = pathlib.Path("/") / node.agent.socket.relative_to(root)
    plugin.write_bytes(launcher.static(built, inside))
    done = subprocess.run(
        [shutil.which("chroot") or "", root, f"/{plugin.name}"],
        input=node.stdin(),
        env=node.variables("ADD", "a") | {"PATH": ""},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert set(node.held().values()) == {"a"}


def test_what_a_closed_pipe_hears_of_is_taken_back(node: Node, plugin: pathlib.Path) -> None:
    assert node.run_unheard("ADD", "a", plugin) == 1
    assert node.held() == {}


def test_what_a_closed_output_hears_of_is_taken_back(node: Node, plugin: pathlib.Path) -> None:
    assert node.run_closed("ADD", "a", plugin) == (1, b"")
    assert node.held() == {}


def test_a_call_waits_for_an_agent_that_is_replaced(node: Node, plugin: pathlib.Path) -> None:
    node.agent.stop()
    process = node.begin("ADD", "a", plugin)
    node.agent.start()
    with process:
        assert process.stdout is not None
        assert b'"ips"' in process.stdout.read()
    assert process.returncode == 0
    assert set(node.held().values()) == {"a"}


@pytest.mark.parametrize("patience", [0, 0.2])
@pytest.mark.parametrize(
    ("verb", "stdin", "code", "version"),
    [
        ("", b"{}", 4, "1.1.0"),
        ("ADD", b'{"cniVersion": "0.4.0"}', 11, "0.4.0"),
        ("DEL", b'{"CNIVERSION": "0.4.0"}', 11, "0.1.0"),
        ("STATUS", b'{"cniVersion": "1.1.0"}', 50, "1.1.0"),
        ("ADD", b'{"cniVersion": "9.0.0"}', 11, "1.1.0"),
        ("ADD", b'{"cniVersion": NaN}', 11, "1.1.0"),
        ("ADD", b'{"cniVersion": null}', 11, "0.1.0"),
        ("ADD", b"\xff", 11, "1.1.0"),
        ("ADD", b"[]", 11, "1.1.0"),
        ("ADD", b'{"cniVersion": 1}', 11, "1.1.0"),
        ("ADD", b'{"cniVersion": "0.4.0", "x": 1e999}', 11, "0.4.0"),
    ],
)
def test_without_anybody_it_says_what_the_other_one_says(
    verb: str,
    stdin: bytes,
    code: int,
    version: str,
    patience: float,
    built: bytes,
    tmp_path: pathlib.Path,
) -> None:
    agent = agents.Agent(tmp_path)
    own = called(static.put(agent, built, patience), verb, stdin)
    assert (own.error["code"], own.error["cniVersion"]) == (code, version)
    other = tmp_path / "other"
    other.write_bytes(
        launcher.forwarding(pathlib.Path(sys.executable), agent.socket, ABSENT, patience=patience)
    )
    other.chmod(0o755)
    theirs = called(other, verb, stdin)
    assert own.error.keys() == theirs.error.keys()
    assert (own.code, own.error["code"], own.error["cniVersion"]) == (
        theirs.code,
        theirs.error["code"],
        theirs.error["cniVersion"],
    )


def test_versions_are_told_without_anybody(built: bytes, tmp_path: pathlib.Path) -> None:
    path = static.put(agents.Agent(tmp_path), built, 0)
    told = called(path, "VERSION", b'{"cniVersion": "1.0.0"}').document
    assert told == {"cniVersion": "1.0.0", "supportedVersions": list(program.VERSIONS)}


@pytest.mark.parametrize("redirection", ["<&-", "0>/dev/null"])
def test_a_standard_input_that_cannot_be_read_is_an_io_failure(
    redirection: str, built: bytes, tmp_path: pathlib.Path
) -> None:
    path = static.put(agents.Agent(tmp_path), built, 0)
    done = subprocess.run(
        ["/bin/sh", "-c", f'"$0" {redirection}', path],
        env={"CNI_COMMAND": "ADD"},
        capture_output=True,
        check=False,
    )
    assert b'"code":5' in done.stdout


def test_its_call_is_what_the_agent_reads(built: bytes, tmp_path: pathlib.Path) -> None:
    agent = agents.Agent(tmp_path)
    agent.socket.parent.mkdir()
    path = static.put(agent, built, 0)
    heard: list[bytes] = []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.fspath(agent.socket))
        listener.listen()

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                heard.append(connection.recv(1 << 16))
                connection.sendall(forwarder.TAKEN + b"\7" + (2).to_bytes(4, "big") + b"{}")
                heard.append(connection.recv(1))

        thread = threading.Thread(target=answer)
        thread.start()
        outcome = called(path, "ADD", b"given")
        thread.join()
    assert (outcome.code, outcome.stdout) == (7, b"{}")
    call, end = heard
    assert call[:4] == forwarder.CALL
    assert call[12:20] == len(b"CNI_COMMAND=ADD").to_bytes(4, "big") + (5).to_bytes(4, "big")
    assert call[20:] == b"CNI_COMMAND=ADDgiven"
    assert end == forwarder.HEARD


def test_a_program_that_was_not_installed_says_so(built: bytes, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "moorage"
    path.write_bytes(built)
    path.chmod(0o755)
    assert called(path, "VERSION").error["code"] == 999
