"""Assign: addresses for one attachment, all or none, the same ones when asked again."""

from moorage_server.domain import identity, model, placement
from moorage_server.usecases.ledger import Ledger


def assign(ledger: Ledger, request: model.AssignRequest) -> tuple[model.Allocation, ...]:
    """Decides on a request: what it holds already, or nothing where the ledger now grants it.

    Raises the IpamError that says why not, or placement.Contended.
    """
    pools = ledger.scope(request).catalog
    held = identity.replay(request, ledger.record(request.attachment), pools)
    if not held:
        wanted = placement.place(request.addresses, ledger.setting(request))
        ledger.grant(request, ledger.converse(request.attachment.vrf, wanted))
    return held
