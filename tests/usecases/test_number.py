"""Events get revisions: all of them, once, in the order of the changes of each address."""

import contextlib
import time
from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa

from harness import postgres, restoring
from moorage_server.domain import errors
from moorage_server.storage import database as storage
from moorage_server.storage import fence
from moorage_server.usecases import number

_EVENT = """
INSERT INTO events (vrf_id, kind, cause, address, block, pool, assign_generation, assign_time,
    network, container_id, interface, use)
VALUES (%(vrf)s, %(kind)s, 'REQUESTED', '10.0.0.1', '10.0.0.0/26', 'a',
    CASE %(kind)s WHEN 'RELEASED' THEN 0 END, CASE %(kind)s WHEN 'RELEASED' THEN now() END,
    'n', %(told)s, 'i', 'WORKLOAD')
"""
_TOLD = """
SELECT e.container_id FROM revisions r JOIN events e USING (vrf_id, event_id)
WHERE vrf_id = :vrf ORDER BY r.revision
"""


@pytest.fixture
def history(cluster: postgres.Postgres) -> Iterator[postgres.Database]:
    """A database in which events happen that nothing else agrees with."""
    with cluster.database() as fresh:
        yield fresh


@pytest.fixture
def store(
    history: postgres.Database, monkeypatch: pytest.MonkeyPatch
) -> Iterator[storage.Database]:
    """The service's connections, with little patience."""
    monkeypatch.setattr(number, "PATIENCE", 0.02)
    opened = storage.Database(history.service_url, threads=1)
    yield opened
    opened.close()


def tell(writer: sa.Connection, told: str, *, kind: str = "ASSIGNED", vrf: int = 1) -> None:
    """Writes an event, recognized by its container."""
    writer.exec_driver_sql(_EVENT, {"told": told, "kind": kind, "vrf": vrf})


@contextlib.contextmanager
def writing(history: postgres.Database) -> Iterator[sa.Connection]:
    """A transaction that has written something, so that it has its id."""
    with history.connect() as writer:
        writer.exec_driver_sql("SELECT pg_current_xact_id()")
        yield writer


Pass = Callable[[], number.Numbered]


@pytest.fixture
def numbered(store: storage.Database) -> Pass:
    """One pass of one server."""
    numberer = number.Numberer()
    return lambda: numberer.number(store, storage.Limits.until(time.monotonic() + 10))


def feed_of(history: postgres.Database, vrf: int = 1) -> list[object]:
    """What has a revision, in order; revisions must have no gaps."""
    revisions = history.rows("SELECT revision FROM revisions WHERE vrf_id = :v ORDER BY 1", v=vrf)
    assert [row[0] for row in revisions] == list(range(1, len(revisions) + 1))
    head = history.scalar("SELECT revision FROM revision_heads WHERE vrf_id = :v", v=vrf)
    assert (head or 0) == len(revisions)
    return [row[0] for row in history.rows(_TOLD, vrf=vrf)]


def test_events_are_numbered_once(history: postgres.Database, numbered: Pass) -> None:
    with writing(history) as writer:
        tell(writer, "first")
        tell(writer, "second")
        writer.commit()
    assert numbered().vrf_ids == (1,)
    assert numbered() == number.Numbered()
    assert feed_of(history) == ["first", "second"]


def test_nothing_to_number_locks_nothing_and_draws_no_id(history: postgres.Database) -> None:
    with history.connect() as idle:
        assert fence.reach(idle) is None
        assert idle.exec_driver_sql("SELECT pg_current_xact_id_if_assigned()").scalar() is None
        locks = (
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
        )
        assert idle.exec_driver_sql(locks).scalar() == 0


def test_what_commits_late_is_waited_for(history: postgres.Database, numbered: Pass) -> None:
    with writing(history) as slow, writing(history) as quick:
        tell(slow, "drawn first, committed last")
        tell(quick, "drawn last")
        quick.commit()
        assert numbered() == number.Numbered(more=True)
        assert feed_of(history) == []
        slow.commit()
    assert numbered().vrf_ids == (1,)
    assert feed_of(history) == ["drawn first, committed last", "drawn last"]


def test_others_that_come_and_go_keep_nobody_waiting(
    history: postgres.Database, numbered: Pass
) -> None:
    with writing(history) as before, writing(history) as writer:
        tell(writer, "told")
        writer.commit()
        assert numbered() == number.Numbered(more=True)
        with writing(history):
            before.rollback()
            assert numbered().vrf_ids == (1,)
    assert feed_of(history) == ["told"]


