"""What schedules of a pair come to, held against what the two do one after the other."""

import collections
import dataclasses
import difflib
import json
from collections.abc import Callable
from typing import Any

from interleavings import actors, explorer, lists, scheduler
from interleavings.ground import Ground
from interleavings.pairing import Pair
from interleavings.scheduler import Call, Moment, Performance, Stage
from moorage_server.domain import errors, model
from moorage_server.storage import catalogs

Outcome = str  # as JSON: both answers, and what is stored
DEADLOCK = "40P01"
# Not an answer to the question: the use case should have come through.
_GAVE_UP = (errors.Contention, errors.DatabaseUnavailable, errors.OutcomeUnknown)


class Violation(AssertionError):
    """A schedule whose outcome nothing explains."""


@dataclasses.dataclass(slots=True)
class Count:
    """What was played."""

    schedules: int = 0
    repeated: int = 0
    deadlocks: int = 0

    def __str__(self) -> str:
        return (
            f"{self.schedules} schedules, {self.repeated} of them repetitions, "
            f"{self.deadlocks} with a deadlock"
        )


class Trial:
    """One pair on its ground."""

    def __init__(self, ground: Ground, stage: Stage, pair: Pair, warm: catalogs.Catalogs) -> None:
        """Plays both orders, one after the other; `warm` has the catalog compiled."""
        self._ground, self._stage, self._pair, self._warm = ground, stage, pair, warm
        self._serial = tuple(self._outcome(self._play(_in_order(who))) for who in (0, 1))
        listings = {
            who: actor for who, actor in enumerate(self._actors) if isinstance(actor, lists.Listing)
        }
        self._kept_out = {
            who: self._outcome(self._play(_in_order(who), (who, actor.kept_out)))
            for who, actor in listings.items()
        }
        self._overlooked = {
            who: self._outcome(self._play(_in_order(who), (who, actor.overlooking)))
            for who, actor in listings.items()
            if actor.overlooks
        }

    def run(self, *, switches: int | None = None) -> Count:
        """Plays every schedule; raises Violation at the first that nothing explains."""
        count = Count()
        for found in explorer.Explorer(switches=switches).explore(self._play):
            self._judge(found.performance)
            count.schedules += 1
            count.repeated += found.repeated
            count.deadlocks += DEADLOCK in found.performance.failures
        return count

    def outcomes(self, exploring: explorer.Explorer) -> collections.Counter[Outcome]:
        """What the schedules of an explorer come to, unjudged, and how many do."""
        found = exploring.explore(self._play)
        return collections.Counter(self._outcome(each.performance) for each in found)

    @property
    def _actors(self) -> tuple[actors.Actor, actors.Actor]:
        return self._pair.first, self._pair.second

    def _play(
        self, choose: scheduler.Choose, instead: tuple[int, actors.Actor] | None = None
    ) -> Performance:
        """One schedule; with another actor `instead` of one of the two."""
        self._ground.restore()
        playing = list(self._actors)
        if instead is not None:
            playing[instead[0]] = instead[1]
        first, second = map(self._call, playing)
        return self._stage.play((first, second), choose)

    def _call(self, actor: actors.Actor) -> Call:
        # Each its own, as two servers have: with what was compiled before.
        compiled = catalogs.Catalogs()
        compiled._compiled, compiled.swept = dict(self._warm._compiled), set(self._warm.swept)
        return lambda store, limits: actor(store, limits, compiled)

    def _judge(self, performance: Performance) -> None:
        try:
            self._require_answers(performance)
            outcome = self._outcome(performance)
            self._require_explained(performance, outcome)
            self._ground.check(self._ground.rows())
        except AssertionError as error:
            raise Violation(f"{self._pair.name}: {error}\n{performance}") from error

    def _require_answers(self, performance: Performance) -> None:
        assigned = self._ground.assigned()
        for outcome in performance.outcomes:
            refused = isinstance(outcome, errors.IpamError) and not isinstance(outcome, _GAVE_UP)
            assert refused or isinstance(outcome, tuple), f"no answer: {outcome!r}"
            for each in actors.held(outcome) if isinstance(outcome, tuple) else ():
                known = (each.generation, each.attachment.container_id, str(each.address))
                assert known in assigned, f"answered, and not in the history: {known}"

    def _require_explained(self, performance: Performance, outcome: Outcome) -> None:
        """It is as if one had come after the other, or as if a list had been kept out."""
        allowed = self._allowed(performance)
        differences = "\n".join(_difference(each, outcome) for each in allowed)
        assert outcome in allowed, f"it is as in no order of the two:\n{differences}"

    def _allowed(self, performance: Performance) -> set[Outcome]:
        """The one that ended later came later.

        But a refusal, which changes nothing, may have come at any time while the two
        overlapped; and a list that says it was kept out, by a lock that the other
        held, came to nothing else; and one that overlooks what came while it was being
        worked on has judged nothing.
        """
        for who in self._kept_out:
            if performance.outcomes[who] == lists.KEPT_OUT:
                assert performance.was_kept_out(who), "kept out by nobody"
                return {self._kept_out[who]}
        last = performance.began_last
        for who, outcome in self._overlooked.items():
            if last is None and performance.outcomes[who] == lists.OVERLOOKED:
                return {outcome}
        if last is None and any(map(scheduler.refused, performance.outcomes)):
            return set(self._serial)
        return {self._serial[1 - (performance.committed_last if last is None else last)]}

    def _outcome(self, performance: Performance) -> Outcome:
        rows = self._ground.rows()
        pools = {each["address"]: each["pool"] for each in _addresses(rows)}
        masked = _Mask(named=self._pair.named, pools=pools)
        answers = [masked.answer(outcome) for outcome in performance.outcomes]
        return json.dumps({"answers": answers, **masked.rows(rows)}, sort_keys=True, indent=1)


