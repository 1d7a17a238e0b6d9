"""Release: an attachment's addresses go back to their blocks; a tombstone stays."""

from moorage_server.domain import identity, model, returns
from moorage_server.domain.history import Cause
from moorage_server.storage import attachments
from moorage_server.usecases.ledger import Ledger


def release(ledger: Ledger, request: model.ReleaseRequest) -> tuple[model.Allocation, ...]:
    """Decides on a request; returns what the ledger now releases.

    Raises VrfNotFound, or Contended.
    """
    pools = ledger.scope(request).catalog
    attachment = request.attachment
    record = ledger.record(attachment)
    if record is not None and identity.is_foreign(request.bounds, record.allocations):
        # As where nothing is held: nobody learns from the answer what others hold.
        return ()
    released = identity.releasable(request, record)
    # In order of their blocks, as every release locks them; those of one keep theirs.
    for each in sorted(released, key=lambda held: (held.block.version, held.block)):
        returning = returns.put_back(each, pools, ledger.shelf(attachment.vrf))
        ledger.converse(attachment.vrf, returning)
    if released:
        ledger.release(pools.show(released), _cause(request), request)
    if identity.leaves_tombstone(request, record, released):
        stamp = identity.newest(record.stamp if record else None, request.attempt)
        ledger.mark(attachments.Mark(key=attachment, stamp=stamp, held=False))
    elif record is None:
        ledger.attest()
    return released


def _cause(request: model.ReleaseRequest) -> Cause:
    return Cause.REQUESTED if request.suspected_until is None else Cause.RECONCILED
