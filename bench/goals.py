"""What a run is held against: what is asked of it, as ratios within the run, and what was seen."""

import dataclasses
from collections.abc import Sequence

from bench import figures


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """One ratio, and how large it may be `at_most`, or is to be `at_least`.

    Where nothing was seen of it, `skipped` says why.
    """

    what: str
    seen: float | None = None
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
        """What was seen, bold where it is missed."""
        if self.seen is None:
            return f"skipped: {self.skipped}"
        return f"{self.seen:.2f}" if self._allows(self.seen) else f"**{self.seen:.2f}**"

    def _allows(self, seen: float) -> bool:
        too_much = self.at_most is not None and seen > self.at_most
        too_little = self.at_least is not None and seen < self.at_least
        return not too_much and not too_little


def table(goals: Sequence[Goal]) -> str:
    """A row for each."""
    rows = [[each.what, each.asked, each.shown] for each in goals]
    return figures.table(["goal", "asked", "seen"], rows)
