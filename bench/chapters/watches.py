"""What those who watch take from those who assign."""

import collections
import dataclasses
import random
import statistics
from collections.abc import Sequence

from bench import figures, plan, turns
from bench.figures import Figure
from bench.goals import Goal
from bench.lab import Lab
from bench.work import Ask, Call, Phase

_OF = {False: "a quiet node each", True: "everything"}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Watched:
    """The same load without anybody watching, and with."""

    without: Figure
    beside: Figure


class Watches:
    """Several audiences, and one load with look-ups in it."""

    title = "What watches cost"

    def __init__(self, lab: Lab, wanted: plan.Plan) -> None:
        self._lab = lab
        self._plan = wanted
        self._watched: dict[plan.Watching, list[_Watched]] = collections.defaultdict(list)

    def prepare(self) -> None:
        """Each load once, which does not count; the pools are there."""
        for call in {each.call for each in self._plan.watching}:
            self._one(call)

    def round(self) -> None:
        """Every audience."""
        for watching in turns.shuffled(self._plan.watching):
            self._watched[watching].append(self._compared(watching))

    def section(self) -> str:
        """The ratio to the same load without watches first."""
        heads = ["watches", "of", "load", "of the rate without", "calls/s"]
        rows = [self._row(watching, self._watched[watching]) for watching in self._plan.watching]
        text = (
            f"{max(self._plan.callers)} callers beside so many watches from a process of their own"
            " on the same cores. The CPU of one call has all watching in it, and that of an assign"
            " a release as well:\n\n"
        )
        return text + figures.table([*heads, *figures.TIMES, *figures.SIDES], rows)

    def goals(self) -> Sequence[Goal]:
        """Watches that have nothing to tell."""
        rounds = self._watched.get(plan.Watching(audience=plan.IDLE))
        return (
            Goal(
                what=f"rate of an assign beside {plan.IDLE.watches} idle watches, to none",
                seen=_to_without(rounds) if rounds else (),
                skipped=f"the {self._plan.name} plan has none",
                at_least=0.95,
            ),
        )

    def _compared(self, watching: plan.Watching) -> _Watched:
        """One beside the other, either of them first."""
        if random.random() < 0.5:
            beside, without = self._beside(watching), self._one(watching.call)
        else:
            without, beside = self._one(watching.call), self._beside(watching)
        return _Watched(without=without, beside=beside)

    def _beside(self, watching: plan.Watching) -> Figure:
        with self._lab.watched(watching.audience):
            return self._one(watching.call)

    def _one(self, call: Call) -> Figure:
        # Twice as long as elsewhere: watches take their turns less often than callers.
        seconds, asks = 2 * self._plan.seconds, (Ask(ipv4="flat"),)
        phase = Phase(call=call, callers=max(self._plan.callers), seconds=seconds, asks=asks)
        return self._lab.measured(phase)[0]

    def _row(self, watching: plan.Watching, rounds: list[_Watched]) -> list[str]:
        beside = [each.beside for each in rounds]
        audience, load = watching.audience, watching.call.value
        names = [str(audience.watches), _OF[audience.of_everything], load]
        absolute = [figures.rate(beside), *figures.times(beside), *figures.sides(beside)]
        return [*names, f"{statistics.median(_to_without(rounds)):.2f}", *absolute]


def _to_without(rounds: Sequence[_Watched]) -> Sequence[float]:
    beside, without = [each.beside for each in rounds], [each.without for each in rounds]
    return figures.quotients(figures.RATE, beside, without)
