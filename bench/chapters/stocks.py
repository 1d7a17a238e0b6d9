"""Whether an assign costs more where more is held."""

import collections
import statistics
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

_SPACE: Final = ("WAL bytes", "server MiB", "database MiB")
_TEXT: Final = """\
{callers} callers, each assigning and releasing in turn. WAL is of an assign with its release; the
server's memory is what is resident when they have called, and of a database all that PostgreSQL
keeps of it, with its history and indexes.

"""


class Stocks:
    """Servers that hold more and more, each with a database of its own."""

    title = "What held addresses cost"

    def __init__(self, labs: Mapping[int, Lab], wanted: plan.Plan) -> None:
        """The labs go by how many addresses are to be held."""
        self._labs = labs
        self._plan = wanted
        self._figures: dict[int, list[Figure]] = collections.defaultdict(list)
        self._resident: dict[int, list[int]] = collections.defaultdict(list)
        self._stored: dict[int, list[int]] = collections.defaultdict(list)

    def prepare(self) -> None:
        """Four of five addresses of the opened blocks are held."""
        for held, lab in self._labs.items():
            lab.create({POOL: plan.flat("10.0.0.0/8")})
            lab.stock([Stock(pool=POOL, addresses=held * 5 // 4, held=held)])
            self._one(lab)

    def round(self) -> None:
        """Every server."""
        least, *others = self._labs
        held_by_turns = turns.beside(least, others, self._plan.turns)
        phases = ((held, self._one(self._labs[held])) for held in held_by_turns)
        for held, figure in figures.medians(phases).items():
            self._figures[held].append(figure)
            self._resident[held].append(self._labs[held].resident())
            self._stored[held].append(self._labs[held].stored())

    def section(self) -> str:
        """Ratios to the smallest stock first."""
        smallest = min(self._labs)
        heads = ["held", f"of p50 at {smallest:,}", "of p95", "assigns/s", *figures.TIMES, *_SPACE]
        text = _TEXT.format(callers=CALLERS)
        return text + figures.table(heads, [self._row(held, smallest) for held in self._labs])

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
        return tuple(
            Goal(
                what=f"{name} of an assign where {most:,} are held, to where {least:,} are",
                seen=figures.quotients(field, self._figures[most], self._figures[least]),
                at_most=1.2,
            )
            for name, field in (("p50", figures.P50), ("p95", figures.P95))
        )

    def _row(self, held: int, smallest: int) -> list[str]:
        own, base = self._figures[held], self._figures[smallest]
        ratios = [figures.ratio(field, own, base) for field in (figures.P50, figures.P95)]
        sizes = [f"{statistics.median(each[held]):.0f}" for each in (self._resident, self._stored)]
        times = [figures.rate(own), *figures.times(own)]
        return [f"{held:,}", *ratios, *times, figures.wal(own), *sizes]

    def _one(self, lab: Lab) -> Figure:
        phase = Phase(
            call=Call.PAIR, callers=CALLERS, seconds=self._plan.seconds, asks=(Ask(ipv4=POOL),)
        )
        return lab.measured(phase)[0]
