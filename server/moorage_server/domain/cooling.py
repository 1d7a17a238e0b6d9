"""Cooling addresses: how long they rest, and when one is given all the same."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from moorage_server.domain import blocks, needs
from moorage_server.domain.setting import Contended, Conversation, Placed, Setting

W = TypeVar("W", blocks.Cooling, blocks.Sticky)


def ticks(cooldown: int) -> int:
    """For how many ticks an address rests that is released now, given a cool-down in seconds."""
    # One more, because the present tick may be about to change.
    return cooldown + 1 if cooldown else 0


def more_room(searches: Iterable[needs.Search], setting: Setting) -> needs.MoreRoom:
    """The question whether there is more room, and what waits where there is none."""
    asked = tuple(searches)
    pool_ids = dict.fromkeys(pool_id for each in asked for pool_id in each.pool_ids)
    hidden = (setting.pools.by_id(each).hidden for each in pool_ids)
    return needs.MoreRoom(searches=asked, hidden=tuple(each for each in hidden if each.size))


def counted(more: needs.MoreRoom, setting: Setting) -> tuple[int, int | None]:
    """How many addresses are cooling where a request may draw from, and the first ready tick."""
    unseen = setting.shelf.answer(more)
    seen = [each.ready_tick for each in _waiting(more, setting, lambda block: block.cooling)]
    known = seen if unseen.ready_tick is None else [*seen, unseen.ready_tick]
    return unseen.count + len(seen), min(known, default=None)


def sticky_count(more: needs.MoreRoom, setting: Setting) -> int:
    """How many addresses are kept for owners where a request may draw from."""
    on_shelf = sum(1 for _ in _waiting(more, setting, lambda block: block.sticky))
    return setting.shelf.answer(more).sticky_count + on_shelf


def taken_back(more: needs.MoreRoom, setting: Setting) -> Conversation[Placed | None]:
    """Takes an address that is cooling for this owner itself."""
    owner = setting.asker.owner
    if not owner or not counted(more, setting)[0]:
        return None
    for search in more.searches:
        need = needs.KeptBlocks(owner=owner, within=search)
        while True:
            found = _kept(need, setting)
            if found is not None:
                return found
            if setting.shelf.exhausted(need):
                break
            yield need
        if setting.shelf.contended(need):
            raise Contended
    return None


def yielded(searches: Sequence[needs.Search], setting: Setting) -> Conversation[Placed | None]:
    """Takes the address that is ready first of all that are cooling there."""
    best = _coolest(searches, setting)
    for search in searches:
        while True:
            need = needs.CoolestBlock(within=search, before=best[0] if best else needs.NEVER)
            if setting.shelf.exhausted(need):
                break
            yield need
            best = _coolest(searches, setting)
        if setting.shelf.contended(need):
            raise Contended
    # What was loaded may have been given something back since it was found full.
    for block in _within(searches, setting):
        found = setting.take_first(block)
        if found is not None:
            return found
    if best is None:
        return None
    _, _, block, ordinal = best
    return setting.take(setting.pools.by_id(block.pool_id), block, ordinal, yielded=True)


def _kept(need: needs.KeptBlocks, setting: Setting) -> Placed | None:
    for block in filter(need.suits, setting.shelf.open_blocks()):
        offer = setting.pools.by_id(block.pool_id)
        for ordinal in block.kept_for(need.owner):
            if int(block.address(ordinal)) not in offer.hidden:
                return setting.take(offer, block, ordinal)
    return None


def _coolest(
    searches: Iterable[needs.Search], setting: Setting
) -> tuple[int, int, blocks.Block, int] | None:
    """Of what is on the shelf: the ready tick, the address, its block and its ordinal."""
    found = (
        (each.ready_tick, int(block.address(each.ordinal)), block, each.ordinal)
        for block in _within(searches, setting)
        for each in _unhidden(block, block.cooling, setting)
    )
    return min(found, key=lambda each: each[:2], default=None)


def _waiting(
    more: needs.MoreRoom, setting: Setting, of: Callable[[blocks.Block], tuple[W, ...]]
) -> Iterator[W]:
    """What waits on the shelf and is not hidden anyway."""
    for block in _within(more.searches, setting):
        yield from _unhidden(block, of(block), setting)


def _unhidden(block: blocks.Block, waiting: tuple[W, ...], setting: Setting) -> Iterator[W]:
    hidden = setting.pools.by_id(block.pool_id).hidden
    return (each for each in waiting if int(block.address(each.ordinal)) not in hidden)


def _within(searches: Iterable[needs.Search], setting: Setting) -> list[blocks.Block]:
    """The blocks on the shelf that searches are about."""
    known = setting.shelf.open_blocks()
    return [block for block in known if any(search.suits(block) for search in searches)]
