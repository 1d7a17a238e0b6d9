"""Which Kubernetes cluster this is, whatever it is called: two may have been given one name."""

from __future__ import annotations

from moorage import kube

# It is there from the first moment of a cluster to its last: nobody can delete it.
_NAMESPACE = "kube-system"
_PATH = f"/api/v1/namespaces/{_NAMESPACE}"


def of(cluster: kube.Api) -> str:
    """Ask a cluster for its uid, that of its namespace kube-system; raises ApiError."""
    metadata = cluster.get(_PATH).get("metadata")
    uid = metadata.get("uid") if isinstance(metadata, dict) else None
    if not isinstance(uid, str) or not uid:
        raise kube.ApiError(f"the Kubernetes API shows the namespace {_NAMESPACE} without a uid")
    return uid
