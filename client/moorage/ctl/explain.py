"""moorctl explain: says what assign would do, and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import click
from google.protobuf import json_format

from moorage import names
from moorage.ctl import exits, options, render, requests, settings, sources, specs
from moorage.v1 import allocation_service_pb2, error_reason_pb2, resources_pb2

_HEADER = [
    "POOL", "CIDR", "VERDICT", "CAPACITY", "ASSIGNED", "COOLING", "STICKY", "RESERVED", "AVAILABLE",
    "REASON", "NEXT STEP",
]  # fmt: skip
_NO_LABELS = "no labels of the namespace were given"
_GIVE_LABELS = f"give those that it has: {options.NAMESPACE_LABEL} KEY=VALUE"


@click.command("explain")
@requests.arguments
@options.output(["table", "json"])
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
    """Say what `moorctl assign` would do now, and why, without doing it.

    \b
      moorctl explain --container-id c1 --node n1 --namespace shop
      moorctl explain --container-id c2 --ip 10.0.0.7

    Takes the options of assign. Says which addresses would be assigned, or why none, and lists
    every pool of the family: those that serve in the order in which they are drawn from, then those
    that do not, each with the rule that passes it over.

    Among pools of one priority, the blocks that the node has already come before the order of the
    pools: the first pool gives a new block only where none of them has a free address.
    """
    flagged = [family for family, flag in ((4, ipv4), (6, ipv6)) if flag]
    with where.connected(f"explain an assignment to container {who['container_id']}") as client:
        response = client.explain_assign(
            requests.attachment(who),
            requests.wanted(client, where.vrf, flagged=flagged, pools=pools, addresses=addresses),
            workload=requests.workload(who, namespace_labels),
            owner_key=who["owner"],
            labels=dict(labels),
            vrf=where.vrf,
        )
        if output == "json":
            document = json_format.MessageToDict(response)
            click.echo(exits.json_text(document))
            return
        asked = {str(address) for address in addresses}
        origins = [
            sources.of(client, allocation, asked_for=allocation.address in asked)
            for allocation in response.allocations
        ]
    for line in _lines(response, origins, labels_given=bool(namespace_labels)):
        click.echo(line)


def _lines(
    response: allocation_service_pb2.ExplainAssignResponse,
    origins: Sequence[str],
    *,
    labels_given: bool,
) -> Iterator[str]:
    yield from map(exits.printable, _outcome(response, origins))
    for explanation in response.addresses:
        if not explanation.pools:
            continue
        yield ""
        rows = (_row(pool, labels_given=labels_given) for pool in explanation.pools)
        yield from render.aligned([_HEADER, *rows])


def _outcome(
    response: allocation_service_pb2.ExplainAssignResponse, origins: Sequence[str]
) -> Iterator[str]:
    """Yield a line for each address that would be assigned, or why none would."""
    if response.HasField("refusal"):
        reasons = error_reason_pb2.ErrorReason.DESCRIPTOR
        yield f"refused, {specs.short_name(reasons, response.refusal.reason)}:"
        yield f"  {response.refusal.message}"
    for allocation, origin in zip(response.allocations, origins, strict=True):
        verdict = "holds" if allocation.generation else "would be assigned"
        pool = names.id_of(allocation.pool)
        address = f"{allocation.address}/{allocation.prefix_length}"
        yield f"{verdict} {address} of pool {pool}, from {origin}"


def _row(pool: allocation_service_pb2.ConsideredPool, *, labels_given: bool) -> list[str]:
    namespace_selector = allocation_service_pb2.PASSED_OVER_NAMESPACE_SELECTOR
    unlabelled = pool.passed_over == namespace_selector and not labels_given
    return [
        names.id_of(pool.pool),
        pool.cidr,
        _verdict(pool.passed_over),
        *_figures(pool.counts),
        f"{pool.explanation}; {_NO_LABELS}" if unlabelled else pool.explanation,
        _GIVE_LABELS if unlabelled else pool.next_step,
    ]


def _verdict(rule: allocation_service_pb2.PassedOver.ValueType) -> str:
    if rule == allocation_service_pb2.PASSED_OVER_UNSPECIFIED:
        return "SERVES"
    return specs.short_name(allocation_service_pb2.PassedOver.DESCRIPTOR, rule)


def _figures(counts: resources_pb2.AddressCounts) -> list[str]:
    return [
        str(count)
        for count in (
            counts.capacity_count,
            counts.assigned_count,
            counts.cooling_count,
            counts.sticky_count,
            counts.reserved_count,
            counts.available_count,
        )
    ]