def test_what_was_in_view_of_a_database_says_nothing_of_the_one_that_takes_its_place(
    history: postgres.Database, numbered: Pass
) -> None:
    with restoring.backup(history) as backup:
        with writing(history), writing(history) as writer:
            tell(writer, "lost")
            writer.commit()
            assert numbered() == number.Numbered(more=True)
        backup.restore()
    with writing(history) as writer:
        tell(writer, "of the same id")
        numbered()
        writer.commit()
    numbered()
    assert feed_of(history) == ["of the same id"]


def test_what_is_rolled_back_leaves_no_gap(history: postgres.Database, numbered: Pass) -> None:
    with writing(history) as slow, writing(history) as quick:
        tell(slow, "never")
        tell(quick, "told")
        quick.commit()
        assert numbered().more
        slow.rollback()
    numbered()
    assert feed_of(history) == ["told"]
    assert history.scalar("SELECT event_id FROM fence") == 2


def test_who_waited_for_an_address_comes_after_the_one_it_waited_for(
    history: postgres.Database, numbered: Pass
) -> None:
    with writing(history) as waiting, writing(history) as holding:
        tell(holding, "released", kind="RELEASED")
        holding.commit()
        tell(waiting, "assigned afterwards, by an older transaction")
        waiting.commit()
    numbered()
    assert feed_of(history) == ["released", "assigned afterwards, by an older transaction"]


def test_an_event_whose_id_is_drawn_while_it_waits_is_for_the_next_pass(
    history: postgres.Database, numbered: Pass, monkeypatch: pytest.MonkeyPatch
) -> None:
    with writing(history) as early, writing(history) as late:
        tell(early, "early")

        def meanwhile(_: float) -> None:
            tell(late, "late")
            late.commit()
            early.commit()
            monkeypatch.undo()

        monkeypatch.setattr(number, "PATIENCE", 10.0)
        monkeypatch.setattr(time, "sleep", meanwhile)
        assert numbered().vrf_ids == (1,)
        assert feed_of(history) == ["early"]
    assert numbered().vrf_ids == (1,)
    assert feed_of(history) == ["early", "late"]


def test_each_vrf_counts_by_itself(history: postgres.Database, numbered: Pass) -> None:
    with writing(history) as writer:
        for told, vrf in (("a", 1), ("b", 2), ("c", 1)):
            tell(writer, told, vrf=vrf)
        writer.commit()
    assert sorted(numbered().vrf_ids) == [1, 2]
    assert (feed_of(history, 1), feed_of(history, 2)) == (["a", "c"], ["b"])


def test_while_one_server_numbers_another_does_not(
    history: postgres.Database, numbered: Pass
) -> None:
    with writing(history) as writer:
        tell(writer, "told")
        writer.commit()
    with history.connect() as other:
        assert fence.take(other)
        assert numbered() == number.Numbered(more=True)
        assert feed_of(history) == []
    assert numbered().vrf_ids == (1,)


@pytest.fixture
def little_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(number, "AT_ONCE", 3)


def test_much_is_numbered_in_several_passes(
    little_at_once: None, history: postgres.Database, numbered: Pass
) -> None:
    with writing(history) as writer:
        for at in range(7):
            tell(writer, str(at))
        writer.commit()
    assert [numbered().more for _ in range(3)] == [True, True, False]
    assert feed_of(history) == [str(at) for at in range(7)]


def test_what_takes_too_long_is_numbered_in_smaller_passes(
    history: postgres.Database, store: storage.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(number, "AT_ONCE", 16)
    monkeypatch.setattr(number, "FEWEST", 1)
    history.execute("""
        CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql
        AS 'BEGIN PERFORM pg_sleep(0.05); RETURN NEW; END'""")
    history.execute("""
        CREATE TRIGGER dawdle BEFORE INSERT ON revisions FOR EACH ROW EXECUTE FUNCTION dawdle()""")
    with writing(history) as writer:
        for at in range(16):
            tell(writer, str(at))
        writer.commit()
    numberer = number.Numberer()
    for _ in range(12):
        with contextlib.suppress(errors.DeadlineTooShort):
            numberer.number(store, storage.Limits.until(time.monotonic() + 0.6))
    assert feed_of(history) == [str(at) for at in range(16)]
