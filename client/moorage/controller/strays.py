"""What no controller collects, to be told of: addresses of pods that were assigned for no cluster,
or for one that has no node here, or for another than this on a node of ours.

The whole VRF is looked through for them, at first and then once an hour: a node that the plugin
calls by another name than the cluster is found as well.
"""

from __future__ import annotations

import collections
import logging
import math
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

import moorage
from moorage.controller import labels, liveness, nodes
from moorage.v1 import resources_pb2

EVERY = 3600.0  # seconds

_OF_NONE = (
    "%s: %d addresses of pods were assigned for no cluster, and are not collected; where the nodes "
    'are of this cluster, set "cluster": "%s" in the "ipam" of their network configuration; a pod '
    "has it from its next sandbox on, and what leaked on a node before is released by `moorctl "
    "reconcile --node NAME --cluster none FILE`"
)
_OF_ANOTHER = (
    "%s: %d addresses of pods were assigned for cluster %r, which this is not, and are not "
    'collected here; set "cluster": "%s" in the "ipam" of the network configuration; where the '
    "cluster was made anew, release what is left by `moorctl reconcile --node NAME --cluster %s "
    "FILE`; where it is a second one, give its nodes other names"
)

_LOG = logging.getLogger(__name__)

_Found = Mapping[str, collections.Counter[str]]  # how many, by cluster and node


@dataclass(kw_only=True)
class Strays:
    """Those of a VRF, for the cluster `uid`, in one term; see `rounds.Rounds` for the others."""

    client: moorage.Client
    vrf: str
    uid: str
    permit: Callable[[], float]
    clock: Callable[[], float]
    _looked: float = -math.inf
    _neighbours_told: set[str] = field(default_factory=set)

    def tell(self, ours: Collection[str]) -> None:
        """Warn of them, if it is time to, given the names of our nodes; raises MoorageError.

        A neighbour that has nodes here is told of once in a term: its controller says more.
        """
        if self.clock() - self._looked < EVERY:
            return
        found = self._find(self.client.allocations(vrf=self.vrf, page_size=1000))
        if none := found.get(""):
            _LOG.warning(_OF_NONE, nodes.several(none), none.total(), self.uid)
        neighbours = labels.owners(self.client, self.vrf)
        for uid in sorted(found.keys() - {""} - self._neighbours_told):
            everywhere = uid not in neighbours
            held = {name: n for name, n in found[uid].items() if everywhere or name in ours}
            if held:
                told = (nodes.several(held), sum(held.values()), uid, self.uid, uid)
                _LOG.warning(_OF_ANOTHER, *told)
                self._neighbours_told |= {uid} & neighbours
        self._looked = self.clock()

    def _find(self, allocations: Iterable[resources_pb2.Allocation]) -> _Found:
        found: dict[str, collections.Counter[str]] = {}
        for each in allocations:
            self.permit()
            workload = each.workload
            if workload.cluster != self.uid and liveness.is_of_pod(each):
                found.setdefault(workload.cluster, collections.Counter())[workload.node] += 1
        return found
