"""Many assigns and releases in one transaction, each failing alone.

A batch of new requests never waits for a lock: whatever it would have to wait for is handed
back as DEFERRED and run again, waiting, while other batches go on.
"""

import dataclasses
import enum
from collections.abc import Mapping, Sequence

from moorage_server.domain import catalog, errors, model
from moorage_server.domain.patience import Awaited
from moorage_server.domain.setting import Contended
from moorage_server.storage import catalogs, database
from moorage_server.usecases import acting, assign, foresight, release, weighing
from moorage_server.usecases.ledger import Ledger, Request


class Locking(enum.Enum):
    """What is done about locks that others hold."""

    SKIPPING = "what is locked is left out"
    IN_TURN = "they are waited for, when all others of the VRF that do so are done"
    WAITING = "they are waited for"


class Deferred(enum.Enum):
    """The request was not decided: what it needs is locked by another transaction."""

    DEFERRED = "deferred"


Held = tuple[model.Allocation, ...]
_Refused = errors.IpamError | Awaited | Deferred
_Decision = Held | _Refused
Outcome = tuple[catalog.Shown, ...] | _Refused


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """One outcome for each request, in order; and how far somebody has seen VRFs, of which there
    is less now.
    """

    outcomes: list[Outcome]
    lost: Mapping[str, model.Position]
    replays: int  # assigns that were told what is held already
    empty: int  # releases that had nothing to release

    @property
    def deferred(self) -> int:
        """How many requests were not decided."""
        return sum(each is Deferred.DEFERRED for each in self.outcomes)


def run(
    store: database.Database,
    limits: database.Limits,
    requests: Sequence[Request],
    *,
    compiled: catalogs.Catalogs,
    locking: Locking,
) -> Ran:
    """Decides on requests, no two of one attachment, and writes what comes of it.

    Raises what ends the whole transaction. Where locks are waited for, a request is deferred
    only if what it waited for has changed. WAITING is for one request alone: several would
    take them in orders of their own.
    """

    def work(transaction: database.Transaction) -> tuple[Ledger, list[Outcome], int]:
        ledger = Ledger(transaction, compiled, waiting=locking is not Locking.SKIPPING)
        if locking is Locking.IN_TURN:
            ledger.take_turn(requests)
        outcomes, granted = _decide(ledger, requests)
        return ledger, outcomes, len(granted)

    ledger, outcomes, granted = acting.run(store, limits, work)
    compiled.swept |= ledger.swept
    for vrf, reached in ledger.reached.items():
        compiled.positions.note(vrf, reached)
    held = [each for each in zip(requests, outcomes, strict=True) if isinstance(each[1], tuple)]
    assigns = sum(isinstance(request, model.AssignRequest) for request, _ in held)
    return Ran(
        outcomes=outcomes,
        lost=ledger.lost,
        replays=assigns - granted,
        empty=sum(not shown for _, shown in held),
    )


def _decide(
    ledger: Ledger, requests: Sequence[Request]
) -> tuple[list[Outcome], Mapping[model.AttachmentKey, Held]]:
    """The outcomes, and what attachments were granted by them."""
    locked = ledger.open(requests)
    ready = [each for each in requests if each.attachment in locked]
    weighing.weigh(ledger, ready)
    if len(requests) > 1:
        foreseen = foresight.of(ledger, ready)
        for vrf, wanted in foreseen.items():
            ledger.foresee(vrf, wanted)
    decisions: dict[model.AttachmentKey, _Decision] = {}
    # Releases first: what they give back may be what an assign is waiting for.
    for request in sorted(requests, key=lambda each: isinstance(each, model.AssignRequest)):
        decisions[request.attachment] = _settle(ledger, request, locked)
    granted = ledger.write()
    outcomes = [_outcome(ledger, each, decisions[each.attachment], granted) for each in requests]
    return outcomes, granted


def _settle(ledger: Ledger, request: Request, locked: set[model.AttachmentKey]) -> _Decision:
    try:
        ledger.scope(request)
    except errors.VrfNotFound as refusal:
        return refusal
    on = ledger.shelf(request.attachment.vrf)
    try:
        if request.attachment not in locked:
            return Deferred.DEFERRED
        if isinstance(request, model.AssignRequest):
            decision = assign.assign(ledger, request)
        else:
            decision = release.release(ledger, request)
    except Contended:
        on.undo()
        return Deferred.DEFERRED
    except (errors.IpamError, Awaited) as refusal:
        on.undo()
        return refusal
    on.keep()
    return decision


def _outcome(
    ledger: Ledger,
    request: Request,
    decision: _Decision,
    granted: Mapping[model.AttachmentKey, Held],
) -> Outcome:
    if not isinstance(decision, tuple):
        return decision
    held = granted.get(request.attachment, decision)
    return ledger.scope(request).catalog.show(held)
