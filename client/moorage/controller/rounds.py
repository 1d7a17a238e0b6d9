"""A round: one look at the nodes, the pods and what is held, and what follows from it.

Addresses are given up in two steps, by the server: what a list lacks is suspect, and released when
a list lacks it after the grace too. Each of our lists is made in this order: first what a node
holds, asked of the server, then the pods, asked of the API server. A pod is there before it is
given anything, so whoever holds an address and lives is among the pods. What began meanwhile is not
on the list, suspect at worst, and cleared in the next round.

A list that got too old is thrown away: it must be younger than the grace when it is judged.
"""

from __future__ import annotations

import contextlib
import logging
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import moorage
from moorage import kube, names
from moorage.controller import labels, lease, liveness, nodes, pods
from moorage.v1 import filter_pb2, reconciliation_pb2, resources_pb2

Held = Mapping[str, Sequence[resources_pb2.Allocation]]

_LOG = logging.getLogger(__name__)


@dataclass(kw_only=True)
class Rounds:
    """Rounds of one term as leader.

    `permit` says how long a change may take, and raises where none is allowed; see `lease`. `grace`
    is in seconds.
    """

    client: moorage.Client
    cluster: kube.Api
    kept: labels.Labels
    vrf: str
    grace: float
    permit: Callable[[], float]
    clock: Callable[[], float] = time.monotonic
    _gone_since: dict[str, float] = field(default_factory=dict)

    def run(self) -> None:
        """Make one round.

        Raises ApiError or MoorageError where there is nothing to go by, and then has released
        nothing; NotLeading where it must stop. What fails for one node is told of, and left.
        """
        changes = self.kept.changes()
        there, _ = nodes.complete(self.cluster)
        self.kept.look()
        for node in there.values():
            self.permit()
            self.kept.keep(node, changes)
        ours = self.kept.ours()
        begun = self.clock()
        held = self._held(ours)
        self._collect(held, there, begun)
        self._forget(ours, there, held)

    def _held(self, ours: Iterable[str]) -> Held:
        """Return what each node holds; a node of which that cannot be told is left out."""
        held = {}
        for name in ours:
            self.permit()
            with _alone(f"list what node {name} holds"):
                of_node = filter_pb2.AllocationFilter(workload=resources_pb2.Workload(node=name))
                found = self.client.allocations(of_node, vrf=self.vrf, page_size=1000)
                held[name] = list(found)
        return held

    def _collect(self, held: Held, there: Mapping[str, nodes.Node], begun: float) -> None:
        if not any(held.values()):
            return
        known = pods.complete(self.cluster)
        # In another order each time: where time is short, nobody is always the last.
        for name in random.sample(sorted(held), len(held)):
            if self.clock() - begun > self.grace / 2:
                _LOG.warning("this round took too long: what is left is for the next one")
                return
            self.permit()
            silent = name in there and there[name].is_silent
            with _alone(f"reconcile node {name}"):
                self._reconcile(name, held[name], None if silent else known)

    def _reconcile(
        self,
        name: str,
        held: Sequence[resources_pb2.Allocation],
        known: pods.Pods | None,
    ) -> None:
        """Tell the server what a node still has: all, where nobody `known` could say."""
        everything = {liveness.key(each.attachment): each.attachment for each in held}
        live = set(everything) if known is None else liveness.live(held, known)
        if all(liveness.key(each.attachment) in live and not each.suspect for each in held):
            return
        # Without a stamp: it would be of this machine's clock and not of the node's, and taking the
        # place of the node's own, it would let a late repetition of a dead ADD in again.
        done = self.client.reconcile_node(
            name,
            [everything[key] for key in sorted(live)],
            grace=self.grace,
            vrf=self.vrf,
            timeout=self.permit(),
        )
        _tell(name, held, done)

    def _forget(
        self,
        ours: Mapping[str, resources_pb2.Node],
        there: Mapping[str, nodes.Node],
        held: Held,
    ) -> None:
        """Delete nodes that have been gone for the whole grace and hold nothing any more."""
        now = self.clock()
        gone = {name: self._gone_since.get(name, now) for name in ours if name not in there}
        self._gone_since = gone
        for name, since in gone.items():
            if held.get(name):
                _LOG.info("node %s is gone, and still holds %d addresses", name, len(held[name]))
            elif name in held and now - since > self.grace:
                self.permit()
                with _alone(f"delete node {name}"):
                    self.kept.delete(name)
                    _LOG.info("node %s: deleted, it is gone from the cluster", name)


@contextlib.contextmanager
def _alone(what: str) -> Iterator[None]:
    """Tell of whatever fails for one node, so that nothing else fails with it."""
    try:
        yield
    except lease.NotLeading:
        raise
    except moorage.MoorageError as error:
        _LOG.error("cannot %s: %s", what, error)
    except Exception:  # whatever it is, it is of this node alone
        _LOG.exception("cannot %s", what)


def _tell(
    node: str,
    held: Sequence[resources_pb2.Allocation],
    done: reconciliation_pb2.ReconcileNodeResponse,
) -> None:
    known = {names.id_of(each.name) for each in held if each.suspect}
    for each in done.suspects:
        if each.address not in known:
            _LOG.info("suspect: %s", _described(each))
    for each in done.released:
        _LOG.info("released: %s", _described(each))
    for failure in done.failures:
        attachment = failure.attachment
        _LOG.warning(
            "node %s: nothing could be done about container %s on %s: %s",
            node,
            attachment.container_id,
            attachment.interface,
            failure.refusal.message,
        )


def _described(allocation: resources_pb2.Allocation) -> str:
    workload, attachment = allocation.workload, allocation.attachment
    pod = f"{workload.namespace}/{workload.pod}"
    return (
        f"{allocation.address} of pod {pod} (uid {workload.pod_uid or 'unknown'}, container "
        f"{attachment.container_id}) on node {workload.node}, generation {allocation.generation}"
    )
