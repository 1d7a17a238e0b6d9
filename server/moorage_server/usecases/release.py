"""Release: an attachment's addresses go back to their blocks; a tombstone stays."""

import uuid

from moorage_server.domain import identity, model, placement
from moorage_server.storage import attachments
from moorage_server.usecases.ledger import Ledger, Shown


def release(ledger: Ledger, request: model.ReleaseRequest) -> Shown:
    """Decides on a request; returns what it releases.

    Raises VrfNotFound, or placement.Contended.
    """
    pools = ledger.scope(request).catalog
    attachment = request.attachment
    record = ledger.record(attachment)
    released = identity.releasable(request, record)
    for each in released:
        returning = placement.put_back(each, ledger.shelf(attachment.vrf))
        ledger.converse(attachment.vrf, returning)
    if identity.leaves_trace(request, record):
        remaining = len(record.allocations) - len(released) if record else 0
        ledger.release(released, _mark(pools.vrf_id, request, record, remaining=remaining))
    return pools.show(released)


def _mark(
    vrf_id: int,
    request: model.ReleaseRequest,
    record: identity.Record | None,
    *,
    remaining: int,
) -> attachments.Mark:
    return attachments.Mark(
        vrf_id=vrf_id,
        uid=record.uid if record else uuid.uuid4(),
        key=request.attachment,
        stamp=identity.newest(record.stamp if record else None, request.attempt),
        still_held=remaining > 0,
    )
