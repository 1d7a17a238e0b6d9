"""A cluster with its controller: the stand-in of its API, a real Moorage server, and time."""

import contextlib
import itertools
import math
from collections.abc import Iterator
from pathlib import Path

import moorage
from harness import postgres, serving
from harness.calls import IPV4, want
from harness.kube import api_server
from moorage import cluster_uid
from moorage import kube as api
from moorage.controller import credentials, labels, lease, rounds
from moorage.v1 import resources_pb2

GRACE = 600


class Clock:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Cluster:
    """A cluster "east", unless told otherwise, and what its controller does in one term."""

    def __init__(
        self,
        kube: api_server.ApiServer,
        client: moorage.Client,
        database: postgres.Database,
        *,
        name: str = "east",
        vrf: str = "default",
    ) -> None:
        self.kube = kube
        self.client = client
        self.database = database
        self.vrf = vrf
        self.clock = Clock()
        self.permitted = math.inf
        self.api = api.Api(credentials.of_kubeconfig(str(kube.kubeconfig)), timeout=5)
        self.name = name
        self.uid = cluster_uid.of(self.api)
        self._numbers = itertools.count(1)
        self.restart()

    def restart(self) -> None:
        """Another controller takes over: nothing is remembered."""
        known = labels.Cluster(name=self.name, uid=self.uid)
        self.kept = labels.Labels(self.client, vrf=self.vrf, cluster=known, permit=self.permit)
        self.rounds = rounds.Rounds(
            client=self.client,
            cluster=self.api,
            uid=self.uid,
            kept=self.kept,
            vrf=self.vrf,
            grace=GRACE,
            permit=self.permit,
            clock=self.clock,
        )

    def permit(self) -> float:
        """Says for how long the controller leads."""
        if self.permitted <= 0:
            raise lease.NotLeading
        return min(self.permitted, 10.0)

    def round(self) -> None:
        """The controller looks at everything once."""
        self.rounds.run()

    def collect(self) -> None:
        """As many rounds as a leak can live."""
        self.round()
        self.pass_time()
        self.round()

    def pass_time(self, seconds: float = GRACE + 1) -> None:
        """Time goes by, for the server and for the controller."""
        self.clock.now += seconds
        self.database.execute("UPDATE ticks SET tick = tick + :seconds", seconds=int(seconds))

    def assign(
        self,
        pod: str,
        *,
        uid: str = "",
        node: str = "n1",
        container: str = "",
        use: resources_pb2.Use.ValueType = resources_pb2.USE_WORKLOAD,
        attempt: resources_pb2.AttemptStamp | None = None,
        families: tuple[resources_pb2.IpFamily.ValueType, ...] = (IPV4,),
        cluster: str | None = None,
    ) -> str:
        """What an ADD of a pod "namespace/name" does; returns the first address."""
        namespace, _, name = pod.partition("/")
        attachment = resources_pb2.Attachment(
            network="pods",
            container_id=container or f"{self.uid}-{next(self._numbers)}",
            interface="eth0",
        )
        workload = resources_pb2.Workload(
            node=node,
            namespace=namespace,
            pod=name,
            pod_uid=uid,
            cluster=self.uid if cluster is None else cluster,
        )
        held = self.client.assign(
            attachment,
            [want(family) for family in families],
            workload=workload,
            use=use,
            vrf=self.vrf,
            attempt=attempt,
        )
        return held[0].address

    def run_pod(self, pod: str, *, node: str = "n1", uid: str = "") -> str:
        """A pod that is in the API and has an address; returns the address."""
        uid = uid or f"pod-of-{self.uid}-{next(self._numbers)}"
        self.kube.add_pod(pod, uid=uid, node=node)
        return self.assign(pod, uid=uid, node=node)

    def held(self) -> set[str]:
        """The addresses that are held."""
        return {each.address for each in self.client.allocations(vrf=self.vrf)}

    def suspects(self) -> set[str]:
        """Those of them that are suspect."""
        found = self.client.allocations(vrf=self.vrf)
        return {each.address for each in found if each.suspect}

    def nodes(self) -> dict[str, dict[str, str]]:
        """The labels of the nodes that the server has."""
        found = self.client.nodes(vrf=self.vrf)
        return {each.name.rpartition("/")[2]: dict(each.labels) for each in found}


@contextlib.contextmanager
def cluster(
    directory: Path,
    server: serving.Serving,
    client: moorage.Client,
    *,
    name: str = "east",
    uid: str = "",
) -> Iterator[Cluster]:
    """A cluster with an API of its own and one pod, of the system, that has no address here."""
    directory.mkdir(exist_ok=True)
    with api_server.serve(directory) as kube:
        kube.add("Namespace", "kube-system", uid=uid or f"uid-of-{name}")
        kube.add_pod("kube-system/dns", uid="uid-dns", node="n0")
        yield Cluster(kube, client, server.database, name=name)
