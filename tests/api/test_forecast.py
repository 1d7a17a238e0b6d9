"""PoolService: how pools fill up, and when they will be full."""

import datetime
import itertools

import grpc
import pytest

import moorage
from api import refusals
from harness import calls, past, postgres
from moorage.v1 import pool_service_pb2 as messages
from moorage.v1 import pool_service_pb2_grpc

DAY = datetime.timedelta(days=1)


def fill(
    client: moorage.Client, database: postgres.Database, pool: str, *, days_ago: int, by: int
) -> None:
    """So many addresses were assigned so many days ago, at this time of the day."""
    names = [f"{pool}-{days_ago}-{at}" for at in range(by)]
    for name in names:
        calls.assign(client, name, calls.want(pools=(pool,)))
    past.age(database, days_ago, *names)


def created(database: postgres.Database, pool: str, *, days_ago: int) -> None:
    database.execute(
        f"UPDATE pools SET create_time = create_time - interval '{days_ago} days'"
        " WHERE name = :pool",
        pool=pool,
    )
    database.execute("UPDATE vrfs SET catalog_version = gen_random_uuid()")


def used(outlook: messages.ForecastPoolResponse) -> list[int]:
    return [day.assigned_count for day in outlook.days]


def test_a_pool_fills_up_day_by_day_and_will_be_full(
    client: moorage.Client, database: postgres.Database
) -> None:
    past.add_months(database, 2)
    calls.create_pool(client, "a", "10.0.0.0/26")
    calls.create_pool(client, "b", "10.0.1.0/26")
    created(database, "a", days_ago=20)
    for days_ago in range(6, -1, -1):
        fill(client, database, "a", days_ago=days_ago, by=3)
    fill(client, database, "b", days_ago=2, by=5)
    outlook = client.forecast_pool("a")
    assert used(outlook) == [0] * 7 + [3, 6, 9, 12, 15, 18, 21]
    ends = [day.end_time.ToDatetime() for day in outlook.days]
    assert all(later - earlier == DAY for earlier, later in itertools.pairwise(ends[:-1]))
    assert ends[-2].time() == datetime.time()
    week = client.forecast_pool("a", window_days=5)
    assert used(week) == [9, 12, 15, 18, 21]
    assert 2.5 < week.daily_growth < 4.5
    assert week.counts.available_count == 64 - 21
    assert week.days_to_exhaustion == pytest.approx(43 / week.daily_growth)


def test_what_was_released_is_taken_back(
    client: moorage.Client, database: postgres.Database
) -> None:
    past.add_months(database, 2)
    calls.create_pool(client, "a", "10.0.0.0/26")
    created(database, "a", days_ago=20)
    fill(client, database, "a", days_ago=9, by=4)
    for at in range(3):
        calls.release(client, f"a-9-{at}")
    database.execute(
        "UPDATE events SET event_time = event_time - interval '2 days' WHERE kind = 'RELEASED'"
    )
    outlook = client.forecast_pool("a", window_days=6)
    assert used(outlook) == [4, 4, 4, 1, 1, 1]
    assert outlook.daily_growth < 0
    assert not outlook.HasField("days_to_exhaustion")


def test_days_before_the_pool_are_left_out(
    client: moorage.Client, database: postgres.Database
) -> None:
    calls.create_pool(client, "a", "10.0.0.0/26")
    calls.assign(client)
    outlook = client.forecast_pool("a", window_days=90)
    assert (used(outlook), outlook.daily_growth) == ([1], 0)
    assert not outlook.HasField("days_to_exhaustion")


def test_days_whose_history_is_not_kept_are_left_out(
    client: moorage.Client, database: postgres.Database
) -> None:
    past.add_months(database, 3)
    calls.create_pool(client, "a", "10.0.0.0/26")
    created(database, "a", days_ago=60)
    vrf = client.get_vrf("default")
    vrf.configuration.history_retention_days = 3
    client.update_vrf(vrf, update_mask=["configuration.history_retention_days"])
    assert len(client.forecast_pool("a", window_days=30).days) == 4


def test_a_full_pool_has_no_day_left(client: moorage.Client) -> None:
    calls.create_pool(client, "a", "10.0.0.0/31")
    calls.assign(client, "c1", calls.want(), calls.want())
    outlook = client.forecast_pool("a")
    assert outlook.HasField("days_to_exhaustion")
    assert outlook.days_to_exhaustion == 0


def test_an_ipv6_pool_has_more_addresses_than_days(client: moorage.Client) -> None:
    calls.create_pool(client, "six", "fd00::/48")
    calls.assign(client, "c1", calls.want(calls.IPV6))
    outlook = client.forecast_pool("six")
    assert used(outlook) == [1]
    assert outlook.counts.available_count == 2**63 - 1


def test_a_pool_is_counted_by_its_range(
    client: moorage.Client, database: postgres.Database
) -> None:
    past.add_months(database, 2)
    calls.create_pool(client, "old", "10.0.0.0/26")
    fill(client, database, "old", days_ago=4, by=2)
    for name in ("old-4-0", "old-4-1"):
        calls.release(client, name)
    client.delete_pool("old")
    calls.create_pool(client, "new", "10.0.0.0/26")
    created(database, "new", days_ago=20)
    assert used(client.forecast_pool("new", window_days=6)) == [0, 2, 2, 2, 2, 0]


@pytest.mark.parametrize(
    ("request_", "fields"),
    [
        (messages.ForecastPoolRequest(), ["name"]),
        (messages.ForecastPoolRequest(name="vrfs/default/pools/A"), ["name"]),
        (
            messages.ForecastPoolRequest(name="vrfs/default/pools/a", window_days=91),
            ["window_days"],
        ),
        (messages.ForecastPoolRequest(name="a", window_days=-1), ["name", "window_days"]),
    ],
)
def test_a_malformed_question_is_refused_with_every_field(
    unchanged: grpc.Channel, request_: messages.ForecastPoolRequest, fields: list[str]
) -> None:
    stub = pool_service_pb2_grpc.PoolServiceStub(unchanged)
    refusal = refusals.of(stub.ForecastPool, request_)
    assert refusal.told() == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST", {})
    assert refusal.fields == fields


@pytest.mark.parametrize("vrf", ["default", "red"])
def test_what_is_not_there_is_not_found(unchanged: grpc.Channel, vrf: str) -> None:
    stub = pool_service_pb2_grpc.PoolServiceStub(unchanged)
    request = messages.ForecastPoolRequest(name=f"vrfs/{vrf}/pools/a")
    told = (grpc.StatusCode.NOT_FOUND, "POOL_NOT_FOUND", {"vrf": vrf, "pool": "a"})
    assert refusals.of(stub.ForecastPool, request).told() == told
