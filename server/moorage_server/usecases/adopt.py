"""AdoptBlock: one block with the addresses held in it, all or nothing."""

import dataclasses
from collections.abc import Mapping

from moorage_server.domain import addresses, adoption, errors, identity, model, needs
from moorage_server.domain.adoption import AdoptRequest, Decision
from moorage_server.domain.audit import Kind, Note
from moorage_server.domain.blocks import Block
from moorage_server.domain.offers import Offer
from moorage_server.domain.shelf import Shelf
from moorage_server.storage import (
    actors,
    allocations,
    attachments,
    blocks,
    catalogs,
    changes,
    database,
    events,
    holdings,
)
from moorage_server.usecases import acting

Records = Mapping[model.AttachmentKey, identity.Record]
Facts = Mapping[model.AttachmentKey, model.Facts]


class _InTheWay(Exception):
    """Nothing is adopted; what has been written goes with the transaction."""

    def __init__(self, conflicts: tuple[adoption.Conflict, ...]) -> None:
        super().__init__()
        self.conflicts = conflicts


def adopt(
    store: database.Database,
    limits: database.Limits,
    compiled: catalogs.Catalogs,
    request: AdoptRequest,
) -> Decision:
    """What was adopted, or would be, or why not; raises VrfNotFound or Contention."""
    try:
        return acting.run(store, limits, lambda transaction: _adopt(transaction, compiled, request))
    except _InTheWay as found:
        return Decision(conflicts=found.conflicts)


def _adopt(
    transaction: database.Transaction, compiled: catalogs.Catalogs, request: AdoptRequest
) -> Decision:
    # Attachments before the block, and in one order, so that two calls which have
    # some of them in common wait for each other once.
    keys = sorted({each.attachment for each in request.adoptions}, key=attachments.lock_number)
    attachments.lock(transaction, keys, sandboxes=_sandboxes(request), waiting=True)
    scope = compiled.require(transaction, request.vrf, by=[request.by])
    vrf_id = scope.catalog.vrf_id
    records = attachments.records(transaction, vrf_id, keys)
    offer = adoption.pool_of(request, scope.catalog)
    if isinstance(offer, adoption.Conflict):
        return Decision(conflicts=(offer,))
    released = _released(transaction, vrf_id, request, records)
    left = request.without(released).current(scope.now)
    if released and not (left.adoptions or left.keepings):
        return Decision(released_count=len(released))
    adopting = _Adopting(transaction, vrf_id, left, offer, Shelf(scope.now, scope.tick))
    decision = adopting.run(records)
    if not request.validate_only:
        # Whatever was written without it goes with the transaction.
        actors.require_known([request.by] if decision.adopted else [], scope.unknown_actors)
    is_noted = decision.block_changed or decision.kept
    if decision.block is not None and is_noted and not request.validate_only:
        changes.add(transaction, request.by, _note(request, decision, decision.block))
    return dataclasses.replace(decision, released_count=len(released))


def _note(request: AdoptRequest, decision: Decision, block: Block) -> Note:
    return Note(
        method="AdoptBlock",
        kind=Kind.BLOCK,
        vrf=request.vrf,
        name=str(request.cidr),
        before={"node": decision.previous_node},
        after={
            "node": block.node or "",
            "adopted_count": len(decision.adopted),
            **({"kept_count": len(decision.kept)} if decision.kept else {}),
        },
    )


def _sandboxes(request: AdoptRequest) -> dict[model.AttachmentKey, model.PodInterface]:
    named = {
        each.attachment: model.PodInterface.of(each.attachment, each.facts.workload)
        for each in request.adoptions
    }
    return {key: pod for key, pod in named.items() if pod is not None}


def _released(
    transaction: database.Transaction, vrf_id: int, request: AdoptRequest, records: Records
) -> set[addresses.Address]:
    """What the one who is to hold it has given back, or gave back before it came here.

    Tombstones tell of the latter, but not for long; events tell of the former for ever.
    """
    gone = {key for key, record in records.items() if not record.allocations}
    others = [each for each in request.adoptions if each.attachment not in gone]
    asked = [(each.address, each.attachment) for each in others]
    fenced = {each.address for each in request.adoptions if each.attachment in gone}
    return fenced | events.released(transaction, vrf_id, asked)


class _Adopting:
    """One block in one transaction: locked, decided on, written.

    Whatever is asked for is held by its attachment, or becomes so.
    """

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

    def run(self, records: Records) -> Decision:
        """Raises _InTheWay."""
        facts = _facts(self._request, records)
        if not self._request.validate_only:
            # Before the block: whoever wants to open one of this pool waits from then on.
            self._hold({key: its for key, its in facts.items() if key not in records})
        decision = self._decide()
        if decision.conflicts:
            raise _InTheWay(decision.conflicts)
        if not self._request.validate_only:
            self._write(decision)
        return decision

    def _decide(self) -> Decision:
        """Locks the block, or the right to open it, and says what becomes of it."""
        request, cidr = self._request, self._request.cidr
        self._ask(needs.BlockAt(cidr=cidr))
        if self._shelf.block(cidr) is None and adoption.opens(request, self._offer):
            self._lock_frontier()
        asked = [each.address for each in request.adoptions]
        asked += [each.address for each in request.keepings]
        held = allocations.among(self._transaction, self._vrf_id, request.vrf, asked)
        return adoption.decide(
            request,
            self._offer,
            block=self._shelf.block(cidr),
            held=held,
            now=self._shelf.now,
            tick=self._shelf.tick,
        )

    def _write(self, decision: Decision) -> None:
        """Writes the rest in the ledger's order; see `Ledger.write` for its reasons."""
        if decision.block is not None:
            self._put(decision.block)
        if decision.adopted:
            block, pool = self._request.cidr, self._offer.name
            holdings.adopt(
                self._transaction,
                self._vrf_id,
                decision.adopted,
                block=block,
                pool=pool,
                by=self._request.by,
            )

    def _ask(self, need: needs.Need) -> None:
        self._shelf.add(need, self._inquiry.answer(need))

    def _lock_frontier(self) -> None:
        if node := self._request.node:
            # An assign of the node that finds no block waits, and then draws from this one.
            self._ask(needs.OwnedCount(node=node, pool_ids=(self._offer.pool_id,)))
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

    def _hold(self, facts: Facts) -> None:
        if facts:
            attachments.hold(self._transaction, self._vrf_id, facts)


def _facts(request: AdoptRequest, records: Records) -> Facts:
    """What is recorded of each attachment: what is so already, or what is told of it first."""
    facts: dict[model.AttachmentKey, model.Facts] = {}
    for each in request.adoptions:
        record = records.get(each.attachment)
        known = record.allocations[0].facts if record else each.facts
        facts.setdefault(each.attachment, known)
    return facts
