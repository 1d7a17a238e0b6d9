"""What the service account of the pod that installs the plugin is good for.

A kubeconfig is made of it for the plugin, and the Kubernetes API tells it which cluster this is.
"""

import base64
import os
import pathlib
from collections.abc import Mapping

import yaml

from moorage import in_cluster
from moorage.install import errors

ADVICE = "name the directory that Kubernetes mounts with --service-account"


def kubeconfig(account: pathlib.Path, server: str) -> bytes:
    """Return one that shows the account's token to the API server.

    Raises:
        InstallError: a file of the account is missing or empty.
    """
    authority = base64.b64encode(_read(account / "ca.crt")).decode()
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            _named("cluster", {"server": server, "certificate-authority-data": authority})
        ],
        "users": [_named("user", {"token": _line(account / "token")})],
        "contexts": [
            _named(
                "context",
                {"cluster": _NAME, "user": _NAME, "namespace": _line(account / "namespace")},
            )
        ],
        "current-context": _NAME,
    }
    return yaml.safe_dump(document, sort_keys=False).encode()


def server_of_pod(environment: Mapping[str, str]) -> str:
    """Where Kubernetes tells every pod that the API server is.

    Raises:
        InstallError: this is no pod of Kubernetes.
    """
    root = in_cluster.api_root(environment)
    if not root:
        raise errors.InstallError(
            "KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set, as they would be in "
            "a pod; say with --api-server where the Kubernetes API is"
        )
    return root


def uid_of_cluster(account: pathlib.Path, server: str) -> str:
    """Ask the API server for the uid of the cluster.

    Raises:
        InstallError: it does not tell.
    """
    # Takes longer to load than everything else here, which an agent loads too.
    from moorage import cluster_uid, kube  # noqa: PLC0415
    from moorage.cni import kubeconfig, settings  # noqa: PLC0415

    cluster = settings.Cluster(
        api_root=server, ca_file=str(account / "ca.crt"), token_file=str(account / "token")
    )
    try:
        return cluster_uid.of(kube.Api(lambda: kubeconfig.access(cluster)))
    except kube.ApiError as error:
        raise errors.InstallError(
            f"{error}; the network list needs the uid of the cluster: install again when {server} "
            "answers, or say it with --cluster"
        ) from error


_NAME = "moorage"


def _named(kind: str, content: Mapping[str, str]) -> dict[str, object]:
    return {"name": _NAME, kind: dict(content)}


def _line(path: pathlib.Path) -> str:
    return _read(path).decode(errors="replace").strip()


def _read(path: pathlib.Path) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        why = f"cannot be read: {(error.strerror or os.strerror(error.errno or 0)).lower()}"
        raise errors.unusable(path, why, ADVICE) from error
    if not content.strip():
        raise errors.unusable(path, "is empty", ADVICE)
    return content
