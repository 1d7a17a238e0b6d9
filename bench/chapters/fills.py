"""Whether an assign costs more where less is free, or where there is more."""

import collections
import statistics
from collections.abc import Sequence

from bench import figures, plan, turns
from bench.charts import Chart
from bench.figures import Figure
from bench.goals import Goal
from bench.lab import Lab
from bench.stock import Stock
from bench.work import Ask, Call, Phase


class Fills:
    """Pools of several sizes, each filled to several shares."""

    title = "What a fill costs"

    def __init__(self, lab: Lab, wanted: plan.Plan) -> None:
        self._lab = lab
        self._plan = wanted
        self._sizes = [
            plan.fillings(prefix, wanted.fill_percents) for prefix in wanted.fill_prefixes
        ]
        self._figures: dict[plan.Filling, list[Figure]] = collections.defaultdict(list)

    def prepare(self) -> None:
        """The pools, what is held of them, and a round that does not count."""
        fillings = [each for size in self._sizes for each in size]
        self._lab.create({each.pool: plan.flat(each.cidr) for each in fillings})
        self._lab.stock(
            [
                Stock(pool=each.pool, addresses=each.strewn, held=each.held)
                for each in fillings
                if each.held
            ]
        )
        self._all(self._plan.warm_up, 1)
        self._figures.clear()

    def round(self) -> None:
        """Every pool."""
        self._all(self._plan.seconds, self._plan.turns)

    def section(self) -> str:
        """Ratios to the empty pool of the same size first."""
        heads = ["pool", "held", "callers", "of p50 when empty", "of p95 when empty"]
        rows = [self._row(filling, size[0]) for size in self._sizes for filling in size]
        text = "Callers assign and release in turn; where all is held they are refused:\n\n"
        return text + figures.table([*heads, *figures.TIMES], rows)

    def chart(self) -> Chart:
        """Latencies of those sizes that are filled step by step."""
        titles = [f"{percent} %" for percent in self._plan.fill_percents]
        sizes = [size for size in self._sizes if [each.title for each in size] == titles]
        return Chart(
            name="fills",
            across="of the pool is held",
            upward="p50 ms",
            steps=titles,
            curves={
                f"/{size[0].prefix}, {size[0].callers} callers": [
                    1e3 * figures.median(figures.P50, self._figures[each]) for each in size
                ]
                for size in sizes
            },
        )

    def goals(self) -> Sequence[Goal]:
        """Of the fullest pools that still have something, the one with the largest ratio."""
        fullest = {size[0]: size[-2] for size in self._sizes if size[-1].is_full}
        [held] = {each.title for each in fullest.values()}
        return tuple(
            Goal(
                what=f"{name} of an assign in a pool of which {held} is held, to an empty one",
                seen=max(
                    (
                        figures.quotients(field, self._figures[full], self._figures[empty])
                        for empty, full in fullest.items()
                    ),
                    key=statistics.median,
                ),
                at_most=1.3,
            )
            for name, field in (("p50", figures.P50), ("p95", figures.P95))
        )

    def _all(self, seconds: float, times: int) -> None:
        for empty, *others in turns.shuffled(self._sizes):
            phases = (
                (filling, self._one(filling, seconds))
                for filling in turns.beside(empty, others, times)
            )
            for filling, figure in figures.medians(phases).items():
                self._figures[filling].append(figure)

    def _one(self, filling: plan.Filling, seconds: float) -> Figure:
        phase = Phase(
            call=Call.REFUSAL if filling.is_full else Call.PAIR,
            callers=filling.callers,
            seconds=seconds,
            asks=(Ask(ipv4=filling.pool),),
        )
        return self._lab.measured(phase)[0]

    def _row(self, filling: plan.Filling, empty: plan.Filling) -> list[str]:
        own, base = self._figures[filling], self._figures[empty]
        ratios = [figures.ratio(field, own, base) for field in (figures.P50, figures.P95)]
        names = [f"/{filling.prefix}", filling.title, str(filling.callers)]
        return [*names, *ratios, *figures.times(own)]
