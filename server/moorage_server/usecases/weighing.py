"""Weigh: who may be given more by the requests of a batch, counted where a quota limits them."""

from collections.abc import Iterable

from moorage_server.domain import errors, model
from moorage_server.domain.quotas import Holder
from moorage_server.usecases.ledger import Ledger, Request


def weigh(ledger: Ledger, requests: Iterable[Request]) -> None:
    """Has counted whoever may be given more by requests whose attachments are locked."""
    whose: dict[str, set[Holder]] = {}
    for each in requests:
        if isinstance(each, model.AssignRequest):
            whose.setdefault(each.attachment.vrf, set()).update(limited(ledger, each))
    for vrf, holders in whose.items():
        if holders:
            ledger.weigh(vrf, holders)


def limited(ledger: Ledger, request: model.AssignRequest) -> Iterable[Holder]:
    """Whom quotas limit in what a request may be given."""
    record = ledger.record(request.attachment)
    if record is not None and record.allocations:
        return ()  # it is told what it holds
    try:
        pools = ledger.scope(request).catalog
    except errors.VrfNotFound:
        return ()  # its turn to be refused comes
    return pools.quotas.of(request.facts.workload)
