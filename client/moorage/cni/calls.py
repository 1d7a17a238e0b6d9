"""The calls to the server, their failures worded for a container runtime.

Importing this loads gRPC, most of what a program of one call costs: a verb does so only once it has
found its input good.
"""

import ipaddress
from collections.abc import Iterable, Sequence

import moorage
from moorage import client
from moorage.cni import addresses, constraints, errors, netconf, request, valid_attachments
from moorage.cni.deadline import Deadline
from moorage.cni.invocation import Invocation
from moorage.v1 import filter_pb2, resources_pb2


def assign(
    conf: netconf.NetConf,
    call: Invocation,
    wanted: constraints.Constraints,
    *,
    workload: resources_pb2.Workload,
    attempt: resources_pb2.AttemptStamp | None,
    deadline: Deadline,
) -> Sequence[resources_pb2.Allocation]:
    """Assigns all that is wanted, or nothing.

    Raises:
        CniError: as errors.from_rpc words it, with the places the constraints were written in; as
            addresses.require_family, a pool stands in the list of the other family.
    """
    left = deadline.remaining(f"server {conf.server}")
    with client.Client(conf.server, timeout=left) as server:
        for pool in wanted.idle:
            _verify(server, conf, pool, deadline)
        try:
            return server.assign(
                request.attachment(conf, call),
                request.addresses(wanted.choices),
                workload=workload,
                owner_key=wanted.owner_key,
                wait=wanted.wait_seconds,
                sticky=wanted.sticky_seconds,
                vrf=conf.vrf,
                attempt=attempt,
                timeout=deadline.remaining(f"server {conf.server}"),
            )
        except moorage.MoorageError as failure:
            asked = [f"asked for by {place}" for place in wanted.said_by]
            raise errors.from_rpc(failure, conf.server, "; ".join(asked)) from failure


def _verify(
    server: client.Client, conf: netconf.NetConf, pool: constraints.IdlePool, deadline: Deadline
) -> None:
    # Calico looks both lists up, whatever is assigned; that of an assigned family the server does.
    left = deadline.remaining(f"server {conf.server}")
    try:
        found = server.get_pool(pool.name, vrf=conf.vrf, timeout=left)
    except moorage.MoorageError as failure:
        asked = f"asked for by {pool.source}"
        raise errors.from_rpc(failure, conf.server, asked) from failure
    addresses.require_family(pool.source, ipaddress.ip_network(found.cidr), pool.family)


def release(conf: netconf.NetConf, call: Invocation, deadline: Deadline) -> None:
    """Releases what the attachment holds; nothing to release is success.

    Raises:
        CniError: as errors.from_rpc words it.
    """
    left = deadline.remaining(f"server {conf.server}")
    with client.Client(conf.server, timeout=left) as server:
        try:
            server.release(request.attachment(conf, call), vrf=conf.vrf)
        except moorage.MoorageError as failure:
            # A VRF that is not there holds no address: its pools would have to be there first.
            if failure.reason != "VRF_NOT_FOUND":
                raise errors.from_rpc(failure, conf.server) from failure


def reconcile(
    conf: netconf.NetConf,
    valid: Iterable[valid_attachments.Pair],
    node_name: str,
    *,
    attempt: resources_pb2.AttemptStamp | None,
    deadline: Deadline,
) -> None:
    """Has the server release what this node has no more on this network.

    Raises:
        CniError: as errors.from_rpc words it; TRY_AGAIN_LATER, some of it could not be done.
    """
    listed = [resources_pb2.Attachment(container_id=each, interface=name) for each, name in valid]
    left = deadline.remaining(f"server {conf.server}")
    with client.Client(conf.server, timeout=left) as server:
        try:
            done = server.reconcile_node(
                node_name, listed, network=conf.name, vrf=conf.vrf, attempt=attempt
            )
        except moorage.MoorageError as failure:
            # As in release: there is nothing to collect where there is no VRF.
            if failure.reason != "VRF_NOT_FOUND":
                raise errors.from_rpc(failure, conf.server) from failure
            return
    if done.failures:
        raise errors.left_over(len(done.failures), done.failures[0].refusal.message, conf.server)


def held(
    conf: netconf.NetConf, call: Invocation, deadline: Deadline
) -> Sequence[resources_pb2.Allocation]:
    """Lists what the attachment holds.

    Raises:
        CniError: as errors.from_rpc words it.
    """
    wanted = filter_pb2.AllocationFilter(attachment=request.attachment(conf, call))
    left = deadline.remaining(f"server {conf.server}")
    with client.Client(conf.server, timeout=left) as server:
        try:
            return list(server.allocations(wanted, vrf=conf.vrf))
        except moorage.MoorageError as failure:
            raise errors.from_rpc(failure, conf.server) from failure
