"""The nouns of the data path: attachments, requests, allocations.

Administered resources are in `resources`; what may be done with any of them is
in `placement` and `identity`.
"""

import dataclasses
import datetime
import enum
from collections.abc import Mapping

from moorage_server.domain import addresses

DEFAULT_VRF = "default"


class Use(enum.StrEnum):
    """What an address is for."""

    WORKLOAD = "WORKLOAD"
    TUNNEL = "TUNNEL"
    LOAD_BALANCER = "LOAD_BALANCER"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AttachmentKey:
    """What CNI gives to one ADD; the natural key of an assignment."""

    vrf: str
    network: str
    container_id: str
    interface: str

    def __str__(self) -> str:
        """For messages."""
        return f"{self.network}/{self.container_id}/{self.interface}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """Whom an assignment is for. Empty text where unknown."""

    node: str = ""
    namespace: str = ""
    pod: str = ""
    pod_uid: str = ""
    namespace_labels: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AttemptStamp:
    """When an attempt began, on a node's clock that never goes back."""

    boot_id: str
    boot_time_ns: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AddressRequest:
    """One wanted address: from named pools, one of some candidates, or any."""

    family: addresses.Family
    pools: tuple[str, ...] = ()
    candidates: tuple[addresses.Address, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AssignRequest:
    """Addresses wanted for one attachment, all or none of them."""

    attachment: AttachmentKey
    addresses: tuple[AddressRequest, ...]
    workload: Workload = Workload()
    use: Use = Use.WORKLOAD
    owner_key: str = ""
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)
    attempt: AttemptStamp | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseRequest:
    """The addresses of one attachment are no longer needed.

    With `generations`, only those held at one of them.
    """

    attachment: AttachmentKey
    attempt: AttemptStamp | None = None
    generations: frozenset[int] = frozenset()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """One address held by one attachment."""

    attachment: AttachmentKey
    address: addresses.Address
    generation: int
    pool: str
    block: addresses.Network
    assign_time: datetime.datetime
    workload: Workload
    use: Use
    owner_key: str
    labels: Mapping[str, str]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AllocationFilter:
    """Which allocations are meant; whatever is set must match."""

    pools: tuple[str, ...] = ()
    within: addresses.Network | None = None
    network: str = ""
    container_id: str = ""
    interface: str = ""
    node: str = ""
    namespace: str = ""
    pod: str = ""
    pod_uid: str = ""
    owner_key: str = ""
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)
