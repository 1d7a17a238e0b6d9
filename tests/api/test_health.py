"""Health and reflection: what probes and tools see."""

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import proto_reflection_descriptor_database

from harness import postgres, serving
from moorage_server.api.server import SERVICES
from moorage_server.storage import schema


def status(target: str, service: str = "") -> int:
    """What Check says."""
    with grpc.insecure_channel(target) as channel:
        request = health_pb2.HealthCheckRequest(service=service)
        check = health_pb2_grpc.HealthStub(channel).Check  # type: ignore[attr-defined]  # not in the stubs
        return int(check(request).status)


@pytest.mark.parametrize("service", ["", *(each.full_name for each in SERVICES)])
def test_a_server_on_a_current_database_is_serving(server: serving.Serving, service: str) -> None:
    assert status(server.target, service) == health_pb2.HealthCheckResponse.SERVING


def test_a_server_on_a_database_without_schema_is_up_but_not_serving(
    database: postgres.Database,
) -> None:
    schema.migrate(database.owner_url, "base")
    with serving.in_process(database) as server:
        assert status(server.target) == health_pb2.HealthCheckResponse.NOT_SERVING
    schema.migrate(database.owner_url)


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
