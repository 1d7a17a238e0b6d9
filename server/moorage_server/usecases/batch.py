"""Many assigns and releases in one transaction, each failing alone.

A batch never waits for a lock: whatever it would have to wait for is handed back
as DEFERRED and run again alone, waiting, while other batches go on.
"""

import enum
from collections.abc import Callable, Sequence

from moorage_server.domain import errors, model, placement
from moorage_server.storage import catalogs, database
from moorage_server.usecases import assign, release
from moorage_server.usecases.ledger import Ledger, Request, Shown


class Deferred(enum.Enum):
    """The request was not decided: what it needs is locked by another transaction."""

    DEFERRED = "deferred"


Outcome = Shown | errors.IpamError | Deferred
_Answer = Callable[[assign.Written], Outcome]


def run(
    store: database.Database,
    limits: database.Limits,
    requests: Sequence[Request],
    *,
    compiled: catalogs.Catalogs,
    waiting: bool,
) -> list[Outcome]:
    """One outcome for each request, in order; no two may be of one attachment.

    Raises what ends the whole transaction. With `waiting` nothing is deferred, so
    it is for one request alone.
    """
    return store.run(
        lambda transaction: _decide(Ledger(transaction, compiled, waiting=waiting), requests),
        limits,
    )


def _decide(ledger: Ledger, requests: Sequence[Request]) -> list[Outcome]:
    locked = ledger.open(requests)
    answers: dict[int, _Answer] = {}
    # Releases first: what they give back may be what an assign is waiting for.
    for at in sorted(range(len(requests)), key=lambda at: _is_assign(requests[at])):
        answers[at] = _settle(ledger, requests[at], locked)
    written = ledger.write()
    return [answers[at](written) for at in range(len(requests))]


def _settle(ledger: Ledger, request: Request, locked: set[model.AttachmentKey]) -> _Answer:
    on = ledger.shelf(request.attachment.vrf)
    try:
        ledger.scope(request)
        if request.attachment not in locked:
            return lambda _: Deferred.DEFERRED
        answer = _decided(ledger, request)
    except placement.Contended:
        on.undo()
        return lambda _: Deferred.DEFERRED
    except errors.IpamError as refusal:
        on.undo()
        told = refusal
        return lambda _: told
    on.keep()
    return answer


def _decided(ledger: Ledger, request: Request) -> _Answer:
    if isinstance(request, model.AssignRequest):
        return assign.assign(ledger, request)
    released = release.release(ledger, request)
    return lambda _: released


def _is_assign(request: Request) -> bool:
    return isinstance(request, model.AssignRequest)
