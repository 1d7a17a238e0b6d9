"""What is made of samples: figures, the ratios between them, and tables of both."""

import collections
import dataclasses
import operator
import os
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, TypeVar

from bench.usage import Usage
from bench.work import Sample


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """How many came in a second, of calls or rows, and seconds of CPU for each, in one round.

    `busy` is the share of the machine's cores that were, with whatever.
    """

    rate: float
    server_cpu: float
    postgres_cpu: float
    load_cpu: float
    busy: float

    @property
    def cores(self) -> float:
        """How many cores server, PostgreSQL and load use together while answers come."""
        return (self.server_cpu + self.postgres_cpu + self.load_cpu) * self.rate

    @property
    def room(self) -> float:
        """By what the rate could grow, were the idle cores used as well, at the same cost."""
        return 1 + (1 - self.busy) * (os.cpu_count() or 1) / self.cores

    @property
    def most(self) -> float:
        """How many could come in a second at the same cost, were every core theirs alone."""
        return (os.cpu_count() or 1) / (self.server_cpu + self.postgres_cpu + self.load_cpu)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Figure(Cost):
    """One row of a table in one round. Times in seconds; CPU and bytes of WAL for each call."""

    p50: float
    p95: float
    p99: float
    wal: float


Figures = Sequence[Figure]
Costs = Sequence[Cost]
Field = Callable[[Figure], float]
_Field = Callable[[Cost], float]
_Seen = TypeVar("_Seen", bound=Cost)
_Row = TypeVar("_Row")
RATE: Final[_Field] = operator.attrgetter("rate")
P50: Final[Field] = operator.attrgetter("p50")
P95: Final[Field] = operator.attrgetter("p95")
P99: Final[Field] = operator.attrgetter("p99")
SERVER_CPU: Final[_Field] = operator.attrgetter("server_cpu")
WAL: Final[Field] = operator.attrgetter("wal")
MOST: Final[_Field] = operator.attrgetter("most")
_CORES: Final[tuple[_Field, ...]] = tuple(map(operator.attrgetter, ("cores", "busy", "room")))
_SIDES: Final[tuple[_Field, ...]] = (
    SERVER_CPU,
    operator.attrgetter("postgres_cpu"),
    operator.attrgetter("load_cpu"),
)

TIMES: Final = ("p50 ms", "p95 ms", "p99 ms")
SIDES: Final = ("server CPU µs", "PostgreSQL CPU µs", "load CPU µs")
CORES: Final = ("cores used", "machine busy %", "rate could grow by")


class NoAnswersError(Exception):
    """In a whole phase no call was answered: there is nothing to make a figure of."""


def figure(sample: Sample, used: Usage, *, wal: float) -> Figure:
    """The figure of one phase in which so much WAL was written; raises NoAnswersError."""
    count = len(sample.latencies)
    if count == 0:
        raise NoAnswersError(f"a phase saw no answers: {sample.failures[:1]}; give it more time")
    costs = cost(count, used, rate=sample.rate, load_cpu=sample.cpu)
    # Twice, because percentiles are of two values at least and a short phase may see one.
    percentiles = statistics.quantiles(sample.latencies * 2, n=100, method="inclusive")
    return Figure(
        **dataclasses.asdict(costs),
        p50=percentiles[49],
        p95=percentiles[94],
        p99=percentiles[98],
        wal=wal / count,
    )


def cost(count: int, used: Usage, *, rate: float, load_cpu: float) -> Cost:
    """What each of so many cost, where the load used so many seconds of CPU for all of them."""
    return Cost(
        rate=rate,
        server_cpu=used.server / count,
        postgres_cpu=used.postgres / count,
        load_cpu=load_cpu / count,
        busy=used.busy / used.capacity if used.capacity else 0.0,
    )


def medians(phases: Iterable[tuple[_Row, Figure]]) -> Mapping[_Row, Figure]:
    """Of each row, all its phases in one round as one: a neighbour may have had one of them."""
    found: dict[_Row, list[Figure]] = collections.defaultdict(list)
    for row, seen in phases:
        found[row].append(seen)
    return {row: _made_one(statistics.median, seen) for row, seen in found.items()}


def mean(figures: Figures) -> Figure:
    """Of several phases in one round."""
    return _made_one(statistics.mean, figures)


def _made_one(make: Callable[[Sequence[float]], float], figures: Figures) -> Figure:
    values = zip(*map(dataclasses.astuple, figures), strict=True)
    fields = dataclasses.fields(Figure)
    return Figure(**{each.name: make(seen) for each, seen in zip(fields, values, strict=True)})


def ratio(field: Callable[[_Seen], float], figures: Sequence[_Seen], to: Sequence[_Seen]) -> str:
    """What `quotient` returns, as it is shown."""
    return f"{quotient(field, figures, to):.2f}"


def quotient(
    field: Callable[[_Seen], float], figures: Sequence[_Seen], to: Sequence[_Seen]
) -> float:
    """The median of all rounds' ratios."""
    return statistics.median(quotients(field, figures, to))


def quotients(
    field: Callable[[_Seen], float], figures: Sequence[_Seen], to: Sequence[_Seen]
) -> list[float]:
    """The ratio within each round."""
    return [field(one) / field(other) for one, other in zip(figures, to, strict=True)]


def rate(figures: Costs) -> str:
    """Calls, or rows, in a second."""
    return f"{median(RATE, figures):.0f}"


def times(figures: Figures) -> list[str]:
    """What belongs under TIMES."""
    return [f"{median(field, figures) * 1e3:.2f}" for field in (P50, P95, P99)]


def sides(figures: Costs, *, digits: int = 0) -> list[str]:
    """What belongs under SIDES."""
    return [f"{median(field, figures) * 1e6:.{digits}f}" for field in _SIDES]


def cores(figures: Costs) -> list[str]:
    """What belongs under CORES."""
    used, busy, room = (median(field, figures) for field in _CORES)
    return [f"{used:.2f}", f"{busy * 100:.0f}", f"{room:.2f}"]


def wal(figures: Figures) -> str:
    """Bytes for each call."""
    return f"{median(WAL, figures):.0f}"


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def median(field: Callable[[_Seen], float], figures: Sequence[_Seen]) -> float:
    """What is shown of all rounds."""
    return statistics.median(map(field, figures))
