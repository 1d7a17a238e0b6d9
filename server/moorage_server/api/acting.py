"""Whose act a call is: who calls, by what it is known, from where, and in which request."""

import contextvars
import dataclasses
import functools
import hashlib
import re
import secrets
from typing import Final, TypeVar

from moorage_server.api import peers
from moorage_server.api.callers import CURRENT
from moorage_server.api.desk import Context
from moorage_server.domain import model
from moorage_server.domain.actors import MOST_KNOWN, Act, Actor
from moorage_server.domain.callers import Identity

_HEADER: Final = "x-request-id"
_LONGEST: Final = 256  # characters of what a credential is denied by
_FORM: Final = re.compile(r"[A-Za-z0-9._:/+=-]{1,64}")

# Of the call under way, once somebody has asked for it: each runs in a context of its own.
REQUEST: Final = contextvars.ContextVar("request id", default="")

_Request = TypeVar("_Request", model.AssignRequest, model.ReleaseRequest)


def signed(request: _Request, context: Context) -> _Request:
    """A request as the present caller may have it: a node or a tenant, for what is its own."""
    caller = CURRENT.get()
    return dataclasses.replace(request, bounds=caller.bounds, by=_act(caller, context))


def act(context: Context) -> Act:
    """What the present caller does."""
    return _act(CURRENT.get(), context)


def request_id(context: Context) -> str:
    """What the caller calls its request, else what we do, so that log and history say the same."""
    known = REQUEST.get()
    if not known:
        known = _given(context) or secrets.token_hex(8)
        REQUEST.set(known)
    return known


def _act(caller: Identity, context: Context) -> Act:
    return Act(actor=_actor(caller, peers.host(context.peer())), request_id=request_id(context))


@functools.lru_cache(maxsize=MOST_KNOWN)
def _actor(caller: Identity, source: str) -> Actor:
    return Actor(
        name=caller.name,
        role=caller.role.value,
        proof=caller.proof,
        credential=_plain(caller.credential),
        source=source,
    )


def _plain(credential: str) -> str:
    """A token's id may be any text, and as long as the token."""
    if credential.isprintable() and len(credential) <= _LONGEST:
        return credential
    return f"sha256={hashlib.sha256(credential.encode(errors='surrogatepass')).hexdigest()}"


def _given(context: Context) -> str:
    for key, value in context.invocation_metadata() or ():
        if key == _HEADER and isinstance(value, str) and _FORM.fullmatch(value):
            return value
    return ""
