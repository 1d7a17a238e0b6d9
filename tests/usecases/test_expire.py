"""History is kept for as long as its VRFs want, and by nobody else's decision."""

import contextlib
import datetime
import threading
import time
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

import moorage
from harness import calls, past, postgres, serving
from moorage.v1 import resources_pb2
from moorage_server.domain import errors
from moorage_server.storage import database as storage
from moorage_server.usecases import expire, number

AHEAD = 4  # the present month and the next three


@pytest.fixture
def store(database: postgres.Database) -> Iterator[storage.Database]:
    """The service's connections to a test's database."""
    opened = storage.Database(database.service_url, threads=2)
    yield opened
    opened.close()


def run(store: storage.Database) -> int:
    return expire.expire(store, storage.Limits.until(time.monotonic() + 20))


def keep(client: moorage.Client, days: int, vrf: str = "default") -> None:
    stored = client.get_vrf(vrf)
    stored.configuration.history_retention_days = days
    client.update_vrf(stored, update_mask=["configuration.history_retention_days"])


def told(database: postgres.Database, table: str = "events") -> list[str]:
    rows = database.rows(f"SELECT DISTINCT container_id FROM {table} ORDER BY 1")
    return [str(name) for (name,) in rows]


def live_and_die(client: moorage.Client, *containers: str, vrf: str = "default") -> None:
    for container in containers:
        client.assign(calls.attachment(container), [calls.want()], vrf=vrf)
        client.release(calls.attachment(container), vrf=vrf)


def add_revisions(database: postgres.Database, vrf_id: int, *days_ago: float) -> None:
    """The feed of a VRF, with the age of each of its revisions."""
    for revision, days in enumerate(days_ago, start=1):
        database.execute(
            "INSERT INTO revisions VALUES (:vrf_id, :revision, nextval('events_event_id_seq'),"
            f" clock_timestamp() - interval '1 day' * {days})",
            vrf_id=vrf_id,
            revision=revision,
        )


def revisions(database: postgres.Database, vrf_id: int) -> list[object]:
    query = "SELECT revision FROM revisions WHERE vrf_id = :vrf_id ORDER BY 1"
    return [revision for (revision,) in database.rows(query, vrf_id=vrf_id)]


def test_the_present_month_and_the_next_three_are_made_with_the_schema(
    client: moorage.Client, database: postgres.Database, store: storage.Database
) -> None:
    assert past.months(database) == AHEAD
    calls.create_pool(client, "a", "10.0.0.0/24")
    live_and_die(client, "c1")
    assert told(database, "events_default") == []
    assert run(store) == 0


def test_missing_months_are_made_with_everything_that_events_have(
    database: postgres.Database, store: storage.Database
) -> None:
    (name,) = database.rows(
        "SELECT to_char(date_trunc('month', now(), 'UTC') + interval '2 months', 'YYYY_MM')"
    )[0]
    parts = (
        "SELECT array_agg(DISTINCT indrelid::regclass::text || indisunique), count(*) FROM pg_index"
        " WHERE indrelid = CAST(:name AS regclass)"
    )
    before = database.rows(parts, name=f"events_{name}")
    database.execute(f"DROP TABLE events_{name}")
    assert (run(store), past.months(database)) == (1, AHEAD)
    assert database.rows(parts, name=f"events_{name}") == before
    (options, owner) = database.rows(
        "SELECT array_to_string(reloptions, ' '), relowner::regrole::text FROM pg_class"
        " WHERE oid = CAST(:name AS regclass)",
        name=f"events_{name}",
    )[0]
    assert "autovacuum_vacuum_insert_scale_factor=0.05" in str(options)
    assert owner == "moorage_owner"


def test_a_month_that_has_rows_in_the_default_partition_is_left_there(
    client: moorage.Client, database: postgres.Database, store: storage.Database
) -> None:
    name = database.scalar("SELECT to_char(now() AT TIME ZONE 'UTC', '\"events_\"YYYY_MM')")
    database.execute(f"DROP TABLE {name}")
    calls.create_pool(client, "a", "10.0.0.0/24")
    live_and_die(client, "c1")
    assert run(store) == 0
    assert (told(database, "events_default"), past.months(database)) == (["c1"], AHEAD - 1)
    assert [each.allocation.attachment.container_id for each in client.history()] == ["c1"]


def test_a_month_goes_when_no_vrf_wants_it_any_more(
    client: moorage.Client, database: postgres.Database, store: storage.Database
) -> None:
    past.add_months(database, 4)
    client.create_vrf("blue")
    calls.create_pool(client, "a", "10.0.0.0/24")
    live_and_die(client, "old", "new")
    calls.assign(client, "held")
    past.age(database, 100, "old", "held")
    keep(client, 30)
    assert (run(store), "old" in told(database)) == (0, True)
    keep(client, 30, "blue")
    assert run(store) >= 2
    assert told(database) == ["new"]
    assert AHEAD < past.months(database) <= AHEAD + 2
    assert [each.allocation.attachment.container_id for each in client.history()] == [
        "new",
        "held",
    ]
    assert not any(each.HasField("finding") for each in client.check_consistency())


