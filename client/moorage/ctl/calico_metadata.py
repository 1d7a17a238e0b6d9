"""The metadata of Calico's objects: their labels, and whether they are being deleted."""

from __future__ import annotations

import json
from collections.abc import Mapping

from moorage.ctl import manifests, specs

# Where Calico keeps the metadata of version v3 in its custom resources.
_KEPT = "projectcalico.org/metadata"

_FIELDS = ["name", "labels"]
# Written by the servers and clients of Kubernetes; of no meaning outside of the cluster.
_IGNORED = [
    "annotations",
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generation",
    "managedFields",
    "namespace",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
]


def read(value: object, place: specs.Place) -> dict[str, object]:
    """Return the fields that the metadata gives; unknown ones are refused."""
    return specs.mapping(value, _FIELDS + _IGNORED, place, "the metadata")


def labels(metadata: Mapping[str, object], place: specs.Place) -> dict[str, str]:
    """Return the labels; those that Calico keeps in an annotation come before the object's own."""
    own = manifests.labels_of(metadata.get("labels", {}), place.child("labels"))
    inside = place.child("annotations").child(_KEPT)
    kept = _mapping(_kept(_mapping(metadata.get("annotations")).get(_KEPT), inside))
    return own | manifests.labels_of(kept.get("labels") or {}, inside.child("labels"))


def is_terminating(given: Mapping[str, object]) -> bool:
    """Whether an object is being deleted; Calico assigns nothing of such a pool any more."""
    conditions = _mapping(given.get("status")).get("conditions")
    return bool(_mapping(given.get("metadata")).get("deletionTimestamp")) or any(
        (_mapping(each).get("type"), _mapping(each).get("status"), _mapping(each).get("reason"))
        == ("Allocatable", "False", "Terminating")
        for each in (conditions if isinstance(conditions, list) else [])
    )


def _kept(text: object, place: specs.Place) -> object:
    try:
        value: object = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError) as error:
        place.refuse(f"must be JSON, as Calico writes it: {error}")
        return None
    return value


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}
