"""As many pods as there are addresses: they start, all are replaced, all start at once."""

import collections

from bench import figures, plan
from bench.figures import Figure
from bench.lab import DRAIN_TIME, Lab
from bench.work import Ask, Call, Phase

_POOL = "exact"


class Rollouts:
    """One rollout after the other on the same addresses."""

    title = "As many pods as addresses"

    def __init__(self, lab: Lab, wanted: plan.Plan) -> None:
        self._lab = lab
        self._rollout = wanted.rollout
        self._figures: dict[str, list[Figure]] = collections.defaultdict(list)

    def prepare(self) -> None:
        """The pool, and a rollout that does not count: it is the first to open the blocks."""
        self._lab.create({_POOL: self._rollout.pool})
        self.round()
        self._figures.clear()

    def round(self) -> None:
        """All start, all are replaced, all go, all start at once."""
        callers, pods = self._rollout.callers, self._rollout.pods
        self._step(f"all start, {callers} callers", Call.ASSIGN, callers)
        self._step(f"all are replaced, {callers} callers", Call.REPLACE, callers)
        self._lab.ran(self._phase(Call.RELEASE, callers, calls=None))
        self._step(f"all start at once, {pods} callers", Call.ASSIGN, pods)
        self._lab.ran(self._phase(Call.RELEASE, callers, calls=None))

    def section(self) -> str:
        """Rates beside that of the start."""
        heads = ["step", "of the rate of the first", "addresses/s", *figures.TIMES]
        base = next(iter(self._figures.values()))
        rows = [
            [title, figures.ratio(figures.RATE, own, base), figures.rate(own), *figures.times(own)]
            for title, own in self._figures.items()
        ]
        pods = f"{self._rollout.pods} pods on exactly {self._rollout.pods} addresses"
        text = f"{pods}. To be replaced is a release and then an assign, timed as one:\n\n"
        return text + figures.table(heads, rows)

    def _step(self, title: str, call: Call, callers: int) -> None:
        figure, sample = self._lab.measured(self._phase(call, callers, calls=self._rollout.pods))
        self._lab.compare(self._rollout.cidr, sample.assigned)
        self._figures[title].append(figure)

    def _phase(self, call: Call, callers: int, *, calls: int | None) -> Phase:
        asks = (Ask(ipv4=_POOL),)
        return Phase(call=call, callers=callers, seconds=DRAIN_TIME, calls=calls, asks=asks)
