"""The options that say which allocations a command is about."""

from collections.abc import Callable, Mapping, Sequence

import click

from moorage.v1 import filter_pb2, resources_pb2

_Function = Callable[..., None]


def options(function: _Function) -> _Function:
    """Add the options that narrow down allocations, but for labels."""
    for name, text in (
        ("--cluster", "Only of the cluster of this uid."),
        ("--container-id", "Only of this container."),
        ("--owner", "Only of this owner key."),
        ("--cidr", "Only inside this CIDR."),
        ("--node", "Only of this node."),
        ("--pod", "Only of this pod."),
        ("--namespace", "Only of this namespace."),
    ):
        function = click.option(name, default="", help=f"Allocations: {text.lower()}")(function)
    text = "Allocations: only of this pool; repeatable."
    return click.option("--pool", "pools", multiple=True, help=text)(function)


def made(
    pools: Sequence[str], labels: Mapping[str, str], narrowed: Mapping[str, str]
) -> filter_pb2.AllocationFilter:
    """Return the filter that these options describe."""
    return filter_pb2.AllocationFilter(
        pools=pools,
        cidr=narrowed["cidr"],
        attachment=resources_pb2.Attachment(container_id=narrowed["container_id"]),
        workload=resources_pb2.Workload(
            node=narrowed["node"],
            namespace=narrowed["namespace"],
            pod=narrowed["pod"],
            cluster=narrowed["cluster"],
        ),
        owner_key=narrowed["owner"],
        labels=labels,
    )
