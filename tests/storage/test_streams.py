"""Statements whose rows are taken as they come, and what becomes of those that are not taken."""

import contextlib
import threading
import time
from collections.abc import Iterator, Sequence

import pytest

from harness import postgres
from moorage_server.domain import errors
from moorage_server.storage import database as storage
from moorage_server.storage import interruption, pulse, statements

PID = statements.Statement("SELECT pg_backend_pid()")
# More than fits into what is between the database and us: it does not come to an end by itself.
NUMBERS = statements.Statement("SELECT at, repeat('x', 1000) FROM generate_series(1, :last) AS at")
MANY = 1_000_000
SOON = 5.0  # seconds, half of what the statement would be given
# What a database that says nothing is given, a look, and as much again to spare.
GIVEN_UP = 2 * (pulse.PATIENCE + pulse.PERIOD + pulse.SILENCE)
# The third does not come for as long as a statement may take.
SLOW = statements.Statement(
    "SELECT at, pg_sleep(CASE at WHEN 3 THEN 60 ELSE 0 END) FROM generate_series(1, 9) AS at"
)


@pytest.fixture
def store(database: postgres.Database) -> Iterator[storage.Database]:
    """The service's connections to a test's database."""
    opened = storage.Database(database.service_url, threads=1)
    yield opened
    opened.close()


def limits(seconds: float = 10.0) -> storage.Limits:
    """Time for one transaction."""
    return storage.Limits.until(time.monotonic() + seconds)


def first(row: Sequence[int]) -> int:
    """Its number."""
    return row[0]


def test_all_rows_come_and_the_transaction_goes_on(store: storage.Database) -> None:
    def work(transaction: storage.Transaction) -> tuple[list[int], int]:
        with NUMBERS.stream(transaction, {"last": 1000}, first) as rows:
            found = list(rows)
        return found, PID.value(transaction)

    found, pid = store.run(work, limits())
    assert found == list(range(1, 1001))
    assert pid > 0


def test_what_is_not_taken_is_broken_off_and_the_connection_serves_the_next(
    store: storage.Database,
) -> None:
    pids: list[int] = []

    def work(transaction: storage.Transaction) -> None:
        pids.append(PID.value(transaction))
        with NUMBERS.stream(transaction, {"last": MANY}, first) as rows:
            assert next(rows) == 1
            raise errors.ServerBusy

    with pytest.raises(errors.ServerBusy):
        store.run(work, limits())
    assert store.run(PID.value, limits()) == pids[0]


def test_who_takes_rows_slowly_gets_them_all(
    store: storage.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    # In all longer than a transaction may stand idle, which it does from fetch to fetch.
    monkeypatch.setattr(storage, "IDLE_IN_TRANSACTION", 3.0)
    monkeypatch.setattr(statements, "FETCHED", 2)

    def slowly(row: Sequence[int]) -> int:
        time.sleep(0.25)
        return row[0]

    def work(transaction: storage.Transaction) -> list[int]:
        with NUMBERS.stream(transaction, {"last": 16}, slowly) as rows:
            return list(rows)

    assert store.run(work, limits(), snapshot=True) == list(range(1, 17))


def test_a_connection_that_is_lost_on_the_way_is_told_and_leaves_nothing_behind(
    store: storage.Database, database: postgres.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statements, "FETCHED", 2)

    def work(transaction: storage.Transaction) -> None:
        pid = PID.value(transaction)
        with NUMBERS.stream(transaction, {"last": MANY}, first) as rows:
            assert next(rows) == 1
            database.rows("SELECT pg_terminate_backend(:pid)", pid=pid)
            assert list(rows) == []

    monkeypatch.setattr(storage, "ATTEMPTS", 1)
    with pytest.raises(errors.DatabaseUnavailable):
        store.run(work, limits())
    assert not [each for each in threading.enumerate() if each.name.startswith("fetch")]
    assert store.run(PID.value, limits()) > 0


def test_who_breaks_off_does_not_wait_for_rows_that_are_looked_for(
    store: storage.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statements, "FETCHED", 2)
    pids: list[int] = []

    def work(transaction: storage.Transaction) -> None:
        pids.append(PID.value(transaction))
        with SLOW.stream(transaction, {}, first) as rows:
            assert next(rows) == 1
            raise errors.ServerBusy

    began = time.monotonic()
    with pytest.raises(errors.ServerBusy):
        store.run(work, limits())
    assert time.monotonic() - began < SOON
    assert store.run(PID.value, limits()) == pids[0], "the connection serves the next"


def test_who_breaks_off_does_not_wait_for_a_frozen_database(
    store: storage.Database, database: postgres.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statements, "FETCHED", 2)
    monkeypatch.setattr(interruption, "CANCEL_TIMEOUT", 1.0)

    def work(transaction: storage.Transaction) -> None:
        with SLOW.stream(transaction, {}, first) as rows:
            assert next(rows) == 1
            until.enter_context(database.frozen())
            raise errors.ServerBusy

    began = time.monotonic()
    with contextlib.ExitStack() as until:
        with pytest.raises(errors.ServerBusy):
            store.run(work, limits(60))
        assert time.monotonic() - began < GIVEN_UP
    assert store.run(PID.value, limits()) > 0
