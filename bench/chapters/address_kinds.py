"""What is asked for: families, both of them, addresses that the caller names."""

import collections
from collections.abc import Sequence
from typing import Final

from bench import figures, plan, turns
from bench.figures import Figure
from bench.goals import Goal
from bench.lab import Lab
from bench.work import Call, Phase

CALLERS: Final = 16


class AddressKinds:
    """Every kind of address."""

    title = "What is asked for"

    def __init__(self, lab: Lab, wanted: plan.Plan) -> None:
        self._lab = lab
        self._plan = wanted
        self._figures: dict[plan.AddressKind, list[Figure]] = collections.defaultdict(list)

    def prepare(self) -> None:
        """A round that does not count; the pools are there."""
        self._all(self._plan.warm_up, 1)
        self._figures.clear()

    def round(self) -> None:
        """Every kind."""
        self._all(self._plan.seconds, self._plan.turns)

    def section(self) -> str:
        """Ratios to IPv4 first."""
        heads = ["an assign of", "of p50 of the first row", "of p95", "assigns/s", *figures.TIMES]
        base = self._figures[plan.ADDRESS_KINDS[0]]
        rows = [
            [
                kind.title,
                *(figures.ratio(field, own, base) for field in (figures.P50, figures.P95)),
                figures.rate(own),
                *figures.times(own),
            ]
            for kind in plan.ADDRESS_KINDS
            if (own := self._figures[kind])
        ]
        return f"{CALLERS} callers, each assigning and releasing in turn:\n\n" + figures.table(
            heads, rows
        )

    def goals(self) -> Sequence[Goal]:
        """The second family."""
        ipv4, ipv6 = (self._figures[each] for each in plan.ADDRESS_KINDS[:2])
        return tuple(
            Goal(
                what=f"{name} of an assign of IPv6, to IPv4",
                seen=figures.quotients(field, ipv6, ipv4),
                at_most=1.1,
            )
            for name, field in (("p50", figures.P50), ("p95", figures.P95))
        )

    def _all(self, seconds: float, times: int) -> None:
        ipv4, *others = plan.ADDRESS_KINDS
        phases = ((kind, self._one(kind, seconds)) for kind in turns.beside(ipv4, others, times))
        for kind, figure in figures.medians(phases).items():
            self._figures[kind].append(figure)

    def _one(self, kind: plan.AddressKind, seconds: float) -> Figure:
        phase = Phase(call=Call.PAIR, callers=CALLERS, seconds=seconds, asks=(kind.ask,))
        return self._lab.measured(phase)[0]
