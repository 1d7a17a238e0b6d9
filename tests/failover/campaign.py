"""Failovers one after the other under load, each with a rest that accounts for all.

The seed says which kinds come in which order, and what callers do.
"""

import contextlib
import dataclasses
import itertools
import logging
import pathlib
import random
import statistics
import time
from collections.abc import Iterator, Sequence

import moorage
from campaigns.consumers import Consumer
from chaos import checker, fleet
from chaos.audit import Books
from chaos.checker import Checker
from chaos.records import Call, Outcome, Verb
from failover.ground import SERVERS, Ground
from failover.kinds import STRIKES
from failover.patients import Patient
from failover.trio import NeverWhole

NODES, PATIENTS = 6, 4
PROGRESS = 20  # calls that every server must answer before anything goes on
GOES_ON = 45.0  # seconds until they do, or never will
FOUND = 90.0  # seconds until another leads, for failovers that take far too long to be seen
WHOLE = 180.0  # seconds until the three are three again
_LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Failover:
    """One, and what came of it; times are in seconds."""

    kind: str
    back: float  # the longest time that one of the servers acknowledged nothing
    add: float  # the longest ADD of those that have a minute
    adds: int
    failed: int  # ADDs that a minute was not enough for
    calls: int
    unknown: int


@dataclasses.dataclass
class Tally:
    """What a campaign has come to."""

    seed: int
    failovers: list[Failover] = dataclasses.field(default_factory=list)
    events: int = 0
    violations: list[str] = dataclasses.field(default_factory=list)

    def __str__(self) -> str:
        """For people."""
        head = f"{'kind':12} times median back  longest longest ADD   failed ADDs    calls in doubt"
        lines = [_line(kind, self._of(kind)) for kind in STRIKES if self._of(kind)]
        return "\n".join(
            (
                f"seed {self.seed}: {len(self.failovers)} failovers, {self.events} events,"
                f" {len(self.violations)} violations",
                head,
                *lines,
                _line("all", self.failovers),
            )
        )

    def _of(self, kind: str) -> list[Failover]:
        return [each for each in self.failovers if each.kind == kind]


def _line(name: str, those: Sequence[Failover]) -> str:
    back = [each.back for each in those] or [0.0]
    longest = max((each.add for each in those), default=0.0)
    failed, adds = sum(each.failed for each in those), sum(each.adds for each in those)
    return (
        f"{name:12} {len(those):5} {statistics.median(back):11.1f} s {max(back):6.1f} s"
        f" {longest:10.1f} s {failed:5} of {adds:6} {sum(each.calls for each in those):8}"
        f" {sum(each.unknown for each in those):9}"
    )


def plan(seed: int, among: Sequence[str]) -> Iterator[tuple[str, random.Random]]:
    """Kinds without end, each with a seed of its own: all of them before one comes again."""
    chance = random.Random(seed)
    while True:
        for each in chance.sample(among, len(among)):
            yield each, random.Random(chance.randrange(2**32))


