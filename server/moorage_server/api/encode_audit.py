"""Who makes changes, and the changes of what is administered -> messages."""

from google.protobuf import struct_pb2

from moorage.v1 import audit_pb2 as messages
from moorage_server.api import encode_resources, enums, names
from moorage_server.domain import audit
from moorage_server.domain.actors import Act


def actor(act: Act) -> messages.Actor:
    """Who it was."""
    return messages.Actor(
        name=act.actor.name,
        role=act.actor.role,
        proof=enums.PROOFS.encode(act.actor.proof),
        credential=act.actor.credential,
        source=act.actor.source,
        request_id=act.request_id,
    )


def change(told: audit.Change) -> messages.Change:
    """What became another."""
    return messages.Change(
        change_id=told.number,
        change_time=encode_resources.timestamp(told.time),
        parent=names.vrf_name(told.note.vrf),
        kind=enums.CHANGE_KINDS.encode(told.note.kind),
        resource_id=told.note.name,
        method=told.note.method,
        reason=told.note.reason,
        before=_struct(told.note.before),
        after=_struct(told.note.after),
        actor=actor(told.by),
    )


def _struct(fields: audit.Fields) -> struct_pb2.Struct | None:
    if not fields:
        return None
    made = struct_pb2.Struct()
    made.update(fields)
    return made
