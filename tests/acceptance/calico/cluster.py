"""A cluster as its users see it: manifests in, addresses of pods out."""

from collections.abc import Mapping

import moorage
from cni import program as plugins
from ctl import program as ctl
from harness import serving
from harness.kube import api_server
from moorage.v1 import resources_pb2


class Cluster:
    """Nodes with their runtimes, and an administrator."""

    def __init__(
        self, server: serving.Serving, client: moorage.Client, kubernetes: api_server.ApiServer
    ) -> None:
        """Has no nodes and no pools."""
        self.moorctl = ctl.Moorctl(variables={"MOORAGE_SERVER": server.target})
        self._server = server.target
        self._client = client
        self._kubernetes = kubernetes
        self.namespace("shop")

    def apply(self, *manifests: str) -> None:
        """Applies manifests of Calico."""
        ended = self.moorctl("apply", "-f", "-", stdin="\n---\n".join(manifests))
        assert ended.code == 0, ended

    def label(self, node: str, **labels: str) -> None:
        """Labels a node."""
        name = f"vrfs/default/nodes/{node}"
        self._client.upsert_node(resources_pb2.Node(name=name, labels=labels))

    def namespace(self, name: str, annotations: Mapping[str, str] | None = None) -> None:
        """Makes a namespace."""
        self._kubernetes.add("Namespace", name, annotations=dict(annotations or {}))

    def add(
        self,
        pod: str,
        annotations: Mapping[str, str] | None = None,
        *,
        node: str = "node-0",
        namespace: str = "shop",
        ipv6: bool = False,
    ) -> list[str]:
        """Starts a pod; returns its addresses."""
        outcome = self._call("ADD", pod, node, namespace, annotations or {}, ipv6=ipv6)
        assert outcome.code == 0, outcome
        ips = outcome.document["ips"]
        assert isinstance(ips, list)
        return [ip["address"].partition("/")[0] for ip in ips]

    def fail(self, pod: str, annotations: Mapping[str, str]) -> str:
        """What is said of a pod that cannot be started."""
        return self._call("ADD", pod, "node-0", "shop", annotations).text

    def delete(self, *pods: str) -> None:
        """Ends pods."""
        for pod in pods:
            assert self._call("DEL", pod, "node-0", "shop", {}).code == 0

    def _call(
        self,
        verb: str,
        pod: str,
        node: str,
        namespace: str,
        annotations: Mapping[str, str],
        *,
        ipv6: bool = False,
    ) -> plugins.Outcome:
        ipam = {
            "server": self._server,
            "timeout_seconds": 20,
            "nodename": node,
            "assign_ipv6": str(ipv6).lower(),
            "kubernetes": self._kubernetes.settings,
        }
        runtime = {"runtimeConfig": {"io.kubernetes.cri.pod-annotations": annotations}}
        words = f"K8S_POD_NAMESPACE={namespace};K8S_POD_NAME={pod};K8S_POD_UID=u-{pod}"
        return plugins.run(
            verb,
            plugins.config(ipam=ipam, rest=runtime),
            environment={"CNI_CONTAINERID": pod, "CNI_ARGS": words},
            installed=False,
        )
