"""The nodes of the cluster: what is read of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from moorage import kube

PATH = "/api/v1/nodes"

# Set by whoever knows that a node is down for good: its pods are given up. See the documentation
# of Kubernetes on non-graceful node shutdown.
_OUT_OF_SERVICE = "node.kubernetes.io/out-of-service"

_TOLD = 3  # names


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node of the cluster.

    `is_silent`: its kubelet is not heard of, so that nobody knows what runs on it.
    """

    name: str
    labels: Mapping[str, str]
    is_silent: bool = False


def complete(cluster: kube.Api) -> tuple[dict[str, Node], str]:
    """Return all nodes by name, and the resourceVersion to go on from; raises ApiError."""
    found, version = cluster.complete(PATH, "NodeList", read=of)
    return {node.name: node for node in found}, version


def of(document: kube.Document) -> Node:
    """Read a node; raises ApiError where it is none."""
    metadata = _mapping(document.get("metadata"))
    name, labels = metadata.get("name"), _mapping(metadata.get("labels"))
    if not isinstance(name, str) or not name:
        raise kube.ApiError("the Kubernetes API shows a node without a name")
    return Node(
        name=name,
        labels={key: str(value) for key, value in labels.items()},
        is_silent=_is_silent(document),
    )


def several(names: Iterable[str]) -> str:
    """Return names of nodes as they are told of: the first few, and how many more."""
    known = sorted(name or "(none)" for name in names)
    more = f" and {len(known) - _TOLD} more" if len(known) > _TOLD else ""
    return f"node{'s' if len(known) > 1 else ''} {', '.join(known[:_TOLD])}{more}"


def _is_silent(document: kube.Document) -> bool:
    conditions = _list(_mapping(document.get("status")).get("conditions"))
    unheard = any(
        each.get("type") == "Ready" and each.get("status") == "Unknown"
        for each in map(_mapping, conditions)
    )
    taints = map(_mapping, _list(_mapping(document.get("spec")).get("taints")))
    return unheard and not any(each.get("key") == _OUT_OF_SERVICE for each in taints)


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
