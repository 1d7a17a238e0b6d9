"""A server whose PostgreSQL has gone: what every RPC and every door says, and that nothing is lost.

PostgreSQL stops and starts again under a server that goes on running.
"""

import contextlib
import pathlib
import tempfile
from collections.abc import Iterator
from typing import TypeAlias

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status

import moorage
from bad_input import ground as grounds
from bad_input import valid
from bad_input.patience import within
from bad_input.shimming import Call
from ctl import program
from harness import calls, ports, postgres, serving
from moorage.v1 import allocation_service_pb2
from moorage_server.api.server import SERVICES
from moorage_server.embedded import cluster as clusters

# Status, reason, metadata, message, and after how many nanoseconds to come back.
Told = tuple[str, str, dict[str, str], str, int]
Pending: TypeAlias = "grpc.Future[bytes]"
Health = health_pb2.HealthCheckResponse
SAID = "the database is not available; send the same call again"
TOO_SHORT = "the deadline passed before anything was changed; allow more time"
UNKNOWN = (
    "the change may or may not have been made; send the same call again with the same attachment"
)
# Programs try again until their time is up; the last try may be cut short by that.
PLUGIN_SAYS = {
    f"(DATABASE_UNAVAILABLE): {SAID}",
    f"(DEADLINE_TOO_SHORT): {TOO_SHORT}",
    f"(OUTCOME_UNKNOWN): {UNKNOWN}",
    "(DEADLINE_EXCEEDED)",
}
AWAY: Told = ("UNAVAILABLE", "DATABASE_UNAVAILABLE", {}, SAID, 500_000_000)
PATIENCE = 1.0  # seconds, told to the programs

pytestmark = pytest.mark.xdist_group("dead database")  # it takes seconds to start one


class Orphan:
    """A server without its database."""

    def __init__(
        self, process: serving.Process, database: postgres.Database, channel: grpc.Channel
    ) -> None:
        """Takes what is running, and what is not."""
        self.process = process
        self.database = database
        self.channel = channel

    @property
    def server(self) -> str:
        """Its address."""
        return self.process.target


def wait_until(channel: grpc.Channel, status: int) -> None:
    """Returns when the health service says so of the whole server."""
    grpc.channel_ready_future(channel).result(timeout=30)
    stub = health_pb2_grpc.HealthStub(channel)
    request = health_pb2.HealthCheckRequest()
    told = stub.Watch(request, timeout=30)  # type: ignore[attr-defined]  # not in the stubs
    assert any(each.status == status for each in told)


@pytest.fixture(scope="module")
def orphan() -> Iterator[Orphan]:
    """A server that has lost its database, where nothing may have changed when it is back."""
    with contextlib.ExitStack() as until:
        state = pathlib.Path(until.enter_context(tempfile.TemporaryDirectory()))
        cluster = until.enter_context(clusters.Cluster(state / "state", durable=False))
        url = cluster.url(role=clusters.BOOTSTRAP_ROLE, database="postgres")
        own = postgres.Postgres(url, strategy="file_copy")
        own.prepare()
        until.callback(own.discard)
        database = until.enter_context(own.database())
        process = serving.Process(database, ports.free(), state / "server.log")
        until.callback(process.close)
        process.wait_ready()
        channel = until.enter_context(grpc.insecure_channel(process.target))
        with moorage.Client(process.target) as client:
            calls.create_pool(client, "web", "10.0.0.0/24")
            calls.assign(client, "holder")
        with database.connect() as connection:
            before = grounds.written(connection)
        cluster.stop()
        yield Orphan(process, database, channel)
        # What has been begun for a caller who is gone may yet be done: it is when this is refused.
        last = allocation_service_pb2.AssignAddressesRequest(
            attachment=calls.attachment("last"), addresses=[calls.want()]
        )
        assert outcome(send(channel, "AssignAddresses", last))[1] == "DATABASE_UNAVAILABLE"
        cluster.start()
        process.wait_ready()
        with database.connect() as connection:
            assert grounds.written(connection) == before


