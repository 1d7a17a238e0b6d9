"""Two real transactions, one statement at a time.

Each actor runs its use case in a thread of its own, on its own connection. Before every
statement that touches anything shared, and before COMMIT and ROLLBACK, it stops until
the stage lets it go on. A statement that waits for a lock of the other does not come
back: the stage asks PostgreSQL who waits for whom, and goes on with the other alone until
that lets go. So a schedule is a list of whose turn it was, and the same list plays the
same schedule again.
"""

import dataclasses
import enum
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Self

import psycopg
import sqlalchemy as sa

from interleavings import footprint
from interleavings.footprint import Footprint
from moorage_server.domain import errors
from moorage_server.storage import database as databases

# How long a statement may take before it is asked whether it waits, which must be seen
# twice. Longer than PostgreSQL's deadlock_timeout on this ground: who waits has then looked
# for a deadlock already, and in one that comes to be, the one who came last is ended.
GLANCE = 0.003  # seconds
PATIENCE = 20.0

_WAITS_FOR = "SELECT %s = ANY (pg_blocking_pids(%s))"

Call = Callable[[databases.Database, databases.Limits], object]


class State(enum.Enum):
    """Where an actor is."""

    MOVING = "its statement is under way"
    STOPPED = "before its next statement"
    WAITING = "its statement waits for a lock of the other"
    DONE = "its use case has ended"


class Snapshot(enum.Enum):
    """Whether the statements of a transaction all see one moment."""

    NONE = "each sees its own"
    NEXT = "the next one takes it"
    TAKEN = "they see what an earlier one saw"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A statement, COMMIT or ROLLBACK that was let go."""

    who: int
    text: str
    touched: Footprint
    released: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Where both actors are: what each is stopped before, None where it cannot go on.

    `last` is the step that led here, and `were_free` who could have gone in its place.
    """

    pending: tuple[Footprint | None, Footprint | None]
    last: Step | None
    were_free: frozenset[int]

    @property
    def free(self) -> frozenset[int]:
        """Who can go on."""
        return frozenset(who for who in (0, 1) if self.pending[who] is not None)


Choose = Callable[[Moment], int]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """One schedule as it was played, and what each use case returned or raised."""

    steps: tuple[Step, ...]
    outcomes: tuple[object, object]
    failures: tuple[str | None, ...]  # SQLSTATE of each statement that failed

    @property
    def committed_last(self) -> int:
        """Whose last COMMIT or ROLLBACK was the later one."""
        return next(step.who for step in reversed(self.steps) if step.released)

    @property
    def began_last(self) -> int | None:
        """Who began only after the other had ended; None where they overlapped."""
        turns = [step.who for step in self.steps]
        second = 1 - turns[0]
        first_of_second = turns.index(second) if second in turns else len(turns)
        return None if turns[0] in turns[first_of_second:] else second

    def was_kept_out(self, who: int) -> bool:
        """Whether `who` tried for an advisory lock that the other held."""
        held: frozenset[str] = frozenset()
        for step in self.steps:
            if step.who != who:
                held = frozenset() if step.released else held | step.touched.takes
            elif "pg_try_advisory" in step.text and step.touched.takes & held:
                return True
        return False

    def __str__(self) -> str:
        marks = ("A ", "        B ")
        return "\n".join(f"{marks[step.who]}{step.text[:90]}" for step in self.steps)


class _Actor:
    """One use case in its thread."""

    def __init__(self, stage: "Stage", who: int, store: databases.Database) -> None:
        self.store = store
        self.state = State.DONE
        self.pid = 0
        self.pending = footprint.NONE
        self.touched = footprint.NONE  # since the transaction began
        self.snapshot = Snapshot.NONE
        self.text = ""
        self.outcome: object = None
        self._stage, self._who = stage, who
        self._go = threading.Semaphore(0)
        # Beside the pool's own reset, every statement passes here, whoever sends it; the
        # retries of a transaction do, too.
        engine = store._engine
        cursors = self._cursors()
        sa.event.listen(
            engine, "checkout", lambda driver, *_: setattr(driver, "cursor_factory", cursors)
        )
        sa.event.listen(engine, "commit", self._before_commit)
        sa.event.listen(engine, "rollback", self._before_rollback)

    def start(self, call: Call) -> None:
        self.state = State.MOVING
        threading.Thread(target=self._run, args=(call,), daemon=True).start()

    def go(self) -> None:
        self.state = State.MOVING
        self._go.release()

    def _run(self, call: Call) -> None:
        now = time.monotonic()
        limits = databases.Limits(lock=PATIENCE, statement=PATIENCE, deadline=now + PATIENCE)
        try:
            self.outcome = call(self.store, limits)
        except Exception as error:  # judged, not handled: a fault is a finding
            self.outcome = error
        with self._stage.changed:
            self.state = State.DONE
            self._stage.changed.notify()

    def _stop(self, text: str, pending: Footprint) -> None:
        if pending == footprint.NONE:
            return  # of no concern to anybody else: a setting of its own session, say
        with self._stage.changed:
            self.state, self.text, self.pending = State.STOPPED, text, pending
            self._stage.changed.notify()
        self._go.acquire()

    def _cursors(self) -> "type[psycopg.Cursor[Any]]":
        actor = self

        class Cursor(psycopg.Cursor[Any]):
            def execute(
                self,
                query: Any,  # noqa: ANN401  # as it comes, like the others
                params: Any = None,  # noqa: ANN401
                **options: Any,  # noqa: ANN401
            ) -> Self:
                actor._before_statement(self.connection, str(query), params or {})
                try:
                    return super().execute(query, params, **options)
                except psycopg.Error as error:
                    actor._failed(error)
                    raise

        return Cursor

    def _before_statement(
        self, driver: "psycopg.Connection[Any]", statement: str, parameters: Mapping[str, object]
    ) -> None:
        self.pid = driver.info.backend_pid
        touching = footprint.of(statement, parameters)
        if "REPEATABLE READ" in statement:
            self.snapshot = Snapshot.NEXT
        elif self.snapshot is not Snapshot.NONE:
            touching = touching.of_snapshot(begins=self.snapshot is Snapshot.NEXT)
            self.snapshot = Snapshot.TAKEN
        self._stop(" ".join(statement.split()), touching)
        self.touched |= touching

    def _failed(self, error: psycopg.Error) -> None:
        # PostgreSQL lets go of the locks with the error, not with the ROLLBACK.
        self.touched = footprint.NONE
        self._stage.failures.append(error.sqlstate)
        self._stage.release(self._who)

    def _before_commit(self, _: sa.Connection) -> None:
        self._end("COMMIT", self.touched.committed())

    def _before_rollback(self, _: sa.Connection) -> None:
        self._end("ROLLBACK", self.touched.undone())

    def _end(self, text: str, pending: Footprint) -> None:
        self._stop(text, pending)
        self.touched, self.snapshot = footprint.NONE, Snapshot.NONE
        self._stage.release(self._who)


