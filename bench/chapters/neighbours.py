"""Another allocator at the same work, on the same PostgreSQL, in the same rounds."""

import collections
import contextlib
import dataclasses
from collections.abc import Sequence
from typing import Final

from bench import audit, figures, goipam, peers, plan, stage, turns, usage
from bench.crew import Crew
from bench.figures import Figure
from bench.goals import Goal
from bench.lab import Lab
from bench.stock import Stock
from bench.work import Ask, Call, Phase, Place

_EMPTY: Final = "peer-empty"
_HELD: Final = "peer-held"

_NONE_ANSWERED: Final = "there was a round in which it answered none"
_NOT_LOOKED_AT: Final = usage.Usage(server=0.0, postgres=0.0)
_TEXT: Final = """\
go-ipam {version}, its own server on a database of its own in the same PostgreSQL. Callers acquire
and release in turn, by the same code over gRPC; what counts is the acquire. Failed are its calls,
and twice are addresses of it that two callers had at once:

"""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """One comparison."""

    title: str
    callers: int
    pool: str
    prefix: str


class Neighbours:
    """go-ipam, where it can be had."""

    title = "Beside go-ipam"

    def __init__(
        self,
        lab: Lab,
        hired: Crew,
        ground: stage.Ground,
        wanted: plan.Plan,
        until: contextlib.ExitStack,
    ) -> None:
        """The peer ends with `until`."""
        self._lab = lab
        self._crew = hired
        self._ground = ground
        self._plan = wanted
        self._until = until
        self._most = max(wanted.callers)
        self._peer: Place | None = None
        self._absence = ""
        self._ours: dict[_Row, list[Figure]] = collections.defaultdict(list)
        self._theirs: dict[_Row, list[Figure]] = collections.defaultdict(list)
        self._failed: collections.Counter[_Row] = collections.Counter()
        self._twice: collections.Counter[_Row] = collections.Counter()

    def prepare(self) -> None:
        """Both servers hold the same; most callers at once on each do not count."""
        self._lab.create({_EMPTY: plan.flat("10.40.0.0/16"), _HELD: plan.flat("10.41.0.0/16")})
        held = self._plan.peer_held
        self._lab.stock([Stock(pool=_HELD, addresses=held, held=held)])
        try:
            self._peer = Place(target=self._serve_peer())
        except peers.UnavailableError as absence:
            self._absence = str(absence)
        self._measure(next(each for each in self._rows() if each.callers == self._most))
        for counted in (self._ours, self._theirs, self._failed, self._twice):
            counted.clear()

    def round(self) -> None:
        """Ours and theirs, row by row."""
        for row in turns.shuffled(self._rows()):
            self._measure(row)

    def section(self) -> str:
        """How many times its rate first."""
        heads = ["held of a /16", "callers", "times its rate", "of its p50", "ours/s", "its/s"]
        heads += ["our p50 ms", "its p50 ms", "our p95 ms", "its p95 ms", "failed", "twice"]
        rows = [[row.title, str(row.callers), *self._compared(row)] for row in self._rows()]
        return _TEXT.format(version=peers.GO_IPAM.version) + figures.table(heads, rows)

    def goals(self) -> Sequence[Goal]:
        """Many callers on an empty pool, and where some are held."""
        usual = [each for each in self._rows() if each.callers <= self._most]
        (*_, empty), (*_, held) = (
            [each for each in usual if each.pool == pool] for pool in (_EMPTY, _HELD)
        )
        return tuple(
            Goal(
                what=f"our rate, of go-ipam's on a /16, {row.callers} callers, held: {row.title}",
                seen=self._times_its_rate(row),
                skipped=self._absence or _NONE_ANSWERED,
                at_least=at_least,
            )
            for row, at_least in ((empty, 10), (held, 100))
        )

    def _times_its_rate(self, row: _Row) -> float | None:
        if self._peer is None or len(self._theirs[row]) < len(self._ours[row]):
            return None
        return figures.quotient(figures.RATE, self._ours[row], self._theirs[row])

    def _serve_peer(self) -> str:
        """Raises UnavailableError."""
        binary = peers.program(peers.GO_IPAM, build=self._plan.builds_peers)
        target = self._until.enter_context(goipam.serving(self._ground, binary))
        goipam.fill(target, self._plan.peer_held)
        return target

    def _measure(self, row: _Row) -> None:
        for measure in turns.shuffled((self._measure_ours, self._measure_theirs)):
            measure(row)

    def _measure_ours(self, row: _Row) -> None:
        self._ours[row].append(self._lab.measured(self._phase(row, Call.PAIR, row.pool))[0])

    def _measure_theirs(self, row: _Row) -> None:
        if self._peer is not None:
            phase = self._phase(row, Call.PEER, row.prefix)
            sample = self._crew.run(dataclasses.replace(phase, place=self._peer))
            self._failed[row] += len(sample.failures)
            self._twice[row] += len(audit.overlaps(sample.holdings))
            with contextlib.suppress(figures.NoAnswersError):  # of all its calls, and told of
                self._theirs[row].append(figures.figure(sample, _NOT_LOOKED_AT))

    def _rows(self) -> Sequence[_Row]:
        some, callers = f"{self._plan.peer_held:,}", self._plan.callers
        many = (*callers, *self._plan.peer_crowds)
        # Where much is held, most callers at once would keep the peer busy for minutes.
        return (
            *(_Row(title="none", callers=e, pool=_EMPTY, prefix=goipam.EMPTY) for e in many),
            *(_Row(title=some, callers=e, pool=_HELD, prefix=goipam.HELD) for e in callers[:-1]),
        )

    def _phase(self, row: _Row, call: Call, pool: str) -> Phase:
        # Twice as long as elsewhere: some of the peer's calls take that long. A crowd's take longer
        # than any phase, and each of its callers has one.
        seconds = self._plan.seconds * (2 if row.callers <= self._most else 1)
        asks = (Ask(ipv4=pool),)
        return Phase(call=call, callers=row.callers, seconds=seconds, asks=asks)

    def _compared(self, row: _Row) -> list[str]:
        ours, theirs = self._ours[row], self._theirs[row]
        failed = [str(each[row]) for each in (self._failed, self._twice)]
        if self._peer is None or len(theirs) < len(ours):
            why = self._absence or _NONE_ANSWERED
            p50, p95, _ = figures.times(ours)
            failed = failed if self._peer else ["", ""]
            return [f"skipped: {why}", "", figures.rate(ours), "", p50, "", p95, "", *failed]
        ratios = [figures.ratio(field, ours, theirs) for field in (figures.RATE, figures.P50)]
        times = zip(figures.times(ours)[:2], figures.times(theirs)[:2], strict=True)
        both = [each for pair in times for each in pair]
        rates = [figures.rate(ours), figures.rate(theirs)]
        return [*ratios, *rates, *both, *failed]
