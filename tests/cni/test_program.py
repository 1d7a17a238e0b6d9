"""The process around the handler: what it prints, and when nobody listens."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import grpc
import pytest

from cni import program, scripted
from moorage.v1 import resources_pb2

ALLOCATION = resources_pb2.Allocation(address="10.0.0.7", prefix_length=32)


def test_an_address_nobody_heard_of_is_released_at_once(script: scripted.Script) -> None:
    script.allocations = [ALLOCATION]
    read, write = os.pipe()
    os.close(read)
    try:
        done = _add_into(write, script)
    finally:
        os.close(write)
    assert done.returncode == 1
    assert done.stderr == b""
    assert [request.attachment for request in script.released] == [script.assigned[0].attachment]
    assert script.released[0].attempt == script.assigned[0].attempt


def test_an_add_that_failed_unheard_frees_nothing(script: scripted.Script) -> None:
    script.abort = scripted.refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, "no", "POOL_EXHAUSTED")
    read, write = os.pipe()
    os.close(read)
    try:
        done = _add_into(write, script)
    finally:
        os.close(write)
    assert done.returncode == 1
    assert script.released == []


def test_a_closed_standard_output_is_nobody_listening_too(script: scripted.Script) -> None:
    script.allocations = [ALLOCATION]
    config = json.dumps(program.config(ipam={"server": script.target, "timeout_seconds": 5}))
    done = subprocess.run(
        ["/bin/sh", "-c", '"$0" >&-', program.installed_program()],
        input=config.encode(),
        env=program.CONTAINER | {"CNI_COMMAND": "ADD"},
        stderr=subprocess.PIPE,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, b"")
    assert len(script.assigned) == len(script.released) == 1


def test_what_is_opened_later_does_not_take_the_place_of_standard_output(tmp_path: Path) -> None:
    probe = (
        "import sys\n"
        "from moorage.cni import handler, plugin\n"
        "def open_and_answer(*_):\n"
        "    sys.opened = open(sys.argv[1], 'wb', buffering=0)\n"
        "    return handler.Reply(stdout=b'answer', exit_code=0)\n"
        "handler.handle = open_and_answer\n"
        "plugin.main()\n"
    )
    opened = tmp_path / "opened"
    done = subprocess.run(
        ["/bin/sh", "-c", '"$0" -I -c "$1" "$2" >&-', sys.executable, probe, opened],
        input=b"{}",
        env={"CNI_COMMAND": "DEL"},
        stderr=subprocess.PIPE,
        check=False,
    )
    assert (done.returncode, done.stderr, opened.read_bytes()) == (1, b"", b"")


def test_a_release_nobody_hears_of_is_not_made_twice(script: scripted.Script) -> None:
    script.abort = scripted.refusal(grpc.StatusCode.FAILED_PRECONDITION, "no", "INVALID_REQUEST")
    read, write = os.pipe()
    os.close(read)
    try:
        done = _add_into(write, script, verb="DEL")
    finally:
        os.close(write)
    assert done.returncode == 1
    assert len(script.released) == 1


def _add_into(
    stdout: int, script: scripted.Script, verb: str = "ADD"
) -> subprocess.CompletedProcess[bytes]:
    config = json.dumps(program.config(ipam={"server": script.target, "timeout_seconds": 5}))
    return subprocess.run(
        [program.installed_program()],
        input=config.encode(),
        env=program.CONTAINER | {"CNI_COMMAND": verb},
        stdout=stdout,
        stderr=subprocess.PIPE,
        check=False,
    )


@pytest.mark.parametrize("redirection", ["<&-", "0>/dev/null"])
def test_a_standard_input_that_cannot_be_read_is_an_io_failure(redirection: str) -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", f'"$0" {redirection}', program.installed_program()],
        env=program.CONTAINER | {"CNI_COMMAND": "ADD"},
        capture_output=True,
        check=False,
    )
    outcome = program.Outcome(code=done.returncode, stdout=done.stdout, stderr=done.stderr)
    assert outcome.error["code"] == 5
    assert outcome.stderr == b""


@pytest.mark.usefixtures("host")
def test_an_endless_standard_input_is_not_read_to_its_end() -> None:
    with Path("/dev/zero").open("rb") as endless:
        done = subprocess.run(
            [program.installed_program()],
            stdin=endless,
            env=program.CONTAINER | {"CNI_COMMAND": "ADD"},
            capture_output=True,
            timeout=30,
            check=False,
        )
    outcome = program.Outcome(code=done.returncode, stdout=done.stdout, stderr=done.stderr)
    assert outcome.error["code"] == 6


@pytest.mark.usefixtures("host")
def test_a_megabyte_of_other_annotations_is_no_hindrance(script: scripted.Script) -> None:
    script.allocations = [ALLOCATION]
    passed = {"other.example/state": '["' * (1 << 19), "moorage.dev/owner": "web-0"}
    config = program.annotated(passed, {"server": script.target, "timeout_seconds": 5})
    outcome = program.run("ADD", config)
    assert outcome.code == 0
    assert script.assigned[0].owner_key == "web-0"


@pytest.mark.usefixtures("host")
def test_the_environment_of_a_daemon_does_not_reach_the_program(
    script: scripted.Script, tmp_path: Path
) -> None:
    script.allocations = [ALLOCATION]
    (tmp_path / "json.py").write_text("print('poison')")
    (tmp_path / "sitecustomize.py").write_text("")
    environment = {
        "PYTHONPATH": str(tmp_path),
        "PYTHONWARNINGS": "error",
        "PYTHONINSPECT": "1",
        "http_proxy": "http://127.0.0.1:1",
        "https_proxy": "http://127.0.0.1:1",
        "grpc_proxy": "http://127.0.0.1:1",
        "GRPC_VERBOSITY": "DEBUG",
        "GRPC_TRACE": "all",
        "LC_ALL": "C",
    }
    config = program.config(ipam={"server": script.target, "timeout_seconds": 5})
    outcome = program.run("ADD", config, environment=environment)
    assert (outcome.code, outcome.stderr) == (0, b"")
    assert outcome.document["ips"] == [{"address": "10.0.0.7/32"}]


@pytest.mark.parametrize("verb", ["ADD", "DEL", "CHECK"])
def test_a_silent_server_is_waited_for_no_longer_than_the_timeout(
    verb: str, script: scripted.Script
) -> None:
    def stay_silent(context: grpc.ServicerContext) -> None:
        script.stopping.wait(60)

    script.abort = stay_silent
    rest = {"prevResult": {"ips": [{"address": "10.0.0.7/32"}]}}
    ipam = {"server": script.target, "timeout_seconds": 0.5}
    began = time.monotonic()
    outcome = program.run(verb, program.config(ipam=ipam, rest=rest))
    assert time.monotonic() - began < 10
    assert (outcome.error["code"], outcome.stderr) == (11, b"")


@pytest.mark.parametrize(
    ("verb", "configured", "given"),
    [("ADD", 90, 90), ("ADD", None, 30), ("DEL", 90, 20), ("DEL", None, 20), ("DEL", 7, 7)],
)
def test_the_server_is_told_how_long_the_program_waits(
    verb: str, configured: float | None, given: float, script: scripted.Script
) -> None:
    script.allocations = [ALLOCATION]
    ipam = {"server": script.target, "timeout_seconds": configured}
    assert program.run(verb, program.config(ipam=ipam)).code == 0
    assert given - 5 < script.seconds_left[0] <= given


def test_a_fault_of_the_program_itself_is_one_document_too(tmp_path: Path) -> None:
    probe = (
        "from moorage.cni import handler, plugin\n"
        "def fail(*_): raise KeyError('a secret')\n"
        "handler.handle = fail\n"
        "plugin.main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", probe],
        input=b"{}",
        env=program.CONTAINER | {"CNI_COMMAND": "ADD"},
        capture_output=True,
        check=False,
    )
    outcome = program.Outcome(code=done.returncode, stdout=done.stdout, stderr=done.stderr)
    assert outcome.error["code"] == 999
    assert outcome.error["msg"] == "internal error of moorage: KeyError"
    assert "plugin.py:" in str(outcome.error["details"])
    assert b"Traceback" not in done.stdout
    assert b"secret" not in done.stdout
    assert outcome.stderr == b""
