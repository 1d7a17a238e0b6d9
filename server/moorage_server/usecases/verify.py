"""Verify: what is stored is held against its rules again and again, by one server at a time.

Each rule is one statement and so sees one moment. A VRF in which one is broken that tells who
holds an address assigns nothing new until somebody has looked at it.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

from moorage_server.storage import consistency, database, rules, verifications, vrfs
from moorage_server.storage.interruption import Interruption
from moorage_server.storage.verifications import Extent
from moorage_server.usecases import quarantine


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A rule that is broken in a VRF, and by what."""

    vrf: str
    rule: rules.Rule
    findings: Sequence[consistency.Finding]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """How much was looked at, what was found, and which VRFs assign nothing new for it by now."""

    extent: Extent
    broken: tuple[Broken, ...]
    shut: tuple[str, ...] = ()


@dataclasses.dataclass(slots=True)
class _Looks:
    """Which VRF is looked at."""

    at: str = ""


def verify(
    store: database.Database,
    limits: database.Limits,
    interruption: Interruption,
    *,
    periods: Mapping[Extent, int],
) -> Verified | None:
    """Looks at what is due; None where nothing is, or another server is at it.

    `periods` are in seconds, 0 for never. Raises Corrupt where PostgreSQL says so; the VRF
    that was looked at is shut then.
    """
    looks = _Looks()

    def work(transaction: database.Transaction) -> Verified | None:
        # Before anything is read: the statements after it see what the last one has written.
        if not verifications.take(transaction):
            return None
        extent = verifications.due(transaction, periods)
        if extent is None:
            return None
        with interruption.ends(transaction):
            broken = tuple(_broken(transaction, extent, interruption, looks))
        if interruption.interrupted:
            return None  # it is as due as it was
        verifications.done(transaction, extent)
        return Verified(extent=extent, broken=broken)

    try:
        verified = store.run(work, limits)
    except database.Corrupt as error:
        quarantine.corrupt(store, limits, error, looks.at)
        raise
    if verified is None:
        return None
    grave = _grave(verified.broken)
    if verified.extent is Extent.WHOLE:
        quarantine.mended(store, limits, grave)
    shut = tuple(
        vrf for vrf, found in grave.items() if quarantine.rules_broken(store, limits, vrf, found)
    )
    return dataclasses.replace(verified, shut=shut)


def _broken(
    transaction: database.Transaction, extent: Extent, interruption: Interruption, looks: _Looks
) -> Iterator[Broken]:
    if extent is Extent.WHOLE:
        consistency.prepare(transaction)
    for vrf, vrf_id in vrfs.names(transaction).items():
        looks.at = vrf
        part = verifications.draw(transaction, vrf_id) if extent is Extent.PART else None
        for rule in rules.RULES:
            if interruption.interrupted:
                return
            if part is None or (part.blocks and rule.is_of_blocks):
                found = consistency.findings(transaction, vrf_id, rule, part)
                if found:
                    yield Broken(vrf=vrf, rule=rule, findings=found)


def _grave(broken: Sequence[Broken]) -> dict[str, list[str]]:
    """By VRF, what says that an address could be given twice."""
    grave: dict[str, list[str]] = {}
    for each in broken:
        if each.rule.shuts:
            told = [f"{each.rule.name}: {finding.message}" for finding in each.findings]
            grave.setdefault(each.vrf, []).extend(told)
    return grave
