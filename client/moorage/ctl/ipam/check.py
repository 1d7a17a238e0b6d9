"""moorctl ipam check: whether a VRF agrees with itself, and its addresses with the pods."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import click

import moorage
from moorage import names
from moorage.ctl import clusters, exits, options, progress, settings
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
@clusters.option("The cluster of the pods: only what was assigned for it is judged.")
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
    cluster: str | None,
    grace: int,
    report: str | None,
    output: str,
) -> None:
    """Check that what is stored of a VRF agrees with itself, and with the pods of a cluster.

    \b
      moorctl ipam check
      cluster=$(kubectl get namespace kube-system -o jsonpath='{.metadata.uid}')
      kubectl get pods -A -o json | moorctl ipam check --pods - --cluster "$cluster"

    Leaked is an address whose pod is not there, is on another node, has ended, or has other
    addresses. An address that any pod shows which has not ended is not leaked, and what an import
    took over for virtual machines, tunnels, Windows or nobody is not judged, nor is what is younger
    than the grace.

    Give the pods of all namespaces, and --cluster, the uid of the namespace kube-system, unless
    every address was assigned for no cluster; once some were for one, `--cluster none` judges
    the others, by the pods of every cluster that uses the VRF without saying so. Before
    anything is released, write two reports (--report) some time apart, each with a list of its
    own, and release what is leaked in both, by `moorctl ipam release --from-report`.

    -o json prints the report. Exit code 1 when there are problems.
    """
    known = _cluster(source, cluster, grace) if source else None
    with where.connected(f"check vrf/{where.vrf}") as client:
        checked = _check(client, where.vrf, known)
    document = reports.write(checked)
    if report:
        files.write(report, document)
    if output == "json":
        click.echo(files.text(document))
    else:
        _show(checked, told_of_pods=known is not None, grace=grace)
    if checked.problem_count:
        ctx.exit(exits.Exit.DIFFERENT)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cluster:
    """The pods that there are, and since when addresses are too young to be judged by them.

    The uid is empty for what was assigned for no cluster, and None where nobody said it.
    """

    uid: str | None
    pods: Mapping[pods.Key, pods.Pod]
    young_since: float


def _cluster(source: str, uid: str | None, grace: int) -> _Cluster:
    young_since = files.moment(source) - grace if grace else math.inf
    return _Cluster(uid=uid, pods=pods.read(source), young_since=young_since)


def _check(client: moorage.Client, own_id: str, cluster: _Cluster | None) -> reports.Checked:
    vrf = client.get_vrf(own_id)
    states = {pool.name: _state(pool) for pool in client.pools(vrf=own_id)}
    allocations = list(client.allocations(vrf=own_id))
    responses = client.check_consistency(vrf=own_id)
    return reports.Checked(
        vrf=vrf,
        findings=list(progress.findings(responses)),
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
    held = clusters.count(filter(leaks.names_pod, allocations))
    if cluster.uid is None and held.keys() - {""}:
        raise clusters.refused(held, holder="the VRF")
    ours = [each for each in allocations if each.workload.cluster == (cluster.uid or "")]
    judgement = leaks.judge(ours, cluster.pods, assigned_before=cluster.young_since)
    return replace(judgement, elsewhere_count=held.total() - held[cluster.uid or ""])


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
    if judgement.elsewhere_count:
        elsewhere = usage.addresses(judgement.elsewhere_count)
        exits.note(f"not judged, being of another cluster or none: {elsewhere}")
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
