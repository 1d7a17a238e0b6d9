"""A round: one look at the nodes, the pods and what is held, and what follows from it.

Addresses are given up in two steps, by the server: what a list lacks is suspect, and released when
a list lacks it after the grace too. Each of our lists is made in this order: first what the cluster
holds, asked of the server, then the pods, asked of the API server. A pod is there before it is
given anything, so whoever holds an address and lives is among the pods. What began meanwhile is not
on the list, suspect at worst, and cleared in the next round.

Only what was assigned for this cluster is looked at: a node of another may have the same name.

A list that got too old is thrown away: it must be younger than the grace when it is judged.
"""

from __future__ import annotations

import collections
import contextlib
import logging
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field

import moorage
from moorage import kube, names
from moorage.controller import labels, lease, liveness, nodes, pods, strays
from moorage.v1 import filter_pb2, reconciliation_pb2, resources_pb2

Held = Mapping[str, Sequence[resources_pb2.Allocation]]

_TOO_LONG = (
    "this round took too long, more than %d seconds, half the grace: what is left is for the next "
    "one; where every round does, give a longer --grace"
)
_SUSPENDED = (
    "%s: nothing is collected there, since no node of the cluster is called so, and it may be one "
    "that is not heard of: %s; delete from the cluster what is gone for good, or taint it with "
    "node.kubernetes.io/out-of-service"
)
_LEFT = (
    "node %s: gone from the cluster, and left to cluster %s, for which %d addresses are held "
    "there; where that is no more, release them by `moorctl reconcile --node %s --cluster UID "
    "FILE`, and then `moorctl delete node %s`"
)

_LOG = logging.getLogger(__name__)


@dataclass(kw_only=True)
class Rounds:
    """Rounds of one term as leader.

    `uid` is the cluster's, which its allocations carry. `permit` says how long a change may take,
    and raises where none is allowed; see `lease`. `grace` is in seconds.
    """

    client: moorage.Client
    cluster: kube.Api
    uid: str
    kept: labels.Labels
    vrf: str
    grace: float
    permit: Callable[[], float]
    clock: Callable[[], float] = time.monotonic
    _gone_since: dict[str, float] = field(default_factory=dict)
    _strays: strays.Strays = field(init=False)

    def __post_init__(self) -> None:
        self._strays = strays.Strays(
            client=self.client,
            vrf=self.vrf,
            uid=self.uid,
            permit=self.permit,
            clock=self.clock,
        )

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
        ours = self.kept.ours().keys()
        self._collect(there, ours)
        self._forget(ours, there)
        with _alone("look for what no cluster collects"):
            self._strays.tell(ours)

    def _held(self) -> Held:
        """Return what the cluster holds, by node; what names none cannot be judged."""
        held: dict[str, list[resources_pb2.Allocation]] = {}
        for each in self._allocations(resources_pb2.Workload(cluster=self.uid)):
            self.permit()
            if each.workload.node:
                held.setdefault(each.workload.node, []).append(each)
        return held

    def _allocations(self, of: resources_pb2.Workload) -> Iterator[resources_pb2.Allocation]:
        wanted = filter_pb2.AllocationFilter(workload=of)
        return self.client.allocations(wanted, vrf=self.vrf, page_size=1000)

    def _collect(self, there: Mapping[str, nodes.Node], recorded: Set[str]) -> None:
        begun = self.clock()
        held = self._held()
        if not held:
            return
        known = pods.complete(self.cluster)
        silent = _silent(held, there, recorded)
        # In another order each time: where time is short, nobody is always the last.
        for name in random.sample(sorted(held), len(held)):
            if self.clock() - begun > self.grace / 2:
                _LOG.warning(_TOO_LONG, self.grace / 2)
                return
            self.permit()
            with _alone(f"reconcile node {name}"):
                self._reconcile(name, held[name], None if name in silent else known)

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
            cluster=self.uid,
            grace=self.grace,
            # So it names nothing that the server does not know already.
            from_records=True,
            vrf=self.vrf,
            timeout=self.permit(),
        )
        _tell(name, held, done)

    def _forget(self, ours: Set[str], there: Mapping[str, nodes.Node]) -> None:
        """Give up nodes that have been gone for the whole grace and hold nothing of ours."""
        now = self.clock()
        gone = {name: self._gone_since.get(name, now) for name in ours if name not in there}
        self._gone_since = gone
        for name, since in gone.items():
            if now - since > self.grace:
                self.permit()
                with _alone(f"give up node {name}"):
                    self._delete(name)

    def _delete(self, name: str) -> None:
        of = resources_pb2.Workload(node=name)
        held = collections.Counter(each.workload.cluster for each in self._allocations(of))
        if not held:
            self.kept.delete(name)
            _LOG.info("node %s: deleted, it is gone from the cluster", name)
        elif held.keys() <= labels.owners(self.client, self.vrf) - {self.uid}:
            self.kept.leave(name)
            _LOG.warning(_LEFT, name, ", ".join(sorted(held)), held.total(), name, name)
        else:
            _LOG.info("node %s is gone, and still holds %d addresses", name, held.total())


def _silent(held: Held, there: Mapping[str, nodes.Node], recorded: Set[str]) -> set[str]:
    """Return the nodes of which nobody can say what runs there.

    One of a name that the cluster never had may be any of those that are not heard of.
    """
    unheard = {name for name, node in there.items() if node.is_silent}
    unknown = held.keys() - there.keys() - recorded
    if unheard and unknown:
        _LOG.warning(_SUSPENDED, nodes.several(unknown), nodes.several(unheard))
    return unheard | unknown if unheard else set()


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
