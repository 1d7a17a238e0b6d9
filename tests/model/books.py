"""One transaction in memory: what `usecases.ledger.Ledger` is to a use case, without PostgreSQL."""

import dataclasses
import types
from collections.abc import Iterator
from typing import TypeVar

from harness.world import World
from moorage_server.domain import catalog, identity, model, succession
from moorage_server.domain.eligibility import Asker
from moorage_server.domain.setting import Conversation, Placed, Setting
from moorage_server.domain.shelf import Shelf
from moorage_server.storage import attachments

T = TypeVar("T")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """What is remembered of an attachment, and whose sandbox it is.

    `assign_stamp` is of its newest assign, also where it was released since.
    """

    record: identity.Record
    assign_stamp: model.AttemptStamp | None
    pod: model.PodInterface | None


class Books:
    """What one request is decided on, and what it comes to."""

    def __init__(
        self,
        world: World,
        sandboxes: dict[model.AttachmentKey, Sandbox],
        pod: model.PodInterface | None,
    ) -> None:
        """`sandboxes` is what is written to at the end; `pod`: for which a sandbox is asked for."""
        self._world = world
        self._shelf = world.shelf()
        self._sandboxes = sandboxes
        self._pod = pod
        self._granted: list[tuple[model.AssignRequest, list[Placed]]] = []
        self._released: list[model.Allocation] = []
        self._marks: list[attachments.Mark] = []

    def scope(self, _: model.AssignRequest | model.ReleaseRequest) -> types.SimpleNamespace:
        """What a request is decided in."""
        return types.SimpleNamespace(catalog=self._world.catalog)

    def require_open(self, request: model.AssignRequest) -> None:
        """Nothing here ever goes back in time."""
        self.scope(request).catalog.require_open()

    def require_quota(self, request: model.AssignRequest, siblings: succession.Siblings) -> None:
        """Nobody has a quota here."""

    def attest(self) -> None:
        """There is no other that leads here."""

    def record(self, attachment: model.AttachmentKey) -> identity.Record | None:
        """What is remembered of an attachment."""
        found = self._sandboxes.get(attachment)
        return found.record if found else None

    def siblings(self, attachment: model.AttachmentKey) -> succession.Siblings:
        """The other sandboxes of the pod of the request's attachment."""
        if self._pod is None:
            return ()
        return tuple(
            succession.Sibling(
                attachment=key, stamp=each.assign_stamp, allocations=each.record.allocations
            )
            for key, each in self._sandboxes.items()
            if each.pod == self._pod and key != attachment
        )

    def shelf(self, _: str) -> Shelf:
        """The blocks."""
        return self._shelf

    def setting(self, request: model.AssignRequest) -> Setting:
        """What placement works on for a request."""
        asker = Asker.of(request, {})
        return Setting(pools=self._world.catalog, asker=asker, shelf=self._shelf)

    def converse(self, _: str, conversation: Conversation[T]) -> T:
        """Answers what a decision needs to see until it is made."""
        return self._world.converse(conversation, self._shelf)

    def sweep(self, _: model.AssignRequest) -> None:
        """Nothing to close: every pool selects every node."""

    def grant(self, request: model.AssignRequest, placed: list[Placed]) -> None:
        """Notes addresses to be written for an attachment."""
        self._granted.append((request, placed))

    def release(self, released: tuple[catalog.Shown, ...], *_: object) -> None:
        """Notes addresses to be removed."""
        self._released += [each.allocation for each in released]

    def mark(self, mark: attachments.Mark) -> None:
        """Notes what is to be remembered of an attachment that is granted nothing."""
        self._marks.append(mark)

    def write(self, generations: Iterator[int]) -> tuple[model.Allocation, ...]:
        """Commits everything noted; returns what was granted."""
        self._world.write(self._shelf)
        for each in self._released:
            self._remove(each)
        for mark in self._marks:
            self._remember(mark)
        return tuple(
            allocation
            for request, placed in self._granted
            for allocation in self._hold(request, placed, generations)
        )

    def _remove(self, gone: model.Allocation) -> None:
        sandbox = self._sandboxes[gone.attachment]
        left = tuple(each for each in sandbox.record.allocations if each != gone)
        record = dataclasses.replace(sandbox.record, allocations=left)
        self._sandboxes[gone.attachment] = dataclasses.replace(sandbox, record=record)

    def _remember(self, mark: attachments.Mark) -> None:
        known = self._sandboxes.get(mark.key)
        held = known.record.allocations if known and mark.held else ()
        assigned = known.assign_stamp if known else None
        self._sandboxes[mark.key] = Sandbox(
            record=identity.Record(stamp=mark.stamp, allocations=held),
            assign_stamp=mark.stamp if mark.held else assigned,
            pod=known.pod if known else None,
        )

    def _hold(
        self, request: model.AssignRequest, placed: list[Placed], generations: Iterator[int]
    ) -> tuple[model.Allocation, ...]:
        held = tuple(
            model.Allocation(
                attachment=request.attachment,
                address=each.address,
                generation=next(generations),
                block=each.block,
                assign_time=self._world.now,
                facts=request.facts,
            )
            for each in placed
        )
        record = identity.Record(stamp=request.attempt, allocations=held)
        self._sandboxes[request.attachment] = Sandbox(
            record=record, assign_stamp=request.attempt, pod=request.pod_interface
        )
        return held
