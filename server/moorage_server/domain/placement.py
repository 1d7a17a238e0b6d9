"""Which addresses a request gets.

`place` is a conversation: it yields what it needs to see, is resumed when that
is on the shelf, and returns where every address comes from. It touches nothing
but the shelf, so it runs as well in a test as in a transaction.

For one automatic address, within each tier of equally ranked pools: the node's
own blocks; then, pool by pool, a new block; then anybody's block (where blocks
belong to no node, any block before a new one).
"""

import dataclasses
from collections.abc import Generator
from typing import TypeVar

from moorage_server.domain import addresses, blocks, catalog, errors, model, shelf

T = TypeVar("T")
Conversation = Generator[shelf.Need, None, T]


class Contended(Exception):
    """Rows that may decide the request are locked, or have just been changed, by another.

    A turn of events, not an error: the request is tried again, alone and waiting.
    """


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """Where one address comes from."""

    offer: catalog.Offer
    block: addresses.Network
    address: addresses.Address


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What a request is decided in."""

    pools: catalog.Catalog
    asker: catalog.Asker
    shelf: shelf.Shelf

    @property
    def node(self) -> str:
        """The node that asks; empty where unknown."""
        return self.asker.workload.node


def place(wants: tuple[model.AddressRequest, ...], setting: Setting) -> Conversation[list[Placed]]:
    """Takes every address wanted from the shelf, or raises and leaves it to be undone.

    Raises the IpamError that says why not, or Contended.
    """
    placed: dict[int, Placed] = {}
    # One order for everybody, whatever order was asked in: two requests for the
    # same two addresses then lock their blocks in the same order. The choosiest
    # goes first, so that a request does not take from itself what it names.
    for at in sorted(range(len(wants)), key=lambda at: _rank(wants[at])):
        want = wants[at]
        draw = _fixed if want.candidates else _automatic
        placed[at] = yield from draw(want, setting)
    return [placed[at] for at in range(len(wants))]


def put_back(allocation: model.Allocation, on: shelf.Shelf) -> Conversation[None]:
    """Returns an address to the tail of its block's queue, or raises Contended."""
    cidr = allocation.block
    if cidr not in on.blocks:
        yield shelf.BlockAt(cidr=cidr)
    if cidr not in on.blocks:
        raise Contended
    block = on.blocks[cidr]
    on.change(block.with_returned(block.ordinal(allocation.address)))


def _rank(want: model.AddressRequest) -> tuple[int, int, int, int]:
    if want.candidates:
        return want.family, 0, len(want.candidates), int(want.candidates[0])
    return want.family, 1 if want.pools else 2, len(want.pools), 0


def _automatic(want: model.AddressRequest, setting: Setting) -> Conversation[Placed]:
    tiers = setting.pools.tiers(want, setting.asker)
    for tier in tiers:
        found = yield from _from_tier(tier, setting)
        if found is not None:
            return found
    offers = [each for tier in tiers for each in tier]
    raise (yield from _exhausted(offers, setting))


def _from_tier(tier: list[catalog.Offer], setting: Setting) -> Conversation[Placed | None]:
    found = yield from _own(tier, setting)
    draws = [_shared_or_new(each, setting) for each in tier]
    draws += [_shared(each, setting) for each in tier if each.affine]
    for draw in draws:
        if found is None:
            found = yield from draw
    return found


def _own(tier: list[catalog.Offer], setting: Setting) -> Conversation[Placed | None]:
    affine = tuple(each.pool_id for each in tier if each.affine)
    if not affine:
        return None
    need: shelf.Search = shelf.UnownedBlocks(pool_ids=affine)
    if setting.node:
        need = shelf.OwnBlocks(node=setting.node, pool_ids=affine)
    found = yield from _drawn(need, setting)
    if found is None and setting.shelf.contended(need):
        # A new block would do, but the node would then own more than it needs.
        raise Contended
    return found


def _shared(each: catalog.Offer, setting: Setting) -> Conversation[Placed | None]:
    return (yield from _drawn(shelf.AnyBlock(pool_id=each.pool_id), setting))


def _shared_or_new(each: catalog.Offer, setting: Setting) -> Conversation[Placed | None]:
    if not each.affine:
        found = yield from _shared(each, setting)
        if found is not None:
            return found
    return (yield from _opened(each, setting))


