"""moorctl apply: makes resources as their manifests say."""

from __future__ import annotations

import json
from collections.abc import Sequence

import click

from moorage.ctl import changes, dry_runs, exits, inputs, manifests, options, rehearsal, settings


@click.command("apply")
@options.manifests(required=True)
@dry_runs.option
@options.output(["text", "json"])
@settings.after_command
def command(where: settings.Settings, sources: Sequence[str], dry_run: bool, output: str) -> None:
    """Create or configure what manifests say.

    \b
      moorctl apply -f pools.yaml
      moorctl get pools -o yaml | moorctl apply -f -

    The whole input is checked before the first change, by the server too; VRFs and nodes come
    before pools and reservations. A field that a manifest leaves out goes back to its default.
    Should one fail all the same, applying again goes on from there. With -o json there is one
    object on each line. With --dry-run, only the questions are asked.

    Manifests of Calico are taken as they are: IPPool, IPReservation and IPAMConfiguration, which is
    the configuration of the VRF. They leave alone what Calico does not know of.
    """
    found = inputs.read(sources, where.vrf)
    with where.connected("apply") as client:
        planned = [changes.find(client, manifest) for manifest in found]
        foreseen = rehearsal.check(client, planned, where.server)
        for change, outcome in zip(planned, foreseen, strict=True):
            manifest = change.manifest
            action = f"apply {manifest.label} ({manifest.where})"
            with exits.doing(action, where.server, manifest.place_of):
                done = outcome if dry_run else changes.make(client, change)
            _show(manifest, done, output, dry_run=dry_run)
            for text in manifest.notes:
                exits.note(f"{manifest.label}: {text}")


def _show(manifest: manifests.Manifest, outcome: str, output: str, *, dry_run: bool) -> None:
    if output == "text":
        click.echo(dry_runs.marked(f"{manifest.label} {outcome}", dry_run=dry_run))
        return
    line = {"kind": manifest.kind.title, "name": manifest.resource.name, "result": outcome}
    click.echo(json.dumps(dry_runs.document(line, dry_run=dry_run)))
