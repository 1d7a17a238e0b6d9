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


def show(made: plan.Plan, notes: Sequence[str], output: str, *, applied: bool) -> None:
    """Print a plan, or what became of it."""
    if output == "json":
        click.echo(json.dumps(_document(made, notes, applied=applied), indent=2))
        return
    for note in notes:
        exits.note(note)
    for line in (*_steps(made, applied=applied), *_blocks(made, applied=applied)):
        click.echo(exits.printable(line))
    click.echo(_summary(made, applied=applied))


def refused(made: plan.Plan, *, applied: bool) -> exits.Failed:
    """Return the failure that conflicts are."""
    count = made.conflict_count
    text = f"{count} conflict{'s' if count > 1 else ''}; "
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
            yield f"{step.label} {step.result if applied else _WOULD[step.result]}"


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
            f"{each.unchanged} held already"
        )
        for conflict in each.conflicts:
            yield f"  conflict: {conflict.message}"


def _summary(made: plan.Plan, *, applied: bool) -> str:
    orphans = sum(not each.pool for each in made.blocks)
    counts = (
        f"{made.adopted_count} addresses {'adopted' if applied else 'to adopt'}, "
        f"{made.unchanged_count} held already, {orphans} blocks in no pool, "
        f"{made.conflict_count} conflicts"
    )
    if applied or not made.changes_anything:
        return counts if made.changes_anything else f"{counts}; nothing to change"
    return f"{counts}; nothing was changed, --apply does it"


def _document(made: plan.Plan, notes: Sequence[str], *, applied: bool) -> dict[str, object]:
    return {
        "applied": applied,
        "adoptedCount": made.adopted_count,
        "unchangedCount": made.unchanged_count,
        "conflictCount": made.conflict_count,
        "resources": [
            {"resource": step.label, "result": step.result, "conflict": step.conflict}
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
                "blockChanged": each.changed,
                "conflicts": [
                    {"address": conflict.address, "message": conflict.message}
                    for conflict in each.conflicts
                ],
            }
            for each in made.blocks
        ],
        "notes": list(notes),
    }
