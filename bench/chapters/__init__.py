"""The chapters of a page: each measures rows of one kind, round by round, and tells of them."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from bench.charts import Chart
from bench.goals import Goal


class Chapter(Protocol):
    """One kind of row. `prepare` comes once, then `round` as often as there are rounds."""

    title: str

    def prepare(self) -> None:
        """Makes what is measured."""

    def round(self) -> None:
        """Measures every row once."""

    def section(self) -> str:
        """What there is to tell, in Markdown, without the title."""


@runtime_checkable
class WithChart(Protocol):
    """A chapter whose rows are steps on the way to more of something."""

    def chart(self) -> Chart:
        """What there is to see."""


@runtime_checkable
class WithGoals(Protocol):
    """A chapter of whose rows something is asked."""

    def goals(self) -> Sequence[Goal]:
        """What is asked, and what was seen."""
