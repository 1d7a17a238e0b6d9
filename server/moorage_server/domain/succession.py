"""A pod's sandboxes: a new one takes over what the older ones hold; an old one comes too late.

Sandboxes of one pod are attachments that differ in nothing but the container, see
`model.PodInterface`. At any time at most one of them holds addresses.
"""

import dataclasses
from collections.abc import Iterable, Iterator

from moorage_server.domain import errors, identity, model, needs, placement, returns
from moorage_server.domain.setting import Contended, Conversation, Placed, Setting


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Sibling:
    """Another sandbox of a pod, as it is remembered.

    `stamp` is of its newest assign, also where it has been released since; none of
    the `allocations` is left then.
    """

    attachment: model.AttachmentKey
    stamp: model.AttemptStamp | None
    allocations: tuple[model.Allocation, ...] = ()


Siblings = tuple[Sibling, ...]


def check(request: model.AssignRequest, record: identity.Record | None, siblings: Siblings) -> None:
    """Raises AttachmentSuperseded where a newer sandbox of the pod has come first.

    Also where that one has gone again: a late assign of the old sandbox would hold
    addresses for good, since its release may have come already, or never will.
    """
    if record is not None and record.allocations:
        return  # it is the one that holds them
    if any(identity.is_older(request.attempt, each.stamp) for each in siblings):
        key = request.attachment
        raise errors.AttachmentSuperseded(
            vrf=key.vrf,
            network=key.network,
            container_id=key.container_id,
            interface=key.interface,
        )


def held(siblings: Siblings) -> Iterator[model.Allocation]:
    """All that the siblings hold."""
    return (allocation for each in siblings for allocation in each.allocations)


def place(
    request: model.AssignRequest, siblings: Siblings, setting: Setting
) -> Conversation[list[Placed]]:
    """What an attachment that holds nothing is to hold, the siblings nothing any more.

    What one of them holds stays where it is if it is what the request asks for and still the
    namespace's to have; nobody is asked whether the pool would give it anew otherwise. The rest
    goes back first, so that the pod may draw from it. Raises the IpamError that says why not,
    Awaited, or Contended.
    """
    inherited = _inherited(request, siblings, setting)
    for each in siblings:
        for allocation in each.allocations if each is not inherited else ():
            yield from returns.put_back(allocation, setting.pools, setting.shelf)
    if inherited is not None:
        return (yield from _kept(inherited.allocations, setting))
    return (yield from placement.place(request.addresses, setting))


def _inherited(
    request: model.AssignRequest, siblings: Siblings, setting: Setting
) -> Sibling | None:
    """Whose addresses the request is content with."""
    return next(
        (
            each
            for each in siblings
            if each.allocations
            and identity.satisfies(each.allocations, request, setting.pools)
            and _is_granted(each.allocations, request, setting)
        ),
        None,
    )


def _is_granted(
    held: Iterable[model.Allocation], request: model.AssignRequest, setting: Setting
) -> bool:
    return all(
        setting.asker.may_ask_for(offer, each.address)
        if want.candidates
        else setting.asker.may_use(offer)
        for each, want in zip(held, request.addresses, strict=True)
        for offer in (setting.pools.holding(each.address),)
    )


def _kept(held: Iterable[model.Allocation], setting: Setting) -> Conversation[list[Placed]]:
    # The blocks stay as they are, and are locked all the same: whoever changes the
    # holder of an address draws its next generation under its block's lock.
    placed = []
    for each in sorted(held, key=lambda held: (held.block.version, held.block)):
        if not setting.shelf.knows(each.block):
            yield needs.BlockAt(cidr=each.block)
        if setting.shelf.block(each.block) is None:
            raise Contended
    for each in held:
        offer = setting.pools.holding(each.address)
        placed.append(Placed(offer=offer, block=each.block, address=each.address))
    return placed
