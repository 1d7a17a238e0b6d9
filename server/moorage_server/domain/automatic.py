"""An automatic address: any one from the pools that serve a request.

First what is kept or reserved there for the owner.
Within each tier of equally ranked pools: the node's own blocks; then, pool by
pool, a new block; then a block that another node has left empty; then anybody's
(where blocks belong to no node, any block before a new one). A VRF may forbid
each of these steps but the first.
"""

import dataclasses
import datetime
from collections.abc import Collection

from moorage_server.domain import (
    addresses,
    catalog,
    cooling,
    errors,
    model,
    needs,
    patience,
    reserved,
    sticky,
)
from moorage_server.domain.offers import Offer
from moorage_server.domain.setting import Contended, Conversation, Placed, Setting

# How long an empty block must have belonged to a node before another may have it:
# the node opened it for a request that may still be under way.
IDLE = datetime.timedelta(minutes=1)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Draw:
    """One wanted address on its way through the tiers."""

    want: model.AddressRequest
    taken: Collection[addresses.Address]
    setting: Setting
    offers: list[Offer]

    @property
    def affine_ids(self) -> tuple[int, ...]:
        """The pools whose blocks belong to nodes."""
        return tuple(each.pool_id for each in self.offers if each.affine)


def draw(
    want: model.AddressRequest, taken: Collection[addresses.Address], setting: Setting
) -> Conversation[Placed]:
    """Takes an address besides those that the request has `taken`.

    Raises the IpamError that says why there is none, or Awaited.

    What is cooling is given where nothing else is left: to its owner, else to anybody
    where its pool yields.
    """
    tiers = setting.pools.tiers(want, setting.asker)
    offers = [each for tier in tiers for each in tier]
    this = _Draw(want=want, taken=taken, setting=setting, offers=offers)
    for own in (sticky.taken_back, reserved.draw):
        found = yield from own(this.offers, setting)
        if found is not None:
            return found
    yield from patience.for_owner(this.offers, taken, setting)
    for tier in tiers:
        found = yield from _from_tier(tier, this)
        if found is not None:
            return found
    grows = yield from _may_own_more(this)
    more = cooling.more_room(_reachable(this, this.offers, grows=grows), setting)
    refusal = yield from _refusal(this, more, grows=grows)
    found = yield from cooling.taken_back(more, setting)
    if found is None:
        yielding = [each for each in this.offers if each.yields]
        found = yield from cooling.yielded(_reachable(this, yielding, grows=grows), setting)
    if found is None:
        raise refusal
    return found


def first_search(want: model.AddressRequest, setting: Setting) -> needs.OwnBlocks | None:
    """Which of a node's own blocks an automatic address is drawn from, if it has any there.

    Raises the IpamError that says why there is no pool for it.
    """
    tiers = setting.pools.tiers(want, setting.asker)
    affine = tuple(each.pool_id for each in tiers[0] if each.affine) if tiers else ()
    if not affine or not setting.node:
        return None
    return needs.OwnBlocks(node=setting.node, pool_ids=affine)


def _from_tier(tier: list[Offer], this: _Draw) -> Conversation[Placed | None]:
    found = yield from _own(tier, this.setting)
    if found is not None:
        return found
    affine = any(each.affine for each in tier)
    grows = not affine or (yield from _may_own_more(this))
    if grows and affine:
        found = yield from _own_again(tier, this)
    draws = [_shared_or_new(each, this.setting, grows=grows) for each in tier]
    if grows:
        draws += [_idle(each, this.setting) for each in tier if each.affine]
    if grows and not this.setting.configuration.strict_affinity:
        draws += [_shared(each, this.setting) for each in tier if each.affine]
    for each_draw in draws:
        if found is None:
            found = yield from each_draw
    return found


def _own_search(pool_ids: tuple[int, ...], setting: Setting) -> needs.Search:
    if setting.node:
        return needs.OwnBlocks(node=setting.node, pool_ids=pool_ids)
    # In order of address, not of pools, as a node's own are.
    pools = map(setting.pools.by_id, pool_ids)
    in_order = sorted(pools, key=lambda each: int(each.pool.cidr.network_address))
    return needs.UnownedBlocks(pool_ids=tuple(each.pool_id for each in in_order))


def _own(tier: list[Offer], setting: Setting) -> Conversation[Placed | None]:
    affine = tuple(each.pool_id for each in tier if each.affine)
    if not affine:
        return None
    need = _own_search(affine, setting)
    found = yield from _drawn(need, setting)
    if found is None and setting.shelf.contended(need):
        # A new block would do, but the node would then own more than it needs.
        raise Contended
    return found


def _own_again(tier: list[Offer], this: _Draw) -> Conversation[Placed | None]:
    """What the node's own blocks have now that nobody else opens one for it.

    Whoever had the node's lock before us may have opened the block that serves us. Once
    we have it, what was looked at since is as it was.
    """
    setting = this.setting
    if not setting.node or setting.shelf.asked(_owned(this)) > 1:
        return None
    yield _own_search(tuple(each.pool_id for each in tier if each.affine), setting)
    return (yield from _own(tier, setting))


def _may_own_more(this: _Draw) -> Conversation[bool]:
    """Whether the node may have another block of the pools whose blocks belong to nodes."""
    setting = this.setting
    if not this.affine_ids:
        return True
    if not setting.configuration.auto_allocate_blocks:
        return False
    if not setting.node:
        return True
    return (yield from _owned_count(this)) < setting.configuration.block_limit


def _owned(this: _Draw) -> needs.OwnedCount:
    return needs.OwnedCount(node=this.setting.node, pool_ids=this.affine_ids)


