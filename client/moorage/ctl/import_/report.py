"""Prints what an import does, or would do: for people, or as one JSON object."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import click

from moorage.ctl import changes, exits
from moorage.ctl.import_ import plan

_WOULD = {
    changes.CREATED: "to be created",
    changes.CONFIGURED: "to be configured",
    changes.UNCHANGED: "is there",
}
# Of one block, in text; in JSON there are all.
_MOST_CONFLICTS = 50


def show(
    made: plan.Plan, notes: Sequence[str], output: str, *, applied: bool, vrf: str = ""
) -> None:
    """Print a plan, or what became of it; `vrf` is said where it is one of several."""
    of_vrf = {"vrf": vrf} if vrf else {}
    if output == "json":
        document = {**of_vrf, **_document(made, notes, applied=applied)}
        click.echo(json.dumps(document, indent=2))
        return
    if vrf:
        click.echo(f"vrf/{vrf}:")
    for note in notes:
        exits.note(note)
    for line in (*_steps(made, applied=applied), *_blocks(made, applied=applied)):
        click.echo(exits.printable(line))
    click.echo(_summary(made, applied=applied))


def refused(count: int, *, applied: bool) -> exits.Failed:
    """Return the failure that so many conflicts are."""
    text = f"{_counted(count, 'conflict')}; "
    text += "the import stopped there" if applied else "nothing was changed"
    return exits.Failed(
        exits.Report(
            code="FAILED_PRECONDITION",
            reason="IMPORT_CONFLICT",
            message=text,
            metadata={"conflicts": str(count)},
            next_step="resolve each of them and run the same command again",
            exit=exits.Exit.CONFLICT,
        )
    )


def _steps(made: plan.Plan, *, applied: bool) -> Iterator[str]:
    for step in made.steps:
        if step.conflict:
            yield f"{step.label} conflict: {step.conflict}"
        else:
            done = step.result if applied else _WOULD[step.result]
            yield f"{step.label} {done}{_differing(step.differing)}"


def _blocks(made: plan.Plan, *, applied: bool) -> Iterator[str]:
    verb = "adopted" if applied else "to adopt"
    for each in made.blocks:
        node = f", node {each.block.node}" if each.block.node else ""
        if not each.pool:
            count = len(each.addresses)
            yield f"block {each.block.cidr}{node}: in no pool, {count} held; --orphans adopts it"
            continue
        yield (
            f"block {each.block.cidr} of pool {each.pool}{node}: {each.adopted} {verb}, "
            f"{each.unchanged} held already{_kept(each.kept)}{_left_alone(each.released)}"
            f"{_taken(each.previous_node)}"
        )
        for conflict in each.conflicts[:_MOST_CONFLICTS]:
            yield f"  conflict: {conflict.message}"
        if len(each.conflicts) > _MOST_CONFLICTS:
            left = len(each.conflicts) - _MOST_CONFLICTS
            yield f"  and {_counted(left, 'conflict')} more; -o json lists them all"


def _summary(made: plan.Plan, *, applied: bool) -> str:
    orphans = sum(not each.pool for each in made.blocks)
    counts = (
        f"{_counted(made.adopted_count, 'address', 'addresses')} "
        f"{'adopted' if applied else 'to adopt'}, {made.unchanged_count} held already"
        f"{_kept(made.kept_count)}{_left_alone(made.released_count)}, "
        f"{_counted(orphans, 'block')} in no pool, {_counted(made.conflict_count, 'conflict')}"
    )
    if made.failure or (applied and made.conflict_count):
        return f"{counts}; the import stopped before its end"
    if made.conflict_count:
        those = "that conflict" if made.conflict_count == 1 else "the conflicts"
        return f"{counts}; nothing was changed because of {those}"
    if not made.changes_anything:
        return f"{counts}; nothing to change"
    return counts if applied else f"{counts}; nothing was changed, --apply does it"


def _differing(fields: Sequence[str]) -> str:
    return f", with another {', '.join(fields)}; it stays as it is" if fields else ""


def _kept(count: int) -> str:
    return f", {count} kept for owners" if count else ""


def _left_alone(released: int) -> str:
    return f", {released} released since and left alone" if released else ""


def _taken(previous_node: str) -> str:
    return f", taken from node {previous_node}, for which it is empty here" * bool(previous_node)


def _counted(count: int, singular: str, plural: str = "") -> str:
    return f"{count} {singular if count == 1 else plural or singular + 's'}"


def _document(made: plan.Plan, notes: Sequence[str], *, applied: bool) -> dict[str, object]:
    return {
        "applied": applied,
        "adoptedCount": made.adopted_count,
        "unchangedCount": made.unchanged_count,
        "keptCount": made.kept_count,
        "releasedCount": made.released_count,
        "conflictCount": made.conflict_count,
        "resources": [
            {
                "resource": step.label,
                "result": step.result,
                "conflict": step.conflict,
                **({"differing": list(step.differing)} if step.differing else {}),
            }
            for step in made.steps
        ],
        "blocks": [
            {
                "cidr": str(each.block.cidr),
                "pool": each.pool,
                "node": each.block.node,
                "heldCount": len(each.addresses),
                "adoptedCount": each.adopted,
                "unchangedCount": each.unchanged,
                "keptCount": each.kept,
                "releasedCount": each.released,
                "blockChanged": each.changed,
                "previousNode": each.previous_node,
                "conflicts": [
                    {"address": conflict.address, "message": conflict.message}
                    for conflict in each.conflicts
                ],
            }
            for each in made.blocks
        ],
        "notes": list(notes),
    }
