"""What a database error means, by SQLSTATE and constraint name, never by its text.

Before COMMIT was sent an error means that nothing happened; at COMMIT it may mean
that nobody knows.
"""

import enum
from collections.abc import Callable

import psycopg
import sqlalchemy as sa

from moorage_server.domain import errors


class Verdict(enum.Enum):
    """What to do about a failed transaction."""

    RETRY = "run the whole transaction again"
    RECONNECT = "run it again on another connection"
    UNKNOWN = "it may have been committed"
    CONTENTION = "somebody else holds a lock"
    TIMED_OUT = "the time for the statement is up"
    DEMOTED = "this database takes no writes any more"
    UNAVAILABLE = "the database lacks what it needs to go on"
    UNSUITABLE = "a value was let in that the database does not take"
    CORRUPT = "the database finds fault with itself, or with what it stores"
    FAULT = "neither expected nor transient"


# SQLSTATE, or the class that its first two characters are.
_BEFORE_COMMIT = {
    "40001": Verdict.RETRY,
    "40P01": Verdict.RETRY,
    "0A000": Verdict.RETRY,  # a prepared statement's columns have changed; it is prepared anew
    "55P03": Verdict.CONTENTION,
    "57014": Verdict.TIMED_OUT,
    "57P01": Verdict.RECONNECT,
    "57P02": Verdict.RECONNECT,
    "57P03": Verdict.RECONNECT,
    "57P05": Verdict.RECONNECT,
    "25P03": Verdict.RECONNECT,
    "25P04": Verdict.RECONNECT,  # somebody has set how long a transaction may last
    "25006": Verdict.DEMOTED,
    "42P01": Verdict.UNAVAILABLE,  # no such table, or column: not migrated yet, or no more
    "42703": Verdict.UNAVAILABLE,
    "08": Verdict.RECONNECT,
    "22": Verdict.UNSUITABLE,
    "53": Verdict.UNAVAILABLE,
    "XX": Verdict.CORRUPT,
}


# As SQLAlchemy tells of it, or the driver itself.
DatabaseError = sa.exc.DBAPIError | psycopg.Error
KINDS = (sa.exc.DBAPIError, psycopg.Error)


def sqlstate(error: DatabaseError) -> str | None:
    """The SQLSTATE; None where the connection broke without one."""
    driver = _of_driver(error)
    return driver.sqlstate if driver else None


def violated(error: DatabaseError) -> str | None:
    """The name of the constraint that was violated, if one was."""
    driver = _of_driver(error)
    return driver.diag.constraint_name if driver else None


def _of_driver(error: DatabaseError) -> psycopg.Error | None:
    told = error.orig if isinstance(error, sa.exc.DBAPIError) else error
    return told if isinstance(told, psycopg.Error) else None


def describe(error: DatabaseError) -> str:
    """SQLSTATE and constraint, for a log: the text may hold values of requests."""
    return f"SQLSTATE {sqlstate(error)}, constraint {violated(error)}"


def before_commit(error: DatabaseError) -> Verdict:
    """The verdict on an error of a statement: COMMIT was not sent."""
    state = sqlstate(error)
    if state == "23514" and violated(error) is None:
        # Of a partition: the month that the row is of was made while it was written.
        return Verdict.RETRY
    if state is None:
        return _without_state(_of_driver(error))
    return _BEFORE_COMMIT.get(state, _BEFORE_COMMIT.get(state[:2], Verdict.FAULT))


def _without_state(error: psycopg.Error | None) -> Verdict:
    if isinstance(error, psycopg.DataError):
        return Verdict.UNSUITABLE  # the driver has not even sent it
    return Verdict.RECONNECT if isinstance(error, psycopg.OperationalError) else Verdict.FAULT


def at_commit(error: DatabaseError) -> Verdict:
    """The verdict on an error of COMMIT itself.

    A serialization failure or a violated constraint is PostgreSQL's word that it
    rolled back; any other end of the conversation leaves the outcome open.
    """
    state = sqlstate(error) or ""
    if state in {"40001", "40P01"}:  # of its class another one says that nobody knows
        return Verdict.RETRY
    return Verdict.FAULT if state[:2] == "23" else Verdict.UNKNOWN


def refusal(verdict: Verdict) -> errors.IpamError | None:
    """What the caller is told; None where the error itself must be reported."""
    told: dict[Verdict, Callable[[], errors.IpamError]] = {
        Verdict.RETRY: errors.Contention,
        Verdict.CONTENTION: errors.Contention,
        Verdict.RECONNECT: errors.DatabaseUnavailable,
        Verdict.DEMOTED: errors.DatabaseUnavailable,
        Verdict.UNAVAILABLE: errors.DatabaseUnavailable,
        Verdict.TIMED_OUT: errors.DeadlineTooShort,
        Verdict.UNKNOWN: errors.OutcomeUnknown,
        Verdict.UNSUITABLE: _unsuitable,
    }
    return told[verdict]() if verdict in told else None


def _unsuitable() -> errors.InvalidRequest:
    return errors.InvalidRequest([("", "has a value that the database does not take")])
