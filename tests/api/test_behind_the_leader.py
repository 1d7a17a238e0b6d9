"""Who is behind the database that leads says nothing of what he lacks: it is not lost."""

import contextlib
import pathlib
from collections.abc import Callable, Iterator

import pytest

import moorage
from harness import calls, eventually, postgres, serving
from moorage import positions
from moorage.v1 import history_pb2, resources_pb2
from moorage_server.api import backward
from moorage_server.embedded import cluster
from moorage_server.storage import schema

# What is told of what is not known yet; the second, where a later try still waits for the first.
UNKNOWN = {"DATABASE_UNAVAILABLE", "OUTCOME_UNKNOWN"}


@pytest.fixture
def database(tmp_path: pathlib.Path) -> Iterator[postgres.Database]:
    """One whose PostgreSQL is its own."""
    with contextlib.ExitStack() as until:
        own = until.enter_context(cluster.Cluster(tmp_path / "state"))
        schema.migrate(own.url(role=cluster.OWNER_ROLE))
        admin = postgres.Postgres(own.url(role=cluster.BOOTSTRAP_ROLE))
        until.callback(admin.close)
        opened = postgres.Database(admin, cluster.DATABASE)
        until.callback(opened.close)
        yield opened


@contextlib.contextmanager
def left_by_all(database: postgres.Database) -> Iterator[None]:
    """Every COMMIT waits for one who is not there, as on a leader of before."""
    name_standbys(database, "nobody")
    try:
        yield
    finally:
        name_standbys(database, "")


def name_standbys(database: postgres.Database, names: str) -> None:
    with database.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        connection.exec_driver_sql(f"ALTER SYSTEM SET synchronous_standby_names = '{names}'")
        connection.exec_driver_sql("SELECT pg_reload_conf()")
    eventually.until(lambda: database.scalar("SHOW synchronous_standby_names") == names)


def watched(target: str, position: resources_pb2.FeedPosition) -> None:
    cursor = history_pb2.Cursor(epoch=position.epoch, revision=position.revision)
    with (
        moorage.Client(target) as client,
        client.watch(cursor=cursor, timeout=2) as updates,
    ):
        next(updates)


def assigned(target: str, position: resources_pb2.FeedPosition) -> None:
    seen = positions.Seen()
    seen.note("vrfs/default", position)
    with moorage.Client(target, seen=seen, timeout=2) as client:
        calls.assign(client, "c2")


@pytest.mark.parametrize(
    ("ask", "reason"), [(watched, "CURSOR_UNKNOWN"), (assigned, "VRF_QUARANTINED")]
)
def test_nobody_is_told_that_it_went_back_until_that_is_committed(
    database: postgres.Database,
    monkeypatch: pytest.MonkeyPatch,
    ask: Callable[[str, resources_pb2.FeedPosition], None],
    reason: str,
) -> None:
    monkeypatch.setattr(backward, "TIME", 0.5)
    seen = positions.Seen()
    with (
        serving.in_process(database) as server,
        moorage.Client(server.target, seen=seen) as client,
    ):
        calls.create_pool(client, "a", "10.0.0.0/24")
        calls.assign(client, "c1")
        ahead = seen.of("vrfs/default")
        assert ahead is not None
        ahead.revision += 1000
        with left_by_all(database):
            assert refused(lambda: ask(server.target, ahead)) in UNKNOWN
        eventually.until(lambda: refused(lambda: ask(server.target, ahead)) == reason)


def refused(ask: Callable[[], None]) -> str:
    """Why."""
    with pytest.raises(moorage.MoorageError) as raised:
        ask()
    return raised.value.reason
