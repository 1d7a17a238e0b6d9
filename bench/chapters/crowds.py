"""Whether many callers get in each other's way."""

import collections
import statistics
from collections.abc import Sequence

from bench import figures, plan, turns
from bench.charts import Chart
from bench.figures import Figure
from bench.goals import Goal
from bench.lab import Lab
from bench.work import Call, Phase


class Crowds:
    """Many callers on one pool, and on many."""

    title = "What a crowd costs"

    def __init__(self, lab: Lab, wanted: plan.Plan) -> None:
        self._lab = lab
        self._plan = wanted
        self._rows = [
            plan.Crowd(callers=callers, pools=pools)
            for pools in (1, plan.CROWD_POOLS)
            for callers in wanted.crowds
        ]
        self._figures: dict[plan.Crowd, list[Figure]] = collections.defaultdict(list)
        self._failed: collections.Counter[plan.Crowd] = collections.Counter()
        self._turned_away: dict[plan.Crowd, list[int]] = collections.defaultdict(list)

    def prepare(self) -> None:
        """Everybody connects, and every pool is used once."""
        crowd = plan.Crowd(callers=max(self._plan.crowds), pools=plan.CROWD_POOLS)
        for call in (Call.EMPTY, Call.PAIR):
            calls, asks = 2 * crowd.callers, crowd.asks
            self._lab.ran(
                Phase(call=call, callers=crowd.callers, seconds=60, calls=calls, asks=asks)
            )

    def round(self) -> None:
        """Every crowd."""
        for crowd in turns.shuffled(self._rows):
            # A round of all callers takes longer than a short phase.
            seconds = self._plan.seconds * max(1, crowd.callers / 256)
            phase = Phase(call=Call.PAIR, callers=crowd.callers, seconds=seconds, asks=crowd.asks)
            figure, sample = self._lab.measured(phase)
            self._figures[crowd].append(figure)
            self._failed[crowd] += len(sample.failures)
            self._turned_away[crowd].append(sample.turned_away)

    def chart(self) -> Chart:
        """Rates."""
        return Chart(
            name="crowds",
            across="callers",
            upward="assigns/s",
            steps=[f"{callers:,}" for callers in self._plan.crowds],
            curves={
                f"on {pools} pools" if pools > 1 else "on one pool": [
                    figures.median(figures.RATE, self._figures[crowd])
                    for crowd in self._rows
                    if crowd.pools == pools
                ]
                for pools in (1, plan.CROWD_POOLS)
            },
        )

    def goals(self) -> Sequence[Goal]:
        """The largest crowd in the smallest room."""
        most = max(self._plan.crowds)
        failed = self._failed[plan.Crowd(callers=most, pools=1)]
        what = f"failed calls of all rounds, {most} callers on one pool"
        return (Goal(what=what, seen=[failed], at_most=0),)

    def section(self) -> str:
        """Ratios to the smallest crowd first."""
        heads = ["callers", "pools", "of the rate of the first row", "assigns/s", *figures.TIMES]
        heads.append("told SERVER_BUSY in a round")
        base = self._figures[self._rows[0]]
        rows = [
            [
                str(crowd.callers),
                str(crowd.pools),
                figures.ratio(figures.RATE, own, base),
                figures.rate(own),
                *figures.times(own),
                f"{statistics.median(self._turned_away[crowd]):.0f}",
            ]
            for crowd in self._rows
            if (own := self._figures[crowd])
        ]
        text = "Each assigns and releases in turn; a call that fails is told of at the end:\n\n"
        return text + figures.table(heads, rows)
