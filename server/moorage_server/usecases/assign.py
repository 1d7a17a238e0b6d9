"""Assign: addresses for one attachment, all or none, the same ones when asked again."""

import itertools

from moorage_server.domain import errors, identity, model, succession
from moorage_server.domain.history import Cause
from moorage_server.storage import attachments
from moorage_server.usecases.ledger import Ledger


def assign(ledger: Ledger, request: model.AssignRequest) -> tuple[model.Allocation, ...]:
    """Decides on a request: what it holds already, or nothing where the ledger now grants it.

    Raises the IpamError that says why not, Awaited, or Contended.
    """
    pools = ledger.scope(request).catalog
    record, siblings = ledger.record(request.attachment), ledger.siblings(request.attachment)
    theirs = itertools.chain(record.allocations if record else (), succession.held(siblings))
    if identity.is_foreign(request.bounds, theirs):
        raise errors.NotYours(node=request.bounds.node, tenant=request.bounds.tenant)
    succession.check(request, record, siblings)
    held = identity.replay(request, record, pools)
    if record and held and identity.advances(request.attempt, record.stamp):
        # From now on a release that began before this attempt is too old.
        ledger.mark(attachments.Mark(key=request.attachment, stamp=request.attempt, held=True))
    if any(each.suspect_tick is not None for each in held):
        held = ledger.trust(held)
    if not held:
        # A takeover is new as well: in a database that went back, the sibling may have let go.
        ledger.require_open(request)
        ledger.require_quota(request, siblings)
        ledger.sweep(request)
        wanted = succession.place(request, siblings, ledger.setting(request))
        placed = ledger.converse(request.attachment.vrf, wanted)
        for each in siblings:
            _supersede(ledger, each, request)
        ledger.grant(request, placed)
    return held


def _supersede(ledger: Ledger, old: succession.Sibling, request: model.AssignRequest) -> None:
    if not old.allocations:
        return
    pools = ledger.scope(request).catalog
    ledger.release(pools.show(old.allocations), Cause.SUPERSEDED, request)
    # Whatever of the old sandbox began before this attempt comes too late from now on.
    stamp = identity.newest(old.stamp, request.attempt)
    ledger.mark(attachments.Mark(key=old.attachment, stamp=stamp, held=False))
