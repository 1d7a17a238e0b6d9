"""What never becomes a request, and what the transport or the server says of it."""

from collections.abc import Iterator
from typing import TypeAlias

import grpc
import pytest

from bad_input.ground import Ground

Method: TypeAlias = "grpc.UnaryUnaryMultiCallable[bytes, bytes]"
ASSIGN = "/moorage.v1.AllocationService/AssignAddresses"
NO_METHOD = (grpc.StatusCode.UNIMPLEMENTED, "Method not found!")


@pytest.fixture
def channel(ground: Ground) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(ground.server) as opened:
        yield opened


@pytest.mark.usefixtures("nothing_written")
@pytest.mark.parametrize(
    ("method", "body", "compression", "told"),
    [
        ("/moorage.v1.AllocationService/Assign", b"", None, NO_METHOD),
        ("/moorage.v2.AllocationService/AssignAddresses", b"", None, NO_METHOD),
        (
            ASSIGN,
            bytes(1_200_000),
            None,
            (
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                "SERVER: Received message larger than max (1200000 vs. 1048576)",
            ),
        ),
        (
            ASSIGN,
            bytes(3_000_000),
            grpc.Compression.Gzip,
            (grpc.StatusCode.RESOURCE_EXHAUSTED, "Decompressed message larger than max"),
        ),
    ],
    ids=["an unknown method", "an unknown service", "1.2 MB", "3 MB in a few bytes"],
)
def test_what_reaches_no_method_is_refused_by_the_transport(
    channel: grpc.Channel,
    method: str,
    body: bytes,
    compression: grpc.Compression | None,
    told: tuple[grpc.StatusCode, str],
) -> None:
    send: Method = channel.unary_unary(method)
    with pytest.raises(grpc.RpcError) as raised:
        send(body, timeout=30, compression=compression)
    assert isinstance(raised.value, grpc.Call)
    assert (raised.value.code(), raised.value.details()) == told


@pytest.mark.usefixtures("nothing_written")
@pytest.mark.parametrize(
    "body", [b"\xff\xff\xff", b"\x0a\x02\xff\xfe"], ids=["no protobuf", "no UTF-8"]
)
def test_what_is_no_message_is_an_invalid_request(channel: grpc.Channel, body: bytes) -> None:
    send: Method = channel.unary_unary(ASSIGN)
    with pytest.raises(grpc.RpcError) as raised:
        send(body, timeout=30)
    assert isinstance(raised.value, grpc.Call)
    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
