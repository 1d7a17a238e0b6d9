"""moorctl ipam check: whether a VRF agrees with itself, and its addresses with the pods."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import click

import moorage
from moorage import names
from moorage.ctl import exits, options, settings
from moorage.ctl.ipam import files, leaks, pods, reports, usage
from moorage.v1 import resources_pb2

OUT_OF_SERVICE = "pool_out_of_service"

# As long as the collector of Calico waits, in seconds.
_GRACE = 15 * 60

# What is said of the owner of a leaked address, in this order.
_ATTRIBUTES = ("node", "namespace", "pod")


@click.command("check")
@click.option(
    "--pods",
    "source",
    metavar="FILE|-",
    help="The output of `kubectl get pods -A -o json`: find leaked addresses by it.",
)
@click.option(
    "--cluster",
    "uid",
    default="",
    metavar="UID",
    help="The cluster of the pods: what was assigned for others is not judged.",
)
@click.option(
    "--grace",
    type=click.IntRange(min=0),
    default=_GRACE,
    show_default=True,
    metavar="SECONDS",
    help="Do not judge what was assigned so shortly before the list, or later; 0: judge all.",
)
@click.option(
    "--report", type=click.Path(dir_okay=False), metavar="FILE", help="Write a report, in JSON."
)
@options.output(["text", "json"])
@settings.after_command
@click.pass_context
def command(
    ctx: click.Context,
    where: settings.Settings,
    source: str | None,
    uid: str,
    grace: int,
    report: str | None,
    output: str,
) -> None:
    """Check that what is stored of a VRF agrees with itself, and with the pods of a cluster.

    \b
      moorctl ipam check
      kubectl get pods -A -o json | moorctl ipam check --pods - --report leaks.json

    Leaked is an address whose pod is not there, is on another node, has ended, or has other
    addresses. An address that any pod shows which has not ended is not leaked, and what an import
    took over for virtual machines, tunnels, Windows or nobody is not judged, nor is what is younger
    than the grace.

    Give the pods of all namespaces, and where clusters share the VRF, --cluster: the uid of the
    namespace kube-system. Before anything is released, write two reports some time apart,
    each with a list of its own, and release what is leaked in both, by `moorctl ipam release
    --from-report`.

    -o json prints the report. Exit code 1 when there are problems.
    """
    cluster = _cluster(source, uid, grace) if source else None
    with where.connected(f"check vrf/{where.vrf}") as client:
        checked = _check(client, where.vrf, cluster)
    document = reports.write(checked)
    if report:
        files.write(report, document)
    if output == "json":
        click.echo(files.text(document))
    else:
        _show(checked, told_of_pods=cluster is not None, grace=grace)
    if checked.problem_count:
        ctx.exit(exits.Exit.DIFFERENT)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cluster:
    """The pods that there are, and since when addresses are too young to be judged by them.

    Without a uid, they are of the one cluster whose addresses there are.
    """

    uid: str
    pods: Mapping[pods.Key, pods.Pod]
    young_since: float


def _cluster(source: str, uid: str, grace: int) -> _Cluster:
    young_since = files.moment(source) - grace if grace else math.inf
    return _Cluster(uid=uid, pods=pods.read(source), young_since=young_since)


def _check(client: moorage.Client, own_id: str, cluster: _Cluster | None) -> reports.Checked:
    vrf = client.get_vrf(own_id)
    states = {pool.name: _state(pool) for pool in client.pools(vrf=own_id)}
    allocations = list(client.allocations(vrf=own_id))
    responses = client.check_consistency(vrf=own_id)
    return reports.Checked(
        vrf=vrf,
        findings=[response.finding for response in responses if response.HasField("finding")],
        judgement=_judgement(allocations, cluster),
        information=[
            _information(each, state) for each in allocations if (state := states.get(each.pool))
        ],
    )


def _state(pool: resources_pb2.Pool) -> str:
    """Return why a pool assigns nothing; empty where it does."""
    if pool.state == resources_pb2.POOL_STATE_DRAINING:
        return "draining"
    return "disabled" if pool.disabled else ""


def _judgement(
    allocations: Sequence[resources_pb2.Allocation], cluster: _Cluster | None
) -> leaks.Judgement:
    if cluster is None:
        return leaks.Judgement(leaks=[], not_judged_count=len(allocations))
    clusters = {each.workload.cluster for each in allocations} - {""}
    if not cluster.uid and len(clusters) > 1:
        raise exits.refused(
            f"addresses of {len(clusters)} clusters are held, and the pods of one say nothing of "
            "the others; give the uid of theirs, with --cluster"
        )
    ours = [each for each in allocations if cluster.uid in ("", each.workload.cluster)]
    return leaks.judge(ours, cluster.pods, assigned_before=cluster.young_since)


def _information(allocation: resources_pb2.Allocation, state: str) -> dict[str, object]:
    return {
        "rule": OUT_OF_SERVICE,
        "message": f"in use, but its pool {names.id_of(allocation.pool)} is {state}",
        "address": allocation.address,
        "generation": allocation.generation,
    }


def _show(checked: reports.Checked, *, told_of_pods: bool, grace: int) -> None:
    for line in _lines(checked):
        click.echo(exits.printable(line))
    judgement = checked.judgement
    if told_of_pods and judgement.not_judged_count:
        exits.note(f"not judged, being of no pod: {usage.addresses(judgement.not_judged_count)}")
    if judgement.young_count:
        young = usage.addresses(judgement.young_count)
        exits.note(f"not judged, being younger than {grace} seconds (--grace): {young}")


def _lines(checked: reports.Checked) -> Iterator[str]:
    for finding in checked.findings:
        yield f"{finding.rule}: {finding.message}"
    for leak in checked.judgement.leaks:
        address = leak.allocation.address
        yield f"{address} leaked; attrs {_attributes(leak.allocation)}; {leak.reason}"
    for each in checked.information:
        yield f"{each['address']} {each['message']}"
    yield f"Check complete; found {checked.problem_count} problems."


def _attributes(allocation: resources_pb2.Allocation) -> str:
    workload = allocation.workload
    found = ((name, getattr(workload, name)) for name in _ATTRIBUTES)
    return ", ".join(f"{name}: {text}" for name, text in found if text)
