"""Reservations for what somebody holds elsewhere: nobody may hold it here as well."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from moorage.ctl import kinds, manifests
from moorage.ctl.import_ import estate
from moorage.v1 import resources_pb2

# Larger ones are searched among what is held, not address by address.
_SMALL = 256


class Keeping:
    """What an estate keeps by reservations, against what is held here."""

    def __init__(self, found: estate.Estate, held: Sequence[resources_pb2.Allocation]) -> None:
        self._found = found
        known = held if found.kept else ()
        self._held = {ipaddress.ip_address(each.address): each for each in known}

    def in_the_way(self, resource: kinds.Resource) -> str:
        """Return who holds an address that a reservation is to keep for another; or nothing."""
        if not isinstance(resource, resources_pb2.Reservation):
            return ""
        if resource.name not in self._found.kept:
            return ""
        for text in resource.cidrs:
            if holder := self._holder(manifests.network(text, bare=True)):
                source = self._found.source
                return (
                    f"{holder.address} is held here by {_described(holder)}, and taken in {source};"
                    f" release it here, or leave it out of what {source} says"
                )
        return ""

    def _holder(self, cidr: estate.Network) -> resources_pb2.Allocation | None:
        among = cidr if cidr.num_addresses <= _SMALL else self._held
        return next(
            (self._held[each] for each in among if each in self._held and each in cidr), None
        )


def _described(holder: resources_pb2.Allocation) -> str:
    attachment, workload = holder.attachment, holder.workload
    container = f"container {attachment.container_id} of network {attachment.network}"
    return f"{container}, pod {workload.namespace}/{workload.pod}" if workload.pod else container
