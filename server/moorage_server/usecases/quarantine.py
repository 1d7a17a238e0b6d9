"""Quarantine: begins where a VRF must assign nothing new, ends by lists or by an operator."""

import functools
from collections.abc import Mapping, Sequence

from moorage_server.domain import actors, errors, model, quarantine
from moorage_server.domain.actors import NOBODY, Act
from moorage_server.domain.audit import Kind, Note
from moorage_server.domain.quarantine import Cause, Quarantine
from moorage_server.domain.reconciliation import ReconcileRequest
from moorage_server.storage import (
    changes,
    database,
    durability,
    positions,
    quarantines,
    ticks,
    vrfs,
)

SHOWN = 1000  # lists and attachments that are told of
KEPT = 1000  # findings that are kept, to be known again

_RESTORED = "the database was restored from a backup"
_ALL_HEARD = "every list has come, and none names what is not held"

# What begins one, where nobody has called.
_RESTORING = actors.of_server("restore")
_FEED = actors.of_server("feed")
_VERIFIER = actors.of_server("verifier")
_DATABASE = actors.of_server("database")


def restored(store: database.Database, limits: database.Limits) -> dict[str, int]:
    """Puts every VRF in quarantine; returns how many lists each waits for."""

    def work(transaction: database.Transaction) -> dict[str, int]:
        return {
            vrf: _restored(transaction, vrf, vrf_id)
            for vrf, vrf_id in vrfs.names(transaction).items()
        }

    return store.run(work, limits)


def _restored(transaction: database.Transaction, vrf: str, vrf_id: int) -> int:
    vrfs.lock(transaction, vrf)
    quarantines.begin(transaction, vrf_id, Cause.RESTORED, _RESTORED)
    vrfs.bump(transaction, vrf)
    awaited = quarantines.report(transaction, vrf_id, vrf, limit=1).awaited_count
    _note_begun(transaction, vrf, Cause.RESTORED, _RESTORED, by=_RESTORING)
    return awaited


def went_back(
    store: database.Database, limits: database.Limits, vrf: str, seen: model.Position
) -> bool:
    """Puts a VRF in quarantine if there is less of it than somebody has seen.

    Returns whether that is so, by now: another server may have come first. Either way something is
    written, so that what is returned is of a database that leads.
    """

    def work(transaction: database.Transaction) -> bool:
        vrfs.lock(transaction, vrf)
        durability.write(transaction)
        vrf_id = vrfs.require_id(transaction, vrf)
        if not positions.is_ahead(transaction, vrf_id, seen):
            return False
        message = f"somebody was told of {seen.revision} events, more than there are"
        quarantines.begin(transaction, vrf_id, Cause.WENT_BACK, message)
        vrfs.bump(transaction, vrf)
        _note_begun(transaction, vrf, Cause.WENT_BACK, message, by=_FEED)
        return True

    return store.run(work, limits)


def corrupt(
    store: database.Database, limits: database.Limits, error: database.Corrupt, vrf: str = ""
) -> list[str]:
    """Puts a VRF in quarantine for what PostgreSQL says of itself, or all; returns the new ones."""
    found = f"PostgreSQL reports {error}: what it stores may be corrupt"
    names = [vrf] if vrf else store.run(vrfs.names, limits)
    return [each for each in names if rules_broken(store, limits, each, [found], by=_DATABASE)]


def rules_broken(
    store: database.Database,
    limits: database.Limits,
    vrf: str,
    findings: Sequence[str],
    *,
    by: Act = _VERIFIER,
) -> bool:
    """Puts a VRF in quarantine for what breaks rules in it; returns whether that is new.

    Not for what an operator has let pass.
    """

    def work(transaction: database.Transaction) -> bool:
        vrfs.lock(transaction, vrf)
        vrf_id = vrfs.find_id(transaction, vrf)
        if vrf_id is None or Cause.RULES_BROKEN in _causes(quarantines.begun(transaction, vrf_id)):
            return False
        passed = quarantines.let_pass(transaction, vrf_id)
        new = [each for each in findings if each not in passed]
        if new:
            # With what was let pass before, so that in the end all of it can be.
            kept = new[:KEPT]
            quarantines.begin(transaction, vrf_id, Cause.RULES_BROKEN, new[0], findings=kept)
            vrfs.bump(transaction, vrf)
            _note_begun(transaction, vrf, Cause.RULES_BROKEN, new[0], by=by)
        return bool(new)

    return store.run(work, limits)


