"""Connections to PostgreSQL are cut where they are to be, and what had happened by then has."""

import contextlib
import threading
from collections.abc import Iterator

import psycopg
import pytest
import sqlalchemy as sa

from chaos.wire import Moment, Wire
from harness import postgres

KEPT = {
    Moment.COMMIT_UNSENT: False,
    Moment.COMMIT_SENT: True,
    Moment.COMMIT_TOLD: True,
    Moment.COMMIT_HALF_TOLD: True,
    Moment.COMMIT_TOLD_NOT_READY: True,
    Moment.STATEMENT_HALF_SENT: False,
    Moment.ROWS_HALF_TOLD: False,
}


@pytest.fixture
def wire(database: postgres.Database) -> Iterator[Wire]:
    url = sa.make_url(database.admin_url)
    if "host" not in url.query:
        pytest.skip("the PostgreSQL of DATABASE_URL has no socket here")
    with contextlib.closing(Wire(f"{url.query['host']}/.s.PGSQL.{url.query['port']}")) as made:
        yield made


@contextlib.contextmanager
def connected(wire: Wire, database: postgres.Database) -> Iterator[psycopg.Connection]:
    host, _, port = wire.target.rpartition(":")
    with psycopg.connect(
        host=host,
        port=port,
        dbname=database.name,
        user=sa.make_url(database.admin_url).username,
        sslmode="disable",
        gssencmode="disable",
    ) as connection:
        yield connection


def change(connection: psycopg.Connection) -> None:
    """One transaction that reads and writes."""
    connection.execute("INSERT INTO ticks (tick, one) VALUES (%s, true) ON CONFLICT (one)"
                       " DO UPDATE SET tick = 4711 RETURNING tick", [4711])  # fmt: skip
    connection.commit()


@pytest.mark.parametrize("moment", Moment)
def test_a_connection_is_cut_at_a_moment(
    database: postgres.Database, wire: Wire, moment: Moment
) -> None:
    with connected(wire, database) as connection:
        trap = wire.set_trap(moment)
        with pytest.raises(psycopg.OperationalError):
            change(connection)
    assert trap.sprung.is_set()
    # Whoever was cut off may still be at it: the row is locked until its end.
    database.execute("UPDATE ticks SET one = true")
    assert (database.scalar("SELECT tick FROM ticks") == 4711) is KEPT[moment]


def test_a_commit_that_is_held_up_goes_on(database: postgres.Database, wire: Wire) -> None:
    held, going_on = threading.Event(), threading.Event()

    def meanwhile() -> None:
        held.set()
        going_on.wait(20)

    with connected(wire, database) as connection:
        wire.set_trap(Moment.COMMIT_UNSENT, meanwhile, cuts=False)
        changing = threading.Thread(target=change, args=(connection,))
        changing.start()
        assert held.wait(20)
        assert database.scalar("SELECT tick FROM ticks") != 4711
        going_on.set()
        changing.join()
    assert database.scalar("SELECT tick FROM ticks") == 4711