def outcome(call: Pending) -> Told:
    """How a call is refused, with one reason and one time to come back."""
    error = call.exception(timeout=60)
    assert isinstance(error, grpc.Call)
    status = rpc_status.from_call(error)
    assert status is not None, error.details()
    info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
    assert [detail.Unpack(info) for detail in status.details].count(True) == 1
    assert [detail.Unpack(retry) for detail in status.details].count(True) == 1
    assert info.domain == "moorage.dev"
    delay = retry.retry_delay
    assert delay.seconds == 0
    return error.code().name, info.reason, dict(info.metadata), status.message, delay.nanos


def send(channel: grpc.Channel, rpc: str, request: Message) -> Pending:
    """Begins a call."""
    (method,) = (
        f"/{service.full_name}/{rpc}" for service in SERVICES if rpc in service.methods_by_name
    )
    serialize = type(request).SerializeToString
    call: Pending = channel.unary_unary(method, request_serializer=serialize).future(
        request, timeout=20
    )
    return call


def test_every_rpc_says_that_the_database_is_away_and_when_to_come_back(orphan: Orphan) -> None:
    with within(10):
        under_way = {
            rpc: send(orphan.channel, rpc, requests[0]) for rpc, requests in valid.REQUESTS.items()
        }
        told = {rpc: outcome(call) for rpc, call in under_way.items()}
    assert told == dict.fromkeys(valid.REQUESTS, AWAY)


def test_a_malformed_request_is_still_refused_as_one(orphan: Orphan) -> None:
    with moorage.Client(orphan.server) as client, pytest.raises(moorage.InvalidRequest):
        client.get_pool("WEB")


def test_the_server_says_that_it_is_not_ready_and_goes_on(orphan: Orphan) -> None:
    wait_until(orphan.channel, Health.NOT_SERVING)
    stub = health_pb2_grpc.HealthStub(orphan.channel)
    for service in SERVICES:
        request = health_pb2.HealthCheckRequest(service=service.full_name)
        answer = stub.Check(request, timeout=20)  # type: ignore[attr-defined]  # not in the stubs
        assert answer.status == Health.NOT_SERVING
    assert orphan.process.process.poll() is None


def test_a_server_that_starts_without_its_database_says_so_too(
    orphan: Orphan, tmp_path: pathlib.Path
) -> None:
    late = serving.Process(orphan.database, ports.free(), tmp_path / "server.log")
    try:
        with grpc.insecure_channel(late.target) as channel:
            wait_until(channel, Health.NOT_SERVING)
            (request, *_) = valid.REQUESTS["GetPool"]
            assert outcome(send(channel, "GetPool", request)) == AWAY
    finally:
        late.close()


@pytest.mark.parametrize("verb", ["ADD", "DEL", "CHECK"])
def test_the_plugin_asks_for_another_try(orphan: Orphan, verb: str) -> None:
    previous = {"prevResult": {"ips": [{"address": "10.0.0.7/32"}]}}
    call = Call(verb=verb, ipam={"timeout_seconds": PATIENCE}, rest=previous)
    outcome = call.run(orphan.server)
    document = outcome.unnamed
    begins = f"server {orphan.server} gave no answer in time or is busy "
    assert document.pop("msg") in {begins + reason for reason in PLUGIN_SAYS}
    assert document == {
        "cniVersion": "1.0.0",
        "code": 11,
        "details": 'the runtime tries again; if this stays, check that ipam "server" of the CNI'
        " config names a running moorage-server that this node can reach",
    }
    assert outcome.stderr == b""


def test_moorctl_says_what_the_server_says(orphan: Orphan) -> None:
    variables = {"MOORAGE_SERVER": orphan.server, "MOORAGE_TIMEOUT": str(PATIENCE)}
    ended = program.Moorctl(variables=variables, installed=True)("delete", "pool", "web")
    assert ended.err in {
        f"moorctl: cannot delete pool/web: {SAID}\n",
        f"moorctl: cannot delete pool/web: {TOO_SHORT}\n",
        f"moorctl: cannot delete pool/web: {UNKNOWN}\n",
        f"moorctl: cannot delete pool/web: {orphan.server}: Deadline Exceeded\n"
        "  next: allow more time: --timeout or MOORAGE_TIMEOUT\n",
    }
    assert (ended.code, ended.out) == (7, "")
