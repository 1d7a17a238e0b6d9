"""What the page says of a goal: the median of all rounds, and how far they lie apart."""

import pytest

from bench import goals
from bench.goals import Goal


def row(goal: Goal) -> list[str]:
    """The goal's row, cell by cell."""
    line = goals.table([goal]).splitlines()[-1]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_a_goal_shows_its_median_and_how_far_the_rounds_lie_apart() -> None:
    shown = row(Goal(what="a rate", seen=[0.9, 0.7, 1.0], at_least=0.8))
    assert shown == ["a rate", "≥ 0.8", "0.90", "0.70 to 1.00"]


@pytest.mark.parametrize("seen", [[0.9, 0.7, 0.6], [0.7]])
def test_what_is_missed_by_the_median_is_bold(seen: list[float]) -> None:
    assert row(Goal(what="a rate", seen=seen, at_least=0.8))[2] == "**0.70**"


def test_what_was_seen_once_lies_nowhere_apart() -> None:
    assert row(Goal(what="failed calls", seen=[0], at_most=0)) == [
        "failed calls",
        "≤ 0",
        "0.00",
        "",
    ]


def test_a_goal_of_which_nothing_was_seen_says_why() -> None:
    shown = row(Goal(what="a rate", skipped="there is none", at_least=1))
    assert shown == ["a rate", "≥ 1", "skipped: there is none", ""]
