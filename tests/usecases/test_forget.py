"""Tombstones go when they have served their time, holders never."""

import time
from collections.abc import Iterator

import pytest

import moorage
from harness import postgres
from harness.calls import assign, create_pool, release
from moorage_server.storage import database as storage
from moorage_server.usecases import forget


@pytest.fixture
def store(database: postgres.Database) -> Iterator[storage.Database]:
    """The service's connections to a test's database."""
    opened = storage.Database(database.service_url, threads=1)
    yield opened
    opened.close()


def test_only_old_tombstones_are_forgotten(
    client: moorage.Client, database: postgres.Database, store: storage.Database
) -> None:
    create_pool(client, "a", "10.0.0.0/24")
    for name in ("held", "old", "recent"):
        assign(client, name)
    release(client, "old")
    release(client, "recent")
    aged = f"clock_timestamp() - interval '{forget.RETENTION + 60} seconds'"
    database.execute(
        f"UPDATE attachments SET change_time = {aged} WHERE container_id IN ('held', 'old')"
    )
    limits = storage.Limits.until(time.monotonic() + 10)
    assert forget.forget(store, limits) == 1
    left = database.rows("SELECT container_id, state FROM attachments ORDER BY container_id")
    assert left == [("held", "HELD"), ("recent", "RELEASED")]
    assert forget.forget(store, limits) == 0


def test_a_tombstone_in_use_is_passed_over(
    client: moorage.Client, database: postgres.Database, store: storage.Database
) -> None:
    release(client, "gone")
    database.execute("UPDATE attachments SET change_time = change_time - interval '1 day'")
    limits = storage.Limits.until(time.monotonic() + 10)
    with database.connect() as stranger:
        stranger.exec_driver_sql("SELECT FROM attachments FOR UPDATE")
        assert forget.forget(store, limits) == 0
    assert forget.forget(store, limits) == 1
