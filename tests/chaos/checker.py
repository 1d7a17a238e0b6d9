"""Whether what callers saw of a round can have happened by the rules, and did happen.

Calls are held against each other, against the events that were written meanwhile, and at the end
against what is held. A round begins and ends at rest, with nothing in doubt, so no more of it has
to be remembered than what is held and when addresses were given back.
"""

import collections
from collections.abc import Iterable, Iterator, Mapping, Sequence

from chaos import wants
from chaos.faults.scene import Closed
from chaos.records import Call, Told
from chaos.rounds import NEVER, Event, Held, Holding, Round

# What no fault of its surroundings may make of a server's answer.
FAULTS = {"INTERNAL", "UNKNOWN", "UNIMPLEMENTED", "DATA_LOSS"}
# What is untrue of these callers: they ask for what there is, in a database that never goes back.
UNTRUE = {
    *("INVALID_REQUEST", "VRF_NOT_FOUND", "NODE_NOT_FOUND", "VRF_QUARANTINED"),
    *("METHOD_NOT_ALLOWED", "NOT_YOURS", "CREDENTIAL_REFUSED", "NAMESPACE_NOT_GRANTED"),
}


class Checker:
    """What is remembered from round to round."""

    def __init__(self) -> None:
        """Nobody holds anything."""
        self._held: dict[Holding, Held] = {}
        self._last: dict[str, tuple[int, Held]] = {}  # by address, the newest of earlier rounds
        self._capped = 0  # addresses of the namespace that has a quota
        self.outcomes: collections.Counter[str] = collections.Counter()  # by outcome and reason

    def judge(
        self,
        calls: Iterable[Call],
        events: Sequence[Event],
        has: Mapping[str, Told],
        table: Mapping[Holding, str],
        closed: Sequence[Closed] = (),
    ) -> list[str]:
        """What is wrong with a round: its calls, its events, what nodes have and what is stored."""
        told = Round(sorted(calls, key=lambda call: call.answered), self._held)
        self.outcomes.update(f"{call.outcome.name} {call.reason}".strip() for call in told.calls)
        wrong = [
            *faults(told.calls),
            *refused(told.calls),
            *told.duplicates(),
            *told.undone(),
            *told.early(self._last),
            *told.withheld(closed),
            *told.against(events),
            *self._beyond_quota(events),
            *_at_rest(has, table),
        ]
        self._go_on(told, table)
        return wrong

    def _beyond_quota(self, events: Sequence[Event]) -> Iterator[str]:
        """Whoever is given something has been counted under a lock: all before it is written."""
        for event in events:
            if event.namespace != wants.CAPPED:
                continue
            self._capped += 1 if event.kind == "ASSIGNED" else -1
            if self._capped > wants.QUOTA:
                yield f"beyond its quota: {event}, of {self._capped}"

    def _go_on(self, told: Round, table: Mapping[Holding, str]) -> None:
        for holding, held in told.held.items():
            if holding[1] >= self._last.get(holding[0], (0, held))[0]:
                self._last[holding[0]] = (holding[1], held)
        self._held = {each: told.held[each] for each in table if each in told.held}
        for each in self._held.values():
            each.until = each.released = NEVER


def _at_rest(has: Mapping[str, Told], table: Mapping[Holding, str]) -> Iterator[str]:
    """What was acknowledged and is not stored, and what is stored and nobody has."""
    known = {holding: container for container, told in has.items() for holding in told}
    for holding, container in known.items():
        if table.get(holding) != container:
            yield f"lost: {container} has {holding}, held by {table.get(holding)}"
    for holding, container in table.items():
        if holding not in known:
            yield f"leaked: {container} holds {holding}, and does not have it"


def faults(calls: Iterable[Call]) -> list[str]:
    """No fault of the surroundings is one of the server."""
    return [f"a fault: {call}" for call in calls if call.reason in FAULTS | UNTRUE]


def refused(calls: Iterable[Call]) -> list[str]:
    """Nobody is told that there are no addresses where there are many: others may lock some; nor
    that he may have no more where he may.
    """
    return [f"refused: {call}" for call in calls if _is_refused_wrongly(call)]


def _is_refused_wrongly(call: Call) -> bool:
    if call.reason == "QUOTA_EXCEEDED":
        return wants.namespace(call.asked.pod) != wants.CAPPED
    pools = call.asked.pools
    return call.reason == "POOL_EXHAUSTED" and bool(pools) and pools <= wants.AMPLE
