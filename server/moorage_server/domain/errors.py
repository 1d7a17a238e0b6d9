"""Every way an operation can fail, each with its published reason.

The tree is flat on purpose: callers decide on the reason. A leaf's message says
what happened and what to do; all that varies in it is in `metadata` too. Which
status code a reason travels under is the api layer's table.
"""

import datetime
from collections.abc import Sequence
from typing import ClassVar


class IpamError(Exception):
    """An operation was refused or could not be completed."""

    reason: ClassVar[str]

    def __init__(self, message: str, **metadata: str) -> None:
        """Keeps the message for people and the metadata for programs."""
        super().__init__(message)
        self.message = message
        self.metadata = metadata


# An error travels in the trailers of a call, which have room for a few kilobytes.
_SHOWN = 4


def _listed(texts: list[str], separator: str) -> str:
    more = [f"and {len(texts) - _SHOWN} more"] if len(texts) > _SHOWN else []
    return separator.join(texts[:_SHOWN] + more)


def _rfc3339(time: datetime.datetime) -> str:
    return time.astimezone(datetime.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


class InvalidRequest(IpamError):
    """Fields are missing, malformed or beyond their limits."""

    reason = "INVALID_REQUEST"

    def __init__(self, violations: list[tuple[str, str]]) -> None:
        """Takes (field path, what is wrong and what to do) pairs."""
        super().__init__("; ".join(f"{field}: {text}" for field, text in violations))
        self.violations = violations


class PageTokenMismatch(IpamError):
    """A page token belongs to another listing."""

    reason = "PAGE_TOKEN_MISMATCH"

    def __init__(self) -> None:
        """Has nothing to add."""
        super().__init__("the page token is not of this listing and filter; start again without it")


class VrfNotFound(IpamError):
    """The VRF is not there."""

    reason = "VRF_NOT_FOUND"

    def __init__(self, vrf: str) -> None:
        """Names the VRF."""
        super().__init__(f'there is no VRF "{vrf}"; create it or correct the name', vrf=vrf)


class PoolNotFound(IpamError):
    """A pool was named that the VRF does not have."""

    reason = "POOL_NOT_FOUND"

    def __init__(self, vrf: str, pool: str) -> None:
        """Names the pool as the caller did: by id or CIDR."""
        super().__init__(
            f'VRF "{vrf}" has no pool "{pool}"; give the id or the exact CIDR of a pool',
            vrf=vrf,
            pool=pool,
        )


class ReservationNotFound(IpamError):
    """The reservation is not there."""

    reason = "RESERVATION_NOT_FOUND"

    def __init__(self, vrf: str, reservation: str) -> None:
        """Names the reservation."""
        super().__init__(
            f'VRF "{vrf}" has no reservation "{reservation}"', vrf=vrf, reservation=reservation
        )


class NodeNotFound(IpamError):
    """The node is not recorded."""

    reason = "NODE_NOT_FOUND"

    def __init__(self, vrf: str, node: str) -> None:
        """Names the node."""
        super().__init__(f'VRF "{vrf}" has no node "{node}"', vrf=vrf, node=node)


class AllocationNotFound(IpamError):
    """Nobody holds the address."""

    reason = "ALLOCATION_NOT_FOUND"

    def __init__(self, vrf: str, address: str) -> None:
        """Names the address."""
        super().__init__(f'nobody holds {address} in VRF "{vrf}"', vrf=vrf, address=address)


class VrfAlreadyExists(IpamError):
    """The id is taken."""

    reason = "VRF_ALREADY_EXISTS"

    def __init__(self, vrf: str) -> None:
        """Names the VRF."""
        super().__init__(f'VRF "{vrf}" exists already; choose another id or update it', vrf=vrf)


class PoolAlreadyExists(IpamError):
    """The id is taken."""

    reason = "POOL_ALREADY_EXISTS"

    def __init__(self, vrf: str, pool: str) -> None:
        """Names the pool."""
        super().__init__(
            f'pool "{pool}" exists already in VRF "{vrf}"; choose another id or update it',
            vrf=vrf,
            pool=pool,
        )


class ReservationAlreadyExists(IpamError):
    """The id is taken."""

    reason = "RESERVATION_ALREADY_EXISTS"

    def __init__(self, vrf: str, reservation: str) -> None:
        """Names the reservation."""
        super().__init__(
            f'reservation "{reservation}" exists already in VRF "{vrf}"; '
            "choose another id or update it",
            vrf=vrf,
            reservation=reservation,
        )


class PoolOverlaps(IpamError):
    """The CIDR of a new pool overlaps another pool of the VRF."""

    reason = "POOL_OVERLAPS"

    def __init__(self, vrf: str, pool: str, cidr: str, conflicting_pool: str) -> None:
        """Names both pools; the other is empty where it was added at the same moment."""
        other = f'pool "{conflicting_pool}"' if conflicting_pool else "another pool"
        super().__init__(
            f'{cidr} of pool "{pool}" overlaps {other} of VRF "{vrf}"; choose a CIDR outside of it',
            vrf=vrf,
            pool=pool,
            cidr=cidr,
            conflicting_pool=conflicting_pool,
        )


class VrfInUse(IpamError):
    """A VRF cannot be deleted while it has pools."""

    reason = "VRF_IN_USE"

    def __init__(self, vrf: str) -> None:
        """Names the VRF."""
        super().__init__(f'VRF "{vrf}" still has pools; delete them first', vrf=vrf)


class PoolInUse(IpamError):
    """A pool cannot be deleted while addresses of it are assigned."""

    reason = "POOL_IN_USE"

    def __init__(self, vrf: str, pool: str, allocation_count: int) -> None:
        """Says how many addresses stand in the way."""
        super().__init__(
            f'pool "{pool}" still has {allocation_count} allocations; '
            "drain it and release them first",
            vrf=vrf,
            pool=pool,
            allocation_count=str(allocation_count),
        )


class FieldImmutable(IpamError):
    """An update names a field that never changes."""

    reason = "FIELD_IMMUTABLE"

    def __init__(self, resource: str, field: str) -> None:
        """Names the resource and the field."""
        super().__init__(
            f"{field} of {resource} cannot be changed; create a new one instead",
            resource=resource,
            field=field,
        )


class EtagMismatch(IpamError):
    """Somebody else changed the resource first."""

    reason = "ETAG_MISMATCH"

    def __init__(self, resource: str) -> None:
        """Names the resource."""
        super().__init__(
            f"{resource} was changed by somebody else; read it again, merge and retry",
            resource=resource,
        )


class NoEligiblePool(IpamError):
    """No pool serves the workload."""

    reason = "NO_ELIGIBLE_POOL"

    def __init__(self, passed_over: list[tuple[str, str]], **facts: str) -> None:
        """Takes (pool, the rule that passed it over) pairs and the request's facts."""
        shown = _listed([f'pool "{pool}": {rule}' for pool, rule in passed_over], "; ")
        super().__init__(
            f'no pool of VRF "{facts["vrf"]}" serves this workload with {facts["family"]} '
            f"({shown or 'there are no pools of this family'}); "
            "name a pool, or let a pool select the workload",
            **facts,
        )


class PoolDisabled(IpamError):
    """A pool that was named, or holds a fixed address, is disabled."""

    reason = "POOL_DISABLED"

    def __init__(self, vrf: str, pool: str) -> None:
        """Names the pool."""
        super().__init__(f'pool "{pool}" is disabled; enable it or use another', vrf=vrf, pool=pool)


class PoolDraining(IpamError):
    """A pool that was named, or holds a fixed address, is planned for removal."""

    reason = "POOL_DRAINING"

    def __init__(self, vrf: str, pool: str) -> None:
        """Names the pool."""
        super().__init__(
            f'pool "{pool}" is draining and assigns nothing any more; '
            "use another, or activate it again",
            vrf=vrf,
            pool=pool,
        )


class PoolUseNotAllowed(IpamError):
    """A pool does not allow the use of the request."""

    reason = "POOL_USE_NOT_ALLOWED"

    def __init__(self, vrf: str, pool: str, use: str) -> None:
        """Names the pool and the use."""
        super().__init__(
            f'pool "{pool}" does not allow use {use}; use another pool or add it to allowed_uses',
            vrf=vrf,
            pool=pool,
            use=use,
        )


class PoolFamilyMismatch(IpamError):
    """A named pool has another family than the request."""

    reason = "POOL_FAMILY_MISMATCH"

    def __init__(self, vrf: str, pool: str, family: str) -> None:
        """Names the pool and the family that was asked for."""
        super().__init__(
            f'pool "{pool}" has no {family} addresses; name pools of that family',
            vrf=vrf,
            pool=pool,
            family=family,
        )


class AddressNotInPool(IpamError):
    """A fixed address is in no pool."""

    reason = "ADDRESS_NOT_IN_POOL"

    def __init__(self, vrf: str, address: str) -> None:
        """Names the address."""
        super().__init__(
            f'{address} is in no pool of VRF "{vrf}"; ask for an address of a pool',
            vrf=vrf,
            address=address,
        )


class AddressExcluded(IpamError):
    """A fixed address is one that its pool never assigns."""

    reason = "ADDRESS_EXCLUDED"

    def __init__(self, vrf: str, address: str, pool: str) -> None:
        """Names the address and the pool."""
        super().__init__(
            f'{address} is the gateway or an excluded address of pool "{pool}"; ask for another',
            vrf=vrf,
            address=address,
            pool=pool,
        )


class AddressInUse(IpamError):
    """Every candidate for a fixed address is held."""

    reason = "ADDRESS_IN_USE"

    def __init__(self, vrf: str, candidates: list[str], pool: str) -> None:
        """Names the candidates in the message and the first of them in metadata."""
        super().__init__(
            f'held by another attachment: {", ".join(candidates)} (pool "{pool}"); '
            "ask for another address, or wait until it is released",
            vrf=vrf,
            address=candidates[0],
            pool=pool,
        )


class AddressCooling(IpamError):
    """No candidate for a fixed address is free, and one was released a short time ago."""

    reason = "ADDRESS_COOLING"

    def __init__(self, vrf: str, address: str, pool: str, ready_time: datetime.datetime) -> None:
        """Names the address that is ready first."""
        super().__init__(
            f'{address} (pool "{pool}") was released a short time ago and is kept from other '
            f"workloads until {_rfc3339(ready_time)}; ask again then, or for another address",
            vrf=vrf,
            address=address,
            pool=pool,
            ready_time=_rfc3339(ready_time),
        )


class BlockAffinityMismatch(IpamError):
    """A fixed address lies in a block that is not the node's, and affinity is strict."""

    reason = "BLOCK_AFFINITY_MISMATCH"

    def __init__(self, vrf: str, address: str, *, block: str, node: str, owner: str) -> None:
        """Names the block and whose it is; nobody's where the owner is empty."""
        whose = f'belongs to node "{owner}"' if owner else "belongs to no node"
        super().__init__(
            f'{address} is in block {block}, which {whose}, and VRF "{vrf}" has strict affinity; '
            f'ask for an address in a block of node "{node}"',
            vrf=vrf,
            address=address,
            block=block,
            node=node,
            owner=owner,
        )


class AttachmentChanged(IpamError):
    """An attachment that holds addresses asks for something else."""

    reason = "ATTACHMENT_CHANGED"

    def __init__(self, held: list[str], **attachment: str) -> None:
        """Says what it holds."""
        super().__init__(
            f"this attachment already holds {', '.join(held)}, which contradicts the request; "
            "release it first",
            **attachment,
        )


class AttachmentReleased(IpamError):
    """The attachment was released after this attempt began."""

    reason = "ATTACHMENT_RELEASED"

    def __init__(self, **attachment: str) -> None:
        """Names the attachment."""
        super().__init__(
            "this attachment was released after the attempt began; begin a new attempt",
            **attachment,
        )


class PoolExhausted(IpamError):
    """The pools that serve the request have no address left."""

    reason = "POOL_EXHAUSTED"

    def __init__(
        self,
        counts: list[tuple[str, int]],
        *,
        strict: bool = False,
        passed_over: Sequence[tuple[str, str]] = (),
        **facts: str,
    ) -> None:
        """Takes (pool, size) pairs, and (pool, rule) pairs of those passed over."""
        shown = _listed([f'"{pool}" ({size} addresses)' for pool, size in counts], ", ")
        others = _listed([f'pool "{pool}": {rule}' for pool, rule in passed_over], "; ")
        strictly = ", or in blocks of other nodes, which strict affinity forbids" * strict
        super().__init__(
            f"no free {facts['family']} address in pool {shown}: {facts['assigned']} assigned"
            f"{strictly}, {facts['reserved']} reserved or excluded; "
            + (f"passed over: {others}; " if others else "")
            + "add a pool or release allocations",
            **facts,
        )


class PoolCooling(IpamError):
    """The only free addresses were released a short time ago."""

    reason = "POOL_COOLING"

    def __init__(self, ready_time: datetime.datetime, **facts: str) -> None:
        """Says when the first of them is ready."""
        super().__init__(
            f"the only free {facts['family']} addresses of pool {facts['pools']}, "
            f"{facts['cooling']} of them, were released a short time ago and are kept from other "
            f"workloads until {_rfc3339(ready_time)} at least; ask again then, or add a pool",
            ready_time=_rfc3339(ready_time),
            **facts,
        )


class BlockLimitReached(IpamError):
    """The node may own no further block."""

    reason = "BLOCK_LIMIT_REACHED"

    def __init__(self, limit: int, *, vrf: str, node: str, family: str) -> None:
        """Says how many blocks a node may own."""
        super().__init__(
            f'the {family} blocks of node "{node}" are full, and VRF "{vrf}" allows it no more: '
            f"limit of {limit} blocks reached in the pools that serve this request; "
            "raise max_blocks_per_node, which goes with strict_affinity, or use larger blocks",
            vrf=vrf,
            node=node,
            family=family,
            limit=str(limit),
        )


class BlockAllocationDisabled(IpamError):
    """The node's blocks are full, and the VRF opens none by itself."""

    reason = "BLOCK_ALLOCATION_DISABLED"

    def __init__(self, *, vrf: str, node: str, family: str) -> None:
        """Names the node."""
        super().__init__(
            f'no {family} block of node "{node}" has room in the pools that serve this request, '
            f'and VRF "{vrf}" opens no blocks by itself; switch auto_allocate_blocks on',
            vrf=vrf,
            node=node,
            family=family,
        )


class Contention(IpamError):
    """Somebody else held a lock for too long."""

    reason = "CONTENTION"

    def __init__(self) -> None:
        """Has nothing to add."""
        super().__init__("other requests hold what this one needs; send the same call again")


class DatabaseUnavailable(IpamError):
    """The database cannot be reached or does not accept writes."""

    reason = "DATABASE_UNAVAILABLE"

    def __init__(self) -> None:
        """Has nothing to add: the details are in the server's log."""
        super().__init__("the database is not available; send the same call again")


class OutcomeUnknown(IpamError):
    """Contact was lost after COMMIT was sent."""

    reason = "OUTCOME_UNKNOWN"

    def __init__(self) -> None:
        """Has nothing to add."""
        super().__init__(
            "the change may or may not have been made; send the same call again "
            "with the same attachment"
        )


class DeadlineTooShort(IpamError):
    """The caller's time was up before anything was changed."""

    reason = "DEADLINE_TOO_SHORT"

    def __init__(self) -> None:
        """Has nothing to add."""
        super().__init__("the deadline passed before anything was changed; allow more time")


class ServerBusy(IpamError):
    """Too many calls are waiting already."""

    reason = "SERVER_BUSY"

    def __init__(self) -> None:
        """Has nothing to add."""
        super().__init__("too many calls are waiting; send the same call again a little later")


class InternalError(IpamError):
    """A fault of the server."""

    reason = "INTERNAL"

    def __init__(self, incident: str) -> None:
        """Takes the id under which the log tells more."""
        super().__init__(
            f"internal error; incident {incident} in the server's log", incident=incident
        )
