"""The pods of the cluster, all of them at one moment: what is read of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from moorage import kube

PATH = "/api/v1/pods"

_FINISHED = frozenset({"Succeeded", "Failed"})
_MIRROR = "kubernetes.io/config.mirror"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """A pod.

    `has_addresses`: it has not ended, and is not on the network of its node. `is_mirror`: it stands
    for a static pod, which its node knows by another uid.
    """

    namespace: str
    name: str
    uid: str
    has_addresses: bool
    is_mirror: bool = False


class Pods:
    """All pods of a cluster, at one moment."""

    def __init__(self, found: Iterable[Pod]) -> None:
        pods = list(found)
        self.count = len(pods)
        self.by_uid = {pod.uid: pod for pod in pods}
        self.by_name = {(pod.namespace, pod.name): pod for pod in pods}


def complete(cluster: kube.Api) -> Pods:
    """Return all pods, asked of the API server itself and not of a cache.

    Raises ApiError unless it is wholly a list of pods, and there are any: we are one ourselves, so
    that a cluster without pods is another one, or an answer that is wrong.
    """
    listed, _ = cluster.complete(PATH, "PodList", read=_of)
    found = Pods(listed)
    if not found.count:
        raise kube.ApiError(
            "the Kubernetes API lists no pod at all, so that every address would be judged leaked; "
            "see that this is the right cluster"
        )
    return found


def _of(document: kube.Document) -> Pod:
    metadata = _mapping(document.get("metadata"))
    namespace, name, uid = (str(metadata.get(key) or "") for key in ("namespace", "name", "uid"))
    if not (namespace and name and uid):
        # Overlooked, its addresses would be taken for leaked.
        raise kube.ApiError(f"the Kubernetes API lists a pod without a name or uid: {name!r}")
    spec, status = _mapping(document.get("spec")), _mapping(document.get("status"))
    return Pod(
        namespace=namespace,
        name=name,
        uid=uid,
        has_addresses=status.get("phase") not in _FINISHED and spec.get("hostNetwork") is not True,
        is_mirror=_MIRROR in _mapping(metadata.get("annotations")),
    )


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}
