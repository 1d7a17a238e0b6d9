"""The pools that are there, or will be, as ranges that blocks and addresses lie in."""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from moorage import names
from moorage.ctl import calico_pools
from moorage.ctl.import_ import estate
from moorage.v1 import admin_service_pb2, resources_pb2


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """A pool that is there, or will be; `withheld` are first and last of what it never assigns."""

    name: str
    cidr: estate.Network
    block_size: int
    exists: bool
    draining: bool
    withheld: tuple[tuple[int, int], ...]

    def withholds(self, address: str) -> bool:
        """Whether an address of it is its gateway, excluded, or one of the network's own."""
        number = int(ipaddress.ip_address(address))
        return any(first <= number <= last for first, last in self.withheld)


def of(pool: resources_pb2.Pool, *, exists: bool) -> Range:
    """Return the range of a pool; one that has no block size yet is given the server's."""
    return Range(
        name=names.id_of(pool.name),
        cidr=ipaddress.ip_network(pool.cidr),
        block_size=calico_pools.block_size_of(pool),
        exists=exists,
        draining=pool.state == resources_pb2.POOL_STATE_DRAINING,
        withheld=tuple(_withheld(pool)),
    )


def holding(cidr: estate.Network, among: Sequence[Range]) -> Range | None:
    """Return the range that a block, or an address as one, lies in."""
    return next((each for each in among if lies_in(cidr, each.cidr)), None)


def lies_in(cidr: estate.Network, pool: estate.Network) -> bool:
    """Whether the whole of a range lies in another."""
    return cidr.version == pool.version and cidr[0] in pool and cidr[-1] in pool


def cut(found: estate.Estate, among: Sequence[Range]) -> list[estate.Block]:
    """Return the blocks of an estate, and its addresses in blocks of the ranges they lie in.

    An address that lies in none is a block of its own.
    """
    blocks: dict[estate.Network, estate.Block] = {each.cidr: each for each in found.blocks}
    for each in found.addresses:
        alone = ipaddress.ip_network(each.address)
        pool = holding(alone, among)
        length = pool.block_size if pool else alone.max_prefixlen
        cidr = alone.supernet(new_prefix=length)
        known = blocks.get(cidr) or estate.Block(cidr=cidr, node=found.node, addresses=())
        blocks[cidr] = dataclasses.replace(known, addresses=(*known.addresses, each))
    return sorted(blocks.values(), key=lambda block: estate.order(block.cidr))


def withheld(block: estate.Block, pool: Range) -> Iterator[admin_service_pb2.AdoptConflict]:
    """Yield the addresses that a pool which is still to be made would not have."""
    held = [each.address for each in block.addresses]
    for address in held + [each.address for each in block.sticky]:
        if pool.withholds(address):
            text = (
                f"{address} is excluded from pool {pool.name}, or its gateway; create the "
                "pool first, otherwise, or leave the address out"
            )
            yield admin_service_pb2.AdoptConflict(address=address, message=text)


def _withheld(pool: resources_pb2.Pool) -> Iterator[tuple[int, int]]:
    cidr = ipaddress.ip_network(pool.cidr)
    if pool.gateway:
        yield (int(ipaddress.ip_address(pool.gateway)),) * 2
    if pool.exclude_network_addresses:
        yield int(cidr[0]), int(cidr[0])
        if cidr.version == 4:
            yield int(cidr[-1]), int(cidr[-1])
    for text in pool.excluded_ranges:
        first, dash, last = text.partition("-")
        if dash:
            yield int(ipaddress.ip_address(first)), int(ipaddress.ip_address(last))
        else:
            excluded = ipaddress.ip_network(text)
            yield int(excluded[0]), int(excluded[-1])
