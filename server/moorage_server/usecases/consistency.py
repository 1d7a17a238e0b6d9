"""CheckConsistency: every rule about what is stored of a VRF, checked in one snapshot."""

import dataclasses
from collections.abc import Callable

from moorage_server.domain import errors
from moorage_server.storage import consistency, database, rules, vrfs
from moorage_server.storage.interruption import Interruption


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A rule, what breaks it, and how many of all rules have been checked with it."""

    rule: str
    findings: list[consistency.Finding]
    count: int
    of: int


def check(
    store: database.Database,
    limits: database.Limits,
    tell: Callable[[Checked], None],
    interruption: Interruption,
    *,
    vrf: str,
) -> None:
    """Tells of each rule once it has been checked; raises VrfNotFound."""
    begun = False

    def work(transaction: database.Transaction) -> None:
        nonlocal begun
        if begun:
            # The snapshot of what was told is gone with its connection.
            raise errors.DatabaseUnavailable
        vrf_id = vrfs.require_id(transaction, vrf)
        consistency.prepare(transaction)
        with interruption.ends(transaction):
            for count, rule in enumerate(rules.RULES, 1):
                if interruption.interrupted:
                    return
                found = consistency.findings(transaction, vrf_id, rule)
                begun = True
                tell(Checked(rule=rule.name, findings=found, count=count, of=len(rules.RULES)))

    store.run(work, limits, snapshot=True)
