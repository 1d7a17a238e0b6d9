"""Those who make changes, as tables have them."""

from moorage.v1 import audit_pb2

_PARTS = audit_pb2.PROOF_SERVER


def shown(actor: audit_pb2.Actor) -> str:
    """Return who it was in one word: a part of the server is in brackets."""
    return f"({actor.name})" if actor.proof == _PARTS else actor.name
