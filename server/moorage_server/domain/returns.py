"""What becomes of addresses that are released, and of blocks that are then of no use."""

from collections.abc import Iterable

from moorage_server.domain import blocks, catalog, cooling, model, needs, resources
from moorage_server.domain.offers import Offer
from moorage_server.domain.setting import Contended, Conversation, frontier
from moorage_server.domain.shelf import Shelf


def put_back(allocation: model.Allocation, pools: catalog.Catalog, on: Shelf) -> Conversation[None]:
    """Returns an address to its block, at once, after the pool's cool-down, or when it
    has been kept for its owner for long enough.

    A block that is empty then stays with its node, unless its pool is draining or does
    not select that node any more; one of no node is closed. Where blocks belong to no
    node they stay open: closing one would throw its queue away. Raises Contended.
    """
    if not on.knows(allocation.block):
        yield needs.BlockAt(cidr=allocation.block)
    block = on.block(allocation.block)
    if block is None:
        raise Contended
    offer = pools.by_id(block.pool_id)
    cooldown = offer.pool.cooldown_in(pools.configuration)
    after = _returned(block, allocation, offer, cooldown, on)
    on.change(after)
    if after.is_empty and not (yield from _wanted(after, offer, on)):
        yield from _close(after, offer, on)


def sweep(node: str, unselecting: Iterable[Offer], on: Shelf) -> Conversation[bool]:
    """Closes the empty blocks that a node owns in pools which do not select it.

    Returns whether that was all of them: those that others hold are passed over.
    """
    offers = {each.pool_id: each for each in unselecting}
    need = needs.EmptyBlocks(node=node, pool_ids=tuple(offers))
    while offers:
        for block in on.suitable(need):
            yield from _close(block, offers[block.pool_id], on)
        if on.exhausted(need):
            return not on.contended(need)
        yield need
    return True


def _returned(
    block: blocks.Block, allocation: model.Allocation, offer: Offer, cooldown: int, on: Shelf
) -> blocks.Block:
    ordinal, facts = block.ordinal(allocation.address), allocation.facts
    cooled_tick = on.tick + cooling.ticks(cooldown)
    # A pool that is planned for removal keeps nothing.
    if facts.sticky and offer.pool.state is not resources.PoolState.DRAINING:
        sticky = blocks.Sticky(
            ordinal=ordinal,
            ready_tick=max(on.tick + cooling.ticks(facts.sticky), cooled_tick),
            owner_key=facts.owner_key,
            network=allocation.attachment.network,
            interface=allocation.attachment.interface,
            cooled_tick=cooled_tick,
        )
        return block.with_sticky(sticky)
    if not cooldown:
        return block.with_returned(ordinal)
    resting = blocks.Cooling(ordinal=ordinal, ready_tick=cooled_tick, owner=facts.owner)
    return block.with_cooling(resting)


def _wanted(block: blocks.Block, offer: Offer, on: Shelf) -> Conversation[bool]:
    """Whether an empty block stays open."""
    if offer.pool.state is resources.PoolState.DRAINING:
        return False
    if not offer.affine:
        return True
    if block.node is None:
        return False
    if offer.selects_every_node:
        return True
    need = needs.NodeLabels(node=block.node)
    yield need
    return offer.node_selector.matches(on.answer(need).labels)


def _close(block: blocks.Block, offer: Offer, on: Shelf) -> Conversation[None]:
    yield from frontier(offer, on)
    on.close(offer.index_of(block.cidr[0]), block)
