"""How fast everything that is held can be read, and checked."""

import collections
import itertools
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from bench import figures, turns
from bench.goals import Goal
from bench.lab import PATIENCE, Lab

_PAGE: Final = 1000
_LIST: Final = "list, 1,000 a page"
_SNAPSHOT: Final = "snapshot of a watch"
_CHECK: Final = "consistency check"


class FullReads:
    """The same three looks at everything, at servers that hold more and more."""

    title = "What a look at everything costs"

    def __init__(self, labs: Mapping[int, Lab]) -> None:
        """The labs go by how many addresses are held, which must be so by now."""
        self._labs = labs
        self._rates: dict[tuple[str, int], list[float]] = collections.defaultdict(list)
        self._peaks: dict[tuple[str, int], int] = {}

    def prepare(self) -> None:
        """Nothing: the stocks are there."""

    def round(self) -> None:
        """Each look once, however long it takes."""
        for held, lab in turns.shuffled(self._labs.items()):
            for title, look in turns.shuffled(_LOOKS.items()):
                began = time.monotonic()
                look(lab)
                self._rates[title, held].append(held / (time.monotonic() - began))
                self._peaks[title, held] = lab.peak()

    def goals(self) -> Sequence[Goal]:
        """Of the largest stock."""
        most, least = max(self._labs), min(self._labs)
        return (
            Goal(
                what=f"thousands of rows a second, {_SNAPSHOT} of {most:,}",
                seen=[rate / 1000 for rate in self._rates[_SNAPSHOT, most]],
                at_least=100,
            ),
            Goal(
                what=f"seconds of a {_CHECK} for 1,000,000 rows, at the rate of {most:,}",
                seen=[1_000_000 / rate for rate in self._rates[_CHECK, most]],
                at_most=20,
            ),
            Goal(
                what=f"most memory of the server where {most:,} are held, to where {least:,} are",
                seen=[self._most_memory(most) / self._most_memory(least)],
                at_most=1.1,
            ),
        )

    def section(self) -> str:
        """Rows in a second beside those of the smallest stock first: 1 says that it is linear."""
        smallest = min(self._labs)
        heads = ["look", "held", f"of the rate at {smallest:,}", "rows/s", "seconds", "server MiB"]
        rows = [self._row(*key, smallest) for key in itertools.product(_LOOKS, self._labs)]
        text = "Once in a round, while nothing else is asked; of memory, the most there was so far:"
        return f"{text}\n\n{figures.table(heads, rows)}"

    def _row(self, title: str, held: int, smallest: int) -> list[str]:
        pairs = zip(self._rates[title, held], self._rates[title, smallest], strict=True)
        ratio = statistics.median(own / base for own, base in pairs)
        rate, peak = self._rate(title, held), self._peaks[title, held]
        return [title, f"{held:,}", f"{ratio:.2f}", f"{rate:.0f}", f"{held / rate:.2f}", f"{peak}"]

    def _rate(self, title: str, held: int) -> float:
        return statistics.median(self._rates[title, held])

    def _most_memory(self, held: int) -> int:
        return max(self._peaks[title, held] for title in _LOOKS)


def _list(lab: Lab) -> None:
    with lab.client() as client:
        for _ in client.allocations(page_size=_PAGE, timeout=PATIENCE):
            pass


def _watch(lab: Lab) -> None:
    with lab.client() as client, client.watch(timeout=PATIENCE) as watch:
        next(watch)


_LOOKS: Final[Mapping[str, Callable[[Lab], None]]] = {
    _LIST: _list,
    _SNAPSHOT: _watch,
    _CHECK: Lab.ask_consistency,
}
