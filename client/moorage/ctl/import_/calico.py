"""moorctl import calico: takes over the addresses of Calico's IPAM."""

from __future__ import annotations

from collections.abc import Sequence

import click

from moorage.ctl import settings
from moorage.ctl.import_ import dump, flags, holders, takeover


@click.command("calico")
@click.argument("sources", metavar="DUMP...", nargs=-1, required=True)
@flags.how(orphans="blocks")
@flags.interface("eth0", "Interface of the attachments, which Calico does not know.")
@flags.cluster("dump")
@settings.after_command
def command(
    where: settings.Settings,
    sources: Sequence[str],
    how: takeover.How,
    interface: str,
    cluster: str,
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
    origin = holders.Origin(interface=interface, cluster=cluster)
    found = dump.read(sources, where.vrf, origin)
    takeover.run(where, found, how)
