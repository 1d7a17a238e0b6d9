"""Transactions that fail: before COMMIT was sent, while it was under way, and never for sure."""

import concurrent.futures
import contextlib
import threading
import time
from collections.abc import Iterator

import psycopg
import pytest
import sqlalchemy as sa

from harness import postgres
from moorage_server.domain import errors
from moorage_server.storage import database as storage
from moorage_server.storage import statements

COUNT = "SELECT count(*) FROM nodes"
PID = statements.Statement("SELECT pg_backend_pid()")
RAISE = "DO $$ BEGIN RAISE EXCEPTION 'tried' USING ERRCODE = '{}'; END $$"
PID_OF_NOTHING = statements.Statement("SELECT pid FROM nothing")
INSERT = sa.text("INSERT INTO nodes (vrf_id, name) VALUES (1, :name)")


@pytest.fixture
def store(database: postgres.Database) -> Iterator[storage.Database]:
    """The service's connections to a test's database."""
    opened = storage.Database(database.service_url, threads=2)
    yield opened
    opened.close()


def limits(seconds: float = 10.0) -> storage.Limits:
    """Time for one transaction."""
    return storage.Limits.until(time.monotonic() + seconds)


def terminate_others(database: postgres.Database) -> None:
    """Ends every connection of the service, as a failover or an operator would."""
    database.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )


def test_what_raises_leaves_nothing(store: storage.Database, database: postgres.Database) -> None:
    def work(transaction: storage.Transaction) -> None:
        transaction.execute(INSERT, {"name": "n1"})
        raise errors.ServerBusy

    with pytest.raises(errors.ServerBusy):
        store.run(work, limits())
    assert database.scalar(COUNT) == 0


def test_what_raises_is_told_also_where_its_connection_is_lost(
    store: storage.Database, database: postgres.Database
) -> None:
    def work(transaction: storage.Transaction) -> None:
        transaction.execute(INSERT, {"name": "n1"})
        terminate_others(database)
        raise errors.ServerBusy

    with pytest.raises(errors.ServerBusy):
        store.run(work, limits())
    assert database.scalar(COUNT) == 0
    assert store.run(PID.value, limits()) > 0


def test_what_is_only_rehearsed_needs_no_answer_to_its_end(
    store: storage.Database, database: postgres.Database
) -> None:
    def work(transaction: storage.Transaction) -> str:
        transaction.execute(INSERT, {"name": "n1"})
        terminate_others(database)
        return "done"

    assert store.rehearsing().run(work, limits()) == "done"
    assert database.scalar(COUNT) == 0


def test_what_only_reads_is_done_again_when_its_end_is_lost(
    store: storage.Database, database: postgres.Database
) -> None:
    pids = []

    def work(transaction: storage.Transaction) -> int:
        pids.append(PID.value(transaction))
        if len(pids) == 1:
            terminate_others(database)
        return len(pids)

    assert store.run(work, limits(), snapshot=True) == 2
    assert pids[0] != pids[1]


def test_what_has_failed_unnoticed_is_not_taken_for_committed(
    store: storage.Database, database: postgres.Database
) -> None:
    def work(transaction: storage.Transaction) -> None:
        transaction.execute(INSERT, {"name": "n1"})
        with contextlib.suppress(psycopg.Error):
            PID_OF_NOTHING.value(transaction)

    with pytest.raises(storage.Fault, match="ended before its COMMIT"):
        store.run(work, limits())
    assert database.scalar(COUNT) == 0
    assert store.run(PID.value, limits()) > 0


def test_a_connection_lost_before_commit_is_replaced_and_the_work_done_again(
    store: storage.Database, database: postgres.Database
) -> None:
    tries = []

    def work(transaction: storage.Transaction) -> None:
        tries.append(1)
        transaction.execute(INSERT, {"name": "n1"})
        if len(tries) == 1:
            terminate_others(database)
        transaction.execute(sa.text("SELECT 1"))

    store.run(work, limits())
    assert len(tries) == 2
    assert database.scalar(COUNT) == 1


