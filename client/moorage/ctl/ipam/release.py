"""moorctl ipam release: releases single addresses, and the leaked ones of reports."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import click

import moorage
from moorage import names
from moorage.ctl import dry_runs, exits, options, release, settings
from moorage.ctl.ipam import files, holder, reports, usage
from moorage.v1 import resources_pb2

RELEASED = "released"
NOT_ASSIGNED = "not assigned"
CHANGED_HANDS = "changed hands"
_LINES = {
    RELEASED: "Successfully released IP address {}",
    NOT_ASSIGNED: "IP address {} is not assigned",
    CHANGED_HANDS: "IP address {} changed hands meanwhile; it is not released",
}
_EXITS = {CHANGED_HANDS: exits.Exit.CONFLICT}


@click.command("release")
@click.option(
    "--ip", "addresses", type=options.Address(), multiple=True, help="This address; repeatable."
)
@click.option(
    "--from-report",
    "sources",
    multiple=True,
    metavar="FILE|-",
    help="The leaked addresses of a report; of several, those that are in all of them.",
)
@click.option("--force", is_flag=True, help="Accept a report of another version of moorctl.")
@options.output(["text", "json"])
@dry_runs.refused("release addresses", "see who holds them: moorctl ipam show --ip")
@settings.after_command
@click.pass_context
def command(
    ctx: click.Context,
    where: settings.Settings,
    addresses: Sequence[options.AnyAddress],
    sources: Sequence[str],
    force: bool,
    output: str,
) -> None:
    """Release addresses, or what reports call leaked.

    \b
      moorctl ipam release --ip 10.0.0.7
      moorctl ipam release --from-report monday.json --from-report tuesday.json

    What one report alone calls leaked may be of a pod that its list has missed: give two, written
    some time apart. The same report given twice counts once.

    An address that has changed hands, since it was looked up or since the report was written, is
    not touched. An address of --ip that is not assigned is said to be so, and is no error; one
    that is given twice counts once.
    """
    if bool(addresses) == bool(sources):
        raise click.UsageError("give either --ip or --from-report")
    if addresses:
        ctx.exit(_release_addresses(where, list(dict.fromkeys(addresses)), output))
    found = list(reports.apart(map(reports.read, sources)))
    _release_leaked(where, found, output, force=force)


def _release_addresses(
    where: settings.Settings, addresses: Sequence[options.AnyAddress], output: str
) -> int:
    outcomes: list[str] = []
    with where.connected("release") as client:
        for address in addresses:
            with exits.doing(f"release {address}", where.server):
                outcomes.append(_release(client, names.allocation(address, where.vrf)))
            if output == "text":
                click.echo(_LINES[outcomes[-1]].format(address))
    if output == "json":
        pairs = zip(addresses, outcomes, strict=True)
        documents = [{"address": str(address), "result": outcome} for address, outcome in pairs]
        click.echo(files.text({"addresses": documents}))
    return max((_EXITS.get(outcome, exits.Exit.OK) for outcome in outcomes), default=exits.Exit.OK)


def _release(client: moorage.Client, name: str) -> str:
    held = holder.find(client, name)
    if held is None:
        return NOT_ASSIGNED
    vrf = names.vrf_of(name)
    released = client.release(held.attachment, generations=[held.generation], vrf=vrf)
    return RELEASED if released else CHANGED_HANDS


def _release_leaked(
    where: settings.Settings, found: Sequence[reports.Report], output: str, *, force: bool
) -> None:
    _refuse_other_versions(found, force=force)
    leaked = reports.in_common(found)
    released: list[resources_pb2.Allocation] = []
    with where.connected("release what is leaked") as client:
        _refuse_other_vrfs(found, client.get_vrf(where.vrf))
        for allocation in _released(client, leaked, where.vrf):
            released.append(allocation)
            if output == "text":
                click.echo(_LINES[RELEASED].format(allocation.address))
    if leaked and not released:
        raise exits.Failed(_all_stale(leaked))
    _show(leaked, released, output)


def _refuse_other_versions(found: Sequence[reports.Report], *, force: bool) -> None:
    for report in found:
        if report.version == moorage.__version__:
            continue
        difference = f"{report.source} was written by version {report.version!r:.60}"
        if not force:
            raise exits.refused(
                f"{difference}, and this is {moorage.__version__}; "
                "write a new one, or accept it with --force"
            )
        exits.note(f"{difference}; accepted because of --force")


def _refuse_other_vrfs(found: Sequence[reports.Report], vrf: resources_pb2.Vrf) -> None:
    for report in found:
        if report.vrf_uid != vrf.uid:
            raise exits.refused(
                f"{report.source} is about another VRF than {vrf.name} (uid {vrf.uid}); "
                "name its server and its VRF, or write a new one"
            )


def _released(
    client: moorage.Client, leaked: Sequence[reports.Leaked], vrf: str
) -> Iterator[resources_pb2.Allocation]:
    """Release what is still held as it was, attachment by attachment; yield it."""

    def holder_of(each: reports.Leaked) -> tuple[str, str, str]:
        return each.network, each.container_id, each.interface

    for _, group in itertools.groupby(sorted(leaked, key=holder_of), holder_of):
        held = list(group)
        generations = [each.generation for each in held]
        yield from release.held_at(client, held[0].attachment, generations, vrf)


def _all_stale(leaked: Sequence[reports.Leaked]) -> exits.Report:
    return exits.Report(
        code="FAILED_PRECONDITION",
        reason="REPORTS_STALE",
        message=(
            "the reports are all stale: none of what they call leaked "
            f"({usage.addresses(len(leaked))}) is held as it was; nothing was released"
        ),
        metadata={"leaked": str(len(leaked))},
        next_step="write a new report: moorctl ipam check --pods FILE --report FILE",
        exit=exits.Exit.CONFLICT,
    )


def _show(
    leaked: Sequence[reports.Leaked], released: Sequence[resources_pb2.Allocation], output: str
) -> None:
    done = {each.address for each in released}
    stale = [each.address for each in leaked if each.address not in done]
    if output == "json":
        click.echo(files.text({"released": [each.address for each in released], "stale": stale}))
    elif not leaked:
        click.echo("No leaked IP address is in all the reports; nothing was released")
    else:
        count = usage.addresses(len(released), "IP address")
        verb = "was" if len(stale) == 1 else "were"
        click.echo(f"Released {count}; {len(stale)} {verb} gone or had changed")
