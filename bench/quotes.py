"""Whether README.md and docs/performance.md say what the page says: `python -m bench.quotes`.

What they quote is written by hand, in the page's words, rounded as their author likes.
"""

import dataclasses
import decimal
import itertools
import pathlib
import sys
from collections.abc import Mapping, Sequence
from typing import Final

ROOT: Final = pathlib.Path(__file__).parents[1]

_PAGE: Final = ROOT / "bench" / "results" / "latest.md"
_GOALS: Final = "## What is asked, and what was seen"
_SUMMARY: Final = ROOT / "README.md"
_SUMMARY_TITLE: Final = "## What it costs"
_ACCOUNT: Final = ROOT / "docs" / "performance.md"
_ACCOUNT_TITLE: Final = "### What is missed, and what bounds it"
_NO_GOAL: Final = "no row of the page"
_NOT_MISSED: Final = "no row of the page that is missed"


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """A goal, what is asked of it, and what was seen: bold where it is missed."""

    what: str
    asked: str
    seen: str

    @property
    def is_missed(self) -> bool:
        """By the median of all rounds."""
        return self.seen.startswith("**")

    @property
    def figure(self) -> str:
        """What was seen, whether it is missed or not."""
        return self.seen.strip("*")

    def __str__(self) -> str:
        return f"| {self.what} | {self.asked} | {self.seen} |"


def main() -> int:
    """Tells every difference; the exit status is 1 where there is one."""
    wrong = differences(_PAGE.read_text(), _SUMMARY.read_text(), _ACCOUNT.read_text())
    for each in wrong:
        print(each)
    return 1 if wrong else 0


def differences(page: str, summary: str, account: str) -> list[str]:
    """Rows that are to be corrected: of README's table of goals, and of those that are missed."""
    goals = {row.what: row for row in rows(page, _GOALS)}
    quoted, explained = rows(summary, _SUMMARY_TITLE), rows(account, _ACCOUNT_TITLE)
    missed = {what: _plain(row) for what, row in goals.items() if row.is_missed}
    wrong = [f"{_SUMMARY.name}: {each}" for each in _untrue(quoted, goals, _NO_GOAL)]
    wrong += [f"{_ACCOUNT.name}: {each}" for each in _untrue(explained, missed, _NOT_MISSED)]
    told = {row.what for row in explained}
    absent = [row for what, row in missed.items() if what not in told]
    return wrong + [f"{_ACCOUNT.name}: is missed, and not there: {row}" for row in absent]


def rows(text: str, title: str) -> Sequence[Row]:
    """Those of the first table behind a title; raises ValueError where there is none."""
    lines = text[text.index(f"{title}\n") :].splitlines()
    behind = itertools.dropwhile(lambda line: not line.startswith("|"), lines)
    _, _, *table = itertools.takewhile(lambda line: line.startswith("|"), behind)
    return [Row(*_cells(line)[:3]) for line in table]


def _untrue(quoted: Sequence[Row], goals: Mapping[str, Row], otherwise: str) -> Sequence[str]:
    return [
        f"{row}\n    is now {goals.get(row.what, otherwise)}"
        for row in quoted
        if row.what not in goals or not _agree(row, goals[row.what])
    ]


def _agree(quoted: Row, goal: Row) -> bool:
    same = (quoted.asked, quoted.is_missed) == (goal.asked, goal.is_missed)
    return same and quoted.figure == _rounded(goal.figure, quoted.figure)


def _rounded(figure: str, like: str) -> str:
    """A figure with as many digits behind the point as another has."""
    try:
        places = decimal.Decimal(like)
        return str(decimal.Decimal(figure).quantize(places, decimal.ROUND_HALF_UP))
    except decimal.InvalidOperation:  # it was skipped, and says why
        return figure


def _plain(row: Row) -> Row:
    """As it stands where all are missed."""
    return dataclasses.replace(row, seen=row.figure)


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("| ").split(" | ")]


if __name__ == "__main__":
    sys.exit(main())
