"""What is made of samples: figures, the ratios between them, and tables of both."""

import dataclasses
import operator
import statistics
from collections.abc import Callable, Sequence
from typing import Final

from bench.usage import Usage
from bench.work import Sample


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One row of a table in one round. Times in seconds; CPU for each call."""

    rate: float
    p50: float
    p95: float
    p99: float
    server_cpu: float
    postgres_cpu: float
    load_cpu: float


Figures = Sequence[Figure]
Field = Callable[[Figure], float]
RATE: Final[Field] = operator.attrgetter("rate")
P50: Final[Field] = operator.attrgetter("p50")
P95: Final[Field] = operator.attrgetter("p95")
P99: Final[Field] = operator.attrgetter("p99")
SERVER_CPU: Final[Field] = operator.attrgetter("server_cpu")
_SIDES: Final[tuple[Field, ...]] = (
    SERVER_CPU,
    operator.attrgetter("postgres_cpu"),
    operator.attrgetter("load_cpu"),
)

TIMES: Final = ("p50 ms", "p95 ms", "p99 ms")
SIDES: Final = ("server CPU µs", "PostgreSQL CPU µs", "load CPU µs")


class NoAnswersError(Exception):
    """In a whole phase no call was answered: there is nothing to make a figure of."""


def figure(sample: Sample, used: Usage) -> Figure:
    """The figure of one phase; raises NoAnswersError."""
    count = len(sample.latencies)
    if count == 0:
        raise NoAnswersError(f"a phase saw no answers: {sample.failures[:1]}; give it more time")
    # Twice, because percentiles are of two values at least and a short phase may see one.
    percentiles = statistics.quantiles(sample.latencies * 2, n=100, method="inclusive")
    return Figure(
        rate=sample.rate,
        p50=percentiles[49],
        p95=percentiles[94],
        p99=percentiles[98],
        server_cpu=used.server / count,
        postgres_cpu=used.postgres / count,
        load_cpu=sample.cpu / count,
    )


def ratio(field: Field, figures: Figures, to: Figures) -> str:
    """What `quotient` returns, as it is shown."""
    return f"{quotient(field, figures, to):.2f}"


def quotient(field: Field, figures: Figures, to: Figures) -> float:
    """The median of all rounds' ratios."""
    return statistics.median(quotients(field, figures, to))


def quotients(field: Field, figures: Figures, to: Figures) -> list[float]:
    """The ratio within each round."""
    return [field(one) / field(other) for one, other in zip(figures, to, strict=True)]


def rate(figures: Figures) -> str:
    """Calls in a second."""
    return f"{median(RATE, figures):.0f}"


def times(figures: Figures) -> list[str]:
    """What belongs under TIMES."""
    return [f"{median(field, figures) * 1e3:.2f}" for field in (P50, P95, P99)]


def sides(figures: Figures) -> list[str]:
    """What belongs under SIDES."""
    return [f"{median(field, figures) * 1e6:.0f}" for field in _SIDES]


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def median(field: Field, figures: Figures) -> float:
    """What is shown of all rounds."""
    return statistics.median(map(field, figures))
