"""How a pool has filled, and when it will be full, by arithmetic alone."""

import datetime
import math

import pytest

from moorage_server.domain import forecast, usage

NOW = datetime.datetime(2030, 3, 10, 12, tzinfo=datetime.UTC)
TODAY = NOW.replace(hour=0)
DAY = datetime.timedelta(days=1)


def date(days_ago: int) -> datetime.date:
    return (TODAY - days_ago * DAY).date()


def levels(*assigned: int, now: datetime.datetime = NOW) -> tuple[forecast.Level, ...]:
    """The last of these is now, the others were at the ends of the days before."""
    ends = [TODAY - at * DAY for at in range(len(assigned) - 2, -1, -1)]
    return tuple(
        forecast.Level(time=time, assigned=level)
        for time, level in zip([*ends, now], assigned, strict=True)
    )


def test_the_past_is_worked_out_backwards_from_the_present() -> None:
    changes = {date(0): 5, date(1): -2, date(3): 10}
    told = forecast.levels(50, changes, since=TODAY - 4 * DAY, now=NOW)
    assert told == levels(37, 47, 47, 45, 50)
    assert [each.time for each in told][:2] == [TODAY - 3 * DAY, TODAY - 2 * DAY]


def test_a_pool_of_today_has_one_level() -> None:
    assert forecast.levels(7, {date(0): 7}, since=TODAY, now=NOW) == levels(7)


@pytest.mark.parametrize(
    ("days", "known", "expected"),
    [
        (14, [], TODAY - 13 * DAY),
        (1, [], TODAY),
        (14, [NOW - 3 * DAY], TODAY - 3 * DAY),
        (14, [NOW - 30 * DAY, NOW - 5 * DAY], TODAY - 5 * DAY),
    ],
)
def test_no_day_is_told_of_before_all_is_known(
    days: int, known: list[datetime.datetime], expected: datetime.datetime
) -> None:
    assert forecast.first_day(NOW, days, known=known) == expected


def test_a_day_is_one_of_utc() -> None:
    east = datetime.timezone(datetime.timedelta(hours=14))
    assert forecast.first_day(NOW.astimezone(east), 1, known=[]) == TODAY


@pytest.mark.parametrize("growth", [0.0, 1.0, -3.0, 2.5])
def test_a_line_is_found_exactly(growth: float) -> None:
    past = levels(*(int(100 + growth * 2 * at) for at in range(8)), now=TODAY + DAY)
    assert math.isclose(forecast.slope(past), growth * 2, abs_tol=1e-9)


def test_the_line_is_the_one_that_fits_best() -> None:
    past = levels(0, 10, 5, 15, now=TODAY + DAY)
    slope = forecast.slope(past)

    def miss(rise: float) -> float:
        points = [(each.time - past[0].time) / DAY for each in past]
        middle = sum(points) / len(points)
        mean = sum(each.assigned for each in past) / len(past)
        return sum(
            (each.assigned - mean - rise * (at - middle)) ** 2
            for at, each in zip(points, past, strict=True)
        )

    assert all(miss(slope) < miss(slope + off) for off in (-1, -0.01, 0.01, 1))


def test_less_than_two_levels_have_no_slope() -> None:
    assert forecast.slope(()) == 0
    assert forecast.slope(levels(9)) == 0
    assert forecast.slope(levels(3, 9, now=TODAY)) == 0


@pytest.mark.parametrize(
    ("available", "growth", "expected"),
    [
        (100, 10.0, 10.0),
        (0, 10.0, 0.0),
        (0, 0.0, 0.0),
        (0, -1.0, 0.0),
        (100, 0.0, None),
        (100, -2.0, None),
        (36_500, 1.0, 36_500.0),
        (36_501, 1.0, None),
        (2**127, 1e-300, None),
        (1, 5e-324, None),
    ],
)
def test_nothing_is_left_in_so_many_days(
    available: int, growth: float, expected: float | None
) -> None:
    assert forecast.exhaustion(available, growth) == expected


def test_a_forecast_says_what_there_is_and_what_comes_of_it() -> None:
    counts = usage.Counts(capacity=256, assigned=30, cooling=2, sticky=0, reserved=4, available=220)
    changes = {date(day): 2 for day in range(5)}
    told = forecast.forecast(counts, changes, since=TODAY - 4 * DAY, now=NOW)
    assert (told.counts, told.levels) == (counts, levels(22, 24, 26, 28, 30))
    assert told.growth == pytest.approx(2.15, abs=0.05)
    assert told.days_left == pytest.approx(220 / told.growth)
