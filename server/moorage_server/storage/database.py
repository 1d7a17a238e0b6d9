"""Transactions: the only place that commits.

A transaction knows whether its COMMIT was sent. Before that, whatever fails is
rolled back and may be run again; after that, COMMIT is never sent again and a
lost answer is an unknown outcome, which the caller resolves by repeating the
call (assign and release are idempotent).
"""

import contextlib
import copy
import dataclasses
import random
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

import psycopg
import sqlalchemy as sa
import structlog

from moorage_server.domain import errors
from moorage_server.storage import errors as database_errors
from moorage_server.storage import hosts, loaders, outlines, pulse, statements
from moorage_server.storage.errors import Verdict

T = TypeVar("T")

# What use cases pass on without looking inside.
Transaction = sa.Connection

ATTEMPTS = 5
FIRST_PAUSE = 0.01  # seconds; doubled with every attempt, jittered
CONNECT_TIMEOUT = 3  # seconds
IDLE_IN_TRANSACTION = 10.0  # seconds; a frozen server must not hold its locks for longer
CONNECTION_LIFETIME = 600  # seconds: a new primary and new addresses get noticed
# Beside one for each thread: both batches, what tells of things while it finds them, the
# numbering of the feed, its tails, pages and two snapshots, counts, what verifies, the probe of
# readiness.
RESERVE_CONNECTIONS = 11

_log = structlog.get_logger()

# Our own: whoever seeds the interpreter's wants to know what comes of it.
_chance = random.Random()  # noqa: S311  # spreads retries, guards nothing

# The first round trip of every transaction, with settings that so hold behind a pooler as
# well, the path of names among them: no schema of somebody else stands in the way of
# our tables. Every statement finds its rows by key; the last three keep a plan that was made
# while the tables were small from scanning them once they are not. Before PostgreSQL 18 they also
# make plans with small tables look so dear that each would be compiled, which takes longer than
# all else; so nothing is. What changes something has plans for any parameters, which are made
# once; what only reads is planned for those it has.
_BEGIN = """
BEGIN ISOLATION LEVEL {isolation};
SET LOCAL lock_timeout = {lock}; SET LOCAL statement_timeout = {statement};
SET LOCAL idle_in_transaction_session_timeout = {idle}; SET LOCAL timezone = 'UTC';
SET LOCAL search_path = public, pg_temp; SET LOCAL plan_cache_mode = {plans}; SET LOCAL jit = off;
SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off
"""