def test_history_for_ever_keeps_every_month(
    client: moorage.Client, database: postgres.Database, store: storage.Database
) -> None:
    past.add_months(database, 3)
    keep(client, 1)
    client.create_vrf(
        "blue",
        resources_pb2.Vrf(configuration=resources_pb2.VrfConfiguration(history_retention_days=0)),
    )
    assert (run(store), past.months(database)) == (0, AHEAD + 3)


def test_a_deleted_vrf_keeps_nothing_alive(
    client: moorage.Client, database: postgres.Database, store: storage.Database
) -> None:
    past.add_months(database, 3)
    client.create_vrf(
        "blue",
        resources_pb2.Vrf(configuration=resources_pb2.VrfConfiguration(history_retention_days=0)),
    )
    pool = resources_pb2.Pool(cidr="10.0.0.0/24")
    client.create_pool("a", pool, vrf="blue")
    live_and_die(client, "c1", vrf="blue")
    past.age(database, 80, "c1")
    client.delete_pool("a", vrf="blue")
    client.delete_vrf("blue")
    keep(client, 10)
    assert run(store) > 0
    assert told(database) == []


def test_misplaced_rows_go_with_their_month_in_small_steps(
    client: moorage.Client, database: postgres.Database, store: storage.Database
) -> None:
    calls.create_pool(client, "a", "10.0.0.0/24")
    live_and_die(client, "c1", "c2", "c3", "new")
    past.age(database, 100, "c1", "c2", "c3")
    assert told(database, "events_default") == ["c1", "c2", "c3"]
    keep(client, 30)
    with database.connect(database.service_url) as service:
        steps = [service.scalar(sa.text("SELECT keep_history(4)")) for _ in range(3)]
        service.commit()
    assert steps == [4, 2, 0]
    assert told(database) == ["new"]


@pytest.mark.parametrize("days", [1, 0])
def test_nothing_that_is_younger_than_a_day_goes(
    client: moorage.Client, database: postgres.Database, store: storage.Database, days: int
) -> None:
    calls.create_pool(client, "a", "10.0.0.0/24")
    live_and_die(client, "c1")
    numberer = number.Numberer()
    while len(revisions(database, 1)) < 2:
        numberer.number(store, storage.Limits.until(time.monotonic() + 20))
    database.execute("UPDATE revisions SET event_time = event_time - interval '0.9 days'")
    if days:
        keep(client, days)
    else:
        client.delete_pool("a")
        client.delete_vrf("default")
    assert run(store) == 0
    assert (told(database), revisions(database, 1)) == (["c1"], [1, 2])


def test_the_feed_is_cut_at_its_beginning_alone(
    client: moorage.Client, database: postgres.Database, store: storage.Database
) -> None:
    client.create_vrf("blue")
    ids = {
        name: int(str(vrf_id)) for name, vrf_id in database.rows("SELECT name, vrf_id FROM vrfs")
    }
    default, blue, gone = ids["default"], ids["blue"], 99
    keep(client, 10)
    add_revisions(database, default, 30, 20, 9, 11, 1)
    add_revisions(database, blue, 300, 20)
    add_revisions(database, gone, 2, 1.1, 0.5)
    assert run(store) == 4
    assert revisions(database, default) == [3, 4, 5]
    assert revisions(database, blue) == [1, 2]
    assert revisions(database, gone) == [3]
    with database.connect(database.service_url) as service:
        assert service.scalar(sa.text("SELECT keep_history(1)")) == 0
    database.execute("DELETE FROM revisions")


def test_the_feed_is_cut_in_small_steps(
    client: moorage.Client, database: postgres.Database, store: storage.Database
) -> None:
    keep(client, 1)
    add_revisions(database, 1, 5, 4, 3, 2, 0)
    with database.connect(database.service_url) as service:
        steps = [service.scalar(sa.text("SELECT keep_history(3)")) for _ in range(3)]
        service.commit()
    assert (steps, revisions(database, 1)) == ([3, 1, 0], [5])
    database.execute("DELETE FROM revisions")


def test_only_one_server_at_a_time_keeps_history(
    client: moorage.Client, database: postgres.Database, store: storage.Database
) -> None:
    past.add_months(database, 2)
    keep(client, 1)
    with database.connect() as other:
        other.exec_driver_sql("SELECT pg_advisory_xact_lock(4, 0)")
        assert (run(store), past.months(database)) == (0, AHEAD + 2)
    assert run(store) > 0


