"""Where the Kubernetes API is and who we are: from a kubeconfig, or as every pod is told."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Callable, Mapping

from moorage.cni import errors, kubeconfig, settings

SERVICE_ACCOUNT = pathlib.Path("/var/run/secrets/kubernetes.io/serviceaccount")


class NoCluster(Exception):
    """Nothing says where the Kubernetes API is."""


def of_kubeconfig(file: str) -> Callable[[], kubeconfig.Access]:
    """Return what reads a kubeconfig and the files it names; see `kubeconfig.access`."""
    cluster = settings.Cluster(
        kubeconfig=file,
        api_root="",
        ca_file="",
        token_file="",
        client_certificate="",
        client_key="",
    )
    return lambda: kubeconfig.access(cluster)


def of_pod(
    environment: Mapping[str, str] = os.environ, folder: pathlib.Path = SERVICE_ACCOUNT
) -> Callable[[], kubeconfig.Access]:
    """Return what reads the service account of the pod we are in; raises NoCluster outside."""
    host = environment.get("KUBERNETES_SERVICE_HOST")
    port = environment.get("KUBERNETES_SERVICE_PORT", "443")
    if not host:
        raise NoCluster(
            "this is no pod of a cluster: KUBERNETES_SERVICE_HOST is not set; "
            "name a kubeconfig with --kubeconfig"
        )
    cluster = settings.Cluster(
        kubeconfig="",
        api_root=f"https://{f'[{host}]' if ':' in host else host}:{port}",
        ca_file=str(folder / "ca.crt"),
        token_file=str(folder / "token"),
        client_certificate="",
        client_key="",
    )
    return lambda: kubeconfig.access(cluster)


def namespace_of_pod(folder: pathlib.Path = SERVICE_ACCOUNT) -> str:
    """Return the namespace of the pod we are in; empty outside of a cluster."""
    try:
        return (folder / "namespace").read_text().strip()
    except OSError:
        return ""


def told(error: errors.CniError) -> str:
    """Return what is wrong with credentials, and what to do next.

    They are read as for the CNI plugin, whose configuration there is none of here.
    """
    return f"{error.msg.replace(' of the CNI config', '')}; {error.details}"
