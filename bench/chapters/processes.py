"""What a server gains by a second process, where there is a core for it."""

import collections
import dataclasses
import itertools
import os
from collections.abc import Mapping, Sequence
from typing import Final

from bench import figures, plan, turns
from bench.figures import Figure
from bench.goals import Goal
from bench.lab import DRAIN_TIME, Lab
from bench.work import Call

_ASKED: Final = {
    "an assign": plan.ASSIGN,
    f"an {plan.ASSIGN_NODE.title}": plan.ASSIGN_NODE,
    "a release": plan.RELEASE,
    f"a {plan.RELEASE_NODE.title}": plan.RELEASE_NODE,
}
_TEXT: Final = """\
{callers} callers, unless told otherwise, on a server of one process and on one of several, each on
a database of its own, by turns. Load, server and PostgreSQL share the same {cores} cores. Cores
used are what these three take while calls are answered; the machine is busy with whatever else
runs as well. Were the rest of it used, at the same cost of a call, the rate could grow by the
factor that is told: with one process, about what a second could bring. Were all {cores} cores
theirs alone, and always at work, the rate would be the last one. The empty call needs no
PostgreSQL, and shows the same of gRPC alone.

Which process serves a caller is drawn once, when it connects; with 16 nodes the callers of each
node are served by either, with 64 each node has one caller. What is assigned over one caller's
connection is released over any, so often by the other process. A pair is an assign, which is
measured, and a release; to be replaced is a release and an assign, timed as one.

"""


class Processes:
    """The same load on servers of different numbers of processes."""

    title = "What a second process brings"

    def __init__(self, labs: Mapping[int, Lab], wanted: plan.Plan) -> None:
        """One server for each number."""
        self._labs = labs
        self._callers = max(wanted.callers)
        self._plan = wanted
        self._figures: dict[tuple[plan.Scenario, int], list[Figure]] = collections.defaultdict(list)

    def prepare(self) -> None:
        """The pools, and a round that does not count."""
        pools = {each.pool: plan.POOLS[each.pool] for each in plan.OF_PROCESSES if each.pool}
        for lab in self._labs.values():
            lab.create(pools)
            lab.take(plan.FULL_POOL, plan.FULL_POOL_SIZE, callers=plan.FULL_POOL_SIZE)
        self._all(self._plan.warm_up, 1)
        self._figures.clear()

    def round(self) -> None:
        """Every call on one server after the other."""
        self._all(self._plan.seconds, self._plan.turns)

    def section(self) -> str:
        """Ratios to the first number, then absolute figures."""
        heads = ["call", "processes", "of the rate of one", "of its CPU", "calls/s"]
        rows = [self._row(*key) for key in itertools.product(plan.OF_PROCESSES, self._labs)]
        text = _TEXT.format(callers=self._callers, cores=os.cpu_count())
        heads += [*figures.TIMES, *figures.SIDES, *figures.CORES, "calls/s of all cores"]
        return text + figures.table(heads, rows)

    def goals(self) -> Sequence[Goal]:
        """Two processes."""
        one, two = list(self._labs)[:2]
        return tuple(
            Goal(
                what=f"rate of {what}, two processes, to one",
                seen=figures.quotients(
                    figures.RATE, self._figures[scenario, two], self._figures[scenario, one]
                ),
                at_least=1.5,
            )
            for what, scenario in _ASKED.items()
        )

    def _all(self, seconds: float, times: int) -> None:
        first, *others = self._labs
        for scenarios in turns.shuffled(plan.PROCESS_TURNS):
            phases = (
                ((scenario, processes), self._one(scenario, self._labs[processes], seconds))
                for processes in turns.beside(first, others, times)
                for scenario in scenarios
            )
            for key, figure in figures.medians(phases).items():
                self._figures[key].append(figure)

    def _one(self, scenario: plan.Scenario, lab: Lab, seconds: float) -> Figure:
        drains = scenario.calls or scenario.call is Call.RELEASE
        phase = scenario.phase(callers=self._callers, seconds=DRAIN_TIME if drains else seconds)
        if scenario.call is Call.REPLACE:
            lab.ran(dataclasses.replace(phase, call=Call.ASSIGN))
        figure, sample = lab.measured(phase)
        if scenario.call in (Call.ASSIGN, Call.REPLACE):
            lab.compare(plan.POOLS[scenario.pool].cidr, sample.assigned)
        if scenario.call is Call.REPLACE:
            release = dataclasses.replace(phase, call=Call.RELEASE, seconds=DRAIN_TIME, calls=None)
            lab.ran(release)
        return figure

    def _row(self, scenario: plan.Scenario, processes: int) -> list[str]:
        own = self._figures[scenario, processes]
        first = self._figures[scenario, next(iter(self._labs))]
        ratios = [figures.ratio(field, own, first) for field in (figures.RATE, figures.SERVER_CPU)]
        absolute = [figures.rate(own), *figures.times(own), *figures.sides(own)]
        most = f"{figures.median(figures.MOST, own):.0f}"
        return [scenario.title, str(processes), *ratios, *absolute, *figures.cores(own), most]