class Campaign:
    """The ground, those who call and watch, and what is known of them."""

    def __init__(
        self, ground: Ground, callers: fleet.Fleet, patients: list[Patient], seed: int
    ) -> None:
        """Has not begun."""
        self.ground, self._callers, self._patients = ground, callers, patients
        self._watching = [Consumer(ground.targets, at) for at in range(2)]
        self._books, self._checker = Books(ground.database), Checker()
        self.tally = Tally(seed)

    def fail_over(self, kind: str, chance: random.Random) -> None:
        """One failover, from rest to rest."""
        self._callers.begin()
        for each in self._patients:
            each.begin()
        try:
            self._progress("the beginning")
            began = time.monotonic()
            self._lose_leader(kind, chance)
            self.ground.trio.await_whole(WHOLE)
            self._progress(f"{kind}, when all are back")
            ended = time.monotonic()
        except (NeverWhole, Stuck) as failure:
            self.tally.violations.append(f"{kind}: {failure}")
            return
        if self._come_to_rest(kind):
            self._account(kind, began, ended)

    def leave(self) -> None:
        """Nobody watches any more: who does hears that with the next thing that is told."""
        for each in self._watching:
            each.stopping.set()
        with contextlib.suppress(moorage.MoorageError):
            self.ground.tell()
        for each in self._watching:
            each.thread.join(timeout=60)

    def _lose_leader(self, kind: str, chance: random.Random) -> None:
        trio = self.ground.trio
        old = trio.leader()
        if old is None:
            raise NeverWhole("nobody leads")
        began = time.monotonic()
        STRIKES[kind](old, chance)
        try:
            others = [each for each in trio.members if each is not old]
            new = trio.await_leader(others, FOUND)
            _LOG.info("%s: %s, then %s after %.1f s", kind, old.name, new.name, _since(began))
            self._progress(f"{kind}, when another leads")
            _LOG.info("%s: both servers go on after %.1f s", kind, _since(began))
        finally:
            old.mend()

    def _progress(self, when: str) -> None:
        for at in range(SERVERS):
            if not self._callers.assigned_by(at, PROGRESS, seconds=GOES_ON):
                raise Stuck(f"server {at} does not go on: {when}")

    def _come_to_rest(self, kind: str) -> bool:
        left = [container for each in self._patients for container in each.rest()]
        try:
            self._callers.come_to_rest()
        except fleet.NeverAtRest as restless:
            left.append(str(restless))
        if left:
            self.tally.violations.append(f"{kind}: never at rest: {left}")
            self.tally.violations += checker.faults(self._callers.calls)
        return not left

    def _account(self, kind: str, began: float, ended: float) -> None:
        self.ground.database.close()  # what was connected to another leader is of no use
        patient = [call for each in self._patients for call in each.calls]
        heard = [*self._callers.calls, *patient]
        written, held = self._books.written(), self._books.held()
        wrong = self._checker.judge(heard, written, self._callers.has, held)
        wrong += self._books.feed(self._watching)
        wrong += self._books.broken()
        wrong += [f"an ADD failed: {failed}" for each in self._patients for failed in each.failed]
        self.tally.violations += [f"{kind}: {each}" for each in wrong]
        self.tally.events += len(written)
        self.tally.failovers.append(
            Failover(
                kind=kind,
                back=max(silence(self._callers.calls, at, began, ended) for at in range(SERVERS)),
                add=max(each.longest for each in self._patients),
                adds=sum(each.adds for each in self._patients),
                failed=sum(len(each.failed) for each in self._patients),
                calls=len(heard),
                unknown=sum(call.outcome is Outcome.UNKNOWN for call in heard),
            )
        )


class Stuck(Exception):
    """A server does not go on, although it could."""


def silence(calls: Sequence[Call], server: int, began: float, ended: float) -> float:
    """The longest time between two moments that a server acknowledged no write in."""
    acknowledged = sorted(
        call.answered
        for call in calls
        if call.outcome is Outcome.DONE
        and call.server % SERVERS == server
        and call.asked.verb is not Verb.LIST
        and began < call.answered < ended
    )
    return max(b - a for a, b in itertools.pairwise([began, *acknowledged, ended]))


def _since(began: float) -> float:
    return time.monotonic() - began


@contextlib.contextmanager
def campaign(
    folder: pathlib.Path, seed: int, *, strict: bool = True, source: pathlib.Path | None = None
) -> Iterator[Campaign]:
    """A campaign that is ready to begin, with servers of these modules if they are given."""
    with contextlib.ExitStack() as until:
        ground = Ground(folder, strict=strict, source=source)
        until.callback(ground.close)
        # The last of a fleet's servers is asked seldom, and may be away; here it is the first.
        targets = [*ground.targets, ground.targets[0]]
        callers = until.enter_context(fleet.of(targets, seed, nodes=NODES))
        patients = [Patient(f"p{at}", seed, ground.targets) for at in range(PATIENTS)]
        for each in patients:
            until.callback(each.close)
        made = Campaign(ground, callers, patients, seed)
        until.callback(made.leave)
        yield made
