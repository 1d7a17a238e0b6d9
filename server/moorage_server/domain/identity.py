"""Same attachment, again: what a repeated assign or a release means.

An attachment's record is what the database remembers of it: the addresses it
holds, or, after its release, a tombstone. New addresses are `placement`'s.
"""

import dataclasses
from collections.abc import Iterable

from moorage_server.domain import catalog, errors, model


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What is remembered of an attachment.

    `allocations` are in the order they were asked for; none of them is left in a
    tombstone. `stamp` is of the newest assign of what is held, or, in a tombstone, of
    the newest attempt of either kind.
    """

    stamp: model.AttemptStamp | None
    allocations: tuple[model.Allocation, ...]


def is_foreign(bounds: model.Bounds, held: Iterable[model.Allocation]) -> bool:
    """Whether any of it is stored for somebody who is not the caller's."""
    return bounds is not model.UNBOUND and not all(
        bounds.include(each.facts.workload) for each in held
    )


def replay(
    request: model.AssignRequest, record: Record | None, pools: catalog.Catalog
) -> tuple[model.Allocation, ...]:
    """The addresses the attachment holds already; none where they are to be placed.

    Raises AttachmentChanged where they contradict the request, AttachmentReleased
    where the attachment was released after this attempt began.
    """
    if record is None:
        return ()
    if not record.allocations:
        if not is_newer(request.attempt, record.stamp):
            raise errors.AttachmentReleased(**_facts(request.attachment))
        return ()
    if not satisfies(record.allocations, request, pools):
        held = [str(each.address) for each in record.allocations]
        raise errors.AttachmentChanged(held, **_facts(request.attachment))
    return record.allocations


def releasable(
    request: model.ReleaseRequest, record: Record | None
) -> tuple[model.Allocation, ...]:
    """Which of the attachment's addresses a release frees.

    None where it is fenced off: it began before the assignment did, or names
    other generations, or is for what was suspect and is not any more.
    """
    if record is None or is_older(request.attempt, record.stamp):
        return ()
    until = request.suspected_until
    if until is not None and not all(each.is_suspect(until) for each in record.allocations):
        return ()
    if not request.generations:
        return record.allocations
    return tuple(each for each in record.allocations if each.generation in request.generations)


def leaves_tombstone(
    request: model.ReleaseRequest, record: Record | None, released: tuple[model.Allocation, ...]
) -> bool:
    """Whether a release is to be remembered.

    One that leaves something held is not: what it held back from is not released. Nor
    is one of an attachment that holds nothing, unless its stamp fences more than
    before. Nor one of what was suspect and is not any more: that fences nothing.
    """
    if request.suspected_until is not None and not released:
        return False
    if record is None:
        return request.attempt is not None
    if record.allocations:
        return len(released) == len(record.allocations)
    return advances(request.attempt, record.stamp)


def advances(attempt: model.AttemptStamp | None, remembered: model.AttemptStamp | None) -> bool:
    """Whether an attempt is to be remembered in place of the one that is."""
    return attempt is not None and is_newer(attempt, remembered)


def newest(
    first: model.AttemptStamp | None, second: model.AttemptStamp | None
) -> model.AttemptStamp | None:
    """The stamp to remember of two; the second arrived later."""
    return first if second is None or is_older(second, first) else second


def is_newer(attempt: model.AttemptStamp | None, than: model.AttemptStamp | None) -> bool:
    """Whether an attempt began after a remembered one.

    Only stamps of one boot can be compared. Without a stamp, or after a reboot,
    what arrives later counts as newer: containers do not outlive a boot.
    """
    if attempt is None or than is None or attempt.boot_id != than.boot_id:
        return True
    return attempt.boot_time_ns > than.boot_time_ns


def is_older(attempt: model.AttemptStamp | None, than: model.AttemptStamp | None) -> bool:
    """Whether an attempt is known to have begun before a remembered one."""
    if attempt is None or than is None or attempt.boot_id != than.boot_id:
        return False
    return attempt.boot_time_ns < than.boot_time_ns


def satisfies(
    held: tuple[model.Allocation, ...], request: model.AssignRequest, pools: catalog.Catalog
) -> bool:
    """Whether these addresses are what a request asks for."""
    if len(held) != len(request.addresses):
        return False
    pairs = zip(held, request.addresses, strict=True)
    return all(_answers(each, want, pools) for each, want in pairs)


def _answers(held: model.Allocation, want: model.AddressRequest, pools: catalog.Catalog) -> bool:
    if held.address.version != want.family:
        return False
    if want.candidates:
        return held.address in want.candidates
    return not want.pools or any(
        pools.holding(held.address).answers_to(text) for text in want.pools
    )


def _facts(attachment: model.AttachmentKey) -> dict[str, str]:
    return {
        "vrf": attachment.vrf,
        "network": attachment.network,
        "container_id": attachment.container_id,
        "interface": attachment.interface,
    }
