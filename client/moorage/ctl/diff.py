"""moorctl diff: says what apply would do, and changes nothing."""

from __future__ import annotations

from collections.abc import Sequence

import click

from moorage.ctl import changes, exits, inputs, options, rehearsal, settings


@click.command("diff")
@options.manifests(required=True)
@settings.after_command
def command(where: settings.Settings, sources: Sequence[str]) -> None:
    """Say what apply would create or configure.

    \b
      moorctl diff -f pools.yaml

    Exit code 1 if there is anything, 0 if there is nothing. A change that cannot be made, of which
    the server is asked, is something as well, and is said to be refused.
    """
    found = inputs.read(sources, where.vrf)
    with where.connected("compare the manifests") as client:
        planned = [changes.find(client, manifest) for manifest in found]
        refused = {
            each.change.manifest.where: each.report.message
            for each in rehearsal.refusals(client, planned, where.server)
        }
    lines = [_line(change, refused.get(change.manifest.where, "")) for change in planned]
    for line in filter(None, lines):
        click.echo(line)
    if any(lines):
        raise click.exceptions.Exit(exits.Exit.DIFFERENT)


def _line(change: changes.Change, refusal: str) -> str:
    """Return what would be done, or nothing."""
    if refusal:
        return f"{change.manifest.label} refused by apply: {refusal}"
    if change.creates:
        return f"{change.manifest.label} {changes.CREATED}"
    if not change.paths:
        return ""
    return f"{change.manifest.label} {changes.CONFIGURED}: {', '.join(change.paths)}"
