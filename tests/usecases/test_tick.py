"""Ticks: at least a second between two of them, whoever counts and whatever clocks do."""

import itertools
import time
from collections.abc import Iterator

import pytest

import moorage
from harness import postgres, serving
from harness.calls import assign, create_pool, release
from moorage.v1 import resources_pb2 as messages
from moorage_server.storage import database as storage
from moorage_server.usecases import tick


class Clock:
    """A clock that goes on when it is told to."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def store(database: postgres.Database) -> Iterator[storage.Database]:
    """The service's connections to a test's database."""
    opened = storage.Database(database.service_url, threads=1)
    yield opened
    opened.close()


def look(store: storage.Database, ticker: tick.Ticker) -> int:
    return ticker.tick(store, storage.Limits.until(time.monotonic() + 10))


def test_two_tickers_raise_no_more_than_once_a_second(store: storage.Database) -> None:
    clock = Clock()
    tickers = [tick.Ticker(clock), tick.Ticker(clock)]
    seen = []
    for at in range(100):
        clock.seconds = at * 0.1
        seen.append(look(store, tickers[at % 2]))
    assert seen == sorted(seen)
    risen = [at for at in range(1, 100) if seen[at] != seen[at - 1]]
    assert len(risen) >= 4
    assert all(later - earlier >= 10 for earlier, later in itertools.pairwise(risen))


def test_who_has_just_begun_waits_for_a_second(store: storage.Database) -> None:
    clock = Clock()
    clock.seconds = 1000.0
    assert look(store, tick.Ticker(clock)) == 0
    restarted = tick.Ticker(clock)
    assert look(store, restarted) == 0
    clock.seconds += 0.99
    assert look(store, restarted) == 0
    clock.seconds += 0.01
    assert look(store, restarted) == 1
    assert look(store, restarted) == 1


def test_what_another_has_raised_is_not_raised_at_once(
    store: storage.Database, database: postgres.Database
) -> None:
    clock = Clock()
    ticker = tick.Ticker(clock)
    look(store, ticker)
    clock.seconds += 5
    database.execute("UPDATE ticks SET tick = tick + 1")
    assert look(store, ticker) == 1
    assert look(store, ticker) == 1
    clock.seconds += 1
    assert look(store, ticker) == 2


def test_a_tick_that_went_back_goes_on_from_there(
    store: storage.Database, database: postgres.Database
) -> None:
    database.execute("UPDATE ticks SET tick = 50")
    clock = Clock()
    ticker = tick.Ticker(clock)
    assert look(store, ticker) == 50
    database.execute("UPDATE ticks SET tick = 40")
    clock.seconds += 1
    assert look(store, ticker) == 40
    clock.seconds += 1
    assert look(store, ticker) == 41


@pytest.mark.parametrize("step", ["1 day", "-1 hour"])
def test_a_cool_down_does_not_care_what_the_clock_of_the_database_says(
    database: postgres.Database, step: str
) -> None:
    with serving.in_process(database) as server, moorage.Client(server.target) as client:
        configuration = messages.VrfConfiguration(cooldown_seconds=1200)
        client.update_vrf(messages.Vrf(name="vrfs/default", configuration=configuration))
        create_pool(client, "a", "10.0.0.0/32")
        assign(client, "c1")
        release(client, "c1")
    set_clock(database, step)
    with serving.in_process(database) as server, moorage.Client(server.target) as client:
        with pytest.raises(moorage.Exhausted, match="kept from other workloads"):
            assign(client, "c2")
        database.execute("UPDATE ticks SET tick = tick + 1201")
        assert [each.address for each in assign(client, "c2")] == ["10.0.0.0"]


def set_clock(database: postgres.Database, step: str) -> None:
    """From the next connection on the clock has been set: another one is found before it."""
    database.execute("CREATE SCHEMA skewed")
    database.execute("GRANT USAGE ON SCHEMA skewed TO PUBLIC")
    for name in ("clock_timestamp", "now"):
        database.execute(
            f"CREATE FUNCTION skewed.{name}() RETURNS timestamptz LANGUAGE sql VOLATILE"
            f" RETURN pg_catalog.{name}() + interval '{step}'"
        )
    database.execute(f"ALTER DATABASE {database.name} SET search_path = skewed, public, pg_catalog")
