"""What assign and explain have in common: the options that say what is wanted, and the request."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Mapping, Sequence

import click

import moorage
from moorage.ctl import manifests, options
from moorage.v1 import allocation_service_pb2, resources_pb2

_FAMILIES = {4: resources_pb2.IP_FAMILY_IPV4, 6: resources_pb2.IP_FAMILY_IPV6}

_Function = Callable[..., None]

_OPTIONS = (
    options.attachment(required=True),
    click.option("-4", "ipv4", is_flag=True, help="An IPv4 address; the default."),
    click.option("-6", "ipv6", is_flag=True, help="An IPv6 address; with -4, one of each."),
    click.option(
        "--pool", "pools", multiple=True, help="Id or CIDR of a pool to draw from; repeatable."
    ),
    click.option(
        "--ip",
        "addresses",
        type=options.Address(),
        multiple=True,
        help="A fixed address; of several of one family, the first that is free.",
    ),
    options.labels("A label of the allocations; repeatable."),
    click.option("--owner", default="", help="Owner key of the workload."),
    click.option("--pod", default="", help="Pod it is for."),
    click.option("--namespace", default="", help="Namespace of the pod."),
    options.namespace_labels(),
    click.option("--node", default="", help="Node of the pod; its blocks are preferred."),
    click.option("--cluster", default="", metavar="UID", help="Cluster of the node and the pod."),
)


def arguments(function: _Function) -> _Function:
    """Add the options of an assignment."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def attachment(who: Mapping[str, str]) -> resources_pb2.Attachment:
    """Return who is to hold the addresses."""
    return resources_pb2.Attachment(
        network=who["network"], container_id=who["container_id"], interface=who["interface"]
    )


def workload(
    who: Mapping[str, str], namespace_labels: Sequence[tuple[str, str]]
) -> resources_pb2.Workload:
    """Return whom the addresses are for."""
    return resources_pb2.Workload(
        node=who["node"],
        namespace=who["namespace"],
        pod=who["pod"],
        cluster=who["cluster"],
        namespace_labels=dict(namespace_labels),
    )


def wanted(
    client: moorage.Client,
    vrf: str,
    *,
    flagged: Iterable[int],
    pools: Iterable[str],
    addresses: Sequence[options.AnyAddress],
) -> list[allocation_service_pb2.AddressRequest]:
    """Return one request for each family that is asked for, by flag, by pool or by address.

    `flagged` are the families that are asked for by flag, 4 and 6.
    """
    return _requests(set(flagged), _pools_by_family(client, pools, vrf), addresses)


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
        return manifests.network(cidr, bare=False)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--pool") from error


def _requests(
    flagged: set[int], pools: Mapping[int, Sequence[str]], addresses: Sequence[options.AnyAddress]
) -> list[allocation_service_pb2.AddressRequest]:
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
