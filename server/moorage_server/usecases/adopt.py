"""AdoptBlock: one block with the addresses held in it, all or nothing."""

from collections.abc import Mapping, Sequence

from moorage_server.domain import addresses, adoption, errors, identity, model, needs
from moorage_server.domain.adoption import Adoption, AdoptRequest, Decision
from moorage_server.domain.blocks import Block
from moorage_server.domain.offers import Offer
from moorage_server.domain.shelf import Shelf
from moorage_server.storage import allocations, attachments, blocks, catalogs, database, events

Records = Mapping[model.AttachmentKey, identity.Record]


def adopt(
    store: database.Database,
    limits: database.Limits,
    compiled: catalogs.Catalogs,
    request: AdoptRequest,
) -> Decision:
    """What was adopted, or would be, or why not; raises VrfNotFound or Contention."""
    return store.run(lambda transaction: _adopt(transaction, compiled, request), limits)


def _adopt(
    transaction: database.Transaction, compiled: catalogs.Catalogs, request: AdoptRequest
) -> Decision:
    # Attachments before the block, and in one order, so that two calls which have
    # some of them in common wait for each other once.
    keys = sorted({each.attachment for each in request.adoptions}, key=attachments.lock_number)
    attachments.lock(transaction, keys, waiting=True)
    scope = compiled.scopes(transaction, {(request.vrf, "")}).get((request.vrf, ""))
    if scope is None:
        raise errors.VrfNotFound(request.vrf)
    vrf_id = scope.catalog.vrf_id
    records = attachments.records(transaction, vrf_id, keys)
    offer = adoption.pool_of(request, scope.catalog)
    if isinstance(offer, adoption.Conflict):
        return Decision(conflicts=(offer,))
    adopting = _Adopting(transaction, vrf_id, request, offer, Shelf(scope.now))
    decision = adopting.decide()
    if not decision.conflicts and not request.validate_only:
        adopting.write(decision, records)
    return decision


class _Adopting:
    """One block in one transaction: locked, decided on, written."""

    def __init__(
        self,
        transaction: database.Transaction,
        vrf_id: int,
        request: AdoptRequest,
        offer: Offer,
        on: Shelf,
    ) -> None:
        self._transaction = transaction
        self._vrf_id = vrf_id
        self._request = request
        self._offer = offer
        self._shelf = on
        self._inquiry = blocks.Inquiry(transaction, vrf_id, on, waiting=True)

    def decide(self) -> Decision:
        """Locks the block, or the right to open it, and says what becomes of it."""
        request, cidr = self._request, self._request.cidr
        self._ask(needs.BlockAt(cidr=cidr))
        if self._shelf.block(cidr) is None and adoption.opens(request, self._offer):
            self._lock_frontier()
        held = allocations.in_block(self._transaction, self._vrf_id, request.vrf, cidr)
        return adoption.decide(
            request, self._offer, block=self._shelf.block(cidr), held=held, now=self._shelf.now
        )

    def write(self, decision: Decision, records: Records) -> None:
        """Writes in the ledger's order; see `Ledger.write` for its reasons."""
        if decision.block is not None:
            self._put(decision.block)
        if decision.adopted:
            self._hold(decision.adopted, records)

    def _ask(self, need: needs.Need) -> None:
        self._shelf.add(need, self._inquiry.answer(need))

    def _lock_frontier(self) -> None:
        self._ask(needs.PoolFrontier(pool_id=self._offer.pool_id))
        frontier = self._shelf.frontier(self._offer.pool_id)
        if frontier is not None and self._index not in frontier:
            # Opened by another since the first look; locked behind the frontier, where
            # PostgreSQL sees a deadlock, should there be one, and this runs again.
            self._ask(needs.BlockAt(cidr=self._request.cidr))
        elif frontier is None:
            raise errors.Contention  # the pool was deleted meanwhile

    @property
    def _index(self) -> int:
        return self._offer.index_of(self._request.cidr[0])

    def _put(self, block: Block) -> None:
        if self._shelf.block(block.cidr) is None:
            self._shelf.open(self._index, block)
        else:
            self._shelf.change(block)
        blocks.write(self._transaction, self._vrf_id, self._shelf)

    def _hold(self, adopted: Sequence[Adoption], records: Records) -> None:
        groups: dict[model.AttachmentKey, list[Adoption]] = {}
        for each in adopted:
            groups.setdefault(each.attachment, []).append(each)
        # What holds something already is recorded already.
        known = {key: its.allocations[0].facts for key, its in records.items() if its.allocations}
        facts = {key: known.get(key, group[0].facts) for key, group in groups.items()}
        new = [
            model.AssignRequest(attachment=key, addresses=(), facts=facts[key])
            for key in groups
            if key not in known
        ]
        if new:
            attachments.hold(self._transaction, self._vrf_id, new)
        told = self._tell(adopted, facts)
        holdings = [
            [self._allocation(each, told[each.address]) for each in group]
            for group in groups.values()
        ]
        allocations.append(self._transaction, self._vrf_id, holdings)

    def _tell(
        self, adopted: Sequence[Adoption], facts: Mapping[model.AttachmentKey, model.Facts]
    ) -> dict[addresses.Address, events.Told]:
        told = [
            events.Event(
                kind=events.Kind.ASSIGNED,
                vrf_id=self._vrf_id,
                address=each.address,
                block=self._request.cidr,
                pool=self._offer.name,
                attachment=each.attachment,
                facts=facts[each.attachment],
            )
            for each in adopted
        ]
        written = events.write(self._transaction, told)
        return {address: each for (_, _, address), each in written.items()}

    def _allocation(self, adopted: Adoption, told: events.Told) -> model.Allocation:
        return model.Allocation(
            attachment=adopted.attachment,
            address=adopted.address,
            generation=told.generation,
            block=self._request.cidr,
            assign_time=told.time,
            facts=adopted.facts,
        )
