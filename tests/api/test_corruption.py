"""PostgreSQL says that what it stores is corrupt: nobody is given anything new on its word."""

import time
from collections.abc import Iterator

import grpc
import pytest

import moorage
from harness import calls, postgres, serving
from moorage.v1 import resources_pb2
from moorage_server.storage import database as databases
from moorage_server.storage.interruption import Interruption
from moorage_server.storage.verifications import Extent
from moorage_server.usecases import verify

RULES_BROKEN = resources_pb2.QUARANTINE_CAUSE_RULES_BROKEN
# As an index would that has lost its order: nothing else can be known of it from outside.
CORRUPT = """
CREATE FUNCTION corrupt() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.vrf_id = 1 THEN
        RAISE EXCEPTION 'index is corrupt' USING ERRCODE = 'XX002';
    END IF;
    RETURN NULL;
END $$
"""
ON_INSERT = (
    "CREATE TRIGGER corrupt AFTER INSERT ON allocations FOR EACH ROW EXECUTE FUNCTION corrupt()"
)
ON_UPDATE = (
    "CREATE TRIGGER corrupt AFTER UPDATE ON allocations FOR EACH ROW EXECUTE FUNCTION corrupt()"
)
ON_READ = (
    "ALTER TABLE blocks RENAME TO sound",
    """CREATE FUNCTION corrupt_blocks() RETURNS SETOF sound LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'index is corrupt' USING ERRCODE = 'XX001'; END $$""",
    "CREATE VIEW blocks AS SELECT * FROM corrupt_blocks()",
    "GRANT SELECT ON blocks TO PUBLIC",
)


def test_who_asks_has_an_internal_error_and_the_vrf_assigns_nothing_until_somebody_has_looked(
    database: postgres.Database,
) -> None:
    with serving.in_process(database) as server, moorage.Client(server.target) as client:
        client.create_vrf("blue")
        calls.create_pool(client, "a", "10.0.0.0/24")
        client.create_pool("b", resources_pb2.Pool(cidr="10.0.0.0/24"), vrf="blue")
        calls.assign(client, "c1")
        database.execute(CORRUPT)
        database.execute(ON_INSERT)
        with pytest.raises(moorage.MoorageError) as raised:
            calls.assign(client, "c2")
        assert raised.value.code is grpc.StatusCode.INTERNAL

        (begun,) = client.get_vrf("default").quarantines
        assert begun.cause == RULES_BROKEN
        assert begun.message.startswith("PostgreSQL reports SQLSTATE XX002")
        with pytest.raises(moorage.MoorageError) as refused:
            calls.assign(client, "c2")
        assert refused.value.reason == "VRF_QUARANTINED"
        assert client.assign(calls.attachment("c2"), [calls.want()], vrf="blue")
        client.release(calls.attachment("c1"))

        client.lift_quarantine("the index is made anew")
        with pytest.raises(moorage.MoorageError) as again:
            calls.assign(client, "c3")
        assert again.value.code is grpc.StatusCode.INTERNAL
        assert not client.get_vrf("default").quarantines, "that was let pass"


def test_whoever_meets_it_otherwise_shuts_every_vrf(database: postgres.Database) -> None:
    with serving.in_process(database) as server, moorage.Client(server.target) as client:
        client.create_vrf("blue")
        calls.create_pool(client, "a", "10.0.0.0/24")
        calls.assign(client, "c1", node="n1")
        database.execute(CORRUPT)
        database.execute(ON_UPDATE)
        with pytest.raises(moorage.MoorageError) as raised:
            client.reconcile_node("n1", [], network="pods")
        assert raised.value.code is grpc.StatusCode.INTERNAL
        for vrf in ("default", "blue"):
            (begun,) = client.get_vrf(vrf).quarantines
            assert begun.cause == RULES_BROKEN


@pytest.fixture
def unreadable(cluster: postgres.Postgres) -> Iterator[postgres.Database]:
    """A database whose blocks are corrupt in the end."""
    with cluster.database() as fresh:
        yield fresh


def test_who_verifies_and_cannot_read_shuts_the_vrf_that_he_looks_at(
    unreadable: postgres.Database,
) -> None:
    store = databases.Database(unreadable.service_url, threads=2)
    limits = databases.Limits.until(time.monotonic() + 30)
    periods = {Extent.PART: 0, Extent.WHOLE: 1}
    for each in ON_READ:
        unreadable.execute(each)
    unreadable.execute("UPDATE ticks SET tick = tick + 1")
    with pytest.raises(databases.Corrupt):
        verify.verify(store, limits, Interruption(), periods=periods)
    store.close()
    told = unreadable.scalar("SELECT message FROM quarantines")
    assert str(told).startswith("PostgreSQL reports SQLSTATE XX001")
