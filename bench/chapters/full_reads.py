"""How fast everything that is held can be read, and checked."""

import collections
import functools
import itertools
import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from bench import figures, turns
from bench.figures import Cost
from bench.goals import Goal
from bench.lab import PATIENCE, Lab

_PAGE: Final = 1000
_LIST: Final = "list, 1,000 a page"
_SNAPSHOT: Final = "snapshot of a watch"
_CHECK: Final = "consistency check"
_TEXT: Final = """\
While nothing else is asked; a look that takes less than {seconds} s is repeated until it has. CPU
is for one row; load is who looks, one process with the client library. Cores used are what the
three take together; were the machine's idle rest used at the same cost, the rate could grow by that
factor, and were all {cores} theirs alone, it would be that of all cores. Where it is less, and the
machine is not busy, they wait for each other. Of memory, the most there was so far:

"""


class FullReads:
    """The same three looks at everything, at servers that hold more and more."""

    title = "What a look at everything costs"

    def __init__(self, labs: Mapping[int, Lab], seconds: float) -> None:
        """The labs go by how many addresses are held, which must be so by now."""
        self._labs = labs
        self._seconds = seconds
        self._costs: dict[tuple[str, int], list[Cost]] = collections.defaultdict(list)
        self._peaks: dict[tuple[str, int], int] = {}

    def prepare(self) -> None:
        """Nothing: the stocks are there."""

    def round(self) -> None:
        """Each look, however long it takes."""
        for held, lab in turns.shuffled(self._labs.items()):
            for title in turns.shuffled(_LOOKS):
                looks = functools.partial(self._looks, title, lab, held)
                self._costs[title, held].append(lab.cost_while(looks))
                self._peaks[title, held] = lab.peak()

    def goals(self) -> Sequence[Goal]:
        """Of the largest stock."""
        most, least = max(self._labs), min(self._labs)
        return (
            Goal(
                what=f"thousands of rows a second, {_SNAPSHOT} of {most:,}",
                seen=[each.rate / 1000 for each in self._costs[_SNAPSHOT, most]],
                at_least=100,
            ),
            Goal(
                what=f"seconds of a {_CHECK} for 1,000,000 rows, at the rate of {most:,}",
                seen=[1_000_000 / each.rate for each in self._costs[_CHECK, most]],
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
        heads = ["look", "held", f"of the rate at {smallest:,}", "rows/s", "seconds"]
        heads += [*figures.SIDES, *figures.CORES, "rows/s of all cores", "server MiB"]
        rows = [self._row(*key, smallest) for key in itertools.product(_LOOKS, self._labs)]
        text = _TEXT.format(seconds=self._seconds, cores=os.cpu_count())
        return text + figures.table(heads, rows)

    def _looks(self, title: str, lab: Lab, held: int) -> int:
        """How many rows it has seen."""
        rows, end = 0, time.monotonic() + self._seconds
        while not rows or time.monotonic() < end:
            _LOOKS[title](lab)
            rows += held
        return rows

    def _row(self, title: str, held: int, smallest: int) -> list[str]:
        own, base = self._costs[title, held], self._costs[title, smallest]
        seconds = held / figures.median(figures.RATE, own)
        absolute = [figures.rate(own), f"{seconds:.2f}", *figures.sides(own, digits=1)]
        names = [title, f"{held:,}", figures.ratio(figures.RATE, own, base)]
        bounds = [*figures.cores(own), f"{figures.median(figures.MOST, own):.0f}"]
        return [*names, *absolute, *bounds, str(self._peaks[title, held])]

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
