"""A campaign from a seed: rounds of faults under load, each with a rest that accounts for all.

The seed says which faults come in which order and what each of them chooses; what callers do at the
same moments is theirs to choose from the same seed. How the two meet is never quite the same again.
"""

import collections
import contextlib
import dataclasses
import logging
import pathlib
import random
import time
from collections.abc import Iterator, Sequence

import moorage
from campaigns.consumers import Consumer
from chaos import checker, fleet
from chaos.audit import Books
from chaos.checker import Checker
from chaos.faults import catalog
from chaos.faults.scene import Closed, Fault, Scene
from chaos.records import Outcome
from chaos.stage import Stage
from harness import calls

# How many new assignments every server must make, and within how many seconds, once a fault is
# mended. It is a second or two where the machine has nothing else to do, and was never ten. Who
# keeps connections to a former primary takes 25 to 30, and must not pass for a sound server.
PROGRESS, RECOVERY = 10, 20.0
FAULTS_OF_A_ROUND = 13
_LOG = logging.getLogger(__name__)


@dataclasses.dataclass
class Tally:
    """What a campaign has come to."""

    seed: int
    rounds: int = 0
    outcomes: "collections.Counter[str]" = dataclasses.field(default_factory=collections.Counter)
    events: int = 0
    faults: "collections.Counter[str]" = dataclasses.field(default_factory=collections.Counter)
    missed: set[str] = dataclasses.field(default_factory=set)  # for want of a victim, or of rights
    violations: list[str] = dataclasses.field(default_factory=list)
    slowest: float = 0.0  # seconds from the end of a fault until calls went on
    began: float = dataclasses.field(default_factory=time.monotonic)

    @property
    def operations(self) -> int:
        """Calls, each try counted."""
        return self.outcomes.total()

    @property
    def unknown(self) -> int:
        """Those of which the caller does not know what became of them."""
        told = self.outcomes.items()
        return sum(count for what, count in told if what.startswith(Outcome.UNKNOWN.name))

    def __str__(self) -> str:
        """For people."""
        kinds = "\n".join(
            f"{count:8} {name}"
            for counted in (self.faults, self.outcomes)
            for name, count in sorted(counted.items())
        )
        return (
            f"seed {self.seed}: {self.operations} operations, {self.unknown} of them in doubt,"
            f" {self.events} events, {self.faults.total()} faults of {len(self.faults)} kinds in"
            f" {self.rounds} rounds and {time.monotonic() - self.began:.0f} s;"
            f" {len(self.violations)} violations; back after {self.slowest:.1f} s at the most"
            f"\n{kinds}\nnever struck: {sorted(self.missed - set(self.faults)) or 'none'}"
        )


def plan(seed: int, among: Sequence[Fault]) -> Iterator[tuple[Fault, int]]:
    """Faults without end, each with a seed of its own: all kinds before one comes again."""
    chance = random.Random(seed)
    while True:
        for each in chance.sample(among, len(among)):
            yield each, chance.randrange(2**32)


class Campaign:
    """One stage, its callers, its consumers, and what is known of them."""

    def __init__(
        self,
        stage: Stage,
        callers: fleet.Fleet,
        watching: list[Consumer],
        seed: int,
        among: Sequence[Fault],
    ) -> None:
        """Has not begun."""
        self._stage, self._callers, self._watching = stage, callers, watching
        self._plan = plan(seed, among)
        self._books, self._checker = Books(stage.database), Checker()
        self.tally = Tally(seed)

    def round(self, faults: int) -> None:
        """Lets so many faults strike, and looks at what came of it."""
        self._callers.begin()
        closed: list[Closed] = []
        self._await_progress("the beginning")
        for fault, seed in (next(self._plan) for _ in range(faults)):
            scene = Scene(self._stage, self._callers, random.Random(seed), closed)
            began = time.monotonic()
            struck = fault.strike(scene)
            self._stage.mend()
            _LOG.info("%s, %d times, in %.1f s", fault.name, struck, time.monotonic() - began)
            if struck:
                self.tally.faults[fault.name] += struck
            else:
                self.tally.missed.add(fault.name)
            if not self._await_progress(f"{fault.name} (its seed: {seed})"):
                break
        try:
            self._callers.come_to_rest()
        except fleet.NeverAtRest as restless:
            self.tally.violations.append(f"never at rest: {restless}")
            self.tally.violations += checker.faults(self._callers.calls)
            return
        self._account(closed)

    def _await_progress(self, after: str) -> bool:
        began = time.monotonic()
        until = began + RECOVERY
        stuck = [
            at
            for at in range(len(self._stage.steady))
            if not self._callers.assigned_by(
                at, PROGRESS, seconds=max(1.0, until - time.monotonic())
            )
        ]
        self.tally.slowest = max(self.tally.slowest, time.monotonic() - began)
        _LOG.info("back after %.1f s", time.monotonic() - began)
        if stuck:
            self.tally.violations.append(f"nothing goes on at servers {stuck} after {after}")
        return not stuck

    def _account(self, closed: list[Closed]) -> None:
        written, held = self._books.written(), self._books.held()
        heard, has = self._callers.calls, self._callers.has
        self.tally.violations += self._checker.judge(heard, written, has, held, closed)
        self.tally.violations += self._books.feed(self._watching)
        self.tally.violations += self._books.broken()
        self.tally.rounds += 1
        self.tally.events += len(written)
        self.tally.outcomes = self._checker.outcomes


@contextlib.contextmanager
def campaign(
    state: pathlib.Path,
    seed: int,
    *,
    among: Sequence[str] = (),
    nodes: int = 6,
    source: pathlib.Path | None = None,
    own_disk: bool = False,
) -> Iterator[Campaign]:
    """A campaign that is ready to begin; `among` names its kinds of faults, absent: all."""
    kinds = [catalog.BY_NAME[name] for name in among] or list(catalog.BY_NAME.values())
    with contextlib.ExitStack() as until:
        stage = Stage(state, source=source, own_disk=own_disk)
        until.callback(stage.close)
        direct = [each.front.target for each in stage.steady]
        callers = until.enter_context(fleet.of(stage.targets, seed, nodes=nodes))
        until.enter_context(_written_down(state / "watches.log"))
        watching = [Consumer(direct, at) for at in range(2)]
        until.callback(_leave, watching, stage)
        yield Campaign(stage, callers, watching, seed, kinds)


@contextlib.contextmanager
def _written_down(to: pathlib.Path) -> Iterator[None]:
    """What clients of this process begin anew, and why, is in a file: the watches' alone are."""
    log, handler = logging.getLogger("moorage"), logging.FileHandler(to)
    handler.setFormatter(logging.Formatter("%(asctime)s %(threadName)s %(message)s"))
    level = log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.setLevel(level)
        log.removeHandler(handler)
        handler.close()


def _leave(watching: list[Consumer], stage: Stage) -> None:
    for each in watching:
        each.stopping.set()
    # Whoever watches hears that it is to leave with the next thing that is told.
    with contextlib.suppress(moorage.MoorageError), stage.administration() as client:
        calls.create_pool(client, "last", "10.5.0.0/30", block_size=30)
        client.assign(calls.attachment("last"), [calls.want(pools=("last",))], timeout=10)
    for each in watching:
        each.thread.join(timeout=60)
