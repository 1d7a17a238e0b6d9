"""A server that is not there, one that never answers, and a stranger on its port: at every door."""

import contextlib
import socket
import threading
from collections.abc import Iterator

import grpc
import pytest

from bad_input.assigning import assign
from bad_input.patience import within
from bad_input.shimming import Call
from ctl import program
from moorage.v1 import allocation_service_pb2_grpc

PATIENCE = 0.5  # seconds, told to every client
PLUGIN_PATIENCE = 3.0  # in which the plugin loads gRPC, on a busy machine
OVERHEAD = 10.0  # seconds at most to start a program on a busy machine
LONG = 20.0  # seconds; whoever is refused at once waits for nothing like that
NOBODY = "127.0.0.1:1"
STRANGER = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"

WHAT_NEXT = (
    'the runtime tries again; if this stays, check that ipam "server" of the CNI config'
    " names a running moorage-server that this node can reach"
)
START_IT = "  next: start the server there, or name another: --server or MOORAGE_SERVER"
CONFIGURED = {"prevResult": {"ips": [{"address": "10.0.0.7/32"}]}}


@pytest.fixture
def mute() -> Iterator[str]:
    """The address of a server whose connections are accepted by the kernel and by nobody else."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
def stranger() -> Iterator[str]:
    """The address of a server that speaks something else."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_speak, args=(listener,), daemon=True).start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


def _speak(listener: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(STRANGER)


def refusal(server: str, patience: float) -> tuple[grpc.StatusCode, str]:
    """How an Assign fails."""
    with grpc.insecure_channel(server) as channel:
        stub = allocation_service_pb2_grpc.AllocationServiceStub(channel)
        with pytest.raises(grpc.RpcError) as raised:
            stub.AssignAddresses(assign(), timeout=patience)
    assert isinstance(raised.value, grpc.Call)
    return raised.value.code(), raised.value.details() or ""


def test_a_call_to_nobody_is_unavailable_at_once() -> None:
    with within(LONG / 2):
        code, details = refusal(NOBODY, LONG)
    assert code is grpc.StatusCode.UNAVAILABLE
    assert details.endswith(f"ipv4:{NOBODY}: Failed to connect to remote host: Connection refused")


def test_a_call_to_a_silent_server_ends_with_its_deadline(mute: str) -> None:
    with within(PATIENCE + OVERHEAD):
        assert refusal(mute, PATIENCE) == (grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")


def test_a_call_to_a_stranger_is_unavailable(stranger: str) -> None:
    with within(LONG / 2):
        assert refusal(stranger, LONG)[0] is grpc.StatusCode.UNAVAILABLE


def check_shim(verb: str, server: str, status: str) -> None:
    """Runs the plugin and reads back the whole of what it prints."""
    call = Call(verb=verb, ipam={"timeout_seconds": PLUGIN_PATIENCE}, rest=CONFIGURED)
    with within(PLUGIN_PATIENCE + OVERHEAD):
        outcome = call.run(server)
    assert outcome.unnamed == {
        "cniVersion": "1.0.0",
        "code": 11,
        "msg": f"server {server} gave no answer in time or is busy ({status})",
        "details": WHAT_NEXT,
    }
    assert outcome.stderr == b""


@pytest.mark.parametrize("verb", ["ADD", "DEL", "CHECK"])
def test_the_plugin_asks_for_another_try_where_nobody_listens(verb: str) -> None:
    check_shim(verb, NOBODY, "UNAVAILABLE")


@pytest.mark.parametrize("verb", ["ADD", "DEL", "CHECK"])
def test_the_plugin_asks_for_another_try_where_nobody_answers(verb: str, mute: str) -> None:
    check_shim(verb, mute, "DEADLINE_EXCEEDED")


def test_the_plugin_asks_for_another_try_where_a_stranger_answers(stranger: str) -> None:
    check_shim("ADD", stranger, "UNAVAILABLE")


def complaint(server: str, *arguments: str) -> list[str]:
    """The lines of standard error of a moorctl that gets no answer."""
    variables = {"MOORAGE_SERVER": server, "MOORAGE_TIMEOUT": str(PATIENCE)}
    with within(PATIENCE + OVERHEAD):
        ended = program.Moorctl(variables=variables, installed=True)(*arguments)
    assert (ended.code, ended.out) == (7, "")
    return ended.err.splitlines()


@pytest.mark.parametrize(
    ("arguments", "action"),
    [
        (["get", "pools"], "get pools"),
        (["assign", "--container-id", "c1"], "assign addresses to container c1"),
        (["delete", "pool", "web"], "delete pool/web"),
    ],
)
def test_moorctl_names_the_server_that_is_not_there(arguments: list[str], action: str) -> None:
    assert complaint(NOBODY, *arguments) == [
        f"moorctl: cannot {action}: {NOBODY}: connections to all backends failing; last error:"
        f" UNKNOWN: ipv4:{NOBODY}: Failed to connect to remote host: Connection refused",
        START_IT,
    ]


def test_moorctl_gives_a_silent_server_no_more_than_its_time(mute: str) -> None:
    assert complaint(mute, "get", "pools") == [
        f"moorctl: cannot get pools: {mute}: Deadline Exceeded",
        "  next: allow more time: --timeout or MOORAGE_TIMEOUT",
    ]
