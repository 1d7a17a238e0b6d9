"""The calls themselves, beside what bounds them."""

import collections
import itertools
from collections.abc import Sequence
from typing import Final

from bench import figures, plan, turns
from bench.figures import Figure
from bench.goals import Goal
from bench.lab import DRAIN_TIME, Lab
from bench.work import Call

_WAL: Final = "WAL bytes"
_TEXT: Final = """\
The empty call is grpc.health.v1 Health/Check on the same server, which does not pass through its
error and logging boundary; the insert commit is one row into a table of the same database, one
round trip, as many connections as callers. WAL bytes are what PostgreSQL writes of its log for one
call; of a page that is changed for the first time since a checkpoint that is the whole page.

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
        self._all(self._plan.warm_up, 1)
        self._figures.clear()

    def round(self) -> None:
        """All of them."""
        self._all(self._plan.seconds, self._plan.turns)

    def section(self) -> str:
        """Ratios to both bounds, then absolute figures."""
        heads = ["callers", "call", "of empty call", "of insert commit", "calls/s"]
        rows = [
            self._row(scenario, callers)
            for callers in self._plan.callers
            for scenario in plan.SCENARIOS
        ]
        return _TEXT + figures.table([*heads, *figures.TIMES, *figures.SIDES, _WAL], rows)

    def goals(self) -> Sequence[Goal]:
        """A crowd is held against what bounds it, and one caller against the round trips."""
        most, least = max(self._plan.callers), min(self._plan.callers)
        return (*self._to_empty(most), self._tail(most), *self._alone(least), *self._beside(most))

    def _to_empty(self, callers: int) -> Sequence[Goal]:
        empty = self._figures[plan.EMPTY, callers]
        goals = []
        for each in (plan.ASSIGN, plan.ASSIGN_NODE):
            assign = self._figures[each, callers]
            what = f"of an {each.title}, {callers} callers, to an empty call"
            rate = figures.quotients(figures.RATE, assign, empty)
            cpu = figures.quotients(figures.SERVER_CPU, assign, empty)
            goals.append(Goal(what=f"rate {what}", seen=rate, at_least=0.7))
            goals.append(Goal(what=f"server CPU {what}", seen=cpu, at_most=1.5))
        return goals

    def _tail(self, callers: int) -> Goal:
        ratios = [each.p99 / each.p50 for each in self._figures[plan.ASSIGN, callers]]
        what = f"p99 of an assign, {callers} callers, to its p50"
        return Goal(what=what, seen=ratios, at_most=4)

    def _alone(self, callers: int) -> Sequence[Goal]:
        trips = f"p50 of an assign, {_many(callers)}, to an empty call and two insert commits"
        return (
            Goal(what=trips, seen=self._to_round_trips(callers), at_most=1),
            self._release_to_assign(plan.RELEASE, plan.ASSIGN, callers),
        )

    def _beside(self, callers: int) -> Sequence[Goal]:
        refusal, assign = (self._figures[each, callers] for each in (plan.REFUSAL, plan.ASSIGN))
        return (
            self._release_to_assign(plan.RELEASE, plan.ASSIGN, callers),
            self._release_to_assign(plan.RELEASE_NODE, plan.ASSIGN_NODE, callers),
            Goal(
                what=f"p50 of a refusal by a full pool, {callers} callers, to an assign",
                seen=figures.quotients(figures.P50, refusal, assign),
                at_most=1.5,
            ),
        )

    def _release_to_assign(
        self, release: plan.Scenario, assign: plan.Scenario, callers: int
    ) -> Goal:
        sides = (self._figures[each, callers] for each in (release, assign))
        return Goal(
            what=f"rate of a {release.title}, {_many(callers)}, to the assign",
            seen=figures.quotients(figures.RATE, *sides),
            at_least=1,
        )

    def _to_round_trips(self, callers: int) -> Sequence[float]:
        assigns = self._figures[plan.ASSIGN, callers]
        bounds = (self._figures[plan.EMPTY, callers], self._figures[plan.COMMIT, callers])
        return [
            assign.p50 / (empty.p50 + 2 * commit.p50)
            for assign, empty, commit in zip(assigns, *bounds, strict=True)
        ]

    def _all(self, seconds: float, times: int) -> None:
        empty, *others = plan.CALL_TURNS
        for callers in turns.shuffled(self._plan.callers):
            phases = (
                (scenario, self._one(scenario, callers, seconds))
                for scenario in itertools.chain(*turns.beside(empty, others, times))
            )
            for scenario, figure in figures.medians(phases).items():
                self._figures[scenario, callers].append(figure)

    def _one(self, scenario: plan.Scenario, callers: int, seconds: float) -> Figure:
        drains = scenario.call is Call.RELEASE
        phase = scenario.phase(callers=callers, seconds=DRAIN_TIME if drains else seconds)
        figure, sample = self._lab.measured(phase)
        if scenario.call is Call.ASSIGN:
            self._lab.compare(plan.POOLS[scenario.pool].cidr, sample.assigned)
        return figure

    def _row(self, scenario: plan.Scenario, callers: int) -> list[str]:
        own = self._figures[scenario, callers]
        bounds = (self._figures[each, callers] for each in (plan.EMPTY, plan.COMMIT))
        ratios = [figures.ratio(figures.RATE, own, bound) for bound in bounds]
        absolute = [figures.rate(own), *figures.times(own), *figures.sides(own)]
        return [str(callers), scenario.title, *ratios, *absolute, figures.wal(own)]


def _many(callers: int) -> str:
    return "one caller" if callers == 1 else f"{callers} callers"
