"""Addresses that are an owner's before anybody else asks: those that it released."""

import dataclasses
import datetime
from collections.abc import Iterable

from moorage_server.domain import addresses, needs, resources
from moorage_server.domain.offers import Offer
from moorage_server.domain.setting import Contended, Conversation, Placed, Setting


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StickyAddress:
    """An address that nobody holds, as it is listed; it is kept until about `expire_time`."""

    pool: resources.Pool
    address: addresses.Address
    owner_key: str
    network: str
    interface: str
    expire_time: datetime.datetime


def taken_back(offers: Iterable[Offer], setting: Setting) -> Conversation[Placed | None]:
    """Takes the first address that pools keep for the owner, its network and interface.

    In blocks of any node, also where affinity is strict: the address is the owner's.
    """
    asker = setting.asker
    if not asker.owner_key:
        return None
    need = needs.StickyBlocks(
        owner_key=asker.owner_key,
        network=asker.network,
        interface=asker.interface,
        pool_ids=tuple(each.pool_id for each in offers),
    )
    while True:
        found = _first(need, setting)
        if found is not None:
            return found
        if setting.shelf.exhausted(need):
            break
        yield need
    if setting.shelf.contended(need):
        raise Contended
    return None


def _first(need: needs.StickyBlocks, setting: Setting) -> Placed | None:
    found = [
        (int(block.address(each.ordinal)), block, each.ordinal)
        for block in filter(need.suits, setting.shelf.open_blocks())
        for each in filter(need.wants, block.sticky)
    ]
    for value, block, ordinal in sorted(found, key=lambda each: each[0]):
        offer = setting.pools.by_id(block.pool_id)
        if offer.gives(value, need.owner_key):
            return setting.take(offer, block, ordinal)
    return None
