"""Assign: addresses for one attachment, all or none, the same ones when asked again."""

from collections.abc import Callable

from moorage_server.domain import identity, model, placement
from moorage_server.storage import allocations
from moorage_server.usecases.ledger import Ledger, Shown

Written = Callable[[allocations.Grant], allocations.Written]


def assign(ledger: Ledger, request: model.AssignRequest) -> Callable[[Written], Shown]:
    """Decides on a request; returns what makes its answer once the ledger is written.

    Raises the IpamError that says why not, or placement.Contended.
    """
    scope = ledger.scope(request)
    held = identity.replay(request, ledger.record(request.attachment), scope.catalog)
    if held:
        return lambda _: scope.catalog.show(held)
    wanted = placement.place(request.addresses, ledger.setting(request))
    placed = ledger.converse(request.attachment.vrf, wanted)
    grants = ledger.grant(request, placed)
    return lambda written: scope.catalog.show(
        _allocation(request, each, written(each)) for each in grants
    )


def _allocation(
    request: model.AssignRequest, grant: allocations.Grant, written: allocations.Written
) -> model.Allocation:
    return model.Allocation(
        attachment=request.attachment,
        address=grant.address,
        generation=written.generation,
        pool=grant.pool,
        block=grant.block,
        assign_time=written.assign_time,
        workload=request.workload,
        use=request.use,
        owner_key=request.owner_key,
        labels=request.labels,
    )