def mended(
    store: database.Database, limits: database.Limits, still: Mapping[str, Sequence[str]]
) -> None:
    """By VRF, what is still found of all that there was; the rest is not let pass any more."""
    store.run(functools.partial(quarantines.mended, still=still), limits)


def lift(
    store: database.Database, limits: database.Limits, *, vrf: str, reason: str, by: Act = NOBODY
) -> tuple[Quarantine, ...]:
    """Ends every quarantine of a VRF by somebody's word; returns them. Raises VrfNotFound."""

    def work(transaction: database.Transaction) -> tuple[Quarantine, ...]:
        vrfs.lock(transaction, vrf)
        vrf_id = vrfs.require_id(transaction, vrf)
        begun = quarantines.begun(transaction, vrf_id)
        if begun:
            quarantines.end(transaction, vrf_id, _causes(begun), reason=reason, by=by.actor.name)
            vrfs.bump(transaction, vrf)
            _note_ended(transaction, vrf, begun, "LiftQuarantine", reason, by=by)
        return begun

    return store.run(work, limits)


def show(store: database.Database, limits: database.Limits, *, vrf: str) -> quarantine.Report:
    """Why a VRF is in quarantine, and what it waits for; raises VrfNotFound."""

    def work(transaction: database.Transaction) -> quarantine.Report:
        vrf_id = vrfs.require_id(transaction, vrf)
        return quarantines.report(transaction, vrf_id, vrf, limit=SHOWN)

    return store.run(work, limits, snapshot=True)


def everywhere(store: database.Database, limits: database.Limits) -> list[tuple[str, Quarantine]]:
    """Every VRF in quarantine, and why."""
    return store.run(quarantines.begun_anywhere, limits)


def hear(
    store: database.Database, limits: database.Limits, request: ReconcileRequest
) -> tuple[model.AttachmentKey, ...]:
    """Takes the list of a node for a VRF that waits for it; returns what of it nobody holds.

    The quarantine ends with the last list, if none names anything that nobody holds.
    """
    if request.from_records:
        return ()  # it names nothing else
    if request.validate_only:
        store = store.rehearsing()
    return store.run(lambda transaction: _hear(transaction, request), limits)


def _hear(
    transaction: database.Transaction, request: ReconcileRequest
) -> tuple[model.AttachmentKey, ...]:
    # Alone, so that no assign or adoption is under way of what the list may name.
    vrfs.lock(transaction, request.vrf)
    vrf_id = vrfs.find_id(transaction, request.vrf)
    if vrf_id is None:
        raise errors.VrfNotFound(request.vrf)
    awaiting = [each for each in quarantines.begun(transaction, vrf_id) if each.cause.awaits_lists]
    if not awaiting:
        return ()
    found = quarantines.unknown(transaction, vrf_id, request.listed)
    quarantines.name(transaction, vrf_id, request, found)
    tick = ticks.read(transaction)
    if all(each.is_covered(grace=request.grace, tick=tick) for each in awaiting):
        quarantines.heard(transaction, vrf_id, request)
        if not quarantines.is_awaiting(transaction, vrf_id):
            quarantines.end(transaction, vrf_id, _causes(awaiting), reason=_ALL_HEARD, by="")
            vrfs.bump(transaction, request.vrf)
            method = "ReconcileNode"
            _note_ended(transaction, request.vrf, awaiting, method, _ALL_HEARD, by=request.by)
    return tuple(found)


def _causes(begun: Sequence[Quarantine]) -> set[Cause]:
    return {each.cause for each in begun}


def _note_begun(
    transaction: database.Transaction, vrf: str, cause: Cause, message: str, *, by: Act
) -> None:
    note = Note(
        method="BeginQuarantine",
        kind=Kind.QUARANTINE,
        vrf=vrf,
        name=cause.value,
        after={"message": message},
    )
    changes.add(transaction, by, note)


def _note_ended(
    transaction: database.Transaction,
    vrf: str,
    ended: Sequence[Quarantine],
    method: str,
    reason: str,
    *,
    by: Act,
) -> None:
    for each in ended:
        note = Note(
            method=method,
            kind=Kind.QUARANTINE,
            vrf=vrf,
            name=each.cause.value,
            before={"message": each.message},
            reason=reason,
        )
        changes.add(transaction, by, note)
