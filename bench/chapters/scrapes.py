"""What it costs a server to be asked for its metrics."""

import collections
import statistics
import time
import urllib.request
from collections.abc import Mapping
from typing import Final

from bench import figures, turns, usage
from bench.lab import PATIENCE, Lab
from moorage_server.api import metrics

_ANEW: Final = "counts anew"
_AGAIN: Final = "has counted just now"
_OF_POOLS: Final = b"moorage_pool_addresses{"
_TEXT: Final = """\
One GET of `/metrics`, while nothing else is asked: a server counts its pools, and what is held of
each, at most every {fresh:.0f} seconds. CPU is of the server; PostgreSQL counts for it meanwhile.

"""


class Scrapes:
    """Servers that hold much, or have many pools."""

    title = "What a scrape of the metrics costs"

    def __init__(self, labs: Mapping[str, Lab]) -> None:
        """The labs go by what they are; all is there by now."""
        self._labs = labs
        self._seconds: dict[tuple[str, str], list[float]] = collections.defaultdict(list)
        self._cpu: dict[tuple[str, str], list[float]] = collections.defaultdict(list)
        self._sizes: dict[tuple[str, str], int] = {}
        self._counted: dict[str, float] = {}
        self._pools: dict[str, int] = {}

    def prepare(self) -> None:
        """Every server is asked once, which does not count."""
        for title, lab in self._labs.items():
            self._ask(title, lab)

    def round(self) -> None:
        """Every server twice: once when its count is old, and at once again."""
        for title, lab in turns.shuffled(self._labs.items()):
            time.sleep(max(0.0, self._counted[title] + metrics.FRESH - time.monotonic()))
            with lab.client() as client:
                self._pools[title] = len(list(client.pools()))
            lab.rest()
            self._note((title, _ANEW), lab)
            self._note((title, _AGAIN), lab)

    def section(self) -> str:
        """Milliseconds."""
        heads = ["server", "which", "pools", "ms", "server CPU ms", "KiB"]
        rows = [[*key, *self._cells(key)] for key in sorted(self._seconds)]
        return _TEXT.format(fresh=metrics.FRESH) + figures.table(heads, rows)

    def _note(self, key: tuple[str, str], lab: Lab) -> None:
        title, _ = key
        cpu, began = usage.exact(lab.stage.server_pid), time.monotonic()
        self._sizes[key] = self._ask(title, lab)
        self._seconds[key].append(time.monotonic() - began)
        self._cpu[key].append(usage.exact(lab.stage.server_pid) - cpu)

    def _ask(self, title: str, lab: Lab) -> int:
        """Bytes that it has answered."""
        url = f"http://{lab.stage.metrics}/metrics"
        with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
            told: bytes = answer.read()
        self._counted[title] = time.monotonic()
        if _OF_POOLS not in told:
            lab.found([f"a server that {title} did not count its pools"])
        return len(told)

    def _cells(self, key: tuple[str, str]) -> list[str]:
        times = [f"{statistics.median(each[key]) * 1e3:.1f}" for each in (self._seconds, self._cpu)]
        return [str(self._pools[key[0]]), *times, f"{self._sizes[key] / 1024:.0f}"]
