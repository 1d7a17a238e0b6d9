"""moorctl diff: says what apply would do, and changes nothing."""

from __future__ import annotations

from collections.abc import Sequence

import click

from moorage.ctl import changes, exits, inputs, options, settings


@click.command("diff")
@options.manifests(required=True)
@settings.after_command
def command(where: settings.Settings, sources: Sequence[str]) -> None:
    """Say what apply would create or configure.

    \b
      moorctl diff -f pools.yaml

    Exit code 1 if there is anything, 0 if there is nothing. A change that cannot be made, because a
    field never changes, is something as well, and is said to be refused.
    """
    found = inputs.read(sources, where.vrf)
    with where.connected("compare the manifests") as client:
        lines = [_line(changes.find(client, manifest)) for manifest in found]
    for line in filter(None, lines):
        click.echo(line)
    if any(lines):
        raise click.exceptions.Exit(exits.Exit.DIFFERENT)


def _line(change: changes.Change) -> str:
    """Return what would be done, or nothing."""
    if change.creates:
        return f"{change.manifest.label} {changes.CREATED}"
    if not change.paths:
        return ""
    if change.refused:
        fixed = " and ".join(change.refused)
        return f"{change.manifest.label} refused by apply: {fixed} cannot be changed"
    return f"{change.manifest.label} {changes.CONFIGURED}: {', '.join(change.paths)}"
