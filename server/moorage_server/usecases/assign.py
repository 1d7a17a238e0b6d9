"""Assign: addresses for one attachment, all or none, the same ones when asked again."""

from moorage_server.domain import identity, model, placement
from moorage_server.storage import attachments
from moorage_server.usecases.ledger import Ledger


def assign(ledger: Ledger, request: model.AssignRequest) -> tuple[model.Allocation, ...]:
    """Decides on a request: what it holds already, or nothing where the ledger now grants it.

    Raises the IpamError that says why not, or Contended.
    """
    pools = ledger.scope(request).catalog
    record = ledger.record(request.attachment)
    held = identity.replay(request, record, pools)
    if record and held and identity.advances(request.attempt, record.stamp):
        # From now on a release that began before this attempt is too old.
        ledger.mark(attachments.Mark(key=request.attachment, stamp=request.attempt, held=True))
    if not held:
        ledger.sweep(request)
        wanted = placement.place(request.addresses, ledger.setting(request))
        ledger.grant(request, ledger.converse(request.attachment.vrf, wanted))
    return held
