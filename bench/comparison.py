"""Ours beside a peer's, row by row, in the same rounds and by turns."""

import collections
import contextlib
import dataclasses
from collections.abc import Callable, Hashable, Sequence
from typing import Final, Generic, TypeVar

from bench import audit, figures, goipam, peers, plan, stage, turns, usage
from bench.crew import Crew
from bench.figures import Figure
from bench.lab import Lab
from bench.work import Phase, Place

_Row = TypeVar("_Row", bound=Hashable)

HEADS: Final = (
    *("times its rate", "of its p50", "ours/s", "its/s"),
    *("our p50 ms", "its p50 ms", "our p95 ms", "its p95 ms", "failed", "twice"),
)

_NONE_ANSWERED: Final = "there was a round in which it answered none"
_MOST_FAILED: Final = "most of its calls failed"
_REASON: Final = 120  # characters
_NOT_LOOKED_AT: Final = usage.Usage(server=0.0, postgres=0.0, busy=0.0, capacity=0.0)


class Comparison(Generic[_Row]):
    """What each side did for a row; what failed on the peer's side is counted here."""

    def __init__(
        self,
        lab: Lab,
        hired: Crew,
        ground: stage.Ground,
        wanted: plan.Plan,
        until: contextlib.ExitStack,
    ) -> None:
        """Until the peer is invited there is none; it ends with `until`."""
        self._lab = lab
        self._crew = hired
        self._ground = ground
        self._plan = wanted
        self._until = until
        self._peer: Place | None = None
        self._absence = ""
        self._ours: dict[_Row, list[Figure]] = collections.defaultdict(list)
        self._theirs: dict[_Row, list[Figure]] = collections.defaultdict(list)
        self._failed: collections.Counter[_Row] = collections.Counter()
        self._reasons: collections.Counter[str] = collections.Counter()
        self._answered: collections.Counter[_Row] = collections.Counter()
        self._twice: collections.Counter[_Row] = collections.Counter()

    def invite(self, database: str, fill: Callable[[str], None]) -> None:
        """Has the peer served, where it can be had; `fill` is told what it listens on."""
        try:
            binary = peers.program(peers.GO_IPAM, build=self._plan.builds_peers)
            serving = goipam.serving(self._ground, database, binary)
            target = self._until.enter_context(serving)
            fill(target)
            self._peer = Place(target=target)
        except peers.UnavailableError as absence:
            self._absence = str(absence)

    def measure(self, row: _Row, ours: Phase, theirs: Phase) -> None:
        """One phase of each, in either order."""
        sides = ((self._measure_ours, ours), (self._measure_theirs, theirs))
        for measure, phase in turns.shuffled(sides):
            measure(row, phase)

    def forget(self) -> None:
        """What was measured so far does not count."""
        self._ours.clear()
        self._theirs.clear()
        for counted in (self._failed, self._answered, self._twice, self._reasons):
            counted.clear()

    def times_its_rate(self, row: _Row) -> Sequence[float]:
        """Our rate in each round, of the peer's; none where it has none, and `absence` says why."""
        if self.absence(row):
            return ()
        return figures.quotients(figures.RATE, self._ours[row], self._theirs[row])

    def absence(self, row: _Row) -> str:
        """Why nothing can be told of the peer in a row; empty where something can."""
        if self._peer is None:
            return self._absence
        if len(self._theirs[row]) < len(self._ours[row]):
            return _NONE_ANSWERED
        return _MOST_FAILED if self._failed[row] > self._answered[row] else ""

    def failures(self) -> str:
        """What its calls failed of, most often first; empty where none did."""
        told = "".join(f"* {count} times: {why}\n" for why, count in self._reasons.most_common(5))
        return f"\nOf its calls failed:\n\n{told}" if told else ""

    def cells(self, row: _Row) -> list[str]:
        """What belongs under HEADS."""
        ours, theirs = self._ours[row], self._theirs[row]
        failed = [str(each[row]) for each in (self._failed, self._twice)]
        if why := self.absence(row):
            p50, p95, _ = figures.times(ours)
            failed = failed if self._peer else ["", ""]
            return [f"skipped: {why}", "", figures.rate(ours), "", p50, "", p95, "", *failed]
        ratios = [figures.ratio(field, ours, theirs) for field in (figures.RATE, figures.P50)]
        times = zip(figures.times(ours)[:2], figures.times(theirs)[:2], strict=True)
        both = [each for pair in times for each in pair]
        return [*ratios, figures.rate(ours), figures.rate(theirs), *both, *failed]

    def _measure_ours(self, row: _Row, phase: Phase) -> None:
        self._ours[row].append(self._lab.measured(phase)[0])

    def _measure_theirs(self, row: _Row, phase: Phase) -> None:
        if self._peer is not None:
            sample = self._crew.run(dataclasses.replace(phase, place=self._peer))
            self._failed[row] += len(sample.failures)
            self._reasons.update(each[:_REASON] for each in sample.failures)
            self._answered[row] += len(sample.latencies)
            self._twice[row] += len(audit.overlaps(sample.holdings))
            with contextlib.suppress(figures.NoAnswersError):  # of all its calls, and told of
                self._theirs[row].append(figures.figure(sample, _NOT_LOOKED_AT, wal=0.0))
