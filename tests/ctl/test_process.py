"""moorctl as the installed program: what only a process has, streams, signals and an exit code."""

import signal
import subprocess
import sys
import threading

import grpc
import pytest

import moorage
from client import peer as peers
from ctl import program
from moorage.v1 import allocation_service_pb2, pool_service_pb2, resources_pb2


@pytest.fixture
def installed() -> bool:
    """These are about the program as it is installed."""
    return True


def test_the_version_is_shown(offline: program.Moorctl) -> None:
    assert offline.must("--version") == f"moorctl, version {moorage.__version__}\n"


def test_help_is_shown(offline: program.Moorctl) -> None:
    assert "    moorctl get " in offline.must("get", "-h")


def test_neither_version_nor_help_load_grpc_or_rich() -> None:
    script = (
        "import sys; from moorage.ctl import program\n"
        "for arguments in (['--version'], ['-h'], ['get', '-h'], ['apply', '-h'],\n"
        "                  ['describe', '-h']):\n"
        "    program.run(arguments)\n"
        "loaded = {'grpc', 'rich'} & set(sys.modules)\n"
        "sys.exit(repr(loaded) if loaded else 0)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, stdout=subprocess.DEVNULL)


def test_a_wrong_command_line_is_told_on_standard_error(offline: program.Moorctl) -> None:
    ended = offline("gett", "pools")
    assert (ended.code, ended.out) == (2, "")
    assert "Did you mean 'get'?" in ended.err


def test_what_is_not_utf8_is_refused(offline: program.Moorctl) -> None:
    ended = offline("get", "pool", b"\xff")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == "moorctl: '\\udcff' is not text in UTF-8\n"


@pytest.mark.parametrize(
    ("code", "reason", "expected"),
    [
        (grpc.StatusCode.NOT_FOUND, "POOL_NOT_FOUND", 3),
        (grpc.StatusCode.UNAVAILABLE, "DATABASE_UNAVAILABLE", 7),
    ],
)
def test_the_exit_code_of_a_failure_is_that_of_the_process(
    peer: peers.Peer,
    scripted: program.Moorctl,
    code: grpc.StatusCode,
    reason: str,
    expected: int,
) -> None:
    peer.will(peers.refuse(code, reason, retry_delay=60))
    ended = scripted("get", "pool", "web")
    assert (ended.code, ended.out) == (expected, "")
    assert ended.err.startswith("moorctl: cannot get pool/web: ")


def test_what_a_listing_shows_stands_on_standard_output(
    peer: peers.Peer, scripted: program.Moorctl
) -> None:
    pool = resources_pb2.Pool(name="vrfs/default/pools/web")
    peer.will(peers.answer(pool_service_pb2.ListPoolsResponse(pools=[pool])))
    assert scripted.must("get", "pools", "-o", "name") == "pool/web\n"


def test_a_manifest_is_read_from_standard_input(offline: program.Moorctl) -> None:
    ended = offline("apply", "-f", "-", stdin="- 1")
    assert (ended.code, ended.out) == (2, "")
    assert "standard input, document 1 (line 1)" in ended.err


def test_ctrl_c_ends_quietly(peer: peers.Peer, scripted: program.Moorctl) -> None:
    called = threading.Event()

    def hang(context: grpc.ServicerContext) -> bytes:
        called.set()
        peer.stopping.wait()
        return b""

    peer.will(hang)
    process = subprocess.Popen(
        [program.PROGRAM, "get", "pools"],
        env=scripted.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert called.wait(30)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err.strip()) == (130, "", "")


def test_a_reader_that_stops_reading_ends_the_program_quietly(
    peer: peers.Peer, scripted: program.Moorctl
) -> None:
    page = allocation_service_pb2.ListAllocationsResponse(
        allocations=[resources_pb2.Allocation(name="vrfs/default/allocations/fd00::1")] * 20_000
    )
    peer.will(peers.answer(page))
    process = subprocess.Popen(
        [program.PROGRAM, "get", "allocations", "-o", "name"],
        env=scripted.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    with process.stdout, process.stderr:
        assert process.stdout.readline() == "allocation/fd00::1\n"
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(30) == 141
