"""Adopting a block as another IPAM left it: what becomes held, and what is in the way.

Nobody's address changes by it, so the rules about who may draw from a pool are not
asked; that an address is withheld, or held by another, is.
"""

import dataclasses
import datetime
import math
from collections.abc import Collection, Iterable, Mapping

from moorage_server.domain import actors, addresses, blocks, catalog, errors, model, resources
from moorage_server.domain.offers import Offer

LONGEST_KEPT = datetime.timedelta(days=90)  # as long as any address may be kept


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Adoption:
    """An address that is held, and by whom."""

    address: addresses.Address
    attachment: model.AttachmentKey
    facts: model.Facts


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """An address that nobody holds, and that is to be kept for its owner; see `blocks.Sticky`."""

    address: addresses.Address
    owner_key: str
    network: str
    interface: str
    expire_time: datetime.datetime


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AdoptRequest:
    """A block with what is held of it, and what is kept for owners; `node` is empty where it
    belongs to none. `by`: whoever asks for it.
    """

    vrf: str
    cidr: addresses.Network
    node: str
    adoptions: tuple[Adoption, ...]
    validate_only: bool
    keepings: tuple[Keeping, ...] = ()
    by: actors.Act = actors.NOBODY

    def current(self, now: datetime.datetime) -> "AdoptRequest":
        """The request without what has expired."""
        left = tuple(each for each in self.keepings if each.expire_time > now)
        return dataclasses.replace(self, keepings=left)

    def without(self, released: Collection[addresses.Address]) -> "AdoptRequest":
        """The request for the other addresses alone."""
        left = tuple(each for each in self.adoptions if each.address not in released)
        return dataclasses.replace(self, adoptions=left)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """Why nothing is changed; without an address where it is the block's."""

    message: str
    address: addresses.Address | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What becomes of a request; nothing where there are conflicts.

    `block` is as it is to be written; None where it stays as it is. `block_changed`:
    it is opened or given to the node. `previous_node`: it was this one's until then, and is
    empty here. `released_count`: of these nothing was decided,
    because whoever is to hold them has given them back.
    """

    adopted: tuple[Adoption, ...] = ()
    kept: tuple[Keeping, ...] = ()
    unchanged_count: int = 0
    released_count: int = 0
    block: blocks.Block | None = None
    block_changed: bool = False
    previous_node: str = ""
    conflicts: tuple[Conflict, ...] = ()


def pool_of(request: AdoptRequest, pools: catalog.Catalog) -> Offer | Conflict:
    """The pool that the block is of, or why it is of none."""
    try:
        offer = pools.holding(request.cidr[0])
    except errors.AddressNotInPool:
        return Conflict(
            message=f"no pool of VRF {request.vrf} holds {request.cidr}; {_pool_wanted(request)}"
        )
    if request.cidr.prefixlen != offer.pool.block_size:
        return Conflict(
            message=f"{request.cidr} is not a block of pool {offer.name}, whose block size is "
            f"{offer.pool.block_size}; {_block_wanted(request, offer.pool)}"
        )
    return offer


def _pool_wanted(request: AdoptRequest) -> str:
    family, size = addresses.family_of(request.cidr), request.cidr.prefixlen
    shortest, longest = resources.BLOCK_SIZE_RANGE[family]
    if shortest <= size <= longest:
        return f"create one that does, of block size {size}"
    return (
        f"adopt its blocks one by one, which for {family.name} are of size {shortest} to {longest}"
    )


def _block_wanted(request: AdoptRequest, pool: resources.Pool) -> str:
    size = request.cidr.prefixlen
    shortest, longest = resources.BLOCK_SIZE_RANGE[pool.family]
    if max(shortest, pool.cidr.prefixlen) <= size <= longest:
        return f"create that pool anew with block size {size}"
    return "adopt what that pool holds of it block by block"


def opens(request: AdoptRequest, offer: Offer) -> bool:
    """Whether there is anything to adopt for which the block must be open."""
    return bool(request.adoptions or request.keepings or _owner(request, offer))


def decide(
    request: AdoptRequest,
    offer: Offer,
    *,
    block: blocks.Block | None,
    held: Mapping[addresses.Address, model.Allocation],
    now: datetime.datetime,
    tick: int,
) -> Decision:
    """What is adopted into a block, which is None where it is not open."""
    owner = _owner(request, offer)
    conflicts = [] if block is None else _owned_by_another(block, owner)
    for each in request.adoptions:
        conflicts += _conflicts(each, offer, held.get(each.address))
        conflicts += [] if block is None else _kept_for_another(each, block)
    for kept in request.keepings:
        conflicts += _in_the_way(kept, offer, block, held.get(kept.address))
    if conflicts:
        return Decision(conflicts=tuple(conflicts))
    new = tuple(each for each in request.adoptions if each.address not in held)
    owned = _owned(request, offer, block, owner, now)
    keepings = tuple(
        each for each in request.keepings if each.address not in held and not _is_kept(each, block)
    )
    after = owned and _with(owned, new, keepings, now, tick)
    return Decision(
        adopted=new,
        kept=keepings,
        unchanged_count=len(request.adoptions) - len(new),
        block=None if after == block else after,
        block_changed=owned != block,
        previous_node=_previous(block, owned),
    )


def _previous(block: blocks.Block | None, owned: blocks.Block | None) -> str:
    """The node that a block is taken from; empty where it is not."""
    if block is None or owned is None or owned.node == block.node:
        return ""
    return block.node or ""


def _owned(
    request: AdoptRequest,
    offer: Offer,
    block: blocks.Block | None,
    owner: str | None,
    now: datetime.datetime,
) -> blocks.Block | None:
    """The block, opened and given to the node as far as is needed."""
    if block is None:
        cidr, needed = request.cidr, opens(request, offer)
        return blocks.fresh(offer.pool_id, cidr, owner, now) if needed else None
    if owner == block.node:
        return block
    # Nobody misses one of which nothing is held; of any other, only what is nobody's is given.
    return block.of(owner, now) if block.is_empty or block.node is None else block


def _owner(request: AdoptRequest, offer: Offer) -> str | None:
    # Blocks of a draining pool belong to no node any more.
    draining = offer.pool.state is resources.PoolState.DRAINING
    return (request.node or None) if offer.affine and not draining else None


def _owned_by_another(block: blocks.Block, owner: str | None) -> list[Conflict]:
    if owner is None or block.node in (None, owner) or block.is_empty:
        return []
    text = (
        f"block {block.cidr} belongs to node {block.node}, not to {owner}; delete node "
        f"{block.node}, which gives up all its blocks, or release everything in this one, so that "
        "it may be given away once nothing there is cooling or kept either"
    )
    return [Conflict(message=text)]


def _conflicts(adoption: Adoption, offer: Offer, holder: model.Allocation | None) -> list[Conflict]:
    address = adoption.address
    if holder is not None and holder.attachment == adoption.attachment:
        return []
    text = _taken(address, offer, holder)
    return [Conflict(address=address, message=text)] if text else []


def _taken(address: addresses.Address, offer: Offer, holder: model.Allocation | None) -> str:
    """Why nobody can be given an address; empty where somebody can."""
    if holder is not None:
        return f"{address} is held by {_described(holder)}; release it there, or leave it out"
    if int(address) in offer.withheld:
        return (
            f"{address} is excluded from pool {offer.name}, or its gateway; change the pool, or "
            "leave the address out"
        )
    return ""


def _with(
    block: blocks.Block,
    adoptions: Iterable[Adoption],
    keepings: Iterable[Keeping],
    now: datetime.datetime,
    tick: int,
) -> blocks.Block:
    """The block with all of these in it."""
    block = block.without(*(block.ordinal(each.address) for each in adoptions))
    for each in keepings:
        sticky = _sticky(each, block, now, tick)
        block = block.without(sticky.ordinal).with_sticky(sticky)
    return block


def _sticky(
    keeping: Keeping, block: blocks.Block, now: datetime.datetime, tick: int
) -> blocks.Sticky:
    left = min(keeping.expire_time - now, LONGEST_KEPT)
    ordinal = block.ordinal(keeping.address)
    # Who held it did so elsewhere: given up, it is free at once, unless it cools down here.
    cooling = block.cooling_at(ordinal)
    cooled_tick = cooling.ready_tick if cooling else tick
    return blocks.Sticky(
        ordinal=ordinal,
        ready_tick=max(tick + math.ceil(left.total_seconds()), cooled_tick),
        owner_key=keeping.owner_key,
        network=keeping.network,
        interface=keeping.interface,
        cooled_tick=cooled_tick,
    )


def _is_kept(keeping: Keeping, block: blocks.Block | None) -> bool:
    sticky = block.sticky_at(block.ordinal(keeping.address)) if block else None
    return sticky is not None and sticky.is_for(
        keeping.owner_key, keeping.network, keeping.interface
    )


def _in_the_way(
    keeping: Keeping, offer: Offer, block: blocks.Block | None, holder: model.Allocation | None
) -> list[Conflict]:
    """What keeps an address from being kept; an owner who has taken it back is not in the way."""
    if holder is not None and holder.facts.owner_key == keeping.owner_key:
        return []
    text = _taken(keeping.address, offer, holder)
    sticky = block.sticky_at(block.ordinal(keeping.address)) if block else None
    if not text and sticky is not None and not _is_kept(keeping, block):
        text = (
            f"{keeping.address} is kept for owner {sticky.owner_key} on network {sticky.network} "
            f"({sticky.interface}); delete the sticky address, or leave it out"
        )
    return [Conflict(address=keeping.address, message=text)] if text else []


def _kept_for_another(adoption: Adoption, block: blocks.Block) -> list[Conflict]:
    sticky = block.sticky_at(block.ordinal(adoption.address))
    if sticky is None or sticky.owner_key == adoption.facts.owner_key:
        return []
    text = (
        f"{adoption.address} is kept for owner {sticky.owner_key}; delete the sticky address, or "
        "leave it out"
    )
    return [Conflict(address=adoption.address, message=text)]


def _described(holder: model.Allocation) -> str:
    key, workload = holder.attachment, holder.facts.workload
    described = f"container {key.container_id} of network {key.network} ({key.interface})"
    if workload.pod:
        described += f", pod {workload.namespace}/{workload.pod}"
    return described
