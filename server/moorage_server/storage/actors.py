"""Rows of actors: who made changes. Those who write events ask first whether theirs are there.

No process keeps in mind whom the database knows: it may be another one by now, or have gone back.
So a transaction asks, within a statement that it sends anyway.
"""

import datetime
from collections.abc import Collection, Iterable, Sequence

import sqlalchemy as sa

from moorage_server.domain.actors import Act, Actor, Proof
from moorage_server.storage import arrays, statements

_MONTH = "CAST(date_trunc('month', now() AT TIME ZONE 'UTC') AS date)"

# Each by key, by itself: as a join a planner that does not know yet how many there will be would
# look through all of them.
_UNKNOWN_TEXT = """ARRAY(SELECT uid FROM unnest(CAST(:actors AS uuid[])) AS acting (uid)
    WHERE (SELECT a.uid FROM actors a WHERE a.uid = acting.uid AND a.month = {month}) IS NULL)"""
# SQL for those of `:actors` that are not there for this month.
UNKNOWN = _UNKNOWN_TEXT.format(month=_MONTH)

# All in one order, so that nobody waits for whom another waits for.
_ADD_TEXT = """INSERT INTO actors (uid, month, name, role, proof, credential, source)
SELECT uid, {month}, name, role, proof, credential, source
FROM unnest(CAST(:uids AS uuid[]), CAST(:names AS text[]), CAST(:roles AS text[]),
    CAST(:proofs AS text[]), CAST(:credentials AS text[]), CAST(:sources AS text[]))
    AS new (uid, name, role, proof, credential, source)
ORDER BY uid ON CONFLICT DO NOTHING"""
# A statement, or a part of one, by which actors are there.
ADD = _ADD_TEXT.format(month=_MONTH)
_ADD = statements.Statement(ADD)

_OF_TEXT = """LATERAL (SELECT name AS actor, role, proof, credential, source FROM actors
    WHERE actors.uid = {row}.actor_uid ORDER BY month DESC LIMIT 1) AS who"""

# By key as well, and in the month of its time alone.
_OF_EVENTS_TEXT = """
SELECT asked.event_id, e.request_id, who.*
FROM unnest(CAST(:ids AS bigint[]), CAST(:times AS timestamptz[])) AS asked (event_id, event_time)
CROSS JOIN LATERAL (SELECT events.actor_uid, events.request_id FROM events
    WHERE events.event_id = asked.event_id AND events.vrf_id = :vrf_id
        AND events.event_time = asked.event_time LIMIT 1) AS e
CROSS JOIN {who}
"""


def of(row: str) -> str:
    """SQL for the actor of a row, as `who`, by whichever month of his is left."""
    return _OF_TEXT.format(row=row)


_OF_EVENTS = statements.Statement(_OF_EVENTS_TEXT.format(who=of("e")))


class Unknown(Exception):
    """The database does not know who acts, so nothing can be written that names them."""

    def __init__(self, acting: Collection[Actor]) -> None:
        """Keeps whom to write down."""
        super().__init__()
        self.acting = acting


def require_known(acts: Iterable[Act], unknown: Collection[str]) -> None:
    """Raises Unknown where somebody acts who is among the `unknown`."""
    if unknown and (missing := {each.actor for each in acts if each.actor.uid in unknown}):
        raise Unknown(missing)


def add(connection: sa.Connection, acting: Collection[Actor]) -> None:
    """Writes down who they are, where that is not there already."""
    _ADD.run(connection, columns(acting))


def columns(acting: Collection[Actor]) -> dict[str, str]:
    """The parameters of `ADD`."""
    return {
        "uids": arrays.texts(each.uid for each in acting),
        "names": arrays.texts(each.name for each in acting),
        "roles": arrays.texts(each.role for each in acting),
        "proofs": arrays.texts(each.proof.value for each in acting),
        "credentials": arrays.texts(each.credential for each in acting),
        "sources": arrays.texts(each.source for each in acting),
    }


def of_events(
    connection: sa.Connection, vrf_id: int, told: Sequence[tuple[int, datetime.datetime]]
) -> dict[int, Act]:
    """By whom the events with these ids, of these times, were made, as far as that is known."""
    parameters = {
        "vrf_id": vrf_id,
        "ids": arrays.numbers(event_id for event_id, _ in told),
        "times": arrays.texts(time.isoformat() for _, time in told),
    }
    return {row.event_id: act(row) for row in _OF_EVENTS.rows(connection, parameters)}


def act(row: arrays.Row) -> Act:
    """The act in a row with the columns of `of` and its request's id."""
    actor = Actor(
        name=row.actor,
        role=row.role,
        proof=Proof(row.proof),
        credential=row.credential,
        source=row.source,
    )
    return Act(actor=actor, request_id=row.request_id)
