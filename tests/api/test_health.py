"""Health and reflection: what probes and tools see."""

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import proto_reflection_descriptor_database

import moorage
from harness import postgres, serving
from moorage_server.api.server import SERVICES
from moorage_server.storage import schema


def status(target: str, service: str = "") -> int:
    """What Check says."""
    with grpc.insecure_channel(target) as channel:
        request = health_pb2.HealthCheckRequest(service=service)
        check = health_pb2_grpc.HealthStub(channel).Check  # type: ignore[attr-defined]  # not in the stubs
        return int(check(request).status)


def await_status(target: str, wanted: int) -> None:
    """Returns once the server says so by itself."""
    with grpc.insecure_channel(target) as channel:
        watch = health_pb2_grpc.HealthStub(channel).Watch  # type: ignore[attr-defined]  # not in the stubs
        statuses = watch(health_pb2.HealthCheckRequest(), timeout=30)
        assert any(told.status == wanted for told in statuses)


@pytest.mark.parametrize("service", ["", *(each.full_name for each in SERVICES)])
def test_a_server_on_a_current_database_is_serving(server: serving.Serving, service: str) -> None:
    assert status(server.target, service) == health_pb2.HealthCheckResponse.SERVING


def test_a_server_on_a_database_without_schema_is_up_but_not_serving(
    database: postgres.Database,
) -> None:
    schema.migrate(database.owner_url, "base")
    with serving.in_process(database) as server:
        assert status(server.target) == health_pb2.HealthCheckResponse.NOT_SERVING
        with moorage.Client(server.target, timeout=30) as client:
            with pytest.raises(moorage.Unavailable) as refusal:
                list(client.pools(timeout=0.1))
            assert refusal.value.reason == "DATABASE_UNAVAILABLE"
            schema.migrate(database.owner_url)
            # Let in as soon as the schema is seen, without being started again.
            assert list(client.pools()) == []


def test_a_server_that_the_schema_leaves_behind_lets_nobody_in(
    server: serving.Serving, database: postgres.Database
) -> None:
    database.execute("UPDATE schema_floor SET revision = '9999'")
    with moorage.Client(server.target) as client:
        await_status(server.target, health_pb2.HealthCheckResponse.NOT_SERVING)
        with pytest.raises(moorage.Unavailable) as refusal:
            list(client.pools(timeout=0.1))
    assert (refusal.value.reason, refusal.value.in_doubt) == ("DATABASE_UNAVAILABLE", False)


def test_a_server_on_a_read_only_database_is_not_serving(
    database: postgres.Database,
) -> None:
    database.set("default_transaction_read_only", "on")
    with serving.in_process(database) as server:
        assert status(server.target) == health_pb2.HealthCheckResponse.NOT_SERVING


def test_a_server_whose_database_freezes_is_not_serving(server: serving.Serving) -> None:
    with server.database.frozen(), grpc.insecure_channel(server.target) as channel:
        watch = health_pb2_grpc.HealthStub(channel).Watch  # type: ignore[attr-defined]  # not in the stubs
        statuses = watch(health_pb2.HealthCheckRequest(), timeout=20)
        not_serving = health_pb2.HealthCheckResponse.NOT_SERVING
        assert any(each.status == not_serving for each in statuses)


def test_a_server_keeps_serving_on_the_schema_of_the_next_release(
    database: postgres.Database,
) -> None:
    database.execute("UPDATE alembic_version SET version_num = '9999'")
    with serving.in_process(database) as server:
        assert status(server.target) == health_pb2.HealthCheckResponse.SERVING
    database.execute("UPDATE alembic_version SET version_num = '0001'")


def test_reflection_lists_every_service(channel: grpc.Channel) -> None:
    reflected = proto_reflection_descriptor_database.ProtoReflectionDescriptorDatabase(channel)
    listed = set(reflected.get_services())
    assert {each.full_name for each in SERVICES} <= listed
    assert "grpc.health.v1.Health" in listed
