"""Reconcile: finds what a node does not have any more, and notes what it may not have.

What is leaked by the lists of its node is released like anything else, each attachment by
itself, and decided again under its lock; see `identity.releasable`.
"""

import dataclasses
from collections.abc import Mapping, Sequence

from moorage_server.domain import catalog, identity, model, reconciliation
from moorage_server.domain.reconciliation import ReconcileRequest, Verdict
from moorage_server.storage import allocations, attachments, catalogs, database, node_holdings
from moorage_server.usecases import quarantine

# A transaction locks what it changes, and others wait or go elsewhere meanwhile.
AT_ONCE = 256
MOST_LEAKS = 1000  # attachments that one call releases


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """A leaked attachment: what it holds, and how to release that."""

    release: model.ReleaseRequest
    held: tuple[catalog.Shown, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What a list says of its node's attachments, by now all written down but for the leaks.

    `busy`: those that another transaction works on, of which nothing was written. `unknown`: what
    the list has and nobody holds, where that is looked for. `lost`: how far somebody has seen the
    VRF, of which there is less now.
    """

    confirmed_count: int = 0
    suspects: tuple[catalog.Shown, ...] = ()
    leaks: tuple[Leak, ...] = ()
    busy: tuple[model.AttachmentKey, ...] = ()
    unknown: tuple[model.AttachmentKey, ...] = ()
    lost: model.Position | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    """What the list says of one attachment, and what is to be written for it."""

    attachment: model.AttachmentKey
    record: identity.Record
    verdict: Verdict
    changed: tuple[model.Allocation, ...]
    pools: catalog.Catalog

    @property
    def shown(self) -> tuple[catalog.Shown, ...]:
        """What it holds, once its changes are written."""
        written = {each.address: each for each in self.changed}
        held = [written.get(each.address, each) for each in self.record.allocations]
        return self.pools.show(held)


def find(
    store: database.Database,
    limits: database.Limits,
    compiled: catalogs.Catalogs,
    request: ReconcileRequest,
) -> Findings:
    """Judges a node's attachments and writes who is suspect; raises VrfNotFound.

    With validate_only, nothing is written.
    """

    known = compiled.positions.of(request.vrf)

    def look(transaction: database.Transaction) -> _Look:
        return _look(transaction, compiled, request, known)

    # One moment, so that the catalog knows every pool that the records speak of.
    looked = store.run(look, limits, snapshot=True)
    judged = looked.judged
    busy: list[model.AttachmentKey] = []
    if not request.validate_only:
        changing = [each.attachment for each in judged if each.changed]
        judged = [each for each in judged if not each.changed]
        for start in range(0, len(changing), AT_ONCE):
            note = _Note(compiled, request, changing[start : start + AT_ONCE])
            noted, left = store.run(note, limits)
            judged += noted
            busy += left
    unknown = quarantine.hear(store, limits, request) if looked.is_quarantined else ()
    found = _findings(request, judged, busy)
    return dataclasses.replace(found, unknown=unknown, lost=looked.lost)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """What a list says at one moment, and what else is to be known of its VRF."""

    judged: list[_Judged]
    is_quarantined: bool
    lost: model.Position | None


def _look(
    transaction: database.Transaction,
    compiled: catalogs.Catalogs,
    request: ReconcileRequest,
    known: model.Position | None,
) -> _Look:
    scope = compiled.require(transaction, request.vrf)
    records = node_holdings.of_node(
        transaction, scope.catalog.vrf_id, request.vrf, request.node, network=request.network
    )
    before, is_there = compiled.positions.look_back(
        transaction, scope.standing, known, [request.seen]
    )
    return _Look(
        judged=_judged(request, records, scope),
        is_quarantined=bool(scope.catalog.quarantines),
        lost=None if is_there else before,
    )


@dataclasses.dataclass(frozen=True, slots=True)
class _Note:
    """Judges some attachments again under their locks, and writes."""

    compiled: catalogs.Catalogs
    request: ReconcileRequest
    keys: Sequence[model.AttachmentKey]

    def __call__(
        self, transaction: database.Transaction
    ) -> tuple[list[_Judged], list[model.AttachmentKey]]:
        """Also returns whose lock was not to be had: nobody is kept waiting for them."""
        locked = attachments.lock(transaction, self.keys, waiting=False)
        scope = self.compiled.require(transaction, self.request.vrf)
        records = attachments.records(transaction, scope.catalog.vrf_id, locked)
        judged = _judged(self.request, records, scope)
        changed = [allocation for each in judged for allocation in each.changed]
        if changed:
            allocations.suspect(transaction, scope.catalog.vrf_id, changed)
        return judged, [key for key in self.keys if key not in locked]


def _judged(
    request: ReconcileRequest,
    records: Mapping[model.AttachmentKey, identity.Record],
    scope: catalogs.Scope,
) -> list[_Judged]:
    def judged(attachment: model.AttachmentKey, record: identity.Record) -> _Judged:
        verdict = reconciliation.judge(request, attachment, record, scope.tick)
        return _Judged(
            attachment=attachment,
            record=record,
            verdict=verdict,
            changed=reconciliation.changed(verdict, record, scope.tick),
            pools=scope.catalog,
        )

    return [judged(*each) for each in records.items() if request.concerns(each[1])]


def _findings(
    request: ReconcileRequest, judged: Sequence[_Judged], busy: Sequence[model.AttachmentKey]
) -> Findings:
    leaked = [each for each in judged if each.verdict is Verdict.LEAKED]
    # The rest is for the next list: a call must end.
    leaks, left = leaked[:MOST_LEAKS], leaked[MOST_LEAKS:]
    suspects = [each for each in judged if each.verdict is Verdict.SUSPECT]
    return Findings(
        confirmed_count=len(judged) - len(leaked) - len(suspects),
        suspects=tuple(shown for each in (*suspects, *left) for shown in each.shown),
        leaks=tuple(
            Leak(
                release=reconciliation.releasing(request, each.attachment, each.record),
                held=each.shown,
            )
            for each in leaks
        ),
        busy=tuple(busy),
    )
