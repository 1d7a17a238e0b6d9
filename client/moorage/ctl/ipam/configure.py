"""moorctl ipam configure: changes how blocks of a VRF are dealt out."""

from __future__ import annotations

from collections.abc import Mapping

import click

from moorage import names
from moorage.ctl import dry_runs, exits, options, settings
from moorage.ctl.ipam import configuration, files
from moorage.v1 import resources_pb2

_TRUE = {"1", "t", "true"}
_FALSE = {"0", "f", "false"}


@click.command("configure")
@click.option(
    "--strict-affinity",
    "--strictaffinity",
    "strict_affinity",
    metavar="true|false",
    help="Whether a node draws only from its own blocks.",
)
@click.option(
    "--auto-allocate-blocks",
    "--autoallocateblocks",
    "auto_allocate_blocks",
    metavar="true|false",
    help="Whether blocks are opened for automatic addresses; false only with strict affinity.",
)
@click.option(
    "--max-blocks-per-host",
    "--maxblocksperhost",
    "max_blocks_per_node",
    type=int,
    help="How many blocks a node may own; 0 for the default. Others only with strict affinity.",
)
@click.option(
    "--ip-cooldown-seconds",
    "--ipcooldownseconds",
    "cooldown_seconds",
    type=int,
    help="How long a released address is kept from other workloads.",
)
@dry_runs.option
@options.output(["text", "json"])
@settings.after_command
def command(
    where: settings.Settings, dry_run: bool, output: str, **given: str | int | None
) -> None:
    """Change how the blocks of a VRF are dealt out.

    \b
      moorctl ipam configure --strictaffinity true
      moorctl ipam configure --strictaffinity true --max-blocks-per-host 2

    All that is given is changed at once; what is not given stays. Takes effect with the next
    assignment.
    """
    wanted = {
        each: _value(each, value)
        for each in configuration.PROPERTIES
        if (value := given[each.field]) is not None
    }
    if not wanted:
        raise exits.refused("at least one configuration option must be specified")
    with where.connected(f"configure vrf/{where.vrf}") as client:
        stored = client.update_vrf(
            _vrf(where.vrf, wanted),
            update_mask=[each.path for each in wanted],
            validate_only=dry_run,
        )
    values = configuration.values(stored.configuration)
    if output == "json":
        document = {each.key: value for each, value in values.items()}
        click.echo(files.text(dry_runs.document(document, dry_run=dry_run)))
        return
    verb = "Would set" if dry_run else "Successfully set"
    for each in wanted:
        click.echo(f"{verb} {each.name} to: {configuration.spelled(values[each])}")


def _value(wanted: configuration.Property, value: str | int) -> configuration.Value:
    if isinstance(value, int):
        return value
    if value.lower() not in _TRUE | _FALSE:
        name = wanted.name.lower()
        raise exits.refused(f"invalid value. Use true or false to set {name}")
    return value.lower() in _TRUE


def _vrf(
    own_id: str, wanted: Mapping[configuration.Property, configuration.Value]
) -> resources_pb2.Vrf:
    vrf = resources_pb2.Vrf(name=names.vrf(own_id))
    for each, value in wanted.items():
        setattr(vrf.configuration, each.field, value)
    return vrf
