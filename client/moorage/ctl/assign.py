"""moorctl assign: assigns addresses by hand."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence

import click

import moorage
from moorage.ctl import kinds, options, render, settings
from moorage.v1 import allocation_service_pb2, resources_pb2

_FAMILIES = {4: resources_pb2.IP_FAMILY_IPV4, 6: resources_pb2.IP_FAMILY_IPV6}


@click.command("assign")
@options.attachment(required=True)
@click.option("-4", "ipv4", is_flag=True, help="An IPv4 address; the default.")
@click.option("-6", "ipv6", is_flag=True, help="An IPv6 address; with -4, one of each.")
@click.option(
    "--pool", "pools", multiple=True, help="Id or CIDR of a pool to draw from; repeatable."
)
@click.option(
    "--ip",
    "addresses",
    type=options.Address(),
    multiple=True,
    help="A fixed address; of several of one family, the first that is free.",
)
@options.labels("A label of the allocations; repeatable.")
@click.option("--owner", default="", help="Owner key of the workload.")
@click.option("--pod", default="", help="Pod it is for.")
@click.option("--namespace", default="", help="Namespace of the pod.")
@click.option("--node", default="", help="Node of the pod; its blocks are preferred.")
@options.output(render.FORMATS)
@settings.after_command
def command(
    where: settings.Settings,
    ipv4: bool,
    ipv6: bool,
    pools: Sequence[str],
    addresses: Sequence[options.AnyAddress],
    labels: Sequence[tuple[str, str]],
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
    flagged = {family for family, flag in ((4, ipv4), (6, ipv6)) if flag}
    with where.connected(f"assign addresses to container {who['container_id']}") as client:
        allocations = client.assign(
            _attachment(who),
            _requests(flagged, _pools_by_family(client, pools, where.vrf), addresses),
            workload=_workload(who),
            owner_key=who["owner"],
            labels=dict(labels),
            vrf=where.vrf,
        )
    render.many(kinds.Kind.ALLOCATION, allocations, output)


def _attachment(who: Mapping[str, str]) -> resources_pb2.Attachment:
    return resources_pb2.Attachment(
        network=who["network"], container_id=who["container_id"], interface=who["interface"]
    )


def _workload(who: Mapping[str, str]) -> resources_pb2.Workload:
    return resources_pb2.Workload(node=who["node"], namespace=who["namespace"], pod=who["pod"])


def _pools_by_family(
    client: moorage.Client, pools: Iterable[str], vrf: str
) -> dict[int, list[str]]:
    """Sort pools by family; an id does not tell it, so that pool is looked up."""
    found: dict[int, list[str]] = {4: [], 6: []}
    for pool in pools:
        cidr = pool if "/" in pool else client.get_pool(pool, vrf=vrf).cidr
        found[_network(cidr).version].append(pool)
    return found


def _network(cidr: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(cidr)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--pool") from error


def _requests(
    flagged: set[int], pools: Mapping[int, Sequence[str]], addresses: Sequence[options.AnyAddress]
) -> list[allocation_service_pb2.AddressRequest]:
    """Return one request for each family that is asked for, by flag, by pool or by address."""
    fixed = {family: [str(a) for a in addresses if a.version == family] for family in _FAMILIES}
    named = {family for family in _FAMILIES if pools[family] or fixed[family]}
    if flagged and not named <= flagged:
        raise click.UsageError(
            "a pool or an address is of a family that neither -4 nor -6 asks for"
        )
    return [
        allocation_service_pb2.AddressRequest(
            family=_FAMILIES[family], pools=pools[family], candidate_addresses=fixed[family]
        )
        for family in sorted(flagged | named or {4})
    ]
