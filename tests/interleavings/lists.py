"""Actors of ReconcileNode: the list of a node that lacks the container c1, and what it condemns.

The two are apart, as they are in the server: a list is judged and written down in
transactions of its own; what is leaked by it is then released through the collector.
"""

import dataclasses

from interleavings import actors
from interleavings.actors import Actor, Answer
from moorage_server.domain import model, reconciliation
from moorage_server.storage import catalogs, ticks
from moorage_server.storage import database as databases
from moorage_server.usecases import reconcile

CONTAINER = "c1"
# Of c1, which somebody works on, a list says nothing: the call tells of it as a failure.
KEPT_OUT: Answer = ("confirmed 0", "suspect []", f"busy {[CONTAINER]}")
# What comes while a list is being worked on, the next list will judge.
OVERLOOKED: Answer = ("confirmed 0", "suspect []", "busy []")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A list of n1 that is made at `stamp`; without `has`, it lacks c1.

    `overlooks`: what takes the place of c1 meanwhile, it may know nothing of.
    """

    stamp: int
    has: bool = False
    overlooks: bool = False

    def __call__(
        self, store: databases.Database, limits: databases.Limits, compiled: catalogs.Catalogs
    ) -> Answer:
        """Judges and writes; tells whom it found there, suspect, and busy."""
        found = self.find(store, limits, compiled)
        suspects = [each.allocation.attachment.container_id for each in found.suspects]
        busy = [each.container_id for each in found.busy]
        return (f"confirmed {found.confirmed_count}", f"suspect {suspects}", f"busy {busy}")

    def find(
        self,
        store: databases.Database,
        limits: databases.Limits,
        compiled: catalogs.Catalogs,
        *,
        grace: int = reconciliation.DEFAULT_GRACE,
    ) -> reconcile.Findings:
        """What the use case finds."""
        request = reconciliation.ReconcileRequest(
            vrf="default",
            node="n1",
            listed=frozenset({actors.attachment(CONTAINER)} if self.has else ()),
            attempt=actors.attempt(self.stamp),
            grace=grace,
        )
        return reconcile.find(store, limits, compiled, request)

    def kept_out(self, *_: object) -> Answer:
        """An actor that does nothing, and answers as a list that was kept out."""
        return KEPT_OUT

    def overlooking(self, *_: object) -> Answer:
        """An actor that does nothing, and answers as a list that found nothing."""
        return OVERLOOKED


class Leak:
    """What a list made at `stamp` condemns, as it was when `learn` acted."""

    def __init__(self, *, stamp: int) -> None:
        """Of nothing yet."""
        self._listing = Listing(stamp=stamp)
        self._request: model.ReleaseRequest | None = None

    def learn(
        self, store: databases.Database, limits: databases.Limits, compiled: catalogs.Catalogs
    ) -> Answer:
        """Has c1 suspected, and found to be leaked a tick later."""
        self._listing.find(store, limits, compiled)
        store.run(lambda on: ticks.advance(on, seen=ticks.read(on)), limits)
        (leak,) = self._listing.find(store, limits, compiled, grace=0).leaks
        self._request = leak.release
        return ()

    def release(self, *, batched: bool = False) -> Actor:
        """Releases it, if it is suspect still."""

        def call(
            store: databases.Database, limits: databases.Limits, compiled: catalogs.Catalogs
        ) -> Answer:
            assert self._request is not None
            return actors.collected(self._request, batched=batched)(store, limits, compiled)

        return call
