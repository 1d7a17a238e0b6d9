"""What calls, batches and the feed come to, counted while they happen, for Prometheus.

Each number is of one server process and since its start. What the database knows is counted when
it is asked for (`api/metrics.py`).
"""

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import prometheus_client

from moorage_server.usecases.batch import Locking

OK: Final = "OK"  # the outcome of a call that has no reason to tell
CANCELLED: Final = "CANCELLED"  # ... and of one whose caller did not wait for its end
# Counted from 0 on: whoever asks by how much a number has grown overlooks one that has just begun.
_FROM_THE_START: Final = (OK, "INTERNAL", "OUTCOME_UNKNOWN")

# Seconds. A call that nobody is in the way of takes milliseconds; few callers wait for a minute.
_SECONDS: Final = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
_REQUESTS: Final = (1, 2, 4, 8, 16, 32, 64, 128)


class Calls:
    """How calls end, and after how long."""

    def __init__(self, methods: Iterable[str]) -> None:
        """None of these has ended."""
        self._seconds = _histogram(
            "moorage_call_seconds",
            "How long calls took, with what they waited for on purpose; streams until their end.",
            "method",
        )
        self._ended = _counter(
            "moorage_calls",
            "Calls that have ended, by what was told: OK, the reason of the refusal, or CANCELLED"
            " where the caller had gone. Those that were turned away unread are not in it.",
            "method",
            "outcome",
        )
        # To look one up by its labels costs more than to count.
        self._known: dict[tuple[str, str], Callable[[float], None]] = {}
        self.counters = (self._seconds, self._ended)
        for method in methods:
            for outcome in _FROM_THE_START:
                self._ended.labels(method, outcome)

    def end(self, method: str, outcome: str, seconds: float) -> None:
        """One has ended."""
        note = self._known.get((method, outcome))
        if note is None:
            note = self._known[method, outcome] = self._noting(method, outcome)
        note(seconds)

    def _noting(self, method: str, outcome: str) -> Callable[[float], None]:
        ended, took = self._ended.labels(method, outcome), self._seconds.labels(method)

        def note(seconds: float) -> None:
            ended.inc()
            took.observe(seconds)

        return note


class Batches:
    """What assigns and releases come to, batch by batch."""

    def __init__(self) -> None:
        """None has been run."""
        self._requests = _histogram(
            "moorage_batch_requests",
            "Assigns and releases that one transaction had.",
            buckets=_REQUESTS,
        )
        seconds = _histogram(
            "moorage_batch_seconds",
            "How long such a transaction took, repetitions included, by whether it waits for locks"
            " that others have.",
            "locks",
        )
        self._took = {each: seconds.labels(each.name.lower()) for each in Locking}
        self._deferred = _counter(
            "moorage_requests_deferred",
            "Assigns and releases that a batch left, since others had the locks.",
        )
        unchanged = _counter(
            "moorage_requests_without_change",
            "Assigns that were told what is held already, and releases that had nothing to release:"
            " gone before, or fenced off by stamp or generation.",
            "of",
        )
        self._replays, self._empty = unchanged.labels("assign"), unchanged.labels("release")
        self.counters = (self._requests, seconds, self._deferred, unchanged)

    def ran(self, locking: Locking, requests: int, seconds: float) -> None:
        """A transaction has ended, in whatever way."""
        self._requests.observe(requests)
        self._took[locking].observe(seconds)

    def decided(self, *, replays: int, empty: int, deferred: int) -> None:
        """So many of its requests changed nothing, or were left."""
        self._replays.inc(replays)
        self._empty.inc(empty)
        self._deferred.inc(deferred)


class Feed:
    """How far the feed is behind."""

    def __init__(self) -> None:
        """Is not behind: nothing is known yet."""
        self._settled_at = time.monotonic()
        delay = prometheus_client.Gauge(
            "moorage_feed_delay_seconds",
            "Since when events wait for their number in the feed, at the most; below two where"
            " all is well.",
            registry=None,
        )
        delay.set_function(lambda: time.monotonic() - self._settled_at)
        self.counters = (delay,)

    def settle(self, since: float) -> None:
        """Whatever was committed before then, on time.monotonic()'s clock, is in the feed."""
        self._settled_at = since


def _counter(name: str, told: str, *labels: str) -> prometheus_client.Counter:
    return prometheus_client.Counter(name, told, labels, registry=None)


def _histogram(
    name: str, told: str, *labels: str, buckets: Sequence[float] = _SECONDS
) -> prometheus_client.Histogram:
    return prometheus_client.Histogram(name, told, labels, buckets=buckets, registry=None)