def test_a_month_in_use_is_not_waited_for_long_and_goes_later(
    client: moorage.Client, database: postgres.Database, store: storage.Database
) -> None:
    past.add_months(database, 2)
    keep(client, 1)
    with database.connect() as reader:
        reader.exec_driver_sql("SELECT count(*) FROM events")
        with pytest.raises(errors.Contention):
            run(store)
    assert run(store) > 0


def test_assigns_go_on_while_months_are_made_and_dropped(
    client: moorage.Client, database: postgres.Database, store: storage.Database
) -> None:
    past.add_months(database, 4)
    keep(client, 1)
    calls.create_pool(client, "a", "10.0.0.0/24")
    done = threading.Event()

    def churn() -> None:
        at = 0
        while not done.is_set() or at < 5:
            live_and_die(client, f"c{at}")
            at += 1

    with contextlib.ExitStack() as until:
        thread = threading.Thread(target=churn)
        thread.start()
        until.callback(thread.join)
        until.callback(done.set)
        assert run(store) >= 3
    assert all(
        each.allocation.assign_time.ToDatetime() > datetime.datetime(2020, 1, 1)
        for each in client.history()
    )


@pytest.mark.parametrize(("days", "left"), [(1, []), (0, ["old"])])
def test_who_changed_what_is_kept_for_as_long_as_history(
    client: moorage.Client,
    database: postgres.Database,
    store: storage.Database,
    days: int,
    left: list[str],
) -> None:
    keep(client, days)
    client.create_vrf("old")
    database.execute("UPDATE changes SET change_time = now() - interval '700 days'")
    database.execute("UPDATE actors SET month = month - interval '24 months'")
    client.create_vrf("new")
    run(store)
    kept = database.rows("SELECT name FROM changes WHERE method = 'CreateVrf' ORDER BY change_id")
    assert [name for (name,) in kept] == [*left, "new"]
    assert database.scalar("SELECT count(*) FROM actors") == 1 + len(left)
    assert [each.actor.name for each in client.changes(vrf="new")] == ["anonymous"]


def test_whom_history_names_is_kept_a_month_longer(
    client: moorage.Client, database: postgres.Database, store: storage.Database
) -> None:
    keep(client, 1)
    calls.create_pool(client, "a", "10.0.0.0/24")
    live_and_die(client, "c1")
    database.execute("UPDATE actors SET month = month - interval '1 month'")
    run(store)
    assert [each.release_actor.name for each in client.history()] == ["anonymous"]


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE {month}",
        "DELETE FROM {month}",
        "TRUNCATE {month}",
        "DELETE FROM events_default",
        "ALTER TABLE events DETACH PARTITION {month}",
        "DELETE FROM revisions",
        "UPDATE revisions SET event_time = now()",
        "CREATE OR REPLACE FUNCTION keep_history(integer) RETURNS integer LANGUAGE sql AS ''",
        "ALTER FUNCTION keep_history SET search_path = pg_temp",
        "CREATE OR REPLACE FUNCTION keep_audit(integer) RETURNS integer LANGUAGE sql AS ''",
        "SET ROLE moorage_owner",
    ],
)
def test_the_service_can_take_nothing_out_of_history(
    database: postgres.Database, statement: str
) -> None:
    month = database.scalar("SELECT to_char(now() AT TIME ZONE 'UTC', '\"events_\"YYYY_MM')")
    refused = "permission denied|must be owner"
    with (
        database.connect(database.service_url) as connection,
        pytest.raises(sa.exc.ProgrammingError, match=refused),
    ):
        connection.execute(sa.text(statement.format(month=month)))


def test_names_of_the_caller_mean_nothing_to_the_function(
    client: moorage.Client, database: postgres.Database
) -> None:
    keep(client, 1)
    calls.create_pool(client, "a", "10.0.0.0/24")
    live_and_die(client, "c1")
    with database.connect(database.service_url) as service:
        for statement in (
            "SET search_path = pg_temp, public",
            "CREATE TEMP TABLE vrfs AS SELECT 1 AS vrf_id, -9999 AS history_retention_days",
            "CREATE TEMP TABLE events_default (event_time timestamptz)",
            "SET timezone = 'Pacific/Kiritimati'",
        ):
            service.exec_driver_sql(statement)
        assert service.scalar(sa.text("SELECT public.keep_history(10)")) == 0
    assert told(database) == ["c1"]


def test_nobody_else_may_call_the_function(
    cluster: postgres.Postgres, database: postgres.Database
) -> None:
    rights = "SELECT has_function_privilege('pg_monitor', 'keep_history(integer)', 'EXECUTE')"
    assert database.scalar(rights) is False


def test_a_server_makes_missing_months_before_it_serves(database: postgres.Database) -> None:
    name = database.scalar(
        "SELECT to_char(now() AT TIME ZONE 'UTC' + interval '1 month', '\"events_\"YYYY_MM')"
    )
    database.execute(f"DROP TABLE {name}")
    with serving.in_process(database):
        assert past.months(database) == AHEAD
