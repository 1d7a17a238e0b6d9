"""The nouns of the data path: attachments, requests, allocations.

Administered resources are in `resources`; what may be done with any of them is
in `placement` and `identity`.
"""

import dataclasses
import datetime
import enum
import hashlib
import uuid
from collections.abc import Mapping

from moorage_server.domain import actors, addresses

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

    def uid(self, vrf_id: int) -> uuid.UUID:
        """The key in 16 bytes, the same wherever it is computed; `vrf_id` is the VRF's row.

        None of the parts contains the separator.
        """
        text = f"{vrf_id}/{self.network}/{self.container_id}/{self.interface}"
        return uuid.UUID(bytes=hashlib.sha256(text.encode()).digest()[:16])


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """Whom an assignment is for. Empty text where unknown."""

    node: str = ""
    namespace: str = ""
    pod: str = ""
    pod_uid: str = ""
    cluster: str = ""
    namespace_labels: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Whose attachments a caller has: its own as a node, those of its namespaces as a tenant, else
    all of them.
    """

    node: str = ""
    tenant: str = ""
    namespaces: frozenset[str] = frozenset()

    @property
    def is_tenant(self) -> bool:
        """Whether it has what is of its namespaces."""
        return bool(self.tenant)

    def include(self, workload: Workload) -> bool:
        """Whether what is stored for a workload is the caller's."""
        if self.node and workload.node != self.node:
            return False
        return not self.tenant or workload.namespace in self.namespaces


UNBOUND = Bounds()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PodInterface:
    """One interface of one pod on its node: what a sandbox of the pod takes over from the last.

    `cluster` may be unknown of an older sandbox. Where two are known to differ, it is another pod:
    uids of static pods are made of their manifests, and may be alike.
    """

    vrf: str
    network: str
    interface: str
    node: str
    pod_uid: str
    cluster: str = dataclasses.field(default="", compare=False)

    @classmethod
    def of(cls, attachment: AttachmentKey, workload: Workload) -> "PodInterface | None":
        """Whose sandbox an attachment is; None where nobody says which pod it is for."""
        if not workload.pod_uid:
            return None
        return cls(
            vrf=attachment.vrf,
            network=attachment.network,
            interface=attachment.interface,
            node=workload.node,
            pod_uid=workload.pod_uid,
            cluster=workload.cluster,
        )

    def is_of(self, cluster: str) -> bool:
        """Whether it may be an interface of a pod of this cluster."""
        return "" in (cluster, self.cluster) or cluster == self.cluster


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
class Facts:
    """What is recorded with an assignment, for policy, queries and audit.

    `sticky`: for how many seconds its addresses stay kept for the owner key.
    """

    workload: Workload = Workload()
    use: Use = Use.WORKLOAD
    owner_key: str = ""
    sticky: int = 0
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def owner(self) -> str:
        """Who is meant beyond one attachment, by owner key or pod; empty where nobody can tell."""
        if self.owner_key:
            return owner_of(self.owner_key)
        workload = self.workload
        # No part contains a line's end.
        parts = ("pod", workload.cluster, workload.namespace, workload.pod)
        return "\n".join(parts) if workload.pod else ""


def owner_of(owner_key: str) -> str:
    """Who is meant by an owner key; never the same as a pod."""
    return f"owner {owner_key}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """How far the feed of a VRF has come at least: so many events there are in this history."""

    epoch: str
    revision: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AssignRequest:
    """Addresses wanted for one attachment, all or none of them.

    `wait`: for how many seconds, at most, for what a predecessor still holds. `seen`: what the
    caller was told last of how far the feed had come. `bounds`: whose attachments the caller has;
    `by`: who that is.
    """

    attachment: AttachmentKey
    addresses: tuple[AddressRequest, ...]
    facts: Facts = Facts()
    attempt: AttemptStamp | None = None
    wait: float = 0.0
    seen: Position | None = None
    bounds: Bounds = UNBOUND
    by: actors.Act = actors.NOBODY

    @property
    def pod_interface(self) -> PodInterface | None:
        """What it is a new sandbox for, if that is known."""
        return PodInterface.of(self.attachment, self.facts.workload)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseRequest:
    """The addresses of one attachment are no longer needed.

    With `generations`, only those held at one of them; with `suspected_until`, because
    the lists of its node lack it, and only if all it holds is suspect since that tick, or
    longer. `bounds` and `by` are as in AssignRequest.
    """

    attachment: AttachmentKey
    attempt: AttemptStamp | None = None
    generations: frozenset[int] = frozenset()
    suspected_until: int | None = None
    seen: Position | None = None
    bounds: Bounds = UNBOUND
    by: actors.Act = actors.NOBODY


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """One address held by one attachment.

    `yielded`: it was still cooling when it was assigned. `suspect_tick`: since when the
    lists of its node lack the attachment.
    """

    attachment: AttachmentKey
    address: addresses.Address
    generation: int
    block: addresses.Network
    assign_time: datetime.datetime
    facts: Facts
    yielded: bool = False
    suspect_tick: int | None = None

    def is_suspect(self, until: int) -> bool:
        """Whether it has been since a tick, or longer."""
        return self.suspect_tick is not None and self.suspect_tick <= until


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AllocationFilter:
    """Which allocations are meant; whatever is set must match.

    `pools`: the CIDRs of some pools, in any of which the address lies. A whole
    `attachment` finds its addresses by key, single parts of one by search.
    """

    vrf: str
    attachment: AttachmentKey | None = None

    pools: tuple[addresses.Network, ...] = ()
    within: addresses.Network | None = None
    network: str = ""
    container_id: str = ""
    interface: str = ""
    node: str = ""
    namespace: str = ""
    pod: str = ""
    pod_uid: str = ""
    cluster: str = ""
    owner_key: str = ""
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def matches(self, allocation: Allocation) -> bool:
        """Whether an allocation of this VRF is meant."""
        return (
            self._matches_facts(allocation.facts)
            and self._matches_attachment(allocation.attachment)
            and (self.within is None or allocation.address in self.within)
            and (not self.pools or any(allocation.address in each for each in self.pools))
        )

    def _matches_facts(self, facts: Facts) -> bool:
        workload = facts.workload
        return (
            self.node in ("", workload.node)
            and self.namespace in ("", workload.namespace)
            and self.pod in ("", workload.pod)
            and self.pod_uid in ("", workload.pod_uid)
            and self.cluster in ("", workload.cluster)
            and self.owner_key in ("", facts.owner_key)
            and self.labels.items() <= facts.labels.items()
        )

    def _matches_attachment(self, key: AttachmentKey) -> bool:
        return (
            self.network in ("", key.network)
            and self.container_id in ("", key.container_id)
            and self.interface in ("", key.interface)
            and (self.attachment is None or self.attachment == key)
        )
