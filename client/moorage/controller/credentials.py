"""Where the Kubernetes API is and who we are: from a kubeconfig, or as every pod is told."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Callable, Mapping

from moorage import in_cluster
from moorage.cni import kubeconfig, settings


class NoCluster(Exception):
    """Nothing says where the Kubernetes API is."""


def of_kubeconfig(file: str) -> Callable[[], kubeconfig.Access]:
    """Return what reads a kubeconfig and the files it names; see `kubeconfig.access`."""
    cluster = settings.Cluster(kubeconfig=file)
    return lambda: kubeconfig.access(cluster)


def of_pod(
    environment: Mapping[str, str] = os.environ, folder: pathlib.Path = in_cluster.SERVICE_ACCOUNT
) -> Callable[[], kubeconfig.Access]:
    """Return what reads the service account of the pod we are in; raises NoCluster outside."""
    root = in_cluster.api_root(environment)
    if not root:
        raise NoCluster(
            "this is no pod of a cluster: KUBERNETES_SERVICE_HOST is not set; "
            "name a kubeconfig with --kubeconfig"
        )
    cluster = settings.Cluster(
        api_root=root, ca_file=str(folder / "ca.crt"), token_file=str(folder / "token")
    )
    return lambda: kubeconfig.access(cluster)


def namespace_of_pod(folder: pathlib.Path = in_cluster.SERVICE_ACCOUNT) -> str:
    """Return the namespace of the pod we are in; empty outside of a cluster."""
    try:
        return (folder / "namespace").read_text().strip()
    except OSError:
        return ""
