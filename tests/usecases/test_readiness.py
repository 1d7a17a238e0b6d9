"""Ready means that a write has just been possible, and that it lasts."""

import concurrent.futures
import pathlib
import time
from collections.abc import Iterator

import pytest

from harness import durable, eventually, postgres
from moorage_server.storage import database as storage
from moorage_server.storage import durability
from moorage_server.usecases import readiness


@pytest.fixture
def database(tmp_path: pathlib.Path) -> Iterator[postgres.Database]:
    """One whose PostgreSQL is its own."""
    with durable.database(tmp_path / "state") as own:
        yield own


def probe(database: postgres.Database, *, accepts_unsafe: bool = False) -> durability.Durability:
    store = storage.Database(database.service_url, threads=1)
    try:
        limits = storage.Limits.until(time.monotonic() + 30)
        return readiness.probe(store, limits, accepts_unsafe=accepts_unsafe)
    finally:
        store.close()


def test_it_waits_for_whoever_a_commit_waits_for(database: postgres.Database) -> None:
    for _ in range(5):
        probe(database)  # the first ones may clean up, which is written as well
    waiting = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE usename = 'moorage_service' AND wait_event = 'SyncRep'"
    )
    with concurrent.futures.ThreadPoolExecutor(1) as other:
        with durable.left_by_all(database):
            probing = other.submit(probe, database)
            eventually.until(lambda: database.scalar(waiting) == 1)
        assert probing.result(30) is durability.Durability.SYNC


@pytest.mark.parametrize(
    ("statement", "about"),
    [
        ("ALTER ROLE moorage_service SET synchronous_commit = 'off'", "synchronous_commit: off"),
        ("ALTER ROLE moorage_service SUPERUSER", "role: moorage_service, a superuser"),
        ("GRANT UPDATE ON events TO moorage_service", "history: may be changed by the role"),
    ],
    ids=["hasty", "superuser", "history"],
)
def test_nobody_is_served_from_what_does_not_last(
    database: postgres.Database, statement: str, about: str
) -> None:
    probe(database)
    durable.alter(database, statement)
    with pytest.raises(readiness.Unsafe, match=f"^{about}: .*; or try things out with "):
        probe(database)
    hasty = "synchronous_commit" in statement
    found = durability.Durability.NONE if hasty else durability.Durability.LOCAL
    assert probe(database, accepts_unsafe=True) is found
