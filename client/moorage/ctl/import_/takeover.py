"""One import from end to end, whatever was read: looked at, perhaps carried out, and told of."""

from __future__ import annotations

from dataclasses import dataclass

from moorage.ctl import settings
from moorage.ctl.import_ import estate, importer, report


@dataclass(frozen=True, slots=True, kw_only=True)
class How:
    """What is to be done, and in which format it is told."""

    applies: bool
    orphans: bool
    output: str


def run(where: settings.Settings, found: estate.Estate, how: How) -> None:
    """Show what is to be done, or do it where nothing is in the way; raises exits.Failed."""
    with where.connected(f"import from {found.source}") as client:
        importing = importer.Importer(
            client, found, server=where.server, vrf=where.vrf, orphans=how.orphans
        )
        made = importing.survey()
        applied = how.applies and not made.conflict_count
        if applied:
            made = importing.carry_out(made)
    report.show(made, found.notes, how.output, applied=applied)
    if made.failure:
        raise made.failure
    if made.conflict_count:
        raise report.refused(made, applied=applied)