class Stage:
    """Where two actors play schedules, one after the other."""

    def __init__(self, stores: tuple[databases.Database, databases.Database], url: str) -> None:
        """Takes each actor's connections, and the URL from which to see who waits."""
        self.changed = threading.Condition()
        self.failures: list[str | None] = []
        self._watcher: psycopg.Connection[Any] = psycopg.connect(url, autocommit=True)
        self._actors = [_Actor(self, who, store) for who, store in enumerate(stores)]
        self._released = False

    def close(self) -> None:
        """Ends the connection of its own."""
        self._watcher.close()

    def play(self, calls: tuple[Call, Call], choose: Choose) -> Performance:
        """Plays one schedule to its end; `choose` says whose turn it is, among those free."""
        self.failures.clear()
        for actor, call in zip(self._actors, calls, strict=True):
            actor.start(call)
        self._settle()
        steps: list[Step] = []
        moment = self._moment(None, frozenset())
        while moment.free:
            steps.append(self._step(choose(moment)))
            moment = self._moment(steps[-1], moment.free)
        assert all(actor.state is State.DONE for actor in self._actors)
        first, second = self._actors
        return Performance(
            steps=tuple(steps),
            outcomes=(first.outcome, second.outcome),
            failures=tuple(self.failures),
        )

    def release(self, who: int) -> None:
        """Whoever waits for locks of `who` may have them now, or soon."""
        with self.changed:
            self._released = True
            other = self._actors[1 - who]
            if other.state is State.WAITING:
                other.state = State.MOVING

    def _moment(self, last: Step | None, were_free: frozenset[int]) -> Moment:
        one, other = (
            each.pending if each.state is State.STOPPED else None for each in self._actors
        )
        return Moment(pending=(one, other), last=last, were_free=were_free)

    def _step(self, who: int) -> Step:
        actor = self._actors[who]
        text, pending, self._released = actor.text, actor.pending, False
        before = actor.touched
        actor.go()
        self._settle()
        # A statement that failed has ended its transaction with it.
        touched = pending | before.undone() if self._released else pending
        return Step(who=who, text=text, touched=touched, released=self._released)

    def _settle(self) -> None:
        """Returns when nobody moves until somebody is let go."""
        deadline = time.monotonic() + PATIENCE
        waited: list[_Actor] = []
        while True:
            with self.changed:
                if self.changed.wait_for(self._still, GLANCE):
                    return
            waiting = [actor for actor in self._actors if self._waits(actor)]
            for actor in waiting:
                if actor in waited:
                    actor.state = State.WAITING
            waited = waiting
            where = [(actor.state.value, actor.text) for actor in self._actors]
            assert time.monotonic() < deadline, f"nothing moves any more: {where}"

    def _still(self) -> bool:
        return all(actor.state is not State.MOVING for actor in self._actors)

    def _waits(self, actor: _Actor) -> bool:
        """Whether it waits for the other, who does nothing before it is let go.

        Of two who wait for each other PostgreSQL ends one.
        """
        other = next(each for each in self._actors if each is not actor)
        if actor.state is not State.MOVING or other.state is not State.STOPPED:
            return False
        row = self._watcher.execute(_WAITS_FOR, (other.pid, actor.pid)).fetchone()
        return bool(row and row[0])


def refused(outcome: object) -> bool:
    """Whether a use case gave a refusal for its answer."""
    return isinstance(outcome, errors.IpamError)
