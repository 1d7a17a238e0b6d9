"""moorctl import calico: takes over the addresses of Calico's IPAM."""

from __future__ import annotations

from collections.abc import Sequence

import click

from moorage.ctl import options, settings
from moorage.ctl.import_ import dump, holders, importer, report


@click.command("calico")
@click.argument("sources", metavar="DUMP...", nargs=-1, required=True)
@click.option("--apply", "applies", is_flag=True, help="Adopt; without it, nothing is changed.")
@click.option(
    "--orphans",
    is_flag=True,
    help="Also adopt blocks in no pool, into draining pools made for them.",
)
@click.option(
    "--interface",
    default="eth0",
    show_default=True,
    metavar="NAME",
    help="Interface of the attachments, which Calico does not know.",
)
@click.option(
    "--cluster",
    default="",
    metavar="UID",
    help="Uid of the dump's cluster, that of its namespace kube-system.",
)
@options.output(["text", "json"])
@settings.after_command
def command(
    where: settings.Settings,
    sources: Sequence[str],
    applies: bool,
    orphans: bool,
    interface: str,
    cluster: str,
    output: str,
) -> None:
    """Take over pools, blocks and addresses as Calico left them; nobody is renumbered.

    \b
      kubectl get ippools,ipreservations,ipamconfigs,ipamblocks,blockaffinities,ipamhandles \\
        -o json > dump.json
      moorctl import calico dump.json
      moorctl import calico dump.json --apply

    DUMP is a file, a directory or "-"; YAML will do, and takes longer to read. Without --apply it
    is shown what would be adopted and what is in the way. With a conflict anywhere, nothing is
    changed and the exit code is 4. Importing again adopts only what is new since, and
    nothing that was released here.

    With --cluster, what is adopted for pods is collected by the controller of that cluster once
    they are gone.

    A pool of the same range and block size is used as it is. A DEL of a pod releases what was
    adopted for it: its network and container id are those of the handle. A block that is empty here
    is taken from the node that it belongs to, and given to that of Calico.
    """
    found = dump.read(sources, where.vrf)
    notes = [*found.notes, *_notes(found)]
    with where.connected("import from Calico") as client:
        importing = importer.Importer(
            client,
            found,
            server=where.server,
            vrf=where.vrf,
            origin=holders.Origin(interface=interface, cluster=cluster),
            orphans=orphans,
        )
        made = importing.survey()
        applied = applies and not made.conflict_count
        if applied:
            made = importing.carry_out(made)
    report.show(made, notes, output, applied=applied)
    if made.failure:
        raise made.failure
    if made.conflict_count:
        raise report.refused(made, applied=applied)


def _notes(found: dump.Dump) -> list[str]:
    notes = [f"{each.label}: {text}" for each in found.manifests for text in each.notes]
    return notes + [
        f"{each.label}: is being deleted in Calico; the pool that is made of it is drained"
        for each in found.manifests
        if each.withdrawn
    ]
