"""One import from end to end, whatever was read: looked at, perhaps carried out, and told of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from moorage.ctl import settings
from moorage.ctl.import_ import estate, importer, plan, report


@dataclass(frozen=True, slots=True, kw_only=True)
class How:
    """What is to be done, and in which format it is told."""

    applies: bool
    orphans: bool
    output: str


def run(where: settings.Settings, found: estate.Estate, how: How) -> None:
    """Show what is to be done, or do it where nothing is in the way; raises exits.Failed."""
    run_all(where, {where.vrf: found}, how)


def run_all(where: settings.Settings, found: Mapping[str, estate.Estate], how: How) -> None:
    """The same for several VRFs: all are looked at before the first is changed."""
    source = next(iter(found.values())).source if found else "nothing"
    with where.connected(f"import from {source}") as client:
        importing = {
            vrf: importer.Importer(client, each, server=where.server, vrf=vrf, orphans=how.orphans)
            for vrf, each in found.items()
        }
        made = {vrf: each.survey() for vrf, each in importing.items()}
        applied = how.applies and not any(each.conflict_count for each in made.values())
        if applied:
            made = _carried_out(importing, made)
    for vrf, each in made.items():
        vrf_told = vrf if len(made) > 1 else ""
        report.show(each, found[vrf].notes, how.output, applied=applied, vrf=vrf_told)
    for each in made.values():
        if each.failure:
            raise each.failure
    if conflict_count := sum(each.conflict_count for each in made.values()):
        raise report.refused(conflict_count, applied=applied)


def _carried_out(
    importing: Mapping[str, importer.Importer], surveyed: Mapping[str, plan.Plan]
) -> dict[str, plan.Plan]:
    """Return what became of each, up to the first that did not come to its end."""
    made: dict[str, plan.Plan] = {}
    for vrf, each in importing.items():
        made[vrf] = each.carry_out(surveyed[vrf])
        if made[vrf].failure or made[vrf].conflict_count:
            break
    return made
