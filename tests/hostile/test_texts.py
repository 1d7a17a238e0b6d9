"""Whatever stands in a text of a request: it is data to PostgreSQL, and one line of the log."""

import re
from collections.abc import Iterator
from typing import Any, TypeAlias

import grpc
import pytest
from google.protobuf import descriptor
from google.protobuf.message import Message

import moorage
from bad_input import fields, valid
from bad_input import ground as grounds
from harness import postgres
from hostile import stage as stages
from moorage.v1 import history_pb2
from moorage_server.api import server

Method: TypeAlias = "grpc.UnaryStreamMultiCallable[bytes, bytes]"
# As many bytes as in `_HALVES`, which takes its place on the way: no library would send it.
_PLACE = "HALVES"
_HALVES = b"\xed\xa0\x80\xed\xb0\x80"
TEXTS = (
    *("'; DROP TABLE pools; --", "\" OR \\'; $$ $1 :name", "%s%n%(a)s{}{0.__class__}${jndi:a}"),
    *(
        "a\x00b",
        'a\n{"event": "call"}',
        "a\r\nb",
        "\x1b[2J\x1b]0;x\x07",
        "\x9b2J",
        "\x7f",
        "\u2028",
    ),
    *("\u202egnp.exe", "\u2066a\u2069", "\ufeff"),
    *("x" * 100_000, "\U0001f600" * 80, _PLACE),
)
REQUESTS: dict[str, list[Message]] = {
    **{rpc: list(requests) for rpc, requests in valid.REQUESTS.items()},
    "WatchAllocations": [
        history_pb2.WatchAllocationsRequest(
            parent=valid.VRF,
            filter=valid.REQUESTS["ListAllocations"][0].filter,  # type: ignore[attr-defined]
            cursor=history_pb2.Cursor(epoch="of another", revision=7),
        )
    ],
}
PATHS = {
    method.name: f"/{service.full_name}/{method.name}"
    for service in server.SERVICES
    for method in service.methods
}
OURS_TO_ANSWER_FOR = {grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL}
# What PostgreSQL says of statements and values that it cannot read.
UNREAD = re.compile(
    r"syntax error|invalid input|invalid byte|unterminated|does not exist|22P0|42601"
)


@pytest.fixture(scope="module")
def stage(
    cluster: postgres.Postgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[stages.Stage]:
    folder = tmp_path_factory.mktemp("hostile")
    with cluster.database() as database, stages.on_stage(database, folder) as made:
        with moorage.Client(made.target) as client:
            grounds.fill(client)
        yield made


def test_every_text_of_every_rpc_is_tried() -> None:
    assert set(REQUESTS) == set(PATHS)
    for rpc, requests in REQUESTS.items():
        tried = {path for request in requests for path, _ in fields.texts(request)}
        # Only the server writes these.
        written = {"vrf.quarantines.message"}
        kind: Any = requests[0].DESCRIPTOR
        assert set(_paths(kind)) - tried <= written, rpc


def _paths(kind: descriptor.Descriptor, before: str = "") -> Iterator[str]:
    for field in kind.fields:
        inner = field.message_type
        if inner is not None and inner.GetOptions().map_entry:
            yield from (f"{before}{field.name} key", f"{before}{field.name} value")
        elif inner is not None:
            yield from _paths(inner, f"{before}{field.name}.")
        elif field.cpp_type == field.CPPTYPE_STRING:
            yield f"{before}{field.name}{'[0]' if field.is_repeated else ''}"


@pytest.mark.timeout(600)
@pytest.mark.parametrize("rpc", sorted(REQUESTS))
def test_a_text_is_only_data(stage: stages.Stage, cluster: postgres.Postgres, rpc: str) -> None:
    of_database = stages.log_of(cluster)
    stage.logged()
    with grpc.insecure_channel(stage.target) as channel:
        sent = [_send(channel, rpc, body) for body in _bodies(rpc)]
    lines = [line for line in stage.logged() if line["event"] != "slow"]
    calls = [line for line in lines if line["event"] == "call"]
    # Of what is not allowed again and again there is one now and then.
    assert {line["event"] for line in lines} <= {"call", "not allowed", "denied again"}
    assert {line["action"] for line in lines if line["event"] != "denied again"} == {rpc}
    assert len(calls) == len(sent) - sent.count(grpc.StatusCode.PERMISSION_DENIED)
    assert not UNREAD.findall(of_database.unseen())


def _bodies(rpc: str) -> Iterator[bytes]:
    for original in REQUESTS[rpc]:
        for path in [path for path, _ in fields.texts(original)]:
            for text in TEXTS:
                request = type(original)()
                request.CopyFrom(original)
                if not path.startswith("update_mask"):
                    fields.clear(request, "update_mask")  # so that every field counts
                dict(fields.texts(request))[path](text)
                yield request.SerializeToString().replace(_PLACE.encode(), _HALVES)


def _send(channel: grpc.Channel, rpc: str, body: bytes) -> grpc.StatusCode:
    """How it ends; a watch is given up as soon as it tells of something."""
    send: Method = channel.unary_stream(PATHS[rpc])
    call: Any = send(body, timeout=60)
    try:
        next(call)
    except grpc.RpcError:
        code, details = call.code(), call.details()
        assert code not in OURS_TO_ANSWER_FOR, (body, details)
        assert details.isprintable(), details
        assert "Traceback" not in details
        return grpc.StatusCode(code)
    if rpc == "WatchAllocations":
        call.cancel()
    return grpc.StatusCode(call.code())
