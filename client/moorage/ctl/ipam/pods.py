"""The pods of a cluster, as `kubectl get pods -A -o json` lists them.

Whether an address is leaked by what they say is judged in `moorage.ctl.ipam.leaks`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from moorage.ctl import exits, options
from moorage.ctl.ipam import files

# Written by Multus and its like: the addresses of every interface, where the status of the pod has
# those of the first one alone.
NETWORK_STATUS = "k8s.v1.cni.cncf.io/network-status"

Address = options.AnyAddress
Key = tuple[str, str]

_COMMAND = "kubectl get pods -A -o json"
_FINISHED = {"Succeeded", "Failed"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """What is known of a pod: the addresses that it shows, and whether these are all it has."""

    node: str = ""
    phase: str = ""
    addresses: frozenset[Address] = frozenset()
    shows_all: bool = False

    @property
    def finished(self) -> bool:
        """Whether it has ended for good and has no address any more."""
        return self.phase in _FINISHED


def read(source: str) -> dict[Key, Pod]:
    """Return the pods of a file by namespace and name, "-" being standard input.

    Raises exits.Failed unless it is wholly a list of pods: an address whose pod is overlooked would
    be judged leaked, and by an empty list all are.
    """
    try:
        found = dict(map(_entry, _items(files.read(source))))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise exits.refused(
            f"{source} is not a list of pods ({type(error).__name__}: {error}); "
            f"give the output of: {_COMMAND}"
        ) from error
    if not found:
        raise exits.refused(
            f"{source} lists no pod at all, so every address would be judged leaked; see that "
            f"kubectl speaks to the right cluster, and may list its pods: {_COMMAND}"
        )
    return found


def _items(value: object) -> list[Mapping[str, object]]:
    if not isinstance(value, dict) or value.get("kind") not in ("List", "PodList"):
        raise ValueError("its kind is neither List nor PodList")
    items = value["items"]
    if not isinstance(items, list):
        raise TypeError("its items are no list")
    return items


def _entry(item: Mapping[str, object]) -> tuple[Key, Pod]:
    # The items of a PodList name no kind.
    if item.get("kind", "Pod") != "Pod":
        raise ValueError(f"there is a {item['kind']} in it")
    metadata = _mapping(item["metadata"])
    spec, status = _mapping(item.get("spec") or {}), _mapping(item.get("status") or {})
    addresses, shows_all = _addresses(metadata, status)
    pod = Pod(
        node=str(spec.get("nodeName") or ""),
        phase=str(status.get("phase") or ""),
        addresses=addresses,
        shows_all=shows_all,
    )
    return (str(metadata["namespace"]), str(metadata["name"])), pod


def _addresses(
    metadata: Mapping[str, object], status: Mapping[str, object]
) -> tuple[frozenset[Address], bool]:
    """Return the addresses of a pod, of the first interface and of further ones; whether all."""
    texts = [str(_mapping(each)["ip"]) for each in _list(status.get("podIPs"))]
    texts += [str(status["podIP"])] if status.get("podIP") else []
    first = frozenset(map(options.address, texts))
    annotations = _mapping(metadata.get("annotations") or {})
    try:
        further = frozenset(_further_addresses(annotations))
    except (TypeError, ValueError):
        # Anybody may annotate a pod; with nonsense there, its other addresses are not known.
        return first, False
    return first | further, bool(first)


def _further_addresses(annotations: Mapping[str, object]) -> Iterator[Address]:
    for network in _list(json.loads(str(annotations.get(NETWORK_STATUS) or "[]"))):
        yield from (options.address(str(ip)) for ip in _list(_mapping(network).get("ips")))


def _mapping(value: object) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise TypeError(f"{value!r:.60} is no mapping")
    return value


def _list(value: object) -> list[object]:
    if not isinstance(value, list | None):
        raise TypeError(f"{value!r:.60} is no list")
    return value or []
