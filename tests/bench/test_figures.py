"""What is made of one phase."""

import os

import pytest

from bench import figures
from bench.figures import Figure
from bench.usage import Usage
from bench.work import Sample

SAMPLE = Sample(latencies=(0.1, 0.1, 0.1, 0.1), answered=4, lasted=2.0, cpu=0.4)
USED = Usage(server=1.0, postgres=0.6, busy=3.0, capacity=4.0)


def made(sample: Sample = SAMPLE) -> Figure:
    return figures.figure(sample, USED, wal=4096)


def test_cpu_and_log_are_of_one_call() -> None:
    told = made()
    assert (told.server_cpu, told.postgres_cpu, told.load_cpu) == (0.25, 0.15, 0.1)
    assert told.wal == 1024


def test_cores_are_what_server_postgres_and_load_use_together_while_calls_are_answered() -> None:
    told = made()
    assert told.rate == 2
    assert told.cores == pytest.approx(1.0)
    assert told.busy == 0.75


def test_the_rate_has_room_to_grow_for_as_much_as_is_idle_beside_what_it_uses() -> None:
    idle = 0.25 * (os.cpu_count() or 1)
    assert made().room == pytest.approx((1.0 + idle) / 1.0)


def test_rows_cost_what_each_side_used_for_all_of_them() -> None:
    told = figures.cost(1000, USED, rate=500, load_cpu=0.4)
    assert (told.server_cpu, told.postgres_cpu, told.load_cpu) == (0.001, 0.0006, 0.0004)
    assert figures.sides([told], digits=1) == ["1000.0", "600.0", "400.0"]
    assert figures.cores([told])[:2] == ["1.00", "75"]
    assert told.most == pytest.approx((os.cpu_count() or 1) / 0.002)


def test_the_phases_of_a_row_in_one_round_are_one_figure_of_it() -> None:
    slow = made(Sample(latencies=(0.3,), answered=1, lasted=1.0))
    fast = made(Sample(latencies=(0.1,), answered=3, lasted=1.0))
    disturbed = made(Sample(latencies=(9.0,), answered=1, lasted=10.0))
    told = figures.medians([("a", slow), ("b", fast), ("a", disturbed), ("a", fast)])
    assert {row: each.rate for row, each in told.items()} == {"a": 1, "b": 3}
    assert told["a"].p50 == 0.3
    assert told["b"] == fast
    assert figures.mean([slow, fast]).rate == 2


def test_a_phase_without_answers_has_no_figure() -> None:
    with pytest.raises(figures.NoAnswersError):
        made(Sample())


def test_a_quotient_is_the_median_of_those_within_a_round() -> None:
    fast = made(Sample(latencies=(0.1,), answered=9, lasted=1.0))
    slow = made(Sample(latencies=(0.1,), answered=3, lasted=1.0))
    assert figures.quotients(figures.RATE, [fast, slow, fast], [slow, slow, slow]) == [3, 1, 3]
    assert figures.quotient(figures.RATE, [fast, slow, fast], [slow, slow, slow]) == 3
