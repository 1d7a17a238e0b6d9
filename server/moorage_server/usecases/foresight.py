"""What the requests of a batch will ask for first, to be asked for all of them at once.

It only saves statements. Whoever has guessed wrong asks again, and what was locked in vain is
let go at the end of the transaction.
"""

from collections.abc import Iterable, Iterator

from moorage_server.domain import automatic, errors, identity, model, needs
from moorage_server.usecases.ledger import Ledger, Request


def of(ledger: Ledger, requests: Iterable[Request]) -> dict[str, list[needs.Foreseen]]:
    """What requests whose attachments are locked will ask for, by VRF."""
    foreseen: dict[str, list[needs.Foreseen]] = {}
    nodes: set[tuple[str, str]] = set()
    for each in requests:
        vrf = each.attachment.vrf
        if isinstance(each, model.ReleaseRequest):
            foreseen.setdefault(vrf, []).extend(_returned(ledger, each))
        elif (vrf, each.facts.workload.node) not in nodes:
            foreseen.setdefault(vrf, []).extend(_drawn(ledger, each))
            nodes.add((vrf, each.facts.workload.node))
    return foreseen


def _returned(ledger: Ledger, request: model.ReleaseRequest) -> Iterator[needs.BlockAt]:
    released = identity.releasable(request, ledger.record(request.attachment))
    return (needs.BlockAt(cidr=each.block) for each in released)


def _drawn(ledger: Ledger, request: model.AssignRequest) -> Iterator[needs.OwnBlocks]:
    """Where its first automatic address comes from: the others are from there as well."""
    record = ledger.record(request.attachment)
    want = next((each for each in request.addresses if not each.candidates), None)
    if want is None or (record is not None and record.allocations):
        return
    try:
        search = automatic.first_search(want, ledger.setting(request))
    except errors.IpamError:
        return  # its turn to be refused comes
    if search is not None:
        yield search
