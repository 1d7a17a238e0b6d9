"""What one transaction has locked, read and decided for the requests of a batch.

`assign` and `release` decide on it; `batch` opens it and has it written.
"""

import dataclasses
import itertools
from collections.abc import Collection, Mapping, Sequence
from typing import TypeVar

from moorage_server.domain import (
    catalog,
    errors,
    identity,
    model,
    needs,
    quarantine,
    returns,
    succession,
)
from moorage_server.domain.actors import Act
from moorage_server.domain.eligibility import Asker
from moorage_server.domain.history import Cause
from moorage_server.domain.quotas import Holder
from moorage_server.domain.setting import Conversation, Patience, Placed, Setting
from moorage_server.domain.shelf import Shelf
from moorage_server.domain.tally import Tally
from moorage_server.storage import (
    actors,
    allocations,
    attachments,
    blocks,
    catalogs,
    database,
    durability,
    holdings,
    locks,
    positions,
    quotas,
    sandboxes,
)

T = TypeVar("T")
Request = model.AssignRequest | model.ReleaseRequest
Shown = tuple[catalog.Shown, ...]


@dataclasses.dataclass(slots=True)
class _Page:
    """What is decided in one VRF."""

    vrf_id: int
    shelf: Shelf
    inquiry: blocks.Inquiry
    standing: positions.Standing
    before: model.Position  # how far the feed had come, at least, as this transaction began
    tally: Tally = dataclasses.field(default_factory=Tally)
    released: list[tuple[catalog.Shown, Cause, Act]] = dataclasses.field(default_factory=list)
    trusted: list[model.Allocation] = dataclasses.field(default_factory=list)
    marks: list[attachments.Mark] = dataclasses.field(default_factory=list)
    granted: list[tuple[model.AssignRequest, list[Placed]]] = dataclasses.field(
        default_factory=list
    )

    @property
    def reached(self) -> model.Position:
        """How far it has come, at least, with what is noted here."""
        events = len(self.released) + sum(len(placed) for _, placed in self.granted)
        return dataclasses.replace(self.before, revision=self.before.revision + events)


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
        self._records: dict[model.AttachmentKey, identity.Record] = {}
        self._siblings: dict[model.AttachmentKey, succession.Siblings] = {}
        self._pages: dict[str, _Page] = {}
        self._attests = False
        self.swept: set[catalogs.Sweep] = set()
        # How far somebody has seen the feeds of VRFs whose database has gone back since.
        self.lost: dict[str, model.Position] = {}

    def take_turn(self, requests: Sequence[Request]) -> None:
        """Waits until nobody else is in the middle of waiting for locks in these VRFs.

        Batches of new requests wait for nothing, so those who take turns are held up by no batch
        that waits for them, in whatever order they come to their locks; only a request that is
        run alone may wait for one of theirs.
        """
        for vrf in sorted({each.attachment.vrf for each in requests}):
            locks.take(self._transaction, locks.Class.TURN, vrf)

    def open(self, requests: Sequence[Request]) -> set[model.AttachmentKey]:
        """Locks the attachments and reads what decisions depend on; returns those locked."""
        keys = [each.attachment for each in requests]
        pods = sandboxes.of(requests)
        locked = attachments.lock(self._transaction, keys, sandboxes=pods, waiting=self._waiting)
        locked -= sandboxes.behind_others(pods)
        # Before anything is read: whatever comes is not behind it, unless time went back.
        known = {key.vrf: self._compiled.positions.of(key.vrf) for key in keys}
        # Statements of their own, after the lock was given: from now on nobody but
        # this transaction changes what these attachments hold, so the catalog read
        # here knows every pool that their records speak of.
        self._scopes = self._compiled.scopes(
            self._transaction,
            {(each.attachment.vrf, _node(each)) for each in requests},
            by=[each.by for each in requests],
        )
        for (vrf, _), scope in self._scopes.items():
            if vrf not in self._pages:
                self._pages[vrf] = self._page(scope)
                here = [key for key in locked if key.vrf == vrf]
                self._records |= attachments.records(self._transaction, scope.catalog.vrf_id, here)
                self._siblings |= sandboxes.siblings(
                    self._transaction,
                    scope.catalog.vrf_id,
                    {key: pods[key] for key in here if key in pods},
                    busy=frozenset(keys),
                    waiting=self._waiting,
                )
        self._look_back(requests, known)
        return {key for key in locked if key not in pods or key in self._siblings}

    def _look_back(
        self, requests: Sequence[Request], known: Mapping[str, model.Position | None]
    ) -> None:
        for vrf, page in self._pages.items():
            seen = [each.seen for each in requests if each.attachment.vrf == vrf]
            page.before, is_there = self._compiled.positions.look_back(
                self._transaction, page.standing, known[vrf], seen
            )
            if not is_there:
                self.lost[vrf] = page.before

    def require_open(self, request: Request) -> None:
        """Raises VrfQuarantined where nothing new is assigned."""
        scope = self.scope(request)
        scope.catalog.require_open()
        if request.attachment.vrf in self.lost:
            cause = quarantine.Cause.WENT_BACK
            raise errors.VrfQuarantined(request.attachment.vrf, cause, scope.now)

    def weigh(self, vrf: str, whose: Collection[Holder]) -> None:
        """Counts what these hold, whom requests may give more.

        Before any block is locked, and all of them at once: nobody who keeps others from their
        blocks waits for a count.
        """
        locked = quotas.lock(
            self._transaction, self._pages[vrf].vrf_id, whose, waiting=self._waiting
        )
        self.estimate(vrf, locked)

    def estimate(self, vrf: str, whose: Collection[Holder]) -> None:
        """Counts what these hold, whom others may give more meanwhile."""
        page = self._pages[vrf]
        counted = quotas.count(self._transaction, page.vrf_id, whose, tick=page.shelf.tick)
        page.tally.count(counted)

    def require_quota(self, request: model.AssignRequest, siblings: succession.Siblings) -> None:
        """Raises QuotaExceeded where somebody would hold more than he may; or Contended."""
        tally = self._pages[request.attachment.vrf].tally
        tally.check(request, succession.held(siblings), self.scope(request).catalog.quotas)

    @property
    def reached(self) -> dict[str, model.Position]:
        """How far the feed of each VRF has come, at least, once all that was noted is committed."""
        return {vrf: page.reached for vrf, page in self._pages.items()}

    def foresee(self, vrf: str, wanted: Collection[needs.Foreseen]) -> None:
        """Has what decisions in a VRF will ask for looked for at once."""
        if vrf in self._pages:
            self._pages[vrf].inquiry.foresee(wanted)

    def _page(self, scope: catalogs.Scope) -> _Page:
        vrf_id, on = scope.catalog.vrf_id, Shelf(scope.now, scope.tick, scope.catalog.hidden_blocks)
        inquiry = blocks.Inquiry(self._transaction, vrf_id, on, waiting=self._waiting)
        return _Page(
            vrf_id=vrf_id,
            shelf=on,
            inquiry=inquiry,
            standing=scope.standing,
            before=scope.standing.position,
        )

    def scope(self, request: Request) -> catalogs.Scope:
        """What a request is decided in; raises VrfNotFound."""
        found = self._scopes.get((request.attachment.vrf, _node(request)))
        if found is None:
            raise errors.VrfNotFound(request.attachment.vrf)
        return found

    def record(self, attachment: model.AttachmentKey) -> identity.Record | None:
        """What is remembered of a locked attachment."""
        return self._records.get(attachment)

    def siblings(self, attachment: model.AttachmentKey) -> succession.Siblings:
        """The other sandboxes of the pod that a locked attachment is a new one of."""
        return self._siblings.get(attachment, ())

    def setting(self, request: model.AssignRequest) -> Setting:
        """What placement works on for a request."""
        scope, on = self.scope(request), self.shelf(request.attachment.vrf)
        asker = Asker.of(request, scope.node_labels)
        patience = Patience.of(request)
        return Setting(pools=scope.catalog, asker=asker, shelf=on, patience=patience)

    def shelf(self, vrf: str) -> Shelf:
        """The locked blocks of a VRF that is there."""
        return self._pages[vrf].shelf

    def sweep(self, request: model.AssignRequest) -> None:
        """Has the empty blocks closed that the node owns in pools which do not select it.

        Stays, whatever becomes of the request. Raises Contended.
        """
        scope = self.scope(request)
        if not scope.node or scope.sweep in self.swept or scope.sweep in self._compiled.swept:
            return
        on = self.shelf(request.attachment.vrf)
        unselecting = scope.catalog.unselecting(scope.node_labels)
        sweep = returns.sweep(scope.node, unselecting, on)
        if self.converse(request.attachment.vrf, sweep):
            self.swept.add(scope.sweep)
        on.keep()

    def converse(self, vrf: str, conversation: Conversation[T]) -> T:
        """Answers what a decision needs to see until it is made."""
        page = self._pages[vrf]
        try:
            need = next(conversation)
            while True:
                page.shelf.add(need, page.inquiry.answer(need))
                need = conversation.send(None)
        except StopIteration as made:
            result: T = made.value
            return result

    def grant(self, request: model.AssignRequest, placed: list[Placed]) -> None:
        """Notes addresses to be written for an attachment."""
        page = self._pages[request.attachment.vrf]
        page.granted.append((request, placed))
        page.tally.give(request.facts.workload, len(placed))

    def release(self, released: Shown, cause: Cause, request: Request) -> None:
        """Notes addresses to be removed, why, and for whose request."""
        page = self._pages[request.attachment.vrf]
        for each in released:
            page.released.append((each, cause, request.by))
            # What a new sandbox takes over is not kept beside it.
            is_kept = bool(each.allocation.facts.sticky) and cause is not Cause.SUPERSEDED
            page.tally.give_back(each.allocation, is_kept=is_kept)

    def trust(self, held: tuple[model.Allocation, ...]) -> tuple[model.Allocation, ...]:
        """Notes that what one attachment holds is suspect no more; returns it as it is then."""
        trusted = tuple(dataclasses.replace(each, suspect_tick=None) for each in held)
        self._pages[held[0].attachment.vrf].trusted += trusted
        return trusted

    def mark(self, mark: attachments.Mark) -> None:
        """Notes what is to be remembered of an attachment that is granted nothing."""
        self._pages[mark.key.vrf].marks.append(mark)

    def attest(self) -> None:
        """Has something written, since what is told was only read: of a database that leads no
        more, which cannot commit, nobody is told that there is nothing.
        """
        self._attests = True

    def write(self) -> holdings.Granted:
        """Writes everything noted; returns what each attachment was granted. Raises Unknown.

        Blocks go before what is told of their addresses, so that the ids of an address's
        events follow its block's lock; releases before assigns, because an address may be
        in both.
        """
        self._require_known()
        if self._attests:
            durability.write(self._transaction)
        granted: holdings.Granted = {}
        for page in self._pages.values():
            granted |= self._write_page(page)
        return granted

    def _require_known(self) -> None:
        """Raises Unknown where the database does not know who changes something."""
        unknown = {each for scope in self._scopes.values() for each in scope.unknown_actors}
        pages = self._pages.values()
        released = (act for page in pages for *_, act in page.released)
        granted = (request.by for page in pages for request, _ in page.granted)
        actors.require_known(itertools.chain(released, granted), unknown)

    def _write_page(self, page: _Page) -> holdings.Granted:
        vrf_id = page.vrf_id
        blocks.write(self._transaction, vrf_id, page.shelf)
        if page.marks:
            attachments.mark(self._transaction, vrf_id, page.marks)
        if page.trusted:
            allocations.suspect(self._transaction, vrf_id, page.trusted)
        if page.released:
            holdings.release(self._transaction, vrf_id, page.released)
        blocks.close(self._transaction, vrf_id, page.shelf)
        return holdings.assign(self._transaction, vrf_id, page.granted) if page.granted else {}


def _node(request: Request) -> str:
    return request.facts.workload.node if isinstance(request, model.AssignRequest) else ""
