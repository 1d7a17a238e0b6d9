"""Another allocator at the same work, on the same PostgreSQL, in the same rounds."""

import contextlib
import dataclasses
from collections.abc import Sequence
from typing import Final

from bench import comparison, figures, goipam, peers, plan, stage, turns
from bench.crew import Crew
from bench.goals import Goal
from bench.lab import Lab
from bench.stock import Stock
from bench.work import Ask, Call, Phase

_EMPTY: Final = "peer-empty"
_HELD: Final = "peer-held"
_DATABASE: Final = "goipam"

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


class BesideGoIpam:
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
        self._plan = wanted
        self._most = max(wanted.callers)
        self._comparison = comparison.Comparison[_Row](lab, hired, ground, wanted, until)

    def prepare(self) -> None:
        """Both servers hold the same; most callers at once on each do not count."""
        self._lab.create({_EMPTY: plan.flat("10.40.0.0/16"), _HELD: plan.flat("10.41.0.0/16")})
        held = self._plan.peer_held
        self._lab.stock([Stock(pool=_HELD, addresses=held, held=held)])
        self._comparison.invite(_DATABASE, lambda target: goipam.fill(target, held))
        most = max(each.callers for each in self._rows())
        self._measure(next(each for each in self._rows() if each.callers == most))
        self._comparison.forget()

    def round(self) -> None:
        """Ours and theirs, row by row."""
        for row in turns.shuffled(self._rows()):
            self._measure(row)

    def section(self) -> str:
        """How many times its rate first."""
        heads = ["held of a /16", "callers", *comparison.HEADS]
        rows = [[row.title, str(row.callers), *self._comparison.cells(row)] for row in self._rows()]
        text = _TEXT.format(version=peers.GO_IPAM.version)
        return text + figures.table(heads, rows) + self._comparison.failures()

    def goals(self) -> Sequence[Goal]:
        """However many call: on an empty pool, and where some are held."""
        return tuple(
            Goal(
                what=f"our rate, of go-ipam's on a /16, {row.callers} callers, held: {row.title}",
                seen=self._comparison.times_its_rate(row),
                skipped=self._comparison.absence(row),
                at_least=10 if row.pool == _EMPTY else 100,
            )
            for row in self._rows()
        )

    def _measure(self, row: _Row) -> None:
        ours = self._phase(row, Call.PAIR, row.pool)
        self._comparison.measure(row, ours, self._phase(row, Call.PEER, row.prefix))

    def _rows(self) -> Sequence[_Row]:
        held = f"{self._plan.peer_held:,}"
        # Where much is held, most callers at once would keep the peer busy for minutes.
        few, all_of_them = self._plan.callers[:-1], (*self._plan.callers, *self._plan.peer_crowds)
        empty, filled = ("none", _EMPTY, goipam.EMPTY), (held, _HELD, goipam.HELD)
        kinds = [(*empty, callers) for callers in all_of_them]
        kinds += [(*filled, callers) for callers in few]
        return [
            _Row(title=title, pool=pool, prefix=prefix, callers=callers)
            for title, pool, prefix, callers in kinds
        ]

    def _phase(self, row: _Row, call: Call, pool: str) -> Phase:
        seconds = self._plan.seconds * self._length(row)
        asks = (Ask(ipv4=pool),)
        return Phase(call=call, callers=row.callers, seconds=seconds, asks=asks)

    def _length(self, row: _Row) -> int:
        """In turns of the plan: of a phase too short for some of the peer's calls little is told.

        A crowd's take longer than any phase, and each of its callers has one.
        """
        if row.callers > self._most:
            return 1
        return 12 if row.pool == _HELD else 2
