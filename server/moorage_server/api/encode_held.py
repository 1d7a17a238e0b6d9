"""Rows of what is held -> messages, for whoever reads all there is: as `encode`, in less time."""

import functools
import json
from collections.abc import Callable
from typing import Any

from google.protobuf import duration_pb2
from google.protobuf.internal import containers

from moorage.v1 import resources_pb2 as messages
from moorage_server.api import encode, encode_resources, enums, names
from moorage_server.domain import model, resources
from moorage_server.storage import held
from moorage_server.usecases import query

Allocations = containers.RepeatedCompositeFieldContainer[messages.Allocation]
Fields = dict[str, Any]  # of one message, as its constructor takes them


def allocations(page: query.Page, into: Allocations) -> None:
    """Writes each in the form that its pool asks for."""
    _write(page, encode.form, into)


def bare(page: query.Page, into: Allocations) -> None:
    """Writes each without the form that its pool asks for."""
    _write(page, lambda _: {}, into)


def _write(page: query.Page, form: Callable[[resources.Pool], Fields], into: Allocations) -> None:
    of_block = {
        block: messages.Allocation(
            block=block, pool=names.child_name(page.vrf, names.POOLS, pool.name), **form(pool)
        ).SerializeToString()
        for block, pool in page.pools.items()
    }
    prefix = names.child_name(page.vrf, names.ALLOCATIONS, "")
    facts = functools.cache(_facts)  # most labels are those of a few templates
    for row in page.rows:
        message = _added(row, prefix + row.address, into)
        # What many have alike is laid out once: parts that are joined are a message.
        alike = facts(row.use, row.labels, row.sticky_seconds, row.yielded, row.suspect)
        message.MergeFromString(of_block[row.block] + alike)


def _added(row: held.Held, name: str, into: Allocations) -> messages.Allocation:
    seconds, nanos = encode_resources.seconds_and_nanos(row.assign_time)
    # At once, and what is inside as dictionaries: each call costs more than what it writes.
    return into.add(
        name=name,
        address=row.address,
        generation=row.generation,
        attachment={
            "network": row.network,
            "container_id": row.container_id,
            "interface": row.interface,
        },
        workload={
            "node": row.node,
            "namespace": row.namespace,
            "pod": row.pod,
            "pod_uid": row.pod_uid,
            "cluster": row.cluster,
        },
        owner_key=row.owner_key,
        assign_time={"seconds": seconds, "nanos": nanos},
    )


def _facts(use: str, labels: str, sticky: int, yielded: bool, suspect: bool) -> bytes:
    return messages.Allocation(
        use=enums.USES.encode(model.Use(use)),
        labels=json.loads(labels),
        sticky=duration_pb2.Duration(seconds=sticky) if sticky else None,
        yielded=yielded,
        suspect=suspect,
    ).SerializeToString()
