"""Rows of changes: who changed what of what is administered.

Whoever makes a change notes it last in its transaction: the note may wait for another that writes
down the same actor, which then waits for nothing any more.
"""

import json

import sqlalchemy as sa

from moorage_server.domain import audit
from moorage_server.domain.actors import Act
from moorage_server.domain.audit import Change, Filter, Kind, Note
from moorage_server.storage import actors, arrays, statements

_NOTE_TEXT = """
WITH acting AS ({add})
INSERT INTO changes (vrf, method, kind, name, reason, before, after, actor_uid, request_id)
VALUES (:vrf, :method, :kind, :name, :reason, CAST(:before AS jsonb), CAST(:after AS jsonb),
    CAST(:actor AS uuid), :request_id)
"""
_NOTE = statements.Statement(_NOTE_TEXT.format(add=actors.ADD))

_PAGE = """
SELECT c.change_id, c.change_time, c.vrf, c.kind, c.name, c.method, c.reason, c.before, c.after,
    c.request_id, who.*
FROM changes c CROSS JOIN {who}
WHERE c.vrf = :vrf AND c.change_id < :before {conditions}
ORDER BY c.change_id DESC LIMIT :limit
"""


def add(connection: sa.Connection, by: Act, note: Note) -> None:
    """Writes down a change; of what there was and is, what differs."""
    was, becomes = audit.differing(note.before, note.after)
    parameters = {
        **actors.columns([by.actor]),
        "vrf": note.vrf,
        "method": note.method,
        "kind": note.kind.value,
        "name": note.name,
        "reason": note.reason,
        "before": json.dumps(was),
        "after": json.dumps(becomes),
        "actor": by.actor.uid,
        "request_id": by.request_id,
    }
    _NOTE.run(connection, parameters)


def page(connection: sa.Connection, wanted: Filter, *, before: int, limit: int) -> list[Change]:
    """The newest first, from the one that was noted before the number `before`."""
    given = {"kind": wanted.kind, "name": wanted.name}
    conditions = [f"AND c.{column} = :{column}" for column, value in given.items() if value]
    conditions += ["AND c.change_time >= :start"] if wanted.start else []
    conditions += ["AND c.change_time < :end"] if wanted.end else []
    query = _PAGE.format(who=actors.of("c"), conditions=" ".join(conditions))
    parameters = {
        **{column: str(value) for column, value in given.items() if value},
        "vrf": wanted.vrf,
        "start": wanted.start,
        "end": wanted.end,
        "before": before,
        "limit": limit,
    }
    return [_change(row) for row in statements.Statement(query).rows(connection, parameters)]


def _change(row: arrays.Row) -> Change:
    note = Note(
        method=row.method,
        kind=Kind(row.kind),
        vrf=row.vrf,
        name=row.name,
        before=row.before,
        after=row.after,
        reason=row.reason,
    )
    return Change(number=row.change_id, time=row.change_time, note=note, by=actors.act(row))
