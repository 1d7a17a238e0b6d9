"""A COMMIT that waits for a standby: what it says when it does not wait to the end."""

import concurrent.futures
import contextlib
import pathlib
import tempfile
import time
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from harness import postgres
from moorage_server.domain import errors, model
from moorage_server.embedded import cluster
from moorage_server.storage import catalogs, durability, schema
from moorage_server.storage import database as storage
from moorage_server.storage.durability import Durability
from moorage_server.usecases import batch
from moorage_server.usecases.batch import Locking

INSERT = sa.text("INSERT INTO nodes (vrf_id, name) VALUES (1, 'n1')")
COUNT = "SELECT count(*) FROM nodes"
WAITING = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
CANCEL = "SELECT pg_cancel_backend(:pid)"
NAMES = "synchronous_standby_names"

pytestmark = pytest.mark.xdist_group("standby")  # it takes seconds to start one


@pytest.fixture(scope="module")
def primary() -> Iterator[postgres.Database]:
    """A durable PostgreSQL, without any standby."""
    with contextlib.ExitStack() as until:
        state = pathlib.Path(until.enter_context(tempfile.TemporaryDirectory()))
        own = until.enter_context(cluster.Cluster(state / "state"))
        schema.migrate(own.url(role=cluster.OWNER_ROLE))
        admin = postgres.Postgres(own.url(role=cluster.BOOTSTRAP_ROLE))
        until.callback(admin.close)
        database = postgres.Database(admin, cluster.DATABASE)
        until.callback(database.close)
        yield database


@pytest.fixture
def store(primary: postgres.Database) -> Iterator[storage.Database]:
    """The service's connections to it."""
    opened = storage.Database(primary.service_url, threads=2)
    yield opened
    opened.close()


@contextlib.contextmanager
def waiting_for(standby: str, primary: postgres.Database) -> Iterator[None]:
    """Every COMMIT waits for a standby of this name."""
    for names in (standby, ""):
        primary.postgres.execute(f"ALTER SYSTEM SET {NAMES} = '{names}'")
        primary.postgres.execute("SELECT pg_reload_conf()")
        until = time.monotonic() + 20
        while primary.scalar(f"SHOW {NAMES}") != names:
            assert time.monotonic() < until
        if names:
            yield


def limits(seconds: float = 30.0) -> storage.Limits:
    """Time for one transaction."""
    return storage.Limits.until(time.monotonic() + seconds)


def test_a_commit_whose_wait_was_cancelled_is_an_unknown_outcome_although_its_row_is_there(
    store: storage.Database, primary: postgres.Database
) -> None:
    def insert(transaction: storage.Transaction) -> None:
        transaction.execute(INSERT)

    with waiting_for("nobody", primary), concurrent.futures.ThreadPoolExecutor(1) as other:
        committing = other.submit(store.run, insert, limits())
        while not (pid := primary.scalar(WAITING)):
            assert not committing.done()
        primary.scalar(CANCEL, pid=pid)
        with pytest.raises(errors.OutcomeUnknown):
            committing.result(20)
    assert primary.scalar(COUNT) == 1


@pytest.mark.parametrize("attempt", [None, model.AttemptStamp(boot_id="b", boot_time_ns=1)])
def test_that_there_is_nothing_to_release_is_said_by_a_database_that_leads_alone(
    store: storage.Database, primary: postgres.Database, attempt: model.AttemptStamp | None
) -> None:
    nobodys = model.AttachmentKey(
        vrf="default", network="pods", container_id=f"of {attempt}", interface="eth0"
    )
    asked = [model.ReleaseRequest(attachment=nobodys, attempt=attempt)]

    def release() -> batch.Ran:
        return batch.run(
            store, limits(), asked, compiled=catalogs.Catalogs(), locking=Locking.WAITING
        )

    # One that is cut off from its standby does not know what the other one has assigned.
    with waiting_for("nobody", primary), concurrent.futures.ThreadPoolExecutor(1) as other:
        releasing = other.submit(release)
        while not primary.scalar(WAITING):
            assert not releasing.done()
        primary.postgres.execute(f"ALTER SYSTEM SET {NAMES} = ''")
        primary.postgres.execute("SELECT pg_reload_conf()")
        assert releasing.result(20).outcomes == [()]


def test_what_an_acknowledged_change_outlives_is_known(
    store: storage.Database, primary: postgres.Database
) -> None:
    assert in_force(store) is Durability.LOCAL
    with waiting_for("nobody", primary):
        assert in_force(store) is Durability.SYNC
    with having(primary, "moorage.strict", "on") as strict, waiting_for("nobody", primary):
        assert in_force(strict) is Durability.SYNC_STRICT
    with having(primary, "synchronous_commit", "local") as hasty, waiting_for("nobody", primary):
        assert in_force(hasty) is Durability.LOCAL


def in_force(store: storage.Database) -> Durability:
    """What holds; whoever asks only reads, so that COMMIT waits for nobody."""
    return store.run(durability.in_force, limits(), snapshot=True)


@contextlib.contextmanager
def having(primary: postgres.Database, setting: str, value: str) -> Iterator[storage.Database]:
    """Connections that begin with a setting of the database."""
    primary.set(setting, f"'{value}'")
    opened = storage.Database(primary.service_url, threads=2)
    try:
        yield opened
    finally:
        opened.close()
        primary.postgres.execute(f"ALTER DATABASE {primary.name} RESET {setting}")