def _drawn(need: shelf.Search, setting: Setting) -> Conversation[Placed | None]:
    while True:
        for block in setting.shelf.suitable(need):
            offer = setting.pools.by_id(block.pool_id)
            ordinal = block.first_free(offer.hidden)
            if ordinal is not None:
                return _take(offer, block, ordinal, setting.shelf)
        if setting.shelf.exhausted(need):
            return None
        yield need


def _opened(each: catalog.Offer, setting: Setting) -> Conversation[Placed | None]:
    frontier = yield from _frontier(each, setting)
    index = frontier.lowest(each.beyond_hidden)
    if index is None:
        return None
    block = _open(each, index, setting)
    ordinal = block.first_free(each.hidden)
    return None if ordinal is None else _take(each, block, ordinal, setting.shelf)


def _frontier(each: catalog.Offer, setting: Setting) -> Conversation[blocks.Frontier]:
    if each.pool_id not in setting.shelf.frontiers:
        yield shelf.PoolFrontier(pool_id=each.pool_id)
    if each.pool_id not in setting.shelf.frontiers:
        raise Contended
    return setting.shelf.frontiers[each.pool_id]


def _open(each: catalog.Offer, index: int, setting: Setting) -> blocks.Block:
    node = setting.node if each.affine and setting.node else None
    block = blocks.fresh(each.pool_id, each.block(index), node)
    setting.shelf.open(index, block)
    return block


def _take(offer: catalog.Offer, block: blocks.Block, ordinal: int, on: shelf.Shelf) -> Placed:
    on.change(block.without(ordinal))
    return Placed(offer=offer, block=block.cidr, address=block.address(ordinal))


def _fixed(want: model.AddressRequest, setting: Setting) -> Conversation[Placed]:
    # All candidates are judged before any is taken: a wrong one is a mistake to
    # be told of, also when another happens to be free.
    offers = [_usable(address, setting) for address in want.candidates]
    for address, offer in zip(want.candidates, offers, strict=True):
        block = yield from _block_of(address, offer, setting)
        ordinal = block.ordinal(address)
        if ordinal in block.free:
            return _take(offer, block, ordinal, setting.shelf)
    raise errors.AddressInUse(
        setting.pools.vrf, [str(each) for each in want.candidates], offers[0].name
    )


def _usable(address: addresses.Address, setting: Setting) -> catalog.Offer:
    offer = setting.pools.holding(address)
    setting.pools.check_usable(offer, setting.asker.use)
    if int(address) in offer.withheld:
        raise errors.AddressExcluded(setting.pools.vrf, str(address), offer.name)
    return offer


def _block_of(
    address: addresses.Address, offer: catalog.Offer, setting: Setting
) -> Conversation[blocks.Block]:
    index = offer.index_of(address)
    cidr = offer.block(index)
    need = shelf.BlockAt(cidr=cidr)
    if cidr not in setting.shelf.blocks:
        yield need
    if cidr not in setting.shelf.blocks:
        if setting.shelf.contended(need):
            raise Contended
        frontier = yield from _frontier(offer, setting)
        if index in frontier:
            return _open(offer, index, setting)
        # Somebody has opened it since we looked.
        raise Contended
    return setting.shelf.blocks[cidr]


def _exhausted(offers: list[catalog.Offer], setting: Setting) -> Conversation[errors.PoolExhausted]:
    need = shelf.MoreRoom(pool_ids=tuple(each.pool_id for each in offers))
    yield need
    if setting.shelf.contended(need):
        raise Contended
    sizes = [(each.name, each.pool.cidr.num_addresses) for each in offers]
    total = sum(size for _, size in sizes)
    free = sum(_free_count(each, setting.shelf) for each in offers)
    return errors.PoolExhausted(
        sizes,
        vrf=setting.pools.vrf,
        family=offers[0].pool.family.name,
        pools=",".join(each.name for each in offers[:8]),
        size=str(min(total, 2**63 - 1)),
        assigned=str(total - free),
        reserved=str(sum(each.hidden.size for each in offers)),
    )


def _free_count(each: catalog.Offer, on: shelf.Shelf) -> int:
    return on.free_count(each.pool_id, 1 << (each.pool.family.bits - each.pool.block_size))