def test_when_one_connection_is_lost_whoever_works_on_another_goes_on_and_none_is_left_over(
    store: storage.Database, database: postgres.Database
) -> None:
    began, go = threading.Event(), threading.Event()
    tries: list[int] = []

    def work(transaction: storage.Transaction) -> int:
        pid: int = PID.value(transaction)
        began.set()
        assert go.wait(20)
        return pid

    def lose(transaction: storage.Transaction) -> None:
        tries.append(PID.value(transaction))
        if len(tries) == 1:
            transaction.execute(sa.text("SELECT pg_terminate_backend(:pid)"), {"pid": tries[0]})

    with concurrent.futures.ThreadPoolExecutor(1) as other:
        at_work = other.submit(store.run, work, limits(30))
        assert began.wait(20)
        store.run(lose, limits())
        go.set()
        mine = at_work.result()
    assert len(set(tries)) == 2
    # All that were made before are made anew, in their places.
    assert store.run(PID.value, limits()) not in (mine, tries[0])
    store.close()
    end = time.monotonic() + 20
    while database.scalar(f"SELECT count(*) FROM pg_stat_activity WHERE pid = {mine}"):
        assert time.monotonic() < end, "the connection of the other is left over"
        time.sleep(0.01)


def test_a_statement_whose_columns_change_is_prepared_anew(
    store: storage.Database, database: postgres.Database
) -> None:
    database.execute("CREATE TABLE grown (a int)")
    database.execute("GRANT SELECT ON grown TO PUBLIC")
    everything = statements.Statement("SELECT * FROM grown")
    for _ in range(4):
        store.run(everything.rows, limits())
    database.execute("ALTER TABLE grown ADD COLUMN b int")
    assert store.run(everything.rows, limits()) == []


def test_a_deadlock_is_run_again_and_both_come_through(
    store: storage.Database, database: postgres.Database
) -> None:
    database.execute("INSERT INTO nodes (vrf_id, name) VALUES (1, 'a'), (1, 'b')")
    both = threading.Barrier(2, timeout=10)
    first_try = {"a": True, "b": True}

    def touch(first: str, second: str) -> None:
        def work(transaction: storage.Transaction) -> None:
            touching = sa.text("UPDATE nodes SET version = version + 1 WHERE name = :name")
            transaction.execute(touching, {"name": first})
            if first_try.pop(first, False):
                both.wait()
            transaction.execute(touching, {"name": second})

        store.run(work, limits())

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for each in [pool.submit(touch, "a", "b"), pool.submit(touch, "b", "a")]:
            each.result(timeout=20)
    assert database.scalar("SELECT sum(version) FROM nodes") == 6


def test_contact_lost_during_commit_is_an_unknown_outcome_and_never_sent_again(
    store: storage.Database, database: postgres.Database
) -> None:
    # A deferred trigger makes COMMIT itself wait for a lock that the test holds.
    database.execute(
        "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN PERFORM pg_advisory_xact_lock(77); RETURN NULL; END'"
    )
    database.execute(
        "CREATE CONSTRAINT TRIGGER waits AFTER INSERT ON nodes DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION wait()"
    )
    tries = []

    def work(transaction: storage.Transaction) -> None:
        tries.append(1)
        transaction.execute(INSERT, {"name": "n1"})

    with database.connect() as stranger, concurrent.futures.ThreadPoolExecutor(1) as pool:
        stranger.exec_driver_sql("SELECT pg_advisory_lock(77)")
        stranger.commit()
        doubtful = pool.submit(store.run, work, limits())
        stranger.execution_options(isolation_level="AUTOCOMMIT")
        waiting = (
            "SELECT pid FROM pg_stat_activity WHERE query = 'COMMIT' AND wait_event = 'advisory'"
        )
        deadline = time.monotonic() + 10
        while (pid := stranger.exec_driver_sql(waiting).scalar()) is None:
            assert time.monotonic() < deadline, "COMMIT never waited"
        stranger.exec_driver_sql(f"SELECT pg_terminate_backend({pid})")
        with pytest.raises(errors.OutcomeUnknown):
            doubtful.result(timeout=10)
    assert len(tries) == 1


def test_a_commit_that_is_cancelled_leaves_no_transaction_to_whoever_comes_next(
    store: storage.Database, database: postgres.Database
) -> None:
    def work(transaction: storage.Transaction) -> None:
        transaction.execute(INSERT, {"name": "n1"})
        driver = statements.driver(transaction)

        def cancelled() -> None:
            # Where it comes before PostgreSQL has begun to commit, the transaction stays open.
            driver.execute("SET LOCAL statement_timeout = 1; SELECT pg_sleep(1)")

        driver.commit = cancelled  # type: ignore[method-assign]

    with pytest.raises(errors.OutcomeUnknown):
        store.run(work, limits())
    assert store.run(PID.value, limits()) is not None
    assert database.scalar(COUNT) == 0


def test_a_lock_that_is_not_let_go_is_contention(
    store: storage.Database, database: postgres.Database
) -> None:
    with database.connect() as stranger:
        stranger.exec_driver_sql("SELECT FROM vrfs FOR UPDATE")
        with pytest.raises(errors.Contention):
            store.run(
                lambda transaction: transaction.execute(sa.text("SELECT FROM vrfs FOR UPDATE")),
                limits(3.0),  # so that the lock's limit and the statement's lie well apart,
            )


