"""moorctl delete: deletes resources by name or by manifest."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass

import click

import moorage
from moorage import names
from moorage.ctl import calico, changes, exits, inputs, kinds, manifests, options, settings

# An IPAMConfiguration is no resource that could be deleted.
_KINDS = kinds.spellings(kinds.WRITABLE) | {
    word: kind.counterpart
    for word, kind in calico.NAMES.items()
    if kind is not calico.Kind.IPAM_CONFIGURATION
}
_LISTED = [kind.plural for kind in kinds.WRITABLE]


@click.command("delete")
@click.argument("kind", type=kinds.Choice(_KINDS, _LISTED), required=False)
@click.argument("ids", nargs=-1, metavar="[NAME]...")
@options.manifests(required=False)
@click.option("--ignore-not-found", is_flag=True, help="Pass over what is not there.")
@options.output(["text", "json"])
@settings.after_command
def command(
    where: settings.Settings,
    kind: kinds.Kind | None,
    ids: Sequence[str],
    sources: Sequence[str],
    ignore_not_found: bool,
    output: str,
) -> None:
    """Delete resources by name or by manifest.

    \b
      moorctl delete pool web db
      moorctl delete -f pools.yaml

    Pools of which addresses are assigned stay, and so do VRFs that have pools. Stops at the first
    failure. With -o json there is one object on each line.

    Of Calico, manifests and names of IPPools and IPReservations will do. The manifest of an
    IPAMConfiguration brings the configuration of the VRF back to its defaults.
    """
    if bool(ids) == bool(sources) or bool(kind) != bool(ids):
        raise click.UsageError("give either a kind and names, or -f and manifests")
    with where.connected("delete") as client:
        for target in _targets(kind, ids, sources, where.vrf):
            with exits.doing(f"delete {target.label}", where.server):
                outcome = _delete(client, target, ignore_not_found=ignore_not_found)
            _show(target, outcome, output)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Target:
    kind: kinds.Kind
    name: str
    # A part of the resource goes back to what is said here, and the resource stays.
    defaults: manifests.Manifest | None = None

    @property
    def label(self) -> str:
        return f"{self.kind.value}/{names.id_of(self.name)}"


def _targets(
    kind: kinds.Kind | None, ids: Sequence[str], sources: Sequence[str], vrf: str
) -> list[_Target]:
    """Return what to delete, what lies in something before that in which it lies."""
    if kind is not None:
        return [_Target(kind=kind, name=kinds.name_of(kind, own_id, vrf)) for own_id in ids]
    return [_target(manifest) for manifest in reversed(inputs.read(sources, vrf))]


def _target(manifest: manifests.Manifest) -> _Target:
    name = manifest.resource.name
    if manifest.makes:
        return _Target(kind=manifest.kind, name=name)
    blank = kinds.blank(manifest.kind)
    blank.name = name
    defaults = dataclasses.replace(manifest, resource=blank)
    return _Target(kind=manifest.kind, name=name, defaults=defaults)


def _delete(client: moorage.Client, target: _Target, *, ignore_not_found: bool) -> str:
    try:
        if target.defaults is not None:
            return changes.make(client, changes.find(client, target.defaults))
        kinds.delete(client, target.kind, target.name, "")
    except moorage.NotFound:
        if not ignore_not_found:
            raise
        return "not found"
    return "deleted"


def _show(target: _Target, outcome: str, output: str) -> None:
    if output == "text":
        click.echo(f"{target.label} {outcome}")
        return
    line = {"kind": target.kind.title, "name": target.name, "result": outcome}
    click.echo(json.dumps(line))
