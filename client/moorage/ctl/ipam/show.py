"""moorctl ipam show: how full pools and blocks are, who borrows, how a VRF is configured."""

from __future__ import annotations

from collections.abc import Sequence

import click

import moorage
from moorage import names
from moorage.ctl import boxes, exits, options, settings
from moorage.ctl.ipam import borrowed, configuration, files, holder, usage
from moorage.v1 import resources_pb2


@click.command("show")
@click.option("--ip", "address", type=options.Address(), help="Who holds this address.")
@click.option("--show-blocks", is_flag=True, help="A row for each open block as well.")
@click.option("--show-borrowed", is_flag=True, help="The addresses that nodes have borrowed.")
@click.option("--show-configuration", is_flag=True, help="How blocks are dealt out.")
@options.output(["table", "json"])
@settings.after_command
def command(
    where: settings.Settings,
    address: options.AnyAddress | None,
    show_blocks: bool,
    show_borrowed: bool,
    show_configuration: bool,
    output: str,
) -> None:
    """Show how full the pools are, or one thing about the VRF.

    \b
      moorctl ipam show
      moorctl ipam show --show-blocks
      moorctl ipam show --ip 10.0.0.7

    In use is what is assigned, and what was released and is kept from others: for a short time
    from all of them, or for its owner. An address both in use and reserved counts as both. Borrowed
    is an address whose block belongs to another node than the workload's, or to none.
    """
    as_json = output == "json"
    if [bool(address), show_blocks, show_borrowed, show_configuration].count(True) > 1:
        raise click.UsageError("give at most one of these options, to see one thing")
    if address:
        _address(where, address, as_json=as_json)
    elif show_borrowed:
        _borrowed(where, as_json=as_json)
    elif show_configuration:
        _configuration(where, as_json=as_json)
    else:
        _usage(where, show_blocks=show_blocks, as_json=as_json)


def _usage(where: settings.Settings, *, show_blocks: bool, as_json: bool) -> None:
    with where.connected("show the usage of the pools") as client:
        pools = [
            (pool, _pool_usage(client, pool), _blocks(client, pool) if show_blocks else [])
            for pool in client.pools(vrf=where.vrf)
        ]
    if not as_json:
        rows = [row for _, used, blocks in pools for row in _rows(used, blocks)]
        _table(usage.HEADER, rows)
        return
    documents = [
        {"name": pool.name, **used.document(), **_blocks_document(blocks, show_blocks=show_blocks)}
        for pool, used, blocks in pools
    ]
    _json({"pools": documents})


def _pool_usage(client: moorage.Client, pool: resources_pb2.Pool) -> usage.Usage:
    return usage.of(pool.cidr, client.get_pool_usage(pool.name).counts)


def _blocks(client: moorage.Client, pool: resources_pb2.Pool) -> list[resources_pb2.Block]:
    return list(client.blocks(pool=pool.name))


def _rows(used: usage.Usage, blocks: Sequence[resources_pb2.Block]) -> list[list[str]]:
    return [
        used.row("IP Pool"),
        *(usage.of(block.cidr, block.counts).row("Block") for block in blocks),
    ]


def _blocks_document(
    blocks: Sequence[resources_pb2.Block], *, show_blocks: bool
) -> dict[str, object]:
    if not show_blocks:
        return {}
    return {
        "blocks": [
            {"node": block.node, **usage.of(block.cidr, block.counts).document()}
            for block in blocks
        ]
    }


def _borrowed(where: settings.Settings, *, as_json: bool) -> None:
    with where.connected("show what is borrowed") as client:
        allocations = list(client.allocations(vrf=where.vrf))
        found = borrowed.find(allocations, client.blocks(vrf=where.vrf))
    unclassified = sum(not allocation.workload.node for allocation in allocations)
    if as_json:
        documents = [each.document() for each in found]
        _json({"borrowed": documents, "unclassifiedCount": unclassified})
        return
    _table(borrowed.HEADER, [each.row() for each in found])
    if unclassified:
        exits.note(
            f"of no node, so that whether they are borrowed cannot be said: "
            f"{usage.addresses(unclassified)}"
        )


def _configuration(where: settings.Settings, *, as_json: bool) -> None:
    with where.connected(f"show the configuration of vrf/{where.vrf}") as client:
        vrf = client.get_vrf(where.vrf)
    values = configuration.values(vrf.configuration)
    if as_json:
        _json({each.key: value for each, value in values.items()})
        return
    rows = [[each.name, configuration.spelled(value)] for each, value in values.items()]
    _table(configuration.HEADER, rows)


def _address(where: settings.Settings, address: options.AnyAddress, *, as_json: bool) -> None:
    with where.connected(f"show {address}") as client:
        held = holder.find(client, names.allocation(address, where.vrf))
    if as_json:
        _json(holder.document(str(address), held))
    elif held is None:
        click.echo(f"{address} is not assigned")
    else:
        for line in holder.lines(held):
            click.echo(line)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    for line in boxes.lines(header, rows):
        click.echo(line)


def _json(document: dict[str, object]) -> None:
    click.echo(files.text(document))