# PostgreSQL reports a COMMIT whose wait for the synchronous standby was cancelled
# as done, with a warning of this SQLSTATE; the row may yet be lost at failover.
_WARNING = "01000"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long one transaction may wait, in seconds.

    `deadline` is on time.monotonic()'s clock; nothing is begun or retried after it.
    """

    lock: float
    statement: float
    deadline: float

    @classmethod
    def until(cls, deadline: float) -> "Limits":
        """Half of the remaining time for one lock, at most 2 s; nearly all for a statement."""
        remaining = max(deadline - time.monotonic(), 0.0)
        return cls(
            lock=min(2.0, remaining / 2),
            statement=max(remaining - 0.2, 0.05),
            deadline=deadline,
        )


@dataclasses.dataclass(slots=True)
class _Losses:
    """What is known of lost connections, by all who share a pool."""

    until: float = 0.0  # when the newest was made that was lost


class Database:
    """A pool of connections to one PostgreSQL, and the way to run transactions on it."""

    def __init__(self, url: str, *, threads: int) -> None:
        """Connects when first used; `threads` may run transactions at the same time."""
        self._engine = sa.create_engine(
            hosts.readable(url),
            pool_size=threads + RESERVE_CONNECTIONS,
            max_overflow=0,
            hide_parameters=True,  # they are values of requests, and end up in logs
            pool_timeout=1,
            pool_recycle=CONNECTION_LIFETIME,
            connect_args={
                "autocommit": True,  # each transaction begins with a BEGIN of its own
                "connect_timeout": CONNECT_TIMEOUT,
                "tcp_user_timeout": 5000,
                "keepalives_idle": 2,
                "keepalives_interval": 1,
                "keepalives_count": 3,
                "prepare_threshold": 2,
            },
        )
        outlines.listen(self._engine)
        self._losses = _Losses()
        known = hosts.Hosts()
        self._pulse = pulse.Pulse(known.another_leads)
        sa.event.listen(self._engine, "do_connect", known.connect)
        sa.event.listen(self._engine, "connect", _note_time)
        sa.event.listen(self._engine, "connect", _collect_warnings)
        sa.event.listen(self._engine, "connect", lambda driver, _: loaders.register(driver))
        sa.event.listen(self._engine, "checkout", self._renew)
        self._commits = True
        self._is_available: Callable[[], bool] = lambda: True

    def rehearsing(self) -> "Database":
        """The same database, where every transaction is rolled back instead of committed.

        Whatever would be refused before the COMMIT is refused all the same.
        """
        rehearsal = copy.copy(self)
        rehearsal._commits = False
        return rehearsal

    def available_while(self, holds: Callable[[], bool]) -> "Database":
        """The same database; while that does not hold, it is not available."""
        guarded = copy.copy(self)
        guarded._is_available = holds
        return guarded

    def close(self) -> None:
        """Closes every connection that is not in use."""
        self._pulse.close()
        self._engine.dispose()

    def run(
        self, work: Callable[[sa.Connection], T], limits: Limits, *, snapshot: bool = False
    ) -> T:
        """Runs `work` in one transaction and commits it.

        `work` may run several times, and must not act on anything but the
        connection. With `snapshot`, all its statements see one moment: for queries
        only, since a write may then fail for being late.

        Raises what `work` raises, the IpamError that a failure of the database
        amounts to, or Fault.
        """
        if not self._is_available():
            raise errors.DatabaseUnavailable
        for attempt in range(ATTEMPTS):
            try:
                with outlines.transaction(only_reads=snapshot):
                    return self._once(work, limits, snapshot=snapshot)
            except _Again as again:
                pause = FIRST_PAUSE * 2**attempt * _chance.uniform(0.5, 1.5)
                if attempt + 1 == ATTEMPTS or time.monotonic() + pause >= limits.deadline:
                    raise again.refusal from again
                time.sleep(pause)
        raise AssertionError("unreachable")

    def _once(self, work: Callable[[sa.Connection], T], limits: Limits, *, snapshot: bool) -> T:
        # The connection is given back first: that may send a ROLLBACK, and wait for its answer.
        with self._pulse.felt() as line, self._connect() as connection, _rolled_back(connection):
            made = connection.info["made"]
            try:
                host = connection.info["host"]
                line.take(statements.driver(connection), host, limits.deadline)
                self._begin(connection, limits, snapshot=snapshot)
                result = work(connection)
            except database_errors.KINDS as error:
                verdict = database_errors.before_commit(error)
                # A demoted primary keeps its connections and answers pings on them; and where
                # one connection was lost, the others were as well.
                if verdict in (Verdict.DEMOTED, Verdict.RECONNECT):
                    self._losses.until = max(self._losses.until, made)
                    connection.invalidate()
                raise _judged(verdict, error) from error
            if not statements.are_pending(connection):
                # The driver would send no COMMIT, or be told of a ROLLBACK, and say neither.
                raise Fault("the transaction has ended before its COMMIT")
            if self._commits:
                line.commits()
                self._commit(connection, only_reads=snapshot)
            return result

    def _renew(self, _connection: object, record: sa.pool.ConnectionPoolEntry, _: object) -> None:
        if record.info["made"] <= self._losses.until:
            # Each connection that is no newer is made anew when its turn comes, and whoever
            # works on one goes on.
            raise sa.exc.DisconnectionError

    def _connect(self) -> sa.Connection:
        try:
            return self._engine.connect()
        # The last one where others were found lost as often as this one was made anew.
        except (
            sa.exc.OperationalError,
            sa.exc.TimeoutError,
            sa.exc.InvalidRequestError,
        ) as error:
            raise _Again(errors.DatabaseUnavailable()) from error

    def _begin(self, connection: sa.Connection, limits: Limits, *, snapshot: bool) -> None:
        if time.monotonic() >= limits.deadline:
            raise errors.DeadlineTooShort
        connection.begin()  # for SQLAlchemy, which sends nothing: the driver would do so
        begin = _BEGIN.format(
            isolation="REPEATABLE READ" if snapshot else "READ COMMITTED",
            plans="auto" if snapshot else "force_generic_plan",
            lock=_milliseconds(limits.lock),
            statement=_milliseconds(limits.statement),
            idle=_milliseconds(IDLE_IN_TRANSACTION),
        )
        with outlines.BEGIN.around():
            statements.send(connection, begin)

    def _commit(self, connection: sa.Connection, *, only_reads: bool) -> None:
        # From here on nothing may be cancelled, and nothing that fails is sent
        # again: the row may be there although we were not told.
        connection.info["warnings"].clear()  # a trigger of somebody's may have given some before
        try:
            with outlines.COMMIT.around():
                connection.commit()
        except sa.exc.DBAPIError as error:
            # For SQLAlchemy the transaction is over, and no ROLLBACK is sent; but one whose COMMIT
            # was cancelled early is still open, and would be whoever's has the connection next.
            connection.invalidate()
            # What only reads leaves nothing in doubt.
            judge = database_errors.before_commit if only_reads else database_errors.at_commit
            raise _judged(judge(error), error) from error
        if _WARNING in connection.info["warnings"]:
            raise errors.OutcomeUnknown


class Fault(Exception):
    """A statement failed for a reason that is neither expected nor transient.

    The message names the SQLSTATE and the constraint; the driver's error is its cause.
    """


class Corrupt(Fault):
    """PostgreSQL finds fault with itself, or with what it stores."""


class _Again(Exception):
    """The transaction was rolled back and may be run again."""

    def __init__(self, refusal: errors.IpamError) -> None:
        super().__init__(str(refusal))
        self.refusal = refusal
        self.reason = refusal.reason


@contextlib.contextmanager
def _rolled_back(connection: sa.Connection) -> Iterator[None]:
    """Rolls back what was not committed; that nobody answers to that changes nothing."""
    try:
        yield
    finally:
        try:
            connection.rollback()
        except database_errors.KINDS:
            connection.invalidate()


def _milliseconds(seconds: float) -> int:
    return max(int(seconds * 1000), 1)  # 0 would be for ever


def _judged(verdict: Verdict, error: database_errors.DatabaseError) -> Exception:
    what = database_errors.describe(error)
    if verdict is Verdict.CORRUPT:
        return Corrupt(what)
    refusal = database_errors.refusal(verdict)
    if refusal is None:
        return Fault(what)
    if verdict is Verdict.UNSUITABLE:
        # It may be told to who sent it, and is a fault of ours all the same.
        _log.error("a value was let in that the database does not take", what=what)
    if verdict in (Verdict.RETRY, Verdict.RECONNECT, Verdict.DEMOTED, Verdict.UNAVAILABLE):
        return _Again(refusal)
    return refusal


def _note_time(_: object, record: sa.pool.ConnectionPoolEntry) -> None:
    record.info["made"] = time.monotonic()


def _collect_warnings(connection: psycopg.Connection, record: sa.pool.ConnectionPoolEntry) -> None:
    warnings: list[str | None] = []
    record.info["warnings"] = warnings
    connection.add_notice_handler(lambda notice: warnings.append(notice.sqlstate))
