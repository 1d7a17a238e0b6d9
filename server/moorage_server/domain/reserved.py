"""An owner's reservations, which an automatic request of it draws from first."""

from collections.abc import Iterable

from moorage_server.domain import addresses, blocks
from moorage_server.domain.offers import Offer
from moorage_server.domain.setting import Conversation, Placed, Setting


def draw(offers: Iterable[Offer], setting: Setting) -> Conversation[Placed | None]:
    """Takes the first free address that pools have reserved for the owner.

    As a fixed address is taken: whatever the limits on blocks, but with strict affinity
    none from the block of another node.
    """
    owner_key = setting.asker.owner_key
    for each in offers if owner_key else ():
        for run in each.owned_by(owner_key):
            found = yield from _from_run(run, each, setting)
            if found is not None:
                return found
    return None


def _from_run(run: addresses.Span, each: Offer, setting: Setting) -> Conversation[Placed | None]:
    first, last = (each.index_of(run.family.address(value)) for value in (run.first, run.last))
    for index in range(first, last + 1):
        part = addresses.RangeSet(run.family, [run]).within(addresses.Span.of(each.block(index)))
        if all(map(each.withheld.covers, part)):
            continue  # no block is opened in vain
        block = yield from setting.block_at(each, index)
        ordinal = _first(part, each, block, setting)
        if ordinal is not None:
            return setting.take(each, block, ordinal)
    return None


def _first(
    part: addresses.RangeSet, each: Offer, block: blocks.Block, setting: Setting
) -> int | None:
    strict = each.affine and setting.configuration.strict_affinity
    if strict and (block.node or "") != setting.node:
        return None
    base = int(block.cidr.network_address)
    usable = sorted({*block.free, *block.kept_for(setting.asker.owner)})
    return next(
        (
            ordinal
            for ordinal in usable
            if base + ordinal in part and base + ordinal not in each.withheld
        ),
        None,
    )
