"""What a run is held against: what is asked of it, as ratios within the run, and what was seen."""

import dataclasses
import statistics
from collections.abc import Sequence

from bench import figures


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """One ratio as each round saw it; their median may be so large `at_most`, or `at_least` is.

    Where nothing was seen of it, `skipped` says why.
    """

    what: str
    seen: Sequence[float] = ()
    skipped: str = ""
    at_most: float | None = None
    at_least: float | None = None

    @property
    def asked(self) -> str:
        """The bounds."""
        bounds = (("≤", self.at_most), ("≥", self.at_least))
        return " ".join(f"{sign} {bound:g}" for sign, bound in bounds if bound is not None)

    @property
    def shown(self) -> str:
        """The median, bold where it is missed."""
        if not self.seen:
            return f"skipped: {self.skipped}"
        median = statistics.median(self.seen)
        return f"{median:.2f}" if self._allows(median) else f"**{median:.2f}**"

    @property
    def spread(self) -> str:
        """From the least to the most of all rounds; empty where it was seen but once."""
        return f"{min(self.seen):.2f} to {max(self.seen):.2f}" if len(self.seen) > 1 else ""

    def _allows(self, seen: float) -> bool:
        too_much = self.at_most is not None and seen > self.at_most
        too_little = self.at_least is not None and seen < self.at_least
        return not too_much and not too_little


def table(goals: Sequence[Goal]) -> str:
    """A row for each."""
    rows = [[each.what, each.asked, each.shown, each.spread] for each in goals]
    return figures.table(["goal", "asked", "seen", "in the rounds"], rows)
