"""What a run is held against: what is asked of it, as ratios within the run, and what was seen."""

import dataclasses
from collections.abc import Sequence

from bench import figures


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """One ratio, and how large it may be `at_most`, or is to be `at_least`."""

    what: str
    seen: float
    at_most: float | None = None
    at_least: float | None = None

    @property
    def is_met(self) -> bool:
        """Whether what was seen is within the bounds."""
        too_much = self.at_most is not None and self.seen > self.at_most
        too_little = self.at_least is not None and self.seen < self.at_least
        return not too_much and not too_little

    @property
    def asked(self) -> str:
        """The bounds."""
        bounds = (("≤", self.at_most), ("≥", self.at_least))
        return " ".join(f"{sign} {bound:g}" for sign, bound in bounds if bound is not None)


def table(goals: Sequence[Goal]) -> str:
    """A row for each; what is missed is bold."""
    rows = [
        [each.what, each.asked, f"{each.seen:.2f}" if each.is_met else f"**{each.seen:.2f}**"]
        for each in goals
    ]
    return figures.table(["goal", "asked", "seen"], rows)
