"""moorctl delete: deletes resources by name or by manifest."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import click

import moorage
from moorage import names
from moorage.ctl import exits, kinds, manifests, options, settings


@click.command("delete")
@click.argument("kind", type=kinds.KindType(kinds.WRITABLE), required=False)
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

    @property
    def label(self) -> str:
        return f"{self.kind.value}/{names.id_of(self.name)}"


def _targets(
    kind: kinds.Kind | None, ids: Sequence[str], sources: Sequence[str], vrf: str
) -> list[_Target]:
    """Return what to delete, what lies in something before that in which it lies."""
    if kind is not None:
        return [_Target(kind=kind, name=kinds.name_of(kind, own_id, vrf)) for own_id in ids]
    found = reversed(manifests.read(sources, vrf))
    return [_Target(kind=manifest.kind, name=manifest.resource.name) for manifest in found]


def _delete(client: moorage.Client, target: _Target, *, ignore_not_found: bool) -> str:
    try:
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
