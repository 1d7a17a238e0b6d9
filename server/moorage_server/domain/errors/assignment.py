"""Refusals of an assign: no pool serves, an address cannot be had, nothing is left."""

import datetime
from collections.abc import Mapping, Sequence
from typing import ClassVar

from moorage_server.domain.errors.ipam_error import IpamError, listed, rfc3339


class NoEligiblePool(IpamError):
    """No pool serves the workload."""

    reason = "NO_ELIGIBLE_POOL"

    def __init__(self, passed_over: list[tuple[str, str]], **facts: str) -> None:
        """Takes (pool, the rule that passed it over) pairs and the request's facts."""
        shown = listed([f'pool "{pool}": {rule}' for pool, rule in passed_over], "; ")
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
            f"workloads until {rfc3339(ready_time)}; ask again then, or for another address",
            vrf=vrf,
            address=address,
            pool=pool,
            ready_time=rfc3339(ready_time),
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


class AttachmentSuperseded(IpamError):
    """A newer sandbox of the same pod has come first."""

    reason = "ATTACHMENT_SUPERSEDED"

    def __init__(self, **attachment: str) -> None:
        """Takes the attachment's parts, and its VRF."""
        super().__init__(
            f"a newer sandbox of the pod of attachment {attachment['container_id']} "
            f"({attachment['interface']}) holds its addresses, or held them since this attempt "
            "began; let the old sandbox go",
            **attachment,
        )


class AddressKept(IpamError):
    """No candidate is free, and one is kept for another owner."""

    reason = "ADDRESS_KEPT"

    def __init__(self, vrf: str, address: str, pool: str) -> None:
        """Names the address that is kept."""
        super().__init__(
            f'{address} of pool "{pool}" is kept for another owner; ask for another address, or '
            "delete the sticky address or the reservation",
            vrf=vrf,
            address=address,
            pool=pool,
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
        drawn: int = 0,
        **facts: str,
    ) -> None:
        """Takes (pool, size) pairs, and (pool, rule) pairs of those passed over.

        `drawn`: how many the request had found when there were no more.
        """
        shown = listed([f'"{pool}" ({size} addresses)' for pool, size in counts], ", ")
        others = listed([f'pool "{pool}": {rule}' for pool, rule in passed_over], "; ")
        kept = f", {facts['kept']} kept for their owners" * (facts["kept"] != "0")
        found = f", {drawn} found for this request, which wants more" * bool(drawn)
        strictly = ", or in blocks of other nodes, which strict affinity forbids" * strict
        super().__init__(
            f"no free {facts['family']} address in pool {shown}: {facts['assigned']} assigned"
            f"{strictly}{found}{kept}, {facts['reserved']} reserved or excluded; "
            + (f"passed over: {others}; " if others else "")
            + "add a pool or release allocations",
            **facts,
        )


class QuotaExceeded(IpamError):
    """A node, or a namespace, would hold more than the VRF allows it."""

    reason = "QUOTA_EXCEEDED"

    def __init__(self, vrf: str, kind: str, name: str, *, limit: int, held: int, more: int) -> None:
        """Takes of whom the quota is, how much he holds, what is kept for him included, and how
        much more was asked for.
        """
        super().__init__(
            f'{kind} "{name}" holds {held} addresses of VRF "{vrf}", with what is kept for it, and '
            f"asks for {more} more; its quota is {limit}: release some, or raise it",
            vrf=vrf,
            node=name if kind == "node" else "",
            namespace=name if kind == "namespace" else "",
            limit=str(limit),
            held=str(held),
            asked=str(more),
        )


_LISTS = "every node has sent its list (`moorctl quarantine show` tells whose is missing)"


class VrfQuarantined(IpamError):
    """Nothing new is assigned in the VRF for now."""

    reason = "VRF_QUARANTINED"

    # What happened, and what ends it.
    _WHY: ClassVar[Mapping[str, tuple[str, str]]] = {
        "RESTORED": ("its database was restored from a backup", _LISTS),
        "WENT_BACK": ("its database has gone back in time", _LISTS),
        "RULES_BROKEN": (
            "what is stored of it breaks a rule about who holds an address, or may be corrupt",
            "it is repaired (`moorctl quarantine show` tells what was found)",
        ),
    }

    def __init__(self, vrf: str, cause: str, begin_time: datetime.datetime) -> None:
        """Says since when, why, and what ends it."""
        why, until = self._WHY[cause]
        super().__init__(
            f'VRF "{vrf}" is in quarantine since {rfc3339(begin_time)}: {why}; nothing new is '
            f"assigned until {until}, or `moorctl quarantine lift` ends it",
            vrf=vrf,
            cause=cause,
            begin_time=rfc3339(begin_time),
        )


class PoolCooling(IpamError):
    """The only free addresses were released a short time ago."""

    reason = "POOL_COOLING"

    def __init__(self, ready_time: datetime.datetime, **facts: str) -> None:
        """Says when the first of them is ready."""
        super().__init__(
            f"the only free {facts['family']} addresses of pool {facts['pools']}, "
            f"{facts['cooling']} of them, were released a short time ago and are kept from other "
            f"workloads until {rfc3339(ready_time)} at least; ask again then, or add a pool",
            ready_time=rfc3339(ready_time),
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
