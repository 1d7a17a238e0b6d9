"""moorctl delete: deletes resources by name or by manifest."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Callable, Sequence

import click

import moorage
from moorage import names
from moorage.ctl import (
    calico,
    calico_configuration,
    changes,
    dry_runs,
    exits,
    kinds,
    manifests,
    mentions,
    options,
    settings,
    suggestions,
)
from moorage.v1 import resources_pb2

_Delete = Callable[[mentions.Mention], str]
_Asked = kinds.Kind | calico.Kind
_KINDS: dict[str, _Asked] = {**kinds.spellings(kinds.WRITABLE), **calico.NAMES}
_LISTED = [kind.plural for kind in kinds.WRITABLE]


@click.command("delete")
@click.argument("kind", type=kinds.Choice(_KINDS, _LISTED), required=False)
@click.argument("ids", nargs=-1, metavar="[NAME]...", shell_complete=suggestions.of_chosen)
@options.manifests(required=False)
@click.option("--ignore-not-found", is_flag=True, help="Pass over what is not there.")
@dry_runs.option
@options.output(["text", "json"])
@settings.after_command
def command(
    where: settings.Settings,
    kind: _Asked | None,
    ids: Sequence[str],
    sources: Sequence[str],
    ignore_not_found: bool,
    dry_run: bool,
    output: str,
) -> None:
    """Delete resources by name or by manifest.

    \b
      moorctl delete pool web db
      moorctl delete -f pools.yaml

    Pools of which addresses are assigned stay, and so do VRFs that have pools. Stops at the first
    failure; the same again with --ignore-not-found goes on from there. Of a manifest, apiVersion,
    kind and metadata are enough. With -o json there is one object on each line.

    Of Calico, manifests and names of IPPools and IPReservations will do. The deletion of an
    IPAMConfiguration brings the configuration of the VRF back to its defaults.
    """
    if bool(ids) == bool(sources) or bool(kind) != bool(ids):
        raise click.UsageError("give either a kind and names, or -f and manifests")
    with where.connected("delete") as client:
        delete = _DryRun(client) if dry_run else functools.partial(_delete, client)
        for mention in _mentions(kind, ids, sources, where.vrf):
            outcome = _try(delete, mention, where.server, ignore_not_found=ignore_not_found)
            _show(mention, outcome, output, dry_run=dry_run)


def _mentions(
    kind: _Asked | None, ids: Sequence[str], sources: Sequence[str], vrf: str
) -> list[mentions.Mention]:
    """Return what to delete, what lies in something before that in which it lies."""
    if kind is None:
        return mentions.read(sources, vrf)[::-1]
    if kind is calico.Kind.IPAM_CONFIGURATION:
        _refuse_other_names(ids)
        return [mentions.configuration(vrf)]
    own = kind.counterpart if isinstance(kind, calico.Kind) else kind
    return [mentions.Mention(kind=own, name=kinds.name_of(own, own_id, vrf)) for own_id in ids]


def _refuse_other_names(ids: Sequence[str]) -> None:
    only = calico_configuration.NAME
    if set(ids) != {only}:
        raise click.UsageError(f"the IPAMConfiguration of a VRF is named {only!r}; see --vrf")


def _label(mention: mentions.Mention) -> str:
    return f"{mention.kind.value}/{names.id_of(mention.name)}"


def _try(delete: _Delete, mention: mentions.Mention, server: str, *, ignore_not_found: bool) -> str:
    """Delete something; raises exits.Failed, which says how to go on where it is not there."""
    try:
        with exits.doing(f"delete {_label(mention)}", server):
            return delete(mention)
    except exits.Failed as failed:
        if failed.report.exit is not exits.Exit.NOT_FOUND:
            raise
        if ignore_not_found:
            return "not found"
        step = "to pass over what is not there, add --ignore-not-found"
        raise exits.Failed(dataclasses.replace(failed.report, next_step=step)) from failed


def _delete(
    client: moorage.Client, mention: mentions.Mention, *, validate_only: bool = False
) -> str:
    if mention.configuration_only:
        return _reset(client, mention.name, validate_only=validate_only)
    kinds.delete(client, mention.kind, mention.name, validate_only=validate_only)
    return "deleted"


class _DryRun:
    """Asks the server whether it would delete something, after all that it was asked before."""

    def __init__(self, client: moorage.Client) -> None:
        self._client = client
        self._gone: set[str] = set()

    def __call__(self, mention: mentions.Mention) -> str:
        """Return or raise what the deletion would."""
        try:
            outcome = _delete(self._client, mention, validate_only=True)
        except moorage.Conflict as error:
            if error.reason != "VRF_IN_USE" or not self._is_emptied(mention.name):
                raise
            outcome = "deleted"
        self._gone.add(mention.name)
        return outcome

    def _is_emptied(self, vrf: str) -> bool:
        return all(pool.name in self._gone for pool in self._client.pools(vrf=vrf))


def _reset(client: moorage.Client, vrf: str, *, validate_only: bool) -> str:
    """Bring the configuration of a VRF back to its defaults; the VRF stays."""
    defaults = manifests.Manifest(
        where="",
        kind=kinds.Kind.VRF,
        resource=resources_pb2.Vrf(name=vrf),
        fields=calico_configuration.FIELDS,
        makes=False,
    )
    change = changes.find(client, defaults)
    return changes.make(client, change, validate_only=validate_only)


def _show(mention: mentions.Mention, outcome: str, output: str, *, dry_run: bool) -> None:
    if output == "text":
        click.echo(dry_runs.marked(f"{_label(mention)} {outcome}", dry_run=dry_run))
        return
    line = {"kind": mention.kind.title, "name": mention.name, "result": outcome}
    click.echo(json.dumps(dry_runs.document(line, dry_run=dry_run)))
