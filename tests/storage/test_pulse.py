"""A database that answers nobody: nobody waits for it, and nothing is taken for done or undone."""

import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from harness import postgres
from moorage_server.domain import errors
from moorage_server.storage import database as storage
from moorage_server.storage import pulse, statements

PID = statements.Statement("SELECT pg_backend_pid()")
INSERT = sa.text("INSERT INTO nodes (vrf_id, name) VALUES (1, 'n1')")
# Seconds, so that tests need not have more.
PATIENCE, PERIOD, SILENCE, STILL = 0.3, 0.1, 0.5, 0.5
NOTICED = 2.0  # seconds, most of them to spare


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulse, "PATIENCE", PATIENCE)
    monkeypatch.setattr(pulse, "PERIOD", PERIOD)
    monkeypatch.setattr(pulse, "SILENCE", SILENCE)
    monkeypatch.setattr(pulse, "STILL", STILL)


@pytest.fixture
def store(database: postgres.Database) -> Iterator[storage.Database]:
    """The service's connections to a test's database."""
    opened = storage.Database(database.service_url, threads=2)
    yield opened
    opened.close()


def limits(seconds: float) -> storage.Limits:
    """Time for one transaction."""
    return storage.Limits.until(time.monotonic() + seconds)


def test_nobody_waits_for_a_frozen_database_and_what_was_not_committed_is_not_done(
    store: storage.Database, database: postgres.Database
) -> None:
    store.run(PID.value, limits(10))
    began = time.monotonic()
    with database.frozen(), pytest.raises(errors.DatabaseUnavailable):
        store.run(PID.value, limits(NOTICED))
    # It is tried once more, with the time that one connection may take.
    assert time.monotonic() - began < NOTICED + storage.CONNECT_TIMEOUT
    assert store.run(PID.value, limits(10)) > 0


def test_a_commit_that_a_frozen_database_does_not_answer_is_an_unknown_outcome(
    store: storage.Database, database: postgres.Database
) -> None:
    with contextlib.ExitStack() as until:

        def work(transaction: storage.Transaction) -> None:
            transaction.execute(INSERT)
            until.enter_context(database.frozen())

        began = time.monotonic()
        with pytest.raises(errors.OutcomeUnknown):
            store.run(work, limits(60))
        assert time.monotonic() - began < NOTICED


def test_a_process_that_stands_still_while_others_answer_is_given_up_when_its_time_is_over(
    store: storage.Database, database: postgres.Database
) -> None:
    with contextlib.ExitStack() as until:

        def work(transaction: storage.Transaction) -> None:
            transaction.execute(INSERT)
            until.enter_context(_still(PID.value(transaction)))
            transaction.execute(INSERT)

        began = time.monotonic()
        with pytest.raises(errors.DatabaseUnavailable):
            store.run(work, limits(1.0))
        assert time.monotonic() - began < 1.0 + STILL + NOTICED
        # While it stands still others are served, on a connection of their own.
        assert store.run(PID.value, limits(10)) > 0
    assert database.scalar("SELECT count(*) FROM nodes") == 0


def test_a_commit_is_waited_for_however_long_it_takes(
    store: storage.Database, database: postgres.Database
) -> None:
    def work(transaction: storage.Transaction) -> None:
        transaction.execute(INSERT)
        process = PID.value(transaction)
        thaw = threading.Timer(1.0 + STILL + NOTICED, os.kill, (process, signal.SIGCONT))
        os.kill(process, signal.SIGSTOP)
        thaw.start()

    store.run(work, limits(1.0))
    assert database.scalar("SELECT count(*) FROM nodes") == 1


@contextlib.contextmanager
def _still(process: int) -> Iterator[None]:
    os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process, signal.SIGCONT)


def test_whoever_waits_for_a_database_that_answers_others_goes_on_waiting(
    store: storage.Database,
) -> None:
    def work(transaction: storage.Transaction) -> str:
        return str(transaction.scalar(sa.text("SELECT 'done' FROM pg_sleep(1.5)")))

    assert store.run(work, limits(10)) == "done"


def test_a_listener_that_says_nothing_does_not_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert not pulse.answers((silent.getsockname(), socket.AF_INET), 0.1)
        address = silent.getsockname()
    assert not pulse.answers((address, socket.AF_INET), 0.1)
