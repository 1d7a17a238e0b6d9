"""What one caller's assign would take, were it nothing but gRPC and round trips to PostgreSQL."""

import itertools
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Final

import psycopg

from bench import callers, figures
from bench.work import Call, Sample

# BEGIN, locks and looks, what is written, COMMIT: as many as an assign has, and as few as can be
# where decisions are not the database's.
TRIPS: Final = (9, 4)
_FEWEST: Final = 3  # BEGIN, one row, COMMIT
_TIMES: Final = 500

_TEXT: Final = """\
## What one caller would wait for at least

Medians of one caller: p50 of a call, and of {times} transactions of the driver alone, of which each
statement is sent when the one before it has been answered. Between BEGIN and COMMIT they ask for
nothing (`SELECT 1`, prepared), and insert one row.

"""


def chapter(run: Callable[[Call], Sample], conninfo: str) -> str:
    """Measures it; `run` has one caller make calls of one kind for a while."""
    empty, commit, assign = (
        statistics.median(run(call).latencies) for call in (Call.EMPTY, Call.COMMIT, Call.ASSIGN)
    )
    bare = {trips: statistics.median(_transactions(conninfo, trips)) for trips in TRIPS}
    rows = [("an empty call and two insert commits, as is asked", empty + 2 * commit)]
    rows += [
        (f"an empty call and {trips} round trips of which one inserts a row", empty + bare[trips])
        for trips in reversed(TRIPS)
    ]
    rows += [("an assign", assign)]
    asked = rows[0][1]
    heads = ["", "ms", "of what is asked"]
    cells = [[what, f"{took * 1000:.2f}", f"{took / asked:.1f}"] for what, took in rows]
    return _TEXT.format(times=_TIMES) + figures.table(heads, cells)


def _transactions(conninfo: str, trips: int) -> Iterator[float]:
    """How long each took, in seconds."""
    with psycopg.connect(conninfo, autocommit=True, prepare_threshold=1) as connection:
        for each in range(_TIMES):
            began = time.perf_counter()
            connection.execute("BEGIN")
            for _ in itertools.repeat(None, trips - _FEWEST):
                connection.execute("SELECT 1").fetchone()
            connection.execute(callers.COMMIT, (str(each),))
            connection.execute("COMMIT")
            yield time.perf_counter() - began
