"""What a node says of its pods, held against what their cluster knows.

Of which namespace a pod is decides what it may have, and whoever is root on a node may say
anything. What a node can make the cluster say is believed no more than the node: it may create
static pods in any namespace, and write the annotations of its pods.
"""

import dataclasses
import re
from collections.abc import Mapping
from typing import Final

from moorage_server.domain import errors, model

# Of namespaces and pods; nothing else is put into a path of the Kubernetes API.
_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a node says of a pod: that it is there, and its own."""

    node: str
    namespace: str
    name: str
    uid: str

    @property
    def can_be(self) -> bool:
        """Whether there could be such a pod."""
        names = (self.namespace, self.name)
        return bool(self.uid) and all(_NAME.fullmatch(each) and ".." not in each for each in names)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """A pod as its cluster knows it.

    `is_static`: it stands for one that its node made up; `is_ending`: it is to have no new sandbox.
    """

    uid: str
    node: str
    is_static: bool = False
    is_ending: bool = False

    def bears_out(self, claim: Claim) -> bool:
        """Whether it is the pod that a node claims, and may have addresses."""
        is_it = (self.uid, self.node) == (claim.uid, claim.node)
        return is_it and not self.is_static and not self.is_ending


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What a cluster, of this uid, knows about a claim.

    `is_borne_out`: that it is so. Without labels there is no such namespace.
    """

    cluster: str
    is_borne_out: bool
    namespace_labels: Mapping[str, str] | None


def claim(request: model.AssignRequest) -> Claim | None:
    """What is to be asked about for a node's request; nothing for one that is of nobody else.

    Raises PodNotVerified where it is of no pod that there could be.
    """
    facts = request.facts
    theirs = facts.workload
    about_others = (theirs.namespace, theirs.pod, theirs.pod_uid, facts.owner_key)
    if facts.use is model.Use.TUNNEL and not any(about_others):
        return None
    found = Claim(
        node=request.bounds.node,
        namespace=theirs.namespace,
        name=theirs.pod,
        uid=theirs.pod_uid,
    )
    # Whoever has an owner key has what is kept for it.
    is_owner = not facts.owner_key or facts.owner_key.startswith(f"{theirs.namespace}/")
    if not found.can_be or not is_owner:
        raise _unverified(found)
    return found


def verified(request: model.AssignRequest, claim: Claim, known: Known) -> model.AssignRequest:
    """The request, of this cluster and with the labels that it knows; raises PodNotVerified."""
    is_here = request.facts.workload.cluster in ("", known.cluster)
    if not known.is_borne_out or not is_here or known.namespace_labels is None:
        raise _unverified(claim)
    return _described(request, known.namespace_labels, known.cluster)


def of_node(request: model.AssignRequest, cluster: str) -> model.AssignRequest:
    """A request that is of the node alone, of this cluster; raises PodNotVerified."""
    if request.facts.workload.cluster not in ("", cluster):
        raise _unverified(Claim(node=request.bounds.node, namespace="", name="", uid=""))
    return _described(request, {}, cluster)


def _described(
    request: model.AssignRequest, labels: Mapping[str, str], cluster: str
) -> model.AssignRequest:
    workload = dataclasses.replace(request.facts.workload, namespace_labels=labels, cluster=cluster)
    return dataclasses.replace(request, facts=dataclasses.replace(request.facts, workload=workload))


def _unverified(claim: Claim) -> errors.PodNotVerified:
    return errors.PodNotVerified(
        node=claim.node, namespace=claim.namespace, pod=claim.name, pod_uid=claim.uid
    )
