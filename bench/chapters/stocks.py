"""Whether an assign costs more where more is held."""

import collections
from collections.abc import Mapping, Sequence
from typing import Final

from bench import figures, plan, turns
from bench.charts import Chart
from bench.figures import Figure
from bench.goals import Goal
from bench.lab import Lab
from bench.stock import Stock
from bench.work import Ask, Call, Phase

CALLERS: Final = 16
POOL: Final = "stock"


class Stocks:
    """Servers that hold more and more, each with a database of its own."""

    title = "What held addresses cost"

    def __init__(self, labs: Mapping[int, Lab], wanted: plan.Plan) -> None:
        """The labs go by how many addresses are to be held."""
        self._labs = labs
        self._plan = wanted
        self._figures: dict[int, list[Figure]] = collections.defaultdict(list)

    def prepare(self) -> None:
        """Four of five addresses of the opened blocks are held."""
        for held, lab in self._labs.items():
            lab.create({POOL: plan.flat("10.0.0.0/8")})
            lab.stock([Stock(pool=POOL, addresses=held * 5 // 4, held=held)])
            self._one(lab)

    def round(self) -> None:
        """Every server."""
        for held, lab in turns.shuffled(self._labs.items()):
            self._figures[held].append(self._one(lab))

    def section(self) -> str:
        """Ratios to the smallest stock first."""
        smallest = min(self._labs)
        heads = ["held", f"of p50 at {smallest:,}", "of p95", "assigns/s", *figures.TIMES]
        base = self._figures[smallest]
        rows = [
            [
                f"{held:,}",
                *(figures.ratio(field, own, base) for field in (figures.P50, figures.P95)),
                figures.rate(own),
                *figures.times(own),
            ]
            for held in self._labs
            if (own := self._figures[held])
        ]
        text = f"{CALLERS} callers, each assigning and releasing in turn:\n\n"
        return text + figures.table(heads, rows)

    def chart(self) -> Chart:
        """Latencies."""
        fields = {"p50": figures.P50, "p95": figures.P95, "p99": figures.P99}
        return Chart(
            name="stocks",
            across="addresses held",
            upward="ms",
            steps=[f"{held:,}" for held in self._labs],
            curves={
                name: [1e3 * figures.median(field, self._figures[held]) for held in self._labs]
                for name, field in fields.items()
            },
        )

    def goals(self) -> Sequence[Goal]:
        """The largest stock."""
        most, least = max(self._labs), min(self._labs)
        ratios = figures.quotients(figures.P50, self._figures[most], self._figures[least])
        what = f"p50 of an assign where {most:,} are held, to where {least:,} are"
        return (Goal(what=what, seen=ratios, at_most=1.2),)

    def _one(self, lab: Lab) -> Figure:
        phase = Phase(
            call=Call.PAIR, callers=CALLERS, seconds=self._plan.seconds, asks=(Ask(ipv4=POOL),)
        )
        return lab.measured(phase)[0]
