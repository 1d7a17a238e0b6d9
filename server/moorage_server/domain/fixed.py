"""A fixed address: one of the candidates of a request, the first that can be had.

Asking for an address passes over selectors, assignment mode, reservations (but those
for another owner) and the limits on blocks: the block is opened for the node where it
is not open yet. It passes over no grant.
"""

from moorage_server.domain import addresses, blocks, errors, model, patience
from moorage_server.domain.offers import Offer
from moorage_server.domain.setting import Conversation, Placed, Setting


def draw(want: model.AddressRequest, setting: Setting) -> Conversation[Placed]:
    """Takes the first candidate that is free, else one of a pool that yields.

    Raises the IpamError that says why there is none, or Awaited.
    """
    # All candidates are judged before any is taken: a wrong one is a mistake to
    # be told of, also when another happens to be free.
    offers = [_usable(address, setting) for address in want.candidates]
    refusals: list[errors.IpamError] = []
    for address, offer in zip(want.candidates, offers, strict=True):
        if offer.is_kept_from(setting.asker.owner_key, int(address)):
            # Nothing is opened for what cannot be had.
            refusals.append(errors.AddressKept(setting.pools.vrf, str(address), offer.name))
            continue
        block = yield from setting.block_at(offer, offer.index_of(address))
        refusal = _refusal(address, offer, block, setting)
        if refusal is None:
            return setting.take(offer, block, block.ordinal(address))
        refusals.append(refusal)
    found = _yielded(want, offers, refusals, setting)
    if found is not None:
        return found
    refusal = _worst(refusals, want, offers[0], setting)
    pairs = zip(want.candidates, refusals, strict=True)
    taken = [address for address, why in pairs if isinstance(why, errors.AddressInUse)]
    yield from patience.for_candidates(taken, refusal, setting)
    raise refusal


def _usable(address: addresses.Address, setting: Setting) -> Offer:
    offer = setting.pools.asked_for_by(setting.asker, address)
    setting.pools.check_usable(offer, setting.asker.use)
    if int(address) in offer.withheld:
        raise errors.AddressExcluded(setting.pools.vrf, str(address), offer.name)
    return offer


def _refusal(
    address: addresses.Address, offer: Offer, block: blocks.Block, setting: Setting
) -> errors.IpamError | None:
    vrf, owner_key = setting.pools.vrf, setting.asker.owner_key
    sticky = block.sticky_at(block.ordinal(address))
    if sticky is not None and sticky.owner_key == owner_key:
        return None  # whose the block is does not matter: the address is the owner's
    owner, strict = block.node or "", setting.configuration.strict_affinity
    # Whose the block is goes before whether the address is free, as in Calico.
    if offer.affine and strict and owner != setting.node:
        return errors.BlockAffinityMismatch(
            vrf, str(address), block=str(block.cidr), node=setting.node, owner=owner
        )
    if sticky is not None:
        return errors.AddressKept(vrf, str(address), offer.name)
    return _not_free(address, offer, block, setting)


def _not_free(
    address: addresses.Address, offer: Offer, block: blocks.Block, setting: Setting
) -> errors.IpamError | None:
    vrf, ordinal = setting.pools.vrf, block.ordinal(address)
    cooling = block.cooling_at(ordinal)
    if cooling is not None and cooling.is_kept_from(setting.asker.owner):
        ready_time = setting.shelf.time_of(cooling.ready_tick)
        return errors.AddressCooling(vrf, str(address), offer.name, ready_time)
    if cooling is None and ordinal not in block.free:
        return errors.AddressInUse(vrf, [str(address)], offer.name)
    return None


def _yielded(
    want: model.AddressRequest,
    offers: list[Offer],
    refusals: list[errors.IpamError],
    setting: Setting,
) -> Placed | None:
    """Takes the candidate that is ready first, of those that cool in pools which yield."""
    cooling = [
        (each, offer, block)
        for each, offer, refusal in zip(want.candidates, offers, refusals, strict=True)
        if offer.yields and isinstance(refusal, errors.AddressCooling)
        if (block := setting.shelf.block(offer.block(offer.index_of(each)))) is not None
    ]
    if not cooling:
        return None
    address, offer, block = min(cooling, key=_ready_tick)
    return setting.take(offer, block, block.ordinal(address), yielded=True)


def _ready_tick(candidate: tuple[addresses.Address, Offer, blocks.Block]) -> int:
    address, _, block = candidate
    cooling = block.cooling_at(block.ordinal(address))
    return cooling.ready_tick if cooling else 0


def _worst(
    refusals: list[errors.IpamError],
    want: model.AddressRequest,
    first: Offer,
    setting: Setting,
) -> errors.IpamError:
    """One refusal for all candidates: what waiting does not help with goes last."""
    if all(isinstance(each, errors.AddressInUse) for each in refusals):
        candidates = [str(each) for each in want.candidates]
        return errors.AddressInUse(setting.pools.vrf, candidates, first.name)
    for kind in (errors.AddressCooling, errors.AddressInUse, errors.AddressKept):
        for refusal in refusals:
            if isinstance(refusal, kind):
                return refusal
    return refusals[0]
