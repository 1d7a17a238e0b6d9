"""How fast everything that is held can be read, and checked."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from bench import figures
from bench.goals import Goal
from bench.lab import PATIENCE, Lab

_PAGE: Final = 1000


class Readings:
    """The same three looks at everything, at servers that hold more and more."""

    title = "What a look at everything costs"

    def __init__(self, labs: Mapping[int, Lab]) -> None:
        """The labs go by how many addresses are held, which must be so by now."""
        self._labs = labs
        self._rates: dict[tuple[str, int], float] = {}
        self._peaks: dict[tuple[str, int], int] = {}

    def prepare(self) -> None:
        """Nothing: the stocks are there."""

    def round(self) -> None:
        """Once in a run: it is long enough to say something."""
        if not self._rates:
            for held, lab in self._labs.items():
                for title, look in _LOOKS.items():
                    began = time.monotonic()
                    look(lab)
                    self._rates[title, held] = held / (time.monotonic() - began)
                    self._peaks[title, held] = lab.peak()

    def goals(self) -> Sequence[Goal]:
        """Of the largest stock, in thousands of rows a second."""
        most = max(self._labs)
        asked = {"snapshot of a watch": 100, "consistency check": 50}
        return tuple(
            Goal(
                what=f"thousands of rows a second, {title} of {most:,}",
                seen=self._rates[title, most] / 1000,
                at_least=at_least,
            )
            for title, at_least in asked.items()
        )

    def section(self) -> str:
        """Rows in a second beside those of the smallest stock first: 1 says that it is linear."""
        smallest = min(self._labs)
        heads = ["look", "held", f"of the rate at {smallest:,}", "rows/s", "seconds", "server MiB"]
        rows = [
            [
                title,
                f"{held:,}",
                f"{rate / self._rates[title, smallest]:.2f}",
                f"{rate:.0f}",
                f"{held / rate:.2f}",
                f"{self._peaks[title, held]}",
            ]
            for title, held in _in_order(self._rates)
            if (rate := self._rates[title, held])
        ]
        text = "Once in a run, while nothing else is asked; of memory, the most there was so far:"
        return f"{text}\n\n{figures.table(heads, rows)}"


def _list(lab: Lab) -> None:
    with lab.client() as client:
        for _ in client.allocations(page_size=_PAGE, timeout=PATIENCE):
            pass


def _watch(lab: Lab) -> None:
    with lab.client() as client, client.watch(timeout=PATIENCE) as watch:
        next(watch)


def _in_order(rates: Mapping[tuple[str, int], float]) -> list[tuple[str, int]]:
    return sorted(rates, key=lambda key: (list(_LOOKS).index(key[0]), key[1]))


_LOOKS: dict[str, Callable[[Lab], None]] = {
    "list, 1,000 a page": _list,
    "snapshot of a watch": _watch,
    "consistency check": Lab.check,
}
