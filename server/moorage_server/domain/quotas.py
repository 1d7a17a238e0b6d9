"""Quotas: how many addresses of a VRF a node, or a namespace, may hold.

Whatever is held under a name counts, of both families and for every use; for a namespace also what
is kept for owners whose keys begin with it, since nobody else can have that either. A quota keeps
somebody from having more, and takes nothing away: who holds more than was written since goes on,
and is replaced as he is.
"""

import collections
import dataclasses
import enum
from typing import NamedTuple

from moorage_server.domain import model, resources


class Kind(enum.StrEnum):
    """What a quota may be of."""

    NODE = "node"
    NAMESPACE = "namespace"


class Holder(NamedTuple):
    """A node, or a namespace, of one VRF."""

    kind: Kind
    name: str

    def owns(self, owner_key: str) -> bool:
        """Whether what is kept for an owner counts for this one."""
        return self.kind is Kind.NAMESPACE and owner_key.startswith(f"{self.name}/")


class Keeping(NamedTuple):
    """For whom an address is kept after its release."""

    owner_key: str
    network: str
    interface: str


@dataclasses.dataclass(slots=True)
class Count:
    """What a holder has."""

    held: int = 0
    kept: "collections.Counter[Keeping]" = dataclasses.field(default_factory=collections.Counter)

    def beside(self, keeping: Keeping, most: int) -> int:
        """All of it, but for so many at most that are kept for whoever asks: he has them back."""
        return self.held + self.kept.total() - min(self.kept[keeping], most)


def holders(workload: model.Workload) -> tuple[Holder, ...]:
    """Under whose names a workload holds what it holds; whom nobody knows is nobody."""
    named = Holder(Kind.NODE, workload.node), Holder(Kind.NAMESPACE, workload.namespace)
    return tuple(each for each in named if each.name)


class Quotas:
    """Those of one VRF; without any of them nobody is limited."""

    def __init__(self, stored: resources.Quotas = resources.NO_QUOTAS) -> None:
        """Takes them as they are stored."""
        self._each = {
            Kind.NODE: stored.addresses_per_node,
            Kind.NAMESPACE: stored.addresses_per_namespace,
        }
        self._own = {
            Holder(Kind.NAMESPACE, each.namespace): each.addresses for each in stored.namespaces
        }

    def of(self, workload: model.Workload) -> dict[Holder, int]:
        """How much those may hold whose quotas count for a workload."""
        limits = {each: self._own.get(each, self._each[each.kind]) for each in holders(workload)}
        return {each: limit for each, limit in limits.items() if limit}
