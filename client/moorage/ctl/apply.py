"""moorctl apply: makes resources as their manifests say."""

from __future__ import annotations

import json
from collections.abc import Sequence

import click

from moorage.ctl import changes, exits, inputs, manifests, options, rehearsal, settings


@click.command("apply")
@options.manifests(required=True)
@options.output(["text", "json"])
@settings.after_command
def command(where: settings.Settings, sources: Sequence[str], output: str) -> None:
    """Create or configure what manifests say.

    \b
      moorctl apply -f pools.yaml
      moorctl get pools -o yaml | moorctl apply -f -

    The whole input is checked before the first change, by the server too; VRFs and nodes come
    before pools and reservations. A field that a manifest leaves out goes back to its default.
    Should one fail all the same, applying again goes on from there. With -o json there is one
    object on each line.

    Manifests of Calico are taken as they are: IPPool, IPReservation and IPAMConfiguration, which is
    the configuration of the VRF. They leave alone what Calico does not know of.
    """
    found = inputs.read(sources, where.vrf)
    with where.connected("apply") as client:
        planned = [changes.find(client, manifest) for manifest in found]
        rehearsal.check(client, planned, where.server)
        for change in planned:
            manifest = change.manifest
            action = f"apply {manifest.label} ({manifest.where})"
            with exits.doing(action, where.server, manifest.place_of):
                outcome = changes.make(client, change)
            _show(manifest, outcome, output)
            for text in manifest.notes:
                exits.note(f"{manifest.label}: {text}")


def _show(manifest: manifests.Manifest, outcome: str, output: str) -> None:
    if output == "text":
        click.echo(f"{manifest.label} {outcome}")
        return
    line = {"kind": manifest.kind.title, "name": manifest.resource.name, "result": outcome}
    click.echo(json.dumps(line))
