"""Attachments that hold an address here which the other IPAM does not know of: one too many.

Those of the other family are none of it: they may be in a dump of their own.
"""

from __future__ import annotations

import collections
import ipaddress
from collections.abc import Iterable

from moorage.v1 import admin_service_pb2, resources_pb2

_Key = tuple[str, str, str]


class Doubles:
    """What the attachments of a dump hold here beside what the dump says."""

    def __init__(
        self,
        adopted: Iterable[admin_service_pb2.AdoptedAddress],
        held: Iterable[resources_pb2.Allocation],
    ) -> None:
        """`adopted` are all addresses of the dump, `held` all that are assigned here."""
        self._known: dict[_Key, set[str]] = collections.defaultdict(set)
        self._beside: dict[_Key, list[str]] = collections.defaultdict(list)
        for each in adopted:
            self._known[_key(each.attachment)].add(each.address)
        for allocation in held:
            key = _key(allocation.attachment)
            if key in self._known and allocation.address not in self._known[key]:
                self._beside[key].append(allocation.address)

    def of(self, adopted: admin_service_pb2.AdoptedAddress) -> str:
        """Return another address that the attachment holds; empty where there is none."""
        others = self._beside.get(_key(adopted.attachment), ())
        version = ipaddress.ip_address(adopted.address).version
        return next((each for each in others if ipaddress.ip_address(each).version == version), "")


def conflict(
    adopted: admin_service_pb2.AdoptedAddress, other: str, source: str
) -> admin_service_pb2.AdoptConflict:
    """Return why an address is not adopted."""
    holder = adopted.attachment
    text = (
        f"{adopted.address} is held by container {holder.container_id} of network {holder.network} "
        f"({holder.interface}), which holds {other} here, and not in {source}; release {other}, or "
        f"leave {adopted.address} out"
    )
    return admin_service_pb2.AdoptConflict(address=adopted.address, message=text)


def _key(attachment: resources_pb2.Attachment) -> _Key:
    return attachment.network, attachment.container_id, attachment.interface
