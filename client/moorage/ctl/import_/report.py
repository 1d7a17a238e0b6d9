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
            f"{each.unchanged} held already{_left_alone(each.released)}{_taken(each.previous_node)}"
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
        f"{_left_alone(made.released_count)}, {_counted(orphans, 'block')} in no pool, "
        f"{_counted(made.conflict_count, 'conflict')}"
    )
    if made.failure or (applied and made.conflict_count):
        return f"{counts}; the import stopped before its end"
    if made.conflict_count:
        those = "that conflict" if made.conflict_count == 1 else "the conflicts"
        return f"{counts}; nothing was changed because of {those}"
    if not made.changes_anything:
        return f"{counts}; nothing to change"
    return counts if applied else f"{counts}; nothing was changed, --apply does it"


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
        "releasedCount": made.released_count,
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
