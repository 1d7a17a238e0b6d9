"""Explain: what an assign would come to now, decided in the same way and not written."""

import dataclasses

from moorage_server.domain import catalog, errors, identity, model, resources, succession
from moorage_server.domain.eligibility import Asker, PassedOver
from moorage_server.domain.offers import Offer
from moorage_server.domain.patience import Awaited
from moorage_server.domain.setting import Contended, Placed
from moorage_server.domain.usage import Counts
from moorage_server.storage import catalogs, database, usage
from moorage_server.usecases import weighing
from moorage_server.usecases.ledger import Ledger, Shown

NOT_ASSIGNED = 0  # the generation of what would be given


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Considered:
    """A pool as a request sees it; `why` is None where it serves."""

    offer: Offer
    why: PassedOver | None
    counts: Counts


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What a request would return or be refused for, and the pools seen by each address."""

    allocations: Shown
    refusal: errors.IpamError | None
    considered: tuple[tuple[Considered, ...], ...]


def explain(
    store: database.Database,
    limits: database.Limits,
    compiled: catalogs.Catalogs,
    request: model.AssignRequest,
) -> Explanation:
    """Decides on a request without writing; raises VrfNotFound or Contention."""

    def decide(transaction: database.Transaction) -> tuple[Shown, errors.IpamError | None]:
        ledger = Ledger(transaction, compiled, waiting=True)
        ledger.open([request])
        # Nothing is given, so nobody is to wait until this has been told.
        if limited := list(weighing.limited(ledger, request)):
            ledger.estimate(request.attachment.vrf, limited)
        return _decision(ledger, request)

    # Two transactions: counting takes its time, and no lock is held for it.
    allocations, refusal = store.run(decide, limits)
    considered = store.run(lambda it: _considered(it, compiled, request), limits, snapshot=True)
    return Explanation(allocations=allocations, refusal=refusal, considered=considered)


def _decision(
    ledger: Ledger, request: model.AssignRequest
) -> tuple[Shown, errors.IpamError | None]:
    pools = ledger.scope(request).catalog
    try:
        record, siblings = ledger.record(request.attachment), ledger.siblings(request.attachment)
        succession.check(request, record, siblings)
        held = identity.replay(request, record, pools)
        if held:
            return pools.show(held), None
        ledger.require_open(request)
        ledger.require_quota(request, siblings)
        ledger.sweep(request)
        wanted = succession.place(request, siblings, ledger.setting(request))
        placed = ledger.converse(request.attachment.vrf, wanted)
        return tuple(_would_be(request, each) for each in placed), None
    except errors.IpamError as refusal:
        return (), refusal
    except Awaited as awaited:
        return (), awaited.refusal
    except Contended:
        raise errors.Contention from None


def _would_be(request: model.AssignRequest, placed: Placed) -> catalog.Shown:
    allocation = model.Allocation(
        attachment=request.attachment,
        address=placed.address,
        generation=NOT_ASSIGNED,
        block=placed.block,
        assign_time=resources.NEVER,
        facts=request.facts,
        yielded=placed.yielded,
    )
    return catalog.Shown(allocation=allocation, pool=placed.offer.pool)


def _considered(
    transaction: database.Transaction, compiled: catalogs.Catalogs, request: model.AssignRequest
) -> tuple[tuple[Considered, ...], ...]:
    key = request.attachment.vrf, request.facts.workload.node
    scope = compiled.scopes(transaction, {key}).get(key)
    if scope is None:
        raise errors.VrfNotFound(request.attachment.vrf)
    asker = Asker.of(request, scope.node_labels)
    families = {want.family for want in request.addresses}
    counts = {
        each.pool_id: usage.of_pool(transaction, scope, each)
        for each in scope.catalog.offers
        if each.pool.family in families
    }
    return tuple(_verdicts(scope.catalog, want, asker, counts) for want in request.addresses)


def _verdicts(
    pools: catalog.Catalog, want: model.AddressRequest, asker: Asker, counts: dict[int, Counts]
) -> tuple[Considered, ...]:
    try:
        verdicts = pools.considered(want, asker)
    except errors.PoolNotFound:
        return ()  # a pool that is not there: the refusal says so
    return tuple(
        Considered(offer=offer, why=why, counts=counts[offer.pool_id]) for offer, why in verdicts
    )
