"""Calls that are sent when they are due, whether or not those before were answered."""

import collections
from typing import Final

from bench import figures, plan, turns
from bench.figures import Figure
from bench.lab import Lab
from bench.work import Ask, Call, Phase

_CLOSED: Final = "closed loop"


class FixedRates:
    """A closed loop, and then shares of its rate in an open one."""

    title = "At a fixed rate"

    def __init__(self, lab: Lab, wanted: plan.Plan) -> None:
        self._lab = lab
        self._plan = wanted
        self._figures: dict[str, list[Figure]] = collections.defaultdict(list)

    def prepare(self) -> None:
        """A closed loop that does not count; the pools are there."""
        self._one(None)

    def round(self) -> None:
        """The closed loop is first, because it tells the rate of the others."""
        closed = self._one(None)
        self._figures[_CLOSED].append(closed)
        for percent in turns.shuffled(self._plan.rate_percents):
            self._figures[_title(percent)].append(self._one(closed.rate * percent / 100))

    def section(self) -> str:
        """Latencies beside those of the closed loop first."""
        heads = ["sent", "of p50 of the closed loop", "of p99", "assigns/s", *figures.TIMES]
        base = self._figures[_CLOSED]
        rows = [
            [
                title,
                *(figures.ratio(field, own, base) for field in (figures.P50, figures.P99)),
                figures.rate(own),
                *figures.times(own),
            ]
            for title in (_CLOSED, *map(_title, self._plan.rate_percents))
            if (own := self._figures[title])
        ]
        text = (
            f"Pairs of assign and release over {max(self._plan.callers)} connections. At a fixed"
            " rate the latency counts from when a call should have been sent:\n\n"
        )
        return text + figures.table(heads, rows)

    def _one(self, rate: float | None) -> Figure:
        # Twice as long as elsewhere: a queue takes its time to grow.
        phase = Phase(
            call=Call.PAIR,
            callers=max(self._plan.callers),
            seconds=2 * self._plan.seconds,
            asks=(Ask(ipv4="flat"),),
            rate=rate,
        )
        return self._lab.measured(phase)[0]


def _title(percent: int) -> str:
    return f"{percent} % of its rate"