def _difference(expected: Outcome, outcome: Outcome) -> str:
    lines = expected.splitlines(), outcome.splitlines()
    return "\n".join(difflib.unified_diff(*lines, "in order", "at once", lineterm="", n=4))


def _in_order(first: int) -> Callable[[Moment], int]:
    """Chooses one until it has ended."""
    return lambda moment: first if first in moment.free else 1 - first


def _addresses(rows: dict[str, list[Any]]) -> list[dict[str, str]]:
    return [{"pool": event[3], "address": event[4]} for event in rows["events"]]


def _owners(entries: list[list[Any]] | None) -> list[Any]:
    """Whose the addresses of a block are that rest; which ones may differ."""
    return sorted(entry[1:] for entry in entries or ())


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Mask:
    """Takes away what may differ: which of equal addresses, and generations."""

    named: frozenset[str]
    pools: dict[str, str]

    def answer(self, outcome: object) -> object:
        """An answer as it is compared."""
        if isinstance(outcome, BaseException):
            return getattr(outcome, "reason", repr(outcome))
        assert isinstance(outcome, tuple)
        shown = [self._allocation(each) for each in actors.held(outcome)]
        return shown or [str(each) for each in outcome]

    def rows(self, rows: dict[str, list[Any]]) -> dict[str, object]:
        """What is stored as it is compared."""
        events = [
            [holder, kind, cause, pool, self._address(address), *facts]
            for holder, kind, cause, pool, address, _, *facts in rows["events"]
        ]
        allocations = [
            [
                *(each[name] for name in ("holder", "position", "suspect", "yielded")),
                self._address(each["address"]),
            ]
            for each in rows["allocations"]
        ]
        # The order of one holder's events counts; that of different holders' does not.
        return {
            "pools": rows["pools"],
            "reservations": rows["reservations"],
            "attachments": rows["attachments"],
            "blocks": self._blocks(rows["blocks"]),
            "events": sorted(events, key=lambda event: str(event[0])),
            "allocations": allocations,
            "feed": rows["feed"],
            "ticks": rows["ticks"],
        }

    def _blocks(self, blocks: list[dict[str, Any]]) -> list[Any]:
        counts = [
            [
                each["pool"],
                each["node"],
                len(each["free"]),
                *map(_owners, (each["cooling"], each["sticky"])),
            ]
            for each in blocks
        ]
        return sorted(counts, key=json.dumps)

    def _allocation(self, each: model.Allocation) -> list[object]:
        suspect = each.suspect_tick is not None
        return [each.attachment.container_id, self._address(str(each.address)), suspect]

    def _address(self, address: str) -> str:
        return address if address in self.named else f"any of {self.pools.get(address)}"
