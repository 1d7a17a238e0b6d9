"""Certificates of a cluster, and kubeconfigs by which its parts show who they are."""

import json
import pathlib

import trustme

API = "https://127.0.0.1:6443"
NODE = "n1"


class Authority:
    """Who signs, and files for everybody: the API server, the administrator and the kubelet."""

    def __init__(self, directory: pathlib.Path) -> None:
        """Everything is signed and written."""
        self._directory = directory / "pki"
        self._directory.mkdir()
        self._ca = trustme.CA()
        self._ca.cert_pem.write_to_path(self.path("ca.pem"))
        self._issue("server", self._ca.issue_cert("127.0.0.1"))
        self._issue("account", self._ca.issue_cert("accounts", key_type=trustme.KeyType.RSA))
        self.admin = self._kubeconfig("admin", "admin", "system:masters")
        self.kubelet = self._kubeconfig("kubelet", f"system:node:{NODE}", "system:nodes")

    def path(self, name: str) -> pathlib.Path:
        """Where a certificate or a key lies."""
        return self._directory / name

    def _issue(self, name: str, certificate: trustme.LeafCert) -> None:
        certificate.private_key_pem.write_to_path(self.path(f"{name}.key"))
        certificate.cert_chain_pems[0].write_to_path(self.path(f"{name}.pem"))

    def _kubeconfig(self, name: str, user: str, group: str) -> pathlib.Path:
        host = f"{name}.example"  # without any, Go takes the certificate for broken
        certificate = self._ca.issue_cert(host, common_name=user, organization_name=group)
        self._issue(name, certificate)
        cluster = {"server": API, "certificate-authority": str(self.path("ca.pem"))}
        credentials = {
            "client-certificate": str(self.path(f"{name}.pem")),
            "client-key": str(self.path(f"{name}.key")),
        }
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "lab", "cluster": cluster}],
            "users": [{"name": "lab", "user": credentials}],
            "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "lab"}}],
            "current-context": "lab",
        }
        path = self.path(f"{name}.kubeconfig")
        path.write_text(json.dumps(document))
        return path