def _owned_count(this: _Draw) -> Conversation[int]:
    # Counted anew each time: what is on the shelf, which the answer leaves out, grows.
    setting = this.setting
    need = _owned(this)
    yield need
    if setting.shelf.contended(need):
        raise Contended
    owned = needs.OwnBlocks(node=setting.node, pool_ids=this.affine_ids)
    on_shelf = sum(owned.suits(block) for block in setting.shelf.open_blocks())
    return setting.shelf.answer(need).count + on_shelf


def _shared_or_new(each: Offer, setting: Setting, *, grows: bool) -> Conversation[Placed | None]:
    if not each.affine:
        found = yield from _shared(each, setting)
        if found is not None:
            return found
    elif not grows:
        return None
    return (yield from _opened(each, setting))


def _shared(each: Offer, setting: Setting) -> Conversation[Placed | None]:
    return (yield from _drawn(needs.AnyBlocks(pool_ids=(each.pool_id,)), setting))


def _drawn(need: needs.Search, setting: Setting) -> Conversation[Placed | None]:
    while True:
        for block in setting.shelf.suitable(need):
            found = setting.take_first(block)
            if found is not None:
                return found
        if setting.shelf.exhausted(need):
            return None
        yield need


def _opened(each: Offer, setting: Setting) -> Conversation[Placed | None]:
    frontier = yield from setting.frontier(each)
    index = frontier.lowest(each.beyond_hidden)
    return None if index is None else setting.take_first(setting.open(each, index))


def _idle(each: Offer, setting: Setting) -> Conversation[Placed | None]:
    """Takes over a block that another node has left empty."""
    if not setting.node:
        return None
    need = _idle_search(each, setting)
    while True:
        for block in setting.shelf.suitable(need):
            found = setting.take_first(block.of(setting.node, setting.shelf.now))
            if found is not None:
                return found
        if setting.shelf.exhausted(need):
            return None
        yield need


def _idle_search(each: Offer, setting: Setting) -> needs.IdleBlocks:
    return needs.IdleBlocks(
        node=setting.node,
        pool_ids=(each.pool_id,),
        claimed_before=setting.shelf.now - IDLE,
    )


def _refusal(this: _Draw, more: needs.MoreRoom, *, grows: bool) -> Conversation[errors.IpamError]:
    setting = this.setting
    # What a transaction has found exhausted it does not look at again, unless blocks that
    # were counted then are on the shelf now.
    if setting.shelf.is_outdated(more):
        yield more
    idle = [_idle_search(each, setting) for each in this.offers if each.affine]
    if setting.shelf.contended(more) or any(map(setting.shelf.contended, idle)):
        raise Contended
    facts = {"vrf": setting.pools.vrf, "family": this.want.family.name}
    if this.affine_ids and not setting.configuration.auto_allocate_blocks:
        return errors.BlockAllocationDisabled(node=setting.node, **facts)
    if not grows:
        limit = setting.configuration.block_limit
        return errors.BlockLimitReached(limit, node=setting.node, **facts)
    facts["pools"] = ",".join(each.name for each in this.offers[:8])
    count, ready_tick = cooling.counted(more, setting)
    if ready_tick is None:
        kept = cooling.sticky_count(more, setting)
        hidden_and_held = setting.shelf.answer(more).hidden_count
        return _exhausted(this, facts, kept=kept, hidden_and_held=hidden_and_held)
    ready_time = setting.shelf.time_of(ready_tick)
    return errors.PoolCooling(ready_time, cooling=str(count), **facts)


def _reachable(this: _Draw, offers: list[Offer], *, grows: bool) -> list[needs.Search]:
    """Where the request may draw from besides blocks that are not open yet."""
    shared = tuple(each.pool_id for each in offers if not each.affine)
    affine = tuple(each.pool_id for each in offers if each.affine)
    searches: list[needs.Search] = [needs.AnyBlocks(pool_ids=shared)] if shared else []
    if affine and grows and not this.setting.configuration.strict_affinity:
        searches.append(needs.AnyBlocks(pool_ids=affine))
    elif affine:
        searches.append(_own_search(affine, this.setting))
    return searches


def _exhausted(
    this: _Draw, facts: dict[str, str], *, kept: int, hidden_and_held: int
) -> errors.PoolExhausted:
    sizes = [(each.name, each.pool.cidr.num_addresses) for each in this.offers]
    total = sum(size for _, size in sizes)
    hidden = sum(each.hidden.size for each in this.offers)
    drawn = sum(_is_open_in(each, this.offers) for each in this.taken)
    return errors.PoolExhausted(
        sizes,
        strict=this.setting.configuration.strict_affinity and bool(this.affine_ids),
        passed_over=_passed_over(this),
        drawn=drawn,
        size=str(min(total, 2**63 - 1)),
        # Not counted: whatever is neither reserved nor kept has just been found to be taken,
        # by others or by this request, which gives it back.
        assigned=str(max(total - hidden - kept - drawn, 0) + hidden_and_held),
        reserved=str(hidden),
        kept=str(kept),
        **facts,
    )


def _is_open_in(address: addresses.Address, offers: Collection[Offer]) -> bool:
    """Whether an address is of one of these pools, and not hidden there."""
    value = int(address)
    return any(address in each.pool.cidr and value not in each.hidden for each in offers)


def _passed_over(this: _Draw) -> list[tuple[str, str]]:
    """Why the other pools of the family do not serve; nothing where pools were named."""
    if this.want.pools:
        return []
    asker = this.setting.asker
    return catalog.told(this.setting.pools.considered(this.want, asker), asker)