def test_nothing_begins_after_the_deadline(store: storage.Database) -> None:
    with pytest.raises(errors.DeadlineTooShort):
        store.run(lambda _: pytest.fail("ran"), limits(-1))


@pytest.mark.parametrize("snapshot", [False, True])
def test_nothing_is_compiled_however_dear_a_plan_seems(
    store: storage.Database, *, snapshot: bool
) -> None:
    # Before PostgreSQL 18 whatever scans a small table does, as scans are discouraged.
    ask = sa.text("SHOW jit")
    assert store.run(lambda it: it.scalar(ask), limits(5), snapshot=snapshot) == "off"


def test_a_statement_that_takes_too_long_is_told_as_such(store: storage.Database) -> None:
    with pytest.raises(errors.DeadlineTooShort):
        store.run(
            lambda transaction: transaction.execute(sa.text("SELECT pg_sleep(9)")), limits(0.4)
        )


def test_a_read_only_database_is_unavailable(
    store: storage.Database, database: postgres.Database
) -> None:
    database.set("default_transaction_read_only", "on")
    with pytest.raises(errors.DatabaseUnavailable):
        store.run(lambda transaction: transaction.execute(INSERT, {"name": "n1"}), limits(1))


def test_a_violation_nobody_expects_is_a_fault_that_names_the_constraint(
    store: storage.Database,
) -> None:
    def work(transaction: storage.Transaction) -> None:
        transaction.execute(INSERT, {"name": "n1"})
        transaction.execute(INSERT, {"name": "n1"})

    with pytest.raises(storage.Fault, match="SQLSTATE 23505, constraint nodes_pkey"):
        store.run(work, limits())


def tried(store: storage.Database, tries: list[str], state: str) -> None:
    """Runs work that PostgreSQL ends with a state, and notes each time."""

    def work(transaction: storage.Transaction) -> None:
        tries.append(state)
        transaction.exec_driver_sql(RAISE.format(state))

    store.run(work, limits())


@pytest.mark.parametrize("state", ["22003", "22021", "22P02"])
def test_a_value_that_the_database_does_not_take_is_the_requests(
    store: storage.Database, state: str
) -> None:
    tries: list[str] = []
    with pytest.raises(errors.InvalidRequest, match="the database does not take"):
        tried(store, tries, state)
    assert len(tries) == 1


def test_a_value_that_the_driver_does_not_take_is_the_requests(store: storage.Database) -> None:
    with pytest.raises(errors.InvalidRequest, match="the database does not take"):
        store.run(lambda transaction: transaction.execute(INSERT, {"name": "n\0"}), limits())


@pytest.mark.parametrize("state", ["XX000", "XX001", "XX002"])
def test_what_postgresql_says_of_its_own_faults_is_told_apart(
    store: storage.Database, state: str
) -> None:
    tries: list[str] = []
    with pytest.raises(storage.Corrupt, match=f"SQLSTATE {state}"):
        tried(store, tries, state)
    assert len(tries) == 1


@pytest.mark.parametrize("state", ["XX001", "22003", "53100", "57014", "25006", "08006", "40003"])
def test_at_a_commit_all_but_what_was_surely_rolled_back_is_an_unknown_outcome(
    store: storage.Database, database: postgres.Database, state: str
) -> None:
    database.execute(
        "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN RAISE EXCEPTION 'tried' USING ERRCODE = '{state}'; END $$"
    )
    database.execute(
        "CREATE CONSTRAINT TRIGGER fails AFTER INSERT ON nodes DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION fail()"
    )
    with pytest.raises(errors.OutcomeUnknown):
        store.run(lambda transaction: transaction.execute(INSERT, {"name": "n1"}), limits())


def test_a_transaction_that_has_lasted_too_long_for_postgresql_is_run_again_on_another_connection(
    store: storage.Database, database: postgres.Database
) -> None:
    pids = []

    def work(transaction: storage.Transaction) -> None:
        pids.append(PID.value(transaction))
        if len(pids) == 1:
            transaction.exec_driver_sql("SET LOCAL transaction_timeout = 100")
            transaction.exec_driver_sql("SELECT pg_sleep(9)")

    store.run(work, limits())
    assert len(set(pids)) == 2


def test_a_database_that_is_not_there_is_unavailable() -> None:
    nowhere = storage.Database("postgresql+psycopg://nobody@127.0.0.1:1/none", threads=1)
    with pytest.raises(errors.DatabaseUnavailable):
        nowhere.run(lambda _: None, limits(1))
