"""Waiting for a predecessor: an address that the same owner still holds may soon be free.

A decision never waits. It ends with what it would be worth waiting for, and is made
again when that is released, or for the last time when the wait is over.
"""

from collections.abc import Collection, Iterable

from moorage_server.domain import addresses, errors, model, needs
from moorage_server.domain.offers import Offer
from moorage_server.domain.setting import Conversation, Setting
from moorage_server.domain.shelf import Shelf


class Awaited(Exception):
    """A predecessor holds these addresses; `refusal` is what is told if they stay held."""

    def __init__(self, refusal: errors.IpamError, awaited: frozenset[addresses.Address]) -> None:
        """Takes addresses of the request's VRF."""
        super().__init__(refusal.message)
        self.refusal = refusal
        self.awaited = awaited


def for_candidates(
    taken: Iterable[addresses.Address], refusal: errors.IpamError, setting: Setting
) -> Conversation[None]:
    """Raises Awaited where a predecessor holds one of the candidates that are taken."""
    if setting.patience is None or not setting.asker.owner:
        return
    need = needs.HoldersOf(vrf=setting.pools.vrf, addresses=tuple(taken))
    if not need.addresses:
        return
    yield need
    # Who has taken one in this very transaction is not told, and is no predecessor.
    held = [
        each.address
        for each in setting.shelf.answer(need).held
        if each.facts.owner == setting.asker.owner
    ]
    if held:
        raise Awaited(refusal, frozenset(held))


def for_owner(
    offers: Collection[Offer], taken: Collection[addresses.Address], setting: Setting
) -> Conversation[None]:
    """Raises Awaited where a request is sticky and its owner still holds an address it may get.

    One of the pools that serve the request, and not one that the request itself has
    `taken`, from a sandbox that it succeeds.
    """
    if setting.patience is None or not setting.patience.sticky_owner:
        return
    need = needs.HeldByOwner(
        owner_key=setting.patience.sticky_owner, beside=setting.patience.attachment
    )
    yield need
    held = [
        each
        for each in setting.shelf.answer(need).held
        if any(each.address in offer.pool.cidr for offer in offers)
        and each.address not in taken
        and _still_held(each, setting.shelf)
    ]
    if held:
        pool = setting.pools.holding(held[0].address).name
        refusal = errors.AddressInUse(setting.pools.vrf, [str(held[0].address)], pool)
        raise Awaited(refusal, frozenset(each.address for each in held))


def _still_held(allocation: model.Allocation, on: Shelf) -> bool:
    """Whether it is so on the shelf as well, where it may just have been put back."""
    if not on.knows(allocation.block):
        return True
    block = on.block(allocation.block)
    return block is not None and block.holds(block.ordinal(allocation.address))
