"""Whatever is sent to whichever RPC, it is answered, or refused for a published reason."""

from collections.abc import Iterator

import hypothesis
import pytest
from google.protobuf.message import Message
from hypothesis import strategies as st

from bad_input import ground as grounds
from bad_input import mutations, tables, valid
from harness import invariants, postgres
from moorage.v1 import error_reason_pb2
from moorage_server.api import server

REASONS = {
    name.removeprefix("ERROR_REASON_")
    for name in error_reason_pb2.ErrorReason.keys()  # noqa: SIM118  # an enum is no mapping
} - {"UNSPECIFIED", "INTERNAL"}
EXAMPLES = 20  # of every RPC
LARGEST = 200_000  # bytes; what is too large for a message never reaches an RPC


@pytest.fixture(scope="module")
def anvil(cluster: postgres.Postgres) -> Iterator[grounds.Ground]:
    """A server that may be written to, and is whole in the end."""
    with grounds.prepared(cluster) as prepared:
        yield prepared
        invariants.check(prepared.database)


@st.composite
def spoiled(draw: st.DrawFn, rpc: str) -> Message:
    """A valid request, changed in up to three places."""
    original = draw(st.sampled_from(valid.REQUESTS[rpc]))
    request = type(original)()
    request.CopyFrom(original)
    for _ in range(draw(st.sampled_from((1, 1, 2, 3, 0)))):
        mutations.spoil(draw, request)
    mutations.forge(draw, request)
    hypothesis.assume(request.ByteSize() < LARGEST)
    return request


def test_every_rpc_has_a_valid_request_to_spoil() -> None:
    rpcs = {method.name for service in server.SERVICES for method in service.methods}
    # A watch that is not refused does not end; what its request may be is told in api/test_watch.
    assert set(valid.REQUESTS) == rpcs - {"WatchAllocations"}


@pytest.mark.parametrize("rpc", sorted(valid.REQUESTS))
def test_no_request_is_refused_for_an_unknown_reason(anvil: grounds.Ground, rpc: str) -> None:
    @hypothesis.settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(spoiled(rpc))
    def send(request: Message) -> None:
        refusal = tables.refusal_of(anvil, request)
        if refusal is not None:
            assert refusal.reason in REASONS, refusal
            assert refusal.message.isprintable()

    send()


@pytest.mark.parametrize("rpc", sorted(valid.REQUESTS))
def test_what_is_spoiled_was_valid_before(anvil: grounds.Ground, rpc: str) -> None:
    for request in valid.REQUESTS[rpc]:
        refusal = tables.refusal_of(anvil, request)
        assert refusal is None or refusal.reason != "INVALID_REQUEST", refusal
