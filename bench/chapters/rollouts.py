"""As many pods as there are addresses: they start, all are replaced, all start at once."""

import collections
from collections.abc import Sequence
from typing import Final

from bench import figures, plan
from bench.figures import Figure
from bench.lab import DRAIN_TIME, Lab
from bench.plan import Rollout
from bench.work import Call, Phase

_TEXT: Final = """\
{pods} pods on exactly {pods} addresses, or on as many of each family. To be replaced is a release
and then an assign, timed as one:

"""


class Rollouts:
    """One rollout after the other on the same addresses, of one family and of both."""

    title = "As many pods as addresses"

    def __init__(self, lab: Lab, wanted: plan.Plan) -> None:
        self._lab = lab
        self._rollouts = plan.rollouts(wanted.rollout_pods)
        self._figures: dict[tuple[str, str], list[Figure]] = collections.defaultdict(list)

    def prepare(self) -> None:
        """The pools, and a rollout that does not count: it is the first to open the blocks."""
        for rollout in self._rollouts:
            self._lab.create(rollout.pools)
        self.round()
        self._figures.clear()

    def round(self) -> None:
        """All start, all are replaced, all go, all start at once; their order is part of it."""
        for rollout in self._rollouts:
            self._roll(rollout)

    def section(self) -> str:
        """Rates beside that of the start."""
        heads = ["addresses", "step", "of the rate of the first", "pods/s", *figures.TIMES]
        rows = [self._row(title, step) for title, step in self._figures]
        pods = self._rollouts[0].pods
        return _TEXT.format(pods=pods) + figures.table(heads, rows)

    def _row(self, title: str, step: str) -> list[str]:
        own = self._figures[title, step]
        base = next(each for (of, _), each in self._figures.items() if of == title)
        ratio = figures.ratio(figures.RATE, own, base)
        return [title, step, ratio, figures.rate(own), *figures.times(own)]

    def _roll(self, rollout: Rollout) -> None:
        callers, pods = rollout.callers, rollout.pods
        self._step(rollout, f"all start, {callers} callers", Call.ASSIGN, callers)
        self._step(rollout, f"all are replaced, {callers} callers", Call.REPLACE, callers)
        self._lab.ran(_phase(rollout, Call.RELEASE, callers))
        self._step(rollout, f"all start at once, {pods} callers", Call.ASSIGN, pods)
        self._lab.ran(_phase(rollout, Call.RELEASE, callers))

    def _step(self, rollout: Rollout, step: str, call: Call, callers: int) -> None:
        figure, sample = self._lab.measured(_phase(rollout, call, callers))
        compare(self._lab, rollout, sample.assigned)
        self._figures[rollout.title, step].append(figure)


def compare(lab: Lab, rollout: Rollout, addresses: Sequence[str]) -> None:
    """Whether its pools hold exactly what its pods were told."""
    for pool in rollout.pools.values():
        is_6 = ":" in pool.cidr
        lab.compare(pool.cidr, [each for each in addresses if (":" in each) is is_6])


def _phase(rollout: Rollout, call: Call, callers: int) -> Phase:
    calls = None if call is Call.RELEASE else rollout.pods
    asks = (rollout.ask,)
    return Phase(call=call, callers=callers, seconds=DRAIN_TIME, calls=calls, asks=asks)
