"""What one transaction has locked, read and decided for the requests of a batch.

`assign` and `release` decide on it; `batch` opens it and has it written.
"""

import uuid
from collections.abc import Callable, Sequence
from typing import TypeVar

from moorage_server.domain import catalog, errors, identity, model, placement, shelf
from moorage_server.storage import allocations, attachments, blocks, catalogs, database

T = TypeVar("T")
Request = model.AssignRequest | model.ReleaseRequest
Shown = tuple[catalog.Shown, ...]


class Ledger:
    """The books of one transaction: read at the start, written once at the end."""

    def __init__(
        self, transaction: database.Transaction, compiled: catalogs.Catalogs, *, waiting: bool
    ) -> None:
        """With `waiting`, locks that others hold are waited for; else they are passed over."""
        self._transaction = transaction
        self._compiled = compiled
        self._waiting = waiting
        self._scopes: dict[tuple[str, str], catalogs.Scope] = {}
        self._vrf_ids: dict[str, int] = {}
        self._records: dict[model.AttachmentKey, identity.Record] = {}
        self._shelves: dict[str, shelf.Shelf] = {}
        self._holds: list[attachments.Hold] = []
        self._grants: list[allocations.Grant] = []
        self._marks: list[attachments.Mark] = []
        self._released: list[model.Allocation] = []

    def open(self, requests: Sequence[Request]) -> set[model.AttachmentKey]:
        """Locks the attachments and reads what decisions depend on; returns those locked."""
        keys = [each.attachment for each in requests]
        locked = attachments.lock(self._transaction, keys, waiting=self._waiting)
        # Statements of their own, in this order: a record is as of after the lock
        # was given, and the catalog knows every pool that a record speaks of.
        self._records = attachments.records(self._transaction, list(locked))
        self._scopes = self._compiled.scopes(
            self._transaction, {(each.attachment.vrf, _node(each)) for each in requests}
        )
        self._vrf_ids = {vrf: scope.catalog.vrf_id for (vrf, _), scope in self._scopes.items()}
        return locked

    def scope(self, request: Request) -> catalogs.Scope:
        """What a request is decided in; raises VrfNotFound."""
        found = self._scopes.get((request.attachment.vrf, _node(request)))
        if found is None:
            raise errors.VrfNotFound(request.attachment.vrf)
        return found

    def record(self, attachment: model.AttachmentKey) -> identity.Record | None:
        """What is remembered of a locked attachment."""
        return self._records.get(attachment)

    def setting(self, request: model.AssignRequest) -> placement.Setting:
        """What placement works on for a request."""
        scope = self.scope(request)
        asker = catalog.Asker(
            workload=request.workload, node_labels=scope.node_labels, use=request.use
        )
        return placement.Setting(
            pools=scope.catalog, asker=asker, shelf=self.shelf(request.attachment.vrf)
        )

    def shelf(self, vrf: str) -> shelf.Shelf:
        """The locked blocks of a VRF."""
        return self._shelves.setdefault(vrf, shelf.Shelf())

    def converse(self, vrf: str, conversation: placement.Conversation[T]) -> T:
        """Answers what a decision needs to see until it is made."""
        on, vrf_id = self.shelf(vrf), self._vrf_ids[vrf]
        try:
            need = next(conversation)
            while True:
                found = blocks.answer(self._transaction, vrf_id, need, on, waiting=self._waiting)
                on.add(need, found)
                need = conversation.send(None)
        except StopIteration as made:
            result: T = made.value
            return result

    def grant(
        self, request: model.AssignRequest, placed: Sequence[placement.Placed]
    ) -> list[allocations.Grant]:
        """Notes addresses to be written for an attachment."""
        record = self.record(request.attachment)
        uid = record.uid if record else uuid.uuid4()
        vrf_id = self._vrf_ids[request.attachment.vrf]
        grants = [
            allocations.Grant(
                vrf_id=vrf_id,
                uid=uid,
                position=position,
                address=each.address,
                block=each.block,
                pool=each.offer.name,
            )
            for position, each in enumerate(placed)
        ]
        self._holds.append(attachments.Hold(vrf_id=vrf_id, uid=uid, request=request))
        self._grants += grants
        return grants

    def release(self, released: Sequence[model.Allocation], mark: attachments.Mark) -> None:
        """Notes addresses to be removed, and what is left of their attachment."""
        self._released += released
        self._marks.append(mark)

    def write(self) -> Callable[[allocations.Grant], allocations.Written]:
        """Writes everything noted; returns what tells a grant's generation and time.

        Releases go before assigns, because an address may be in both; blocks go
        before events, so that the ids of an address's events follow its lock.
        """
        for vrf, on in self._shelves.items():
            blocks.write(self._transaction, self._vrf_ids[vrf], on)
        if self._released:
            allocations.release(self._transaction, self._released, self._vrf_ids)
        if self._marks:
            attachments.mark(self._transaction, self._marks)
        if self._holds:
            attachments.hold(self._transaction, self._holds)
        written = allocations.assign(self._transaction, self._grants) if self._grants else {}
        return lambda grant: written[grant.vrf_id, grant.address]


def _node(request: Request) -> str:
    return request.workload.node if isinstance(request, model.AssignRequest) else ""
