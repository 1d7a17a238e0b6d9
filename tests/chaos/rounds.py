"""The calls of one round, and the rules that they keep, among themselves and with history."""

import dataclasses
import ipaddress
import itertools
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from chaos import wants
from chaos.faults.scene import Closed
from chaos.records import Call, Outcome, Verb
from chaos.wants import COOLDOWN, RESERVED

Holding = tuple[str, int]  # an address and its generation
NEVER = float("inf")
COOLING = "10.3."  # what the pool "cool" has


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A row of the history."""

    generation: int
    kind: str
    cause: str
    address: str
    container: str
    assigned_at: int  # the generation that was assigned, or released
    namespace: str = wants.FREE


@dataclasses.dataclass(slots=True)
class Held:
    """An address at one generation, by what callers were told of it."""

    container: str
    pod: str
    node: str
    sent: float  # of the first call that was told
    since: float  # held for certain from here
    until: float = NEVER  # up to here
    released: float = NEVER  # sent by whoever released it, as far as that is known


class Round:
    """The calls of a round, by what they are about."""

    def __init__(self, calls: Sequence[Call], before: Mapping[Holding, Held]) -> None:
        """In order of their answers; `before` is what was held when it began."""
        self.calls = calls
        self._before = frozenset(before)
        self._pods_before = {each.pod for each in before.values()}
        self.held: dict[Holding, Held] = dict(before)
        self._assigns: dict[str, list[Call]] = defaultdict(list)
        self._releases: dict[str, list[Call]] = defaultdict(list)
        self._of_pod: dict[str, list[Call]] = defaultdict(list)
        self._lists: dict[str, list[Call]] = defaultdict(list)
        self._released: dict[Holding, Call] = {}
        for call in calls:
            self._note(call)
        for holding, each in self.held.items():
            each.until = self._end(holding, each)
            known = self._released.get(holding)
            each.released = known.sent if known else each.until

    def _note(self, call: Call) -> None:
        asked = call.asked
        if asked.verb is Verb.ASSIGN:
            self._assigns[asked.container].append(call)
            self._of_pod[asked.pod].append(call)
            for holding in call.told:
                if holding not in self.held:
                    self.held[holding] = Held(
                        container=asked.container,
                        pod=asked.pod,
                        node=asked.node,
                        sent=call.sent,
                        since=call.answered,
                    )
            return
        index = self._releases[asked.container] if asked.container else self._lists[asked.node]
        index.append(call)
        self._released |= dict.fromkeys(call.told, call)

    def _end(self, holding: Holding, held: Held) -> float:
        """When the first call was sent that may have ended it."""
        return min((call.sent for call in self._enders(holding, held)), default=NEVER)

    def _enders(self, holding: Holding, held: Held) -> Iterator[Call]:
        """The calls that may have ended a holding; none that was answered before it began."""
        for call in self._releases[held.container]:
            if call.answered > held.sent and self._can_release(call, holding, held.container):
                yield call
        for call in self._of_pod[held.pod]:
            other = call.asked.container != held.container
            if other and call.may_be_done and call.answered > held.sent:
                yield call
        for call in self._lists[held.node]:
            if call.answered > held.sent and self._can_collect(call, holding, held.container):
                yield call

    def _can_release(self, call: Call, holding: Holding, container: str) -> bool:
        """Whether a release is not fenced off: by generation, by stamp, by its own answer."""
        asked = call.asked
        if not call.may_be_done or (asked.generations and holding[1] not in asked.generations):
            return False
        if call.outcome is Outcome.DONE:
            return holding in call.told
        return not self._began_before(call, holding, container)

    def _can_collect(self, call: Call, holding: Holding, container: str) -> bool:
        """Whether a node's list may have released what an attachment held."""
        in_doubt = call.outcome is Outcome.UNKNOWN or container in call.doubtful
        open_ended = in_doubt or holding in call.told
        spared = container in call.asked.listed or self._began_before(call, holding, container)
        return open_ended and not spared

    def _began_before(self, call: Call, holding: Holding, container: str) -> bool:
        """Whether a call began before what it is about was assigned, or assigned again."""
        return any(
            assign.asked.stamp > call.asked.stamp > 0 and assign.answered < call.sent
            for assign in self._assigns[container]
            if holding in assign.told
        )

    # The rules, each with what breaks it.

    def duplicates(self) -> Iterator[str]:
        """No address has two holders at once, and no attachment two answers."""
        by_address, by_container = defaultdict(list), defaultdict(list)
        for (address, generation), held in self.held.items():
            by_address[address].append((held.since, held.until, generation, held))
            by_container[held.container].append((held.since, held.until, generation, held))
        for address, spans in by_address.items():
            yield from _overlapping(address, spans)
        for container, spans in by_container.items():
            # The addresses of one answer are held together.
            answers = {call.told for call in self._assigns[container] if call.told}
            if len(answers) > 1:
                alone = {told[0][1] for told in answers}
                yield from _overlapping(container, [each for each in spans if each[2] in alone])

    def undone(self) -> Iterator[str]:
        """What was acknowledged as released is not assigned by an attempt that began before."""
        for container, assigns in self._assigns.items():
            complete = [
                call
                for call in self._releases[container]
                if call.outcome is Outcome.DONE and (call.told or not call.asked.generations)
            ]
            for call in assigns:
                if call.outcome is not Outcome.DONE:
                    continue
                for release in complete:
                    newer = release.asked.stamp >= call.asked.stamp
                    if release.asked.stamp and newer and release.answered < call.sent:
                        yield f"undone: {release}, and then {call}"

    def early(self, last: Mapping[str, tuple[int, Held]]) -> Iterator[str]:
        """Nobody gets an address of another that has not cooled down."""
        chains: dict[str, list[tuple[int, Held]]] = defaultdict(list)
        for (address, generation), held in self.held.items():
            if address.startswith(COOLING):
                chains[address].append((generation, held))
        for address, chain in chains.items():
            before = [last[address]] if address in last else []
            whole = dict(sorted([*before, *chain], key=lambda each: each[0]))
            spans = list(whole.items())
            for (_, old), (generation, new) in itertools.pairwise(spans):
                rested = new.since - old.released
                if old.pod != new.pod and old.released != NEVER and rested < COOLDOWN:
                    yield f"too early: {address} at {generation}, {new} {rested:.3f} s after {old}"

    def withheld(self, closed: Sequence[Closed]) -> Iterator[str]:
        """What is disabled, draining or reserved is given to nobody who does not ask for it.

        A pod that had it keeps it, and so does who asked before.
        """
        for (address, generation), held in self.held.items():
            if ipaddress.ip_address(address) in RESERVED:
                yield f"withheld: {address} at {generation}, {held}, and it is reserved"
            for each in closed:
                if held.pod in self._pods_before or not address.startswith(each.prefix):
                    continue
                asked = min(call.sent for call in self._of_pod[held.pod])
                if asked > each.since and held.since < each.until:
                    yield f"withheld: {address} at {generation}, {held} since {each.since}"

    def against(self, events: Sequence[Event]) -> Iterator[str]:
        """History has what was acknowledged, and nothing that nobody asked for."""
        assigned = {(e.address, e.assigned_at): e for e in events if e.kind == "ASSIGNED"}
        released = {(e.address, e.assigned_at): e for e in events if e.kind == "RELEASED"}
        yield from self._untold(assigned, released)
        for holding, event in assigned.items():
            if holding not in self.held and not any(
                call.outcome is Outcome.UNKNOWN for call in self._assigns[event.container]
            ):
                yield f"done though refused: {event}"
        for holding, event in released.items():
            if not self._explained(holding, event):
                known = [*self._releases[event.container], *self._lists_about(holding, event)]
                yield f"released by nobody who could: {event}; asked: {list(map(str, known))}"

    def _untold(
        self, assigned: Mapping[Holding, Event], released: Mapping[Holding, Event]
    ) -> Iterator[str]:
        for holding, held in self.held.items():
            found = assigned.get(holding)
            if holding not in self._before and (found is None or found.container != held.container):
                yield f"lost: {held.container} was told of {holding}, and history has {found}"
        for holding, call in self._released.items():
            if holding not in released:
                yield f"lost: {holding} was released, and history does not know: {call}"

    def _explained(self, holding: Holding, event: Event) -> bool:
        held, container = self.held.get(holding), event.container
        if event.cause == "REQUESTED":
            return any(
                self._can_release(call, holding, container) for call in self._releases[container]
            )
        if event.cause == "SUPERSEDED":
            pods = {held.pod} if held else {c.asked.pod for c in self._assigns[container]}
            return any(
                call.may_be_done and call.asked.container != container
                for pod in pods
                for call in self._of_pod[pod]
            )
        return event.cause == "RECONCILED" and any(
            self._can_collect(call, holding, container)
            for call in self._lists_about(holding, event)
        )

    def _lists_about(self, holding: Holding, event: Event) -> Iterator[Call]:
        """The lists of the node on which it was, or may have been."""
        held = self.held.get(holding)
        nodes = {held.node} if held else {c.asked.node for c in self._assigns[event.container]}
        for node in nodes:
            yield from self._lists[node]


def _overlapping(what: str, spans: "list[tuple[float, float, int, Held]]") -> Iterator[str]:
    ordered = sorted(spans, key=lambda each: each[:3])
    for first, second in itertools.pairwise(ordered):
        if second[0] < first[1]:
            yield f"twice: {what} at {first[2]} by {first[3]}, and at {second[2]} by {second[3]}"
