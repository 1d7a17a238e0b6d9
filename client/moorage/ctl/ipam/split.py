"""moorctl ipam split: replaces a pool that is not in use by smaller ones."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence

import click

import moorage
from moorage import names
from moorage.ctl import dry_runs, exits, manifests, options, settings
from moorage.ctl.ipam import children, files, usage
from moorage.v1 import resources_pb2


class _Network(click.ParamType[children.Network]):
    name = "cidr"

    def convert(
        self,
        value: str | children.Network,
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> children.Network:
        try:
            return manifests.network(str(value), bare=False)
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.command("split")
@click.argument("parts", type=int, metavar="NUMBER")
@click.option("--cidr", type=_Network(), help="The CIDR of the pool.")
@click.option("--name", "pool_id", help="The name of the pool.")
@options.output(["text", "json"])
@dry_runs.refused("split a pool", "see what is assigned of it: moorctl describe pool")
@settings.after_command
def command(
    where: settings.Settings,
    parts: int,
    cidr: children.Network | None,
    pool_id: str | None,
    output: str,
) -> None:
    """Split a pool into NUMBER pools of equal size, a power of 2.

    \b
      moorctl ipam split 4 --name web
      moorctl ipam split 2 --cidr 10.0.0.0/16

    The new pools are called split-<pool>-0 and so on, and have all fields of the pool; its gateway
    and its excluded ranges go to those that contain them. A new pool that is smaller than a block
    of the pool is one block: its block size differs, which is said. Pools never overlap, so the
    pool is deleted first: nothing of it may be assigned. If a new pool cannot be created, the pool
    is put back as it was, but for its uid.
    """
    if bool(cidr) == bool(pool_id):
        raise click.UsageError("give either --cidr or --name")
    say = _silent if output == "json" else click.echo
    with where.connected("split a pool") as client:
        pool = _find(client, pool_id, cidr, where.vrf)
        divided = children.divide(pool, parts)
        _refuse_use(client, pool)
        _tell_of_blocks(pool, divided, say)
        _split(client, where.server, pool, divided, say)
    if output == "json":
        created = [
            {"name": each.name, "cidr": each.cidr, "blockSize": each.pool.block_size}
            for each in divided
        ]
        click.echo(files.text({"split": pool.name, "created": created}))
    else:
        label = names.id_of(pool.name)
        click.echo(f"IP Pool {label} was successfully split into {parts} smaller pools.")


def _silent(text: str) -> None:
    """Say nothing."""


def _find(
    client: moorage.Client, pool_id: str | None, cidr: children.Network | None, vrf: str
) -> resources_pb2.Pool:
    if pool_id:
        return client.get_pool(pool_id, vrf=vrf)
    for pool in client.pools(vrf=vrf):
        if ipaddress.ip_network(pool.cidr) == cidr:
            return pool
    raise exits.Failed(
        exits.Report(
            code="NOT_FOUND",
            reason="POOL_NOT_FOUND",
            message=f"no IP pool has the CIDR {cidr}",
            metadata={"cidr": str(cidr), "vrf": vrf},
            next_step="see which pools there are: moorctl get pools",
            exit=exits.Exit.NOT_FOUND,
        )
    )


def _refuse_use(client: moorage.Client, pool: resources_pb2.Pool) -> None:
    assigned = client.get_pool_usage(pool.name).counts.assigned_count
    if not assigned:
        return
    pool_id = names.id_of(pool.name)
    raise exits.Failed(
        exits.Report(
            code="FAILED_PRECONDITION",
            reason="POOL_IN_USE",
            message=f"pool {pool_id} is in use: {usage.addresses(assigned)} of it "
            f"{'is' if assigned == 1 else 'are'} assigned; nothing was changed",
            metadata={"pool": pool_id, "assigned": str(assigned)},
            next_step="drain it, release them, then split it; to see them: "
            f"moorctl get allocations --pool {pool_id}",
            exit=exits.Exit.CONFLICT,
        )
    )


def _tell_of_blocks(
    pool: resources_pb2.Pool, divided: Sequence[children.Child], say: Callable[[str], None]
) -> None:
    size = divided[0].pool.block_size
    if size != pool.block_size:
        say(
            f"The new pools get blocks of /{size}: those of {names.id_of(pool.name)}, "
            f"of /{pool.block_size}, are larger than a new pool."
        )


def _split(
    client: moorage.Client,
    server: str,
    pool: resources_pb2.Pool,
    divided: Sequence[children.Child],
    say: Callable[[str], None],
) -> None:
    """Replace a pool by its children, or leave it as it was and raise."""
    pool_id = names.id_of(pool.name)
    # Drained, nothing can be assigned of it before it is deleted. The etag tells that nobody has
    # changed the fields that the children have got; where somebody has, there is nothing to undo.
    with exits.doing(f"drain pool {pool_id}", server):
        drained = client.drain_pool(pool.name, etag=pool.etag)
    say(f"Drained {pool_id}.")
    try:
        _replace(client, drained, divided, say)
    except KeyboardInterrupt:
        exits.note(f"pool {pool_id} {_put_back(client, pool, divided)}")
        raise
    except moorage.MoorageError as error:
        outcome = _put_back(client, pool, divided)
        with exits.doing(f"split pool {pool_id}, which {outcome}", server):
            raise error from None


def _replace(
    client: moorage.Client,
    drained: resources_pb2.Pool,
    divided: Sequence[children.Child],
    say: Callable[[str], None],
) -> None:
    client.delete_pool(drained.name, etag=drained.etag)
    say(f"Deleted {names.id_of(drained.name)}.")
    for child in divided:
        client.create_pool(names.id_of(child.name), child.pool, vrf=names.vrf_of(child.name))
        say(f"Created {names.id_of(child.name)} with CIDR {child.cidr}.")


def _put_back(
    client: moorage.Client, pool: resources_pb2.Pool, divided: Sequence[children.Child]
) -> str:
    """Undo as much of a split as was done; return what became of the pool."""
    try:
        _undo(client, pool, divided)
    except moorage.MoorageError as error:
        manifest = exits.json_text(manifests.write(pool), indent=None)
        return f"could not be put back ({error}) and has to be, from this manifest: {manifest}"
    return "was put back as it was"


def _undo(
    client: moorage.Client, pool: resources_pb2.Pool, divided: Sequence[children.Child]
) -> None:
    vrf = names.vrf_of(pool.name)
    there = {each.name: each.cidr for each in client.pools(vrf=vrf)}
    for child in divided:
        # A pool of that name with another range is somebody else's, and the reason for all this.
        if there.get(child.name) == child.cidr:
            client.delete_pool(child.name)
    was_draining = pool.state == resources_pb2.POOL_STATE_DRAINING
    if pool.name not in there:
        client.create_pool(names.id_of(pool.name), pool, vrf=vrf)
        if was_draining:
            client.drain_pool(pool.name)
    elif not was_draining:
        client.activate_pool(pool.name)
