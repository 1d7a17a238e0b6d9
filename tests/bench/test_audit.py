"""What the benchmark program makes of addresses that callers had for a while."""

import pytest

from bench import audit
from bench.work import Holding

A, B = "10.0.0.1", "10.0.0.2"


@pytest.mark.parametrize(
    "holdings",
    [
        [],
        [Holding(A, 1, 2), Holding(B, 1, 2)],
        [Holding(A, 3, 4), Holding(A, 1, 2)],
        [Holding(A, 1, 2), Holding(A, 2, 3)],
    ],
)
def test_an_address_may_be_held_by_one_caller_after_the_other(holdings: list[Holding]) -> None:
    assert audit.overlaps(holdings) == []


@pytest.mark.parametrize(
    "holdings",
    [
        [Holding(A, 2, 4), Holding(A, 1, 3)],
        [Holding(A, 1, 9), Holding(A, 2, 3)],
        # Within the longest, though not within the one before.
        [Holding(A, 1, 9), Holding(A, 9.5, 10), Holding(A, 4, 5)],
    ],
)
def test_an_address_that_two_callers_had_at_once_is_told_of(holdings: list[Holding]) -> None:
    assert audit.overlaps(holdings) == [f"{A} was given to a caller while another held it"]


def test_each_that_begins_while_another_lasts_counts() -> None:
    holdings = [Holding(A, 1, 9), Holding(A, 2, 3), Holding(A, 4, 5)]
    assert len(audit.overlaps(holdings)) == 2
