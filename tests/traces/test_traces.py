"""One call is one trace, from the node's runtime to the COMMIT, and says what it waited for."""

import json
import time
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path

import grpc
import pytest
import sqlalchemy as sa

import moorage
from cni import agents, program
from harness import calls, postgres, races, serving
from harness.kube import api_server
from moorage.v1 import allocation_service_pb2, allocation_service_pb2_grpc, history_pb2
from moorage_server.domain import model
from moorage_server.storage import attachments, locks
from traces import collector as collectors

ASSIGN = "moorage.v1.AllocationService/AssignAddresses"
WAITING = (
    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


@pytest.fixture
def api(tmp_path: Path) -> Iterator[api_server.ApiServer]:
    """A cluster with the pod's namespace."""
    folder = tmp_path / "kubernetes"
    folder.mkdir()
    with api_server.serve(folder) as running:
        running.add("Namespace", "shop")
        running.add("Pod", "shop/web-0", uid="u-1")
        yield running


@pytest.fixture
def agent(
    tmp_path: Path, collector: collectors.Collector, monkeypatch: pytest.MonkeyPatch
) -> Iterator[agents.Agent]:
    """An agent that traces because it is told so on its command line."""
    folder = tmp_path / "agent"
    folder.mkdir()
    variables = collector.variables | {"MOORAGE_TRACES": "false"}
    with agents.running(folder, "--traces", **variables) as running:
        monkeypatch.setattr(program, "AGENT", running)
        yield running


def add(server: serving.Process, container: str = "c1", **ipam: object) -> program.Outcome:
    """An ADD of a pod, by the launcher that a runtime starts where there is an agent."""
    own = {"server": server.target, "timeout_seconds": 20, "nodename": "n1"}
    pod = {"CNI_ARGS": "K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-0;K8S_POD_UID=u-1"}
    variables = pod | {"CNI_CONTAINERID": container}
    return program.run("ADD", program.config(ipam=own | ipam), environment=variables)


@pytest.mark.usefixtures("agent")
def test_an_add_is_one_trace_from_the_runtime_to_the_commit(
    server: serving.Process,
    collector: collectors.Collector,
    client: moorage.Client,
    api: api_server.ApiServer,
) -> None:
    before = time.time_ns()
    outcome = add(server, kubernetes=api.settings)
    assert outcome.code == 0, outcome
    whole = collector.called("cni ADD")
    commit = collector.wait(
        lambda span: span.name == "COMMIT" and span.said.trace_id == whole.said.trace_id
    )
    served = collector.wait(
        lambda span: (
            span.name == ASSIGN
            and span.said.kind == collectors.SERVER
            and span.said.trace_id == whole.said.trace_id
        )
    )
    assert [each.name for each in collector.way_up(commit)] == [
        "COMMIT",
        "transaction",
        "batch",
        ASSIGN,
        ASSIGN,
        "cni ADD",
    ]
    names = [each.name for each in collector.trace(whole)]
    assert {"kubernetes get pods", "queue", "BEGIN", "lock wait"} <= set(names)
    assert {"SELECT pg_try_advisory_xact_lock", "INSERT blocks"} <= set(names)
    assert {each.service for each in collector.trace(whole)} == {"moorage-agent", "moorage-server"}
    waits = [each for each in collector.trace(whole) if each.name == "lock wait"]
    assert {each.attributes["moorage.locks"] for each in waits} >= {"attachments"}
    # From when the runtime had begun it, which was before the agent heard of it.
    assert before <= whole.said.start_time_unix_nano < served.said.start_time_unix_nano
    assert whole.said.end_time_unix_nano >= commit.said.end_time_unix_nano
    assert whole.attributes == {
        "container.id": "c1",
        "moorage.cni.interface": "eth0",
        "k8s.namespace.name": "shop",
        "k8s.pod.name": "web-0",
        "k8s.pod.uid": "u-1",
    }
    (held,) = client.history()
    assert served.attributes == {
        "rpc.system": "grpc",
        "rpc.service": "moorage.v1.AllocationService",
        "rpc.method": "AssignAddresses",
        "rpc.grpc.status_code": 0,
        "moorage.request_id": held.assign_actor.request_id,
    }


def test_no_span_has_a_value_of_a_statement(
    server: serving.Process, collector: collectors.Collector, client: moorage.Client
) -> None:
    calls.assign(client, "c-secret")
    collector.called("COMMIT")
    collector.called(ASSIGN)
    told = str([each.said for each in collector.spans])
    assert "db.operation.name" in told
    assert "c-secret" not in told
    assert "10.0.0." not in told


@pytest.mark.usefixtures("agent")
def test_a_lock_wait_is_as_long_as_somebody_else_has_the_lock(
    server: serving.Process,
    collector: collectors.Collector,
    client: moorage.Client,
    database: postgres.Database,
) -> None:
    key = model.AttachmentKey(vrf="default", network="pods", container_id="held", interface="eth0")
    wanted = {"class": locks.Class.ATTACHMENT.value, "number": attachments.lock_number(key)}
    with database.looking() as stranger, futures.ThreadPoolExecutor(1) as pool:
        stranger.execute(sa.text("SELECT pg_advisory_xact_lock(:class, :number)"), wanted)
        adding = pool.submit(add, server, "held")
        while not database.scalar(WAITING):
            assert not adding.done(), adding.result()
        seen = time.time_ns()
        let_go = time.time_ns()
        stranger.rollback()
        outcome = adding.result(timeout=30)
    assert outcome.code == 0, outcome
    waited = collector.wait(
        lambda span: (
            span.name == "lock wait"
            and span.said.start_time_unix_nano <= seen
            and span.said.end_time_unix_nano >= let_go
        )
    )
    assert waited.attributes == {"moorage.locks": "pg_advisory_xact_lock"}
    whole = collector.called("cni ADD")
    assert collector.way_up(waited)[-1] == whole


@pytest.mark.parametrize("processes", ["1", "2"])
def test_a_refusal_tells_its_reason_and_is_found_by_its_id(
    database: postgres.Database,
    collector: collectors.Collector,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    processes: str,
) -> None:
    monkeypatch.setenv("MOORAGE_PROCESSES", processes)
    client: moorage.Client = request.getfixturevalue("client")
    with pytest.raises(moorage.NotFound) as caught:
        client.get_pool("absent")
    span = collector.wait(lambda span: span.attributes.get("moorage.reason") == "POOL_NOT_FOUND")
    assert span.name == "moorage.v1.PoolService/GetPool"
    assert span.attributes["rpc.grpc.status_code"] == 5
    assert span.attributes["moorage.request_id"] == caught.value.request_id
    collector.wait(
        lambda each: each.name == "transaction" and each.said.parent_span_id == span.said.span_id
    )
    lines = map(json.loads, (tmp_path / "server.log").read_text().splitlines())
    (told,) = (each for each in lines if each.get("request_id") == caught.value.request_id)
    assert told["outcome"] == "POOL_NOT_FOUND"


def test_a_call_that_its_caller_gives_up_is_told_as_that(
    server: serving.Process, collector: collectors.Collector, client: moorage.Client
) -> None:
    with grpc.insecure_channel(server.target) as channel:
        stub = allocation_service_pb2_grpc.AllocationServiceStub(channel)
        watched = stub.WatchAllocations(history_pb2.WatchAllocationsRequest())
        next(watched)
        watched.cancel()
        span = collector.called("moorage.v1.AllocationService/WatchAllocations")
    assert span.attributes["rpc.grpc.status_code"] == grpc.StatusCode.CANCELLED.value[0]


@pytest.mark.usefixtures("agent")
def test_what_a_runtime_says_is_told_though_it_is_no_text(
    server: serving.Process, collector: collectors.Collector
) -> None:
    assert add(server, "c\udcff1").code != 0
    assert collector.called("cni ADD").attributes["container.id"] == "c?1"


def test_a_batch_is_linked_with_every_call_that_it_serves(
    server: serving.Process, collector: collectors.Collector, client: moorage.Client
) -> None:
    many = 16
    races.held(races.at_once(many, lambda at: calls.assign(client, f"c{at}")))
    server.close()  # and with its end all spans are there
    served = [each for each in collector.spans if each.name == ASSIGN]
    batches = [each for each in collector.spans if each.name == "batch"]
    assert len(served) == many
    assert len(batches) < many
    linked = {(link.span_id, each.said.span_id) for each in batches for link in each.said.links}
    named = {
        (each.said.span_id, bytes.fromhex(str(event["moorage.batch.span_id"])))
        for each in served
        for event in each.events
    }
    assert linked == named
    assert {call for call, _ in linked} == {each.said.span_id for each in served}
    assert max(int(each.attributes["moorage.batch.size"]) for each in batches) > 1


def test_a_call_is_traced_as_its_caller_says(
    server: serving.Process, collector: collectors.Collector, client: moorage.Client
) -> None:
    parent, unsampled = "0af7651916cd43dd8448eb211c80319c", "1af7651916cd43dd8448eb211c80319c"
    with grpc.insecure_channel(server.target) as channel:
        stub = allocation_service_pb2_grpc.AllocationServiceStub(channel)
        for trace, flags in ((unsampled, "00"), (parent, "01")):
            request = allocation_service_pb2.AssignAddressesRequest(
                attachment=calls.attachment(trace), addresses=[calls.want()]
            )
            said = (("traceparent", f"00-{trace}-b7ad6b7169203331-{flags}"),)
            stub.AssignAddresses(request, metadata=said)
    span = collector.wait(lambda span: span.said.trace_id == bytes.fromhex(parent))
    server.close()
    assert span.said.trace_id.hex() == parent
    assert unsampled not in {each.said.trace_id.hex() for each in collector.spans}


def test_no_caller_makes_spans_large(
    server: serving.Process, collector: collectors.Collector, client: moorage.Client
) -> None:
    long = ",".join(f"k{at}={'v' * 250}" for at in range(30))
    with grpc.insecure_channel(server.target) as channel:
        stub = allocation_service_pb2_grpc.AllocationServiceStub(channel)
        for number, state in enumerate(("k=v", long), start=1):
            request = allocation_service_pb2.AssignAddressesRequest(
                attachment=calls.attachment(f"c{number}"), addresses=[calls.want()]
            )
            parent = f"00-{number:032x}-b7ad6b7169203331-01"
            stub.AssignAddresses(request, metadata=(("traceparent", parent), ("tracestate", state)))
    for number, state in ((1, "k=v"), (2, "")):
        trace = number.to_bytes(16, "big")
        span = collector.wait(lambda each, trace=trace: each.said.trace_id == trace)  # type: ignore[misc]
        assert span.said.trace_state == state
