"""What Kubernetes tells every pod of the cluster that it runs in."""

import pathlib
from collections.abc import Mapping

SERVICE_ACCOUNT = pathlib.Path("/var/run/secrets/kubernetes.io/serviceaccount")


def api_root(environment: Mapping[str, str]) -> str:
    """Return where the Kubernetes API is; empty outside of a cluster."""
    host = environment.get("KUBERNETES_SERVICE_HOST")
    port = environment.get("KUBERNETES_SERVICE_PORT", "443")
    return f"https://{f'[{host}]' if ':' in host else host}:{port}" if host else ""
