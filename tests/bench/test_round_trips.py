"""What a transaction waits for, made of stacks that a sampler saw."""

from bench import round_trips
from moorage_server.storage import (
    attachments,
    blocks,
    catalogs,
    database,
    holdings,
    locks,
    sandboxes,
)

_WAIT = "Connection.wait (/venv/site-packages/psycopg/connection.py:495)"
_SENT = "Statement._sent (/x/moorage_server/storage/statements.py:85)"
_RUN = "run (/x/moorage_server/usecases/batch.py:78)"
_ONCE = "Database._once (/x/moorage_server/storage/database.py:172)"
_COMMIT = "Database._commit (/x/moorage_server/storage/database.py:222)"
_ASSIGN = "assign (/x/moorage_server/storage/holdings.py:122)"
_OTHER = "of_owner (/x/moorage_server/storage/allocations.py:7)"


def line(*frames: str, count: int = 1) -> str:
    return f"thread (7): batch_0;{';'.join(frames)} {count}"


def test_a_wait_is_of_who_has_sent_the_statement_and_all_else_runs() -> None:
    lines = [
        line(_RUN, _ONCE, _COMMIT, "do_commit (/sqlalchemy/engine.py:1)", _WAIT, count=5),
        line(_RUN, _ONCE, _ASSIGN, _SENT, _WAIT, count=3),
        line(_RUN, _ONCE, _ASSIGN, _SENT, count=2),
        line(_RUN, _ONCE, _OTHER, _SENT, _WAIT),
        line(_RUN),
    ]
    assert list(round_trips.counted(lines).items()) == [
        ("attachment, address and event", 3),
        ("COMMIT", 5),
        ("allocations.of_owner", 1),
        (round_trips.DRIVER, 2),
        (round_trips.PYTHON, 1),
    ]


def test_who_is_in_no_transaction_is_not_counted() -> None:
    waits = line("_worker (/lib/concurrent/futures/thread.py:81)", count=40)
    feed = line("number (/x/moorage_server/usecases/number.py:3)", _ONCE, _WAIT)
    assert round_trips.counted([waits, feed]) == {}


def test_who_makes_a_round_trip_is_there_by_that_name() -> None:
    modules = (attachments, blocks, catalogs, database, holdings, locks, sandboxes)
    by_name = {module.__name__.rpartition(".")[2]: module for module in modules}
    for name in round_trips.NAMES:
        module, *path = name.split(".")
        found: object = by_name[module]
        for each in path:
            found = getattr(found, each)
        assert callable(found), name
