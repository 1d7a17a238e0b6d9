"""moorctl assign: assigns addresses by hand."""

from __future__ import annotations

from collections.abc import Sequence

import click

from moorage.ctl import dry_runs, kinds, options, render, requests, settings


@click.command("assign")
@requests.arguments
@options.output(render.FORMATS)
@dry_runs.refused("assign addresses", "ask with the same options: moorctl explain")
@settings.after_command
def command(
    where: settings.Settings,
    ipv4: bool,
    ipv6: bool,
    pools: Sequence[str],
    addresses: Sequence[options.AnyAddress],
    labels: Sequence[tuple[str, str]],
    namespace_labels: Sequence[tuple[str, str]],
    output: str,
    **who: str,
) -> None:
    """Assign addresses to an attachment.

    \b
      moorctl assign --container-id c1 --pool web
      moorctl assign --container-id c2 -4 -6 --node n1 --namespace shop --pod cart-0
      moorctl assign --container-id c3 --ip 10.0.0.7

    Either all addresses are assigned or none. The same command again shows the same ones.
    """
    flagged = [family for family, flag in ((4, ipv4), (6, ipv6)) if flag]
    with where.connected(f"assign addresses to container {who['container_id']}") as client:
        allocations = client.assign(
            requests.attachment(who),
            requests.wanted(client, where.vrf, flagged=flagged, pools=pools, addresses=addresses),
            workload=requests.workload(who, namespace_labels),
            owner_key=who["owner"],
            labels=dict(labels),
            vrf=where.vrf,
        )
    render.many(kinds.Kind.ALLOCATION, allocations, output)
