"""What those who watch take from those who assign."""

import collections
import dataclasses
from collections.abc import Sequence
from typing import Final

from bench import figures, plan, turns
from bench.figures import Field, Figure, Figures
from bench.goals import Goal
from bench.lab import Lab
from bench.work import Ask, Phase

_OF: Final = {False: "a quiet node each", True: "everything"}
_TEXT: Final = """\
{callers} callers, first without watches, then beside so many of them from a process of their own on
the same cores, twice, and once more without; each time the server has come to rest before, and who
watches has been told what is held. A row is the mean of its two phases, and stands below the one
without watches that was measured by turns with it. The CPU of one call has all watching in it, and
that of an assign a release as well:

"""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Watched:
    """The same load without anybody watching, and with, in one round."""

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
            self._one(plan.Watching(audience=plan.IDLE.audience, call=call))

    def round(self) -> None:
        """Every audience."""
        for watching in turns.shuffled(self._plan.watching):
            self._watched[watching].append(self._compared(watching))

    def section(self) -> str:
        """Ratios to the same load without watches first."""
        heads = ["watches", "of", "load", "of the rate without", "of its server CPU", "calls/s"]
        rows = [row for each in self._plan.watching for row in self._rows(each)]
        text = _TEXT.format(callers=max(self._plan.callers))
        return text + figures.table([*heads, *figures.TIMES, *figures.SIDES], rows)

    def goals(self) -> Sequence[Goal]:
        """Watches that have nothing to tell."""
        rounds = self._watched.get(plan.IDLE)
        return (
            Goal(
                what=f"rate of an assign beside {plan.IDLE.audience.watches} idle watches, to none",
                seen=_to_without(figures.RATE, rounds) if rounds else (),
                skipped=f"the {self._plan.name} plan has none",
                at_least=0.95,
            ),
        )

    def _compared(self, watching: plan.Watching) -> _Watched:
        """What gets faster or slower meanwhile favours neither."""
        first = self._one(watching)
        with self._lab.watched(watching.audience):
            beside = [self._one(watching), self._one(watching)]
        without = [first, self._one(watching)]
        return _Watched(without=figures.mean(without), beside=figures.mean(beside))

    def _one(self, watching: plan.Watching) -> Figure:
        phase = Phase(
            call=watching.call,
            callers=max(self._plan.callers),
            seconds=watching.length * self._plan.seconds,
            asks=(Ask(ipv4="flat"),),
        )
        self._lab.rest()
        return self._lab.measured(phase)[0]

    def _rows(self, watching: plan.Watching) -> list[list[str]]:
        audience = watching.audience
        names = [_OF[audience.of_everything], watching.call.value]
        without, beside = _apart(self._watched[watching])
        rows = (0, without), (audience.watches, beside)
        return [[str(watches), *names, *_cells(own, without)] for watches, own in rows]


def _cells(own: Figures, without: Figures) -> list[str]:
    ratios = [figures.ratio(field, own, without) for field in (figures.RATE, figures.SERVER_CPU)]
    return [*ratios, figures.rate(own), *figures.times(own), *figures.sides(own)]


def _apart(rounds: Sequence[_Watched]) -> tuple[Figures, Figures]:
    """All without, and all beside."""
    return [each.without for each in rounds], [each.beside for each in rounds]


def _to_without(field: Field, rounds: Sequence[_Watched]) -> Sequence[float]:
    without, beside = _apart(rounds)
    return figures.quotients(field, beside, without)
