"""Refusals about VRFs, pools, reservations, nodes: not there, there already, in use, changed."""

from moorage_server.domain.errors.ipam_error import IpamError


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


class StickyAddressNotFound(IpamError):
    """The address is not kept for anybody."""

    reason = "STICKY_ADDRESS_NOT_FOUND"

    def __init__(self, vrf: str, address: str) -> None:
        """Names the address."""
        super().__init__(
            f'{address} of VRF "{vrf}" is not kept for an owner', vrf=vrf, address=address
        )


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
        counted = f"{allocation_count} allocation{'s' * (allocation_count != 1)}"
        super().__init__(
            f'pool "{pool}" still has {counted}; drain it and release what is assigned first',
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
