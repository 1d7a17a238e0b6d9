"""The pools that a pool is split into. Pure: what becomes of them is the matter of `split`."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from moorage import names
from moorage.ctl import exits
from moorage.v1 import resources_pb2

MOST_PARTS = 1024
_LONGEST_ID = 253

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """A pool to be: its full name and its fields."""

    name: str
    pool: resources_pb2.Pool

    @property
    def cidr(self) -> str:
        """Its range."""
        return self.pool.cidr


def divide(parent: resources_pb2.Pool, parts: int) -> list[Child]:
    """Return the children of a pool, each with all of its fields, in order of address.

    Raises exits.Failed where the pool cannot be divided so.
    """
    parent_id = names.id_of(parent.name)
    cidrs = _cidrs(parent.cidr, parts)
    ids = [f"split-{parent_id}-{index}" for index in range(parts)]
    if len(ids[-1]) > _LONGEST_ID:
        raise exits.refused(f"{ids[-1]} is longer than {_LONGEST_ID} characters; split by hand")
    return [
        Child(name=names.pool(pool_id, names.vrf_of(parent.name)), pool=_child(parent, cidr))
        for pool_id, cidr in zip(ids, cidrs, strict=True)
    ]


def _cidrs(cidr: str, parts: int) -> list[Network]:
    if parts < 2 or parts.bit_count() != 1:
        raise exits.refused(f"number to split CIDR into is not a valid power of 2: {parts}")
    network = ipaddress.ip_network(cidr)
    if parts > network.num_addresses:
        raise exits.refused(f"the CIDR {cidr} is not large enough to be split into {parts} parts")
    if parts > MOST_PARTS:
        raise exits.refused(
            f"{parts} parts are too many at once; split into {MOST_PARTS}, and split those again"
        )
    return list(network.subnets(prefixlen_diff=parts.bit_length() - 1))


def _child(parent: resources_pb2.Pool, cidr: Network) -> resources_pb2.Pool:
    child = resources_pb2.Pool()
    child.CopyFrom(parent)
    child.name = ""
    child.cidr = str(cidr)
    # A block is never larger than its pool.
    child.block_size = max(parent.block_size, cidr.prefixlen)
    child.excluded_ranges[:] = _inside(parent.excluded_ranges, cidr)
    if parent.gateway and ipaddress.ip_address(parent.gateway) not in cidr:
        child.gateway = ""
        # The routes that went by the gateway of the pool still do.
        for route in child.routes:
            route.gateway = route.gateway or parent.gateway
    return child


def _inside(ranges: Sequence[str], cidr: Network) -> Iterator[str]:
    """Yield what of the excluded ranges lies in a child: each as it is, or its part."""
    start, end = int(cidr[0]), int(cidr[-1])
    for text in ranges:
        first, last = _ends(text)
        if start <= first and last <= end:
            yield text
        elif first <= end and start <= last:
            yield f"{cidr[max(first, start) - start]}-{cidr[min(last, end) - start]}"


def _ends(text: str) -> tuple[int, int]:
    """Return the first and the last address of an address, a CIDR or "first-last"."""
    first, separator, last = text.partition("-")
    if separator:
        return int(ipaddress.ip_address(first.strip())), int(ipaddress.ip_address(last.strip()))
    network = ipaddress.ip_network(text)
    return int(network[0]), int(network[-1])
