"""The calls to the server, their failures worded for a container runtime.

Importing this loads gRPC, most of what a program of one call costs: a verb does so only once it has
found its input good.
"""

import ipaddress
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import moorage
from moorage import allocations, attempts
from moorage.cni import addresses, constraints, errors, netconf, request
from moorage.cni.deadline import Deadline
from moorage.cni.host import Host
from moorage.cni.invocation import Invocation
from moorage.cni.release import Release
from moorage.v1 import filter_pb2, resources_pb2

if TYPE_CHECKING:
    from moorage.cni import valid_attachments


def assign(
    host: Host,
    conf: netconf.NetConf,
    call: Invocation,
    wanted: constraints.Constraints,
    *,
    workload: resources_pb2.Workload,
    deadline: Deadline,
) -> Sequence[resources_pb2.Allocation]:
    """Assigns all that is wanted, or nothing.

    Raises:
        CniError: as errors.from_rpc words it, with the places the constraints were written in; as
            addresses.require_family, a pool stands in the list of the other family.
    """
    try:
        with host.server(conf.server, conf.files) as server:
            for pool in wanted.idle:
                _verify(server, conf, pool, deadline)
            return server.assign(
                request.attachment(conf, call),
                request.addresses(wanted.choices),
                workload=workload,
                owner_key=request.owner_key(wanted, call),
                wait=wanted.wait_seconds,
                sticky=wanted.sticky_seconds,
                vrf=conf.vrf,
                # Of when the call began: a DEL that came since is the later one.
                attempt=attempts.stamp(at=call.began),
                timeout=deadline.remaining(f"server {conf.server}"),
            )
    except moorage.MoorageError as failure:
        asked = [f"asked for by {place}" for place in wanted.said_by]
        raise errors.from_rpc(failure, conf.server, "; ".join(asked)) from failure


def _verify(
    server: allocations.Allocations,
    conf: netconf.NetConf,
    pool: constraints.IdlePool,
    deadline: Deadline,
) -> None:
    # Calico looks both lists up, whatever is assigned; that of an assigned family the server does.
    from moorage import pools  # noqa: PLC0415 - hardly any call needs it

    left = deadline.remaining(f"server {conf.server}")
    try:
        found = pools.Pools.beside(server).get_pool(pool.name, vrf=conf.vrf, timeout=left)
    except moorage.MoorageError as failure:
        asked = f"asked for by {pool.source}"
        raise errors.from_rpc(failure, conf.server, asked) from failure
    addresses.require_family(pool.source, ipaddress.ip_network(found.cidr), pool.family)


def release(host: Host, release: Release, deadline: Deadline) -> None:
    """Releases what the attachment held at that time; nothing to release is success.

    Raises:
        CniError: as errors.from_rpc words it.
    """
    attachment = resources_pb2.Attachment(
        network=release.network, container_id=release.container_id, interface=release.interface
    )
    attempt = resources_pb2.AttemptStamp(boot_id=release.boot_id, boot_time_ns=release.boot_time_ns)
    try:
        with host.server(release.server, release.files) as server:
            server.release(
                attachment,
                vrf=release.vrf,
                attempt=attempt if release.boot_id else None,
                timeout=deadline.remaining(f"server {release.server}"),
            )
    except moorage.MoorageError as failure:
        # A VRF that is not there holds no address: its pools would have to be there first.
        if failure.reason != "VRF_NOT_FOUND":
            raise errors.from_rpc(failure, release.server) from failure


def reconcile(
    host: Host,
    conf: netconf.NetConf,
    valid: "Iterable[valid_attachments.Pair]",
    node_name: str,
    *,
    cluster_uid: str,
    attempt: resources_pb2.AttemptStamp | None,
    deadline: Deadline,
) -> None:
    """Has the server release what this node has no more on this network.

    Raises:
        CniError: as errors.from_rpc words it; TRY_AGAIN_LATER, some of it could not be done.
    """
    listed = [resources_pb2.Attachment(container_id=each, interface=name) for each, name in valid]
    try:
        with host.server(conf.server, conf.files) as server:
            done = server.reconcile_node(
                node_name,
                listed,
                network=conf.name,
                cluster=cluster_uid,
                vrf=conf.vrf,
                attempt=attempt,
                timeout=deadline.remaining(f"server {conf.server}"),
            )
    except moorage.MoorageError as failure:
        # As in release: there is nothing to collect where there is no VRF.
        if failure.reason != "VRF_NOT_FOUND":
            raise errors.from_rpc(failure, conf.server) from failure
        return
    if done.failures:
        raise errors.left_over(len(done.failures), done.failures[0].refusal.message, conf.server)


def held(
    host: Host, conf: netconf.NetConf, call: Invocation, deadline: Deadline
) -> Sequence[resources_pb2.Allocation]:
    """Lists what the attachment holds.

    Raises:
        CniError: as errors.from_rpc words it.
    """
    wanted = filter_pb2.AllocationFilter(attachment=request.attachment(conf, call))
    left = deadline.remaining(f"server {conf.server}")
    try:
        with host.server(conf.server, conf.files) as server:
            return list(server.allocations(wanted, vrf=conf.vrf, timeout=left))
    except moorage.MoorageError as failure:
        raise errors.from_rpc(failure, conf.server) from failure
