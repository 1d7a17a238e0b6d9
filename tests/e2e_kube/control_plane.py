"""etcd and kube-apiserver on a machine, and what is asked of them."""

import json
import pathlib
from collections.abc import Mapping
from typing import Any

from e2e import machine
from e2e_kube.authority import NODE, Authority
from shipping import rendering

ROOT = pathlib.Path(__file__).parents[2]
NAMESPACE = "moorage"


class ControlPlane:
    """An API without controllers and a scheduler, in which what deploy/ installs has been made."""

    def __init__(self, host: machine.Machine) -> None:
        """Started; returns when it answers."""
        self.authority = Authority(host.directory)
        self._machine = host
        self._start()
        machine.eventually(lambda: self.kubectl("get", "namespace", "default", "kube-system"))
        self.apply(*rendering.rendered(ROOT / "deploy" / "overlays" / "cluster"))

    def kubectl(self, *arguments: str, stdin: str = "") -> str:
        """What kubectl prints, as an administrator."""
        config = f"--kubeconfig={self.authority.admin}"
        return self._machine.run("kubectl", config, *arguments, stdin=stdin)

    def get(self, *what: str) -> Any:  # noqa: ANN401 - objects of Kubernetes
        """An object or a list, as the API has it."""
        return json.loads(self.kubectl("get", *what, "--output=json"))

    def apply(self, *manifests: Mapping[str, object]) -> None:
        """Makes objects as the manifests say."""
        listed = {"apiVersion": "v1", "kind": "List", "items": list(manifests)}
        self.kubectl("apply", "--filename=-", stdin=json.dumps(listed))

    def command(self, workload: str, container: str) -> list[str]:
        """What a container of deploy/ runs, for who runs it where there are no such pods."""
        template = self.get(workload, f"--namespace={NAMESPACE}")["spec"]["template"]["spec"]
        every = [*template.get("initContainers", []), *template["containers"]]
        [one] = [each for each in every if each["name"] == container]
        words = [*one["command"], *one.get("args", [])]
        for variable in one.get("env", []):
            value = self._value(variable["valueFrom"])
            words = [word.replace(f"$({variable['name']})", value) for word in words]
        return words

    def _value(self, source: Mapping[str, Any]) -> str:
        """What kubelet would fill in for a variable."""
        if "fieldRef" in source:
            assert source["fieldRef"]["fieldPath"] == "spec.nodeName"
            return NODE
        reference = source["configMapKeyRef"]
        data = self.get("configmap", reference["name"], f"--namespace={NAMESPACE}")["data"]
        return str(data[reference["key"]])

    def account(self, name: str) -> pathlib.Path:
        """A directory of a service account, as Kubernetes would mount it into pods of deploy/."""
        request = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": 3600},
        }
        path = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{name}/token"
        answer = self.kubectl("create", "--raw", path, "--filename=-", stdin=json.dumps(request))
        folder = self._machine.directory / name
        folder.mkdir()
        (folder / "token").write_text(json.loads(answer)["status"]["token"])
        (folder / "ca.crt").write_text(self.authority.path("ca.pem").read_text())
        (folder / "namespace").write_text(NAMESPACE)
        return folder

    def _start(self) -> None:
        directory, authority = self._machine.directory, self.authority
        self._machine.start("etcd", "--data-dir", str(directory / "etcd"))
        self._machine.start(
            "kube-apiserver",
            "--etcd-servers=http://127.0.0.1:2379",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            "--secure-port=6443",
            "--insecure-port=0",
            "--service-cluster-ip-range=10.254.0.0/24",
            f"--tls-cert-file={authority.path('server.pem')}",
            f"--tls-private-key-file={authority.path('server.key')}",
            f"--client-ca-file={authority.path('ca.pem')}",
            f"--cert-dir={directory}/apiserver",
            "--authorization-mode=Node,RBAC",
            "--service-account-issuer=https://lab.example",
            f"--service-account-key-file={authority.path('account.key')}",
            f"--service-account-signing-key-file={authority.path('account.key')}",
            "--disable-admission-plugins=ServiceAccount",
        )
