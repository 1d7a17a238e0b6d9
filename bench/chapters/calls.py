"""The calls themselves, beside what bounds them."""

import collections
from typing import Final

from bench import figures, plan
from bench.figures import Figure
from bench.lab import DRAIN_TIME, Lab
from bench.work import Call

WARM_UP: Final = 0.3  # seconds at most of every scenario, before the first round

_TEXT: Final = """\
The empty call is grpc.health.v1 Health/Check on the same server, which does not pass through its
error and logging boundary; the insert commit is one row into a table of the same database, one
round trip, as many connections as callers.

"""


class Calls:
    """Every scenario with every number of callers."""

    title = "What one call costs"

    def __init__(self, lab: Lab, wanted: plan.Plan) -> None:
        self._lab = lab
        self._plan = wanted
        self._figures: dict[tuple[plan.Scenario, int], list[Figure]] = collections.defaultdict(list)

    def prepare(self) -> None:
        """Pools, a full one among them, and a round that does not count."""
        self._lab.create(plan.POOLS)
        full = self._lab.take(plan.FULL_POOL, plan.FULL_POOL_SIZE, callers=plan.FULL_POOL_SIZE)
        self._lab.compare(plan.POOLS[plan.FULL_POOL].cidr, full.assigned)
        self._all(min(WARM_UP, self._plan.seconds))
        self._figures.clear()

    def round(self) -> None:
        """All of them."""
        self._all(self._plan.seconds)

    def section(self) -> str:
        """Ratios to both bounds, then absolute figures."""
        heads = ["callers", "call", "of empty call", "of insert commit", "calls/s"]
        rows = [
            self._row(scenario, callers)
            for callers in self._plan.callers
            for scenario in plan.SCENARIOS
        ]
        return _TEXT + figures.table([*heads, *figures.TIMES, *figures.SIDES], rows)

    def _all(self, seconds: float) -> None:
        for callers in self._plan.callers:
            for scenario in plan.SCENARIOS:
                self._one(scenario, callers, seconds)

    def _one(self, scenario: plan.Scenario, callers: int, seconds: float) -> None:
        drains = scenario.call is Call.RELEASE
        phase = scenario.phase(callers=callers, seconds=DRAIN_TIME if drains else seconds)
        figure, sample = self._lab.measured(phase)
        if scenario.call is Call.ASSIGN:
            self._lab.compare(plan.POOLS[scenario.pool].cidr, sample.assigned)
        self._figures[scenario, callers].append(figure)

    def _row(self, scenario: plan.Scenario, callers: int) -> list[str]:
        own = self._figures[scenario, callers]
        bounds = (self._figures[each, callers] for each in (plan.EMPTY, plan.COMMIT))
        ratios = [figures.ratio(figures.RATE, own, bound) for bound in bounds]
        absolute = [figures.rate(own), *figures.times(own), *figures.sides(own)]
        return [str(callers), scenario.title, *ratios, *absolute]
