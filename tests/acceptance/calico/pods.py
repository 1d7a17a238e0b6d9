"""The words of the rows about pods: annotations and configuration in, addresses or an error out.

    ROWS: Rows = {
        "a pod's pools replace those of its namespace": Row(
            pod={V4: '["web"]'}, namespace={V4: '["gone"]'}, gives=["web"]
        ),
    }

A row is one ADD as a container runtime calls it, for the pod "web-0" of the namespace "shop" on the
node "n1"; the plugin answers in this process, as the rows are about what it says and not about how
a program is run. It stands in a VRF of its own, which has the pools of `POOLS` and what the row is
`given`, in the words of `ground`. What it `gives` are
addresses, or the pools that they are from, in the order of the result; where it is `refused`, by
code and parts of the text, the pod holds nothing afterwards.

Namespaces are read from a Kubernetes API, by rows that say something of one.
"""

import contextlib
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import pytest

from acceptance.calico import checks
from acceptance.calico.ground import Stage, Step, Theatre, allocations, play, pool
from cni import program
from harness import invariants, postgres, serving
from harness.kube import api_server
from moorage import names
from moorage.v1 import resources_pb2

_PREFIX = "cni.projectcalico.org/"
V4, V6 = _PREFIX + "ipv4pools", _PREFIX + "ipv6pools"
FAMILIES = _PREFIX + "ipFamilies"
ADDRS = _PREFIX + "ipAddrs"
NO_IPAM = _PREFIX + "ipAddrsNoIpam"
FLOATING = _PREFIX + "floatingIPs"

CONTAINER = "c1"
# "four" and "six" serve everybody, the others only those who name them.
POOLS: Sequence[Step] = [
    pool("four", "10.0.0.0/24"),
    pool("six", "fd00::/112"),
    pool("web", "10.1.0.0/24", nodeSelector="!all()"),
    pool("web6", "fd01::/112", nodeSelector="!all()"),
]
OFF = pool("off", "10.5.0.0/24", disabled=True)
MANUAL = pool("manual", "10.2.0.0/24", assignmentMode="Manual")
EAST = pool("east", "10.3.0.0/24", nodeSelector="zone == 'east'")
GOLD = pool("gold", "10.4.0.0/24", namespaceSelector="tier == 'gold'", priority=1)
TUNNELS = pool("tunnels", "10.6.0.0/24", allowedUses=["Tunnel"])
SERVICES = pool("services", "10.7.0.0/24", allowedUses=["LoadBalancer"])
TINY = pool("tiny", "10.8.0.0/32", nodeSelector="!all()")
TINY6 = pool("tiny6", "fd08::/128", nodeSelector="!all()")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One ADD and what becomes of it; the pod's annotations are `passed` by the runtime, or read.

    `ipam` and `network` add to the CNI configuration, `args` to CNI_ARGS.
    """

    given: Sequence[Step] = ()
    pod: Mapping[str, str] = field(default_factory=dict)
    passed: bool = True
    namespace: Mapping[str, str] | None = None
    labels: Mapping[str, str] | None = None
    ipam: Mapping[str, object] = field(default_factory=dict)
    network: Mapping[str, object] = field(default_factory=dict)
    args: str = ""
    gives: Sequence[str] = ()
    refused: tuple[int, Sequence[str]] | None = None

    @property
    def asks_kubernetes(self) -> bool:
        """Whether it says something that only the Kubernetes API knows."""
        return not self.passed or (self.namespace, self.labels) != (None, None)


Rows = Mapping[str, Row]


def each(rows: Rows) -> pytest.MarkDecorator:
    """Runs a test for every row, by its name."""
    return pytest.mark.parametrize("row", rows.values(), ids=list(rows))


class Town:
    """A server and a Kubernetes API for all rows of a module."""

    def __init__(self, theatre: Theatre, target: str, kubernetes: api_server.ApiServer) -> None:
        """Rows get their VRFs from the theatre."""
        self._theatre = theatre
        self.target = target
        self.kubernetes = kubernetes

    def home(self, given: Sequence[Step] = ()) -> "Home":
        """A VRF with the pools of every row, and what is given."""
        stage = self._theatre.stage()
        play(stage, [*POOLS, *given])
        return Home(self, stage)


class Home:
    """One VRF, and the runtime of the node whose pods live in it."""

    def __init__(self, town: Town, stage: Stage) -> None:
        """Knows no pod yet."""
        self._town = town
        self.stage = stage

    def call(self, verb: str, row: Row, container: str = CONTAINER) -> program.Outcome:
        """Calls the plugin as a runtime does."""
        self._describe(row, f"u-{container}")
        ipam = {"server": self._town.target, "vrf": self.stage.vrf, "timeout_seconds": 20}
        ipam |= {"nodename": "n1"} | dict(row.ipam)
        if row.asks_kubernetes:
            ipam["kubernetes"] = self._town.kubernetes.settings
        runtime = {"io.kubernetes.cri.pod-annotations": row.pod} if row.passed else {}
        network = {"runtimeConfig": runtime} | dict(row.network)
        pod = f"IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-0;K8S_POD_UID=u-{container}"
        return program.run(
            verb,
            program.config(ipam=ipam, rest=network),
            environment={"CNI_CONTAINERID": container, "CNI_ARGS": f"{pod};{row.args}"},
            installed=False,
        )

    def add(self, row: Row, container: str = CONTAINER) -> list[str]:
        """The addresses of an ADD that succeeds, each with its prefix length."""
        outcome = self.call("ADD", row, container)
        assert outcome.code == 0, outcome
        ips = outcome.document["ips"]
        assert isinstance(ips, list), outcome
        return [ip["address"] for ip in ips]

    def delete(self, row: Row, container: str = CONTAINER) -> None:
        """A DEL, which succeeds and says nothing."""
        outcome = self.call("DEL", row, container)
        assert (outcome.code, outcome.stdout) == (0, b""), outcome

    def held(self, container: str = CONTAINER) -> list[resources_pb2.Allocation]:
        """What a container holds, by the API's word."""
        answer = allocations(attachment={"containerId": container}).run(self.stage)
        return checks.allocations(answer) if answer else []

    def _describe(self, row: Row, uid: str) -> None:
        kubernetes = self._town.kubernetes
        kubernetes.objects.clear()
        kubernetes.add("Namespace", "shop", annotations=row.namespace, labels=row.labels)
        if not row.passed:
            kubernetes.add("Pod", "shop/web-0", uid=uid, annotations=row.pod)


@contextlib.contextmanager
def living(cluster: postgres.Postgres) -> Iterator[Town]:
    """A town on a database of its own, whose invariants hold at the end."""
    with cluster.database() as database:
        with (
            tempfile.TemporaryDirectory() as directory,
            serving.in_process(database) as server,
            grpc.insecure_channel(server.target) as channel,
            api_server.serve(Path(directory)) as kubernetes,
        ):
            yield Town(Theatre(server, channel), server.target, kubernetes)
        invariants.check(database)


def check(town: Town, row: Row) -> Home:
    """Makes the ADD of a row, and holds what it gives or says against the row and the API."""
    home = town.home(row.given)
    if row.refused:
        _check_refused(home, row, *row.refused)
    else:
        _check_given(home, row)
    return home


def _check_given(home: Home, row: Row) -> None:
    given = home.add(row)
    held = {_alone(each.address): each for each in home.held()}
    assert set(given) == set(held), (given, held)
    for text, wanted in zip(given, row.gives, strict=True):
        assert wanted in (held[text].address, names.id_of(held[text].pool)), (given, row.gives)


def _alone(address: str) -> str:
    return f"{address}/{128 if ':' in address else 32}"


def _check_refused(home: Home, row: Row, code: int, parts: Sequence[str]) -> None:
    outcome = home.call("ADD", row)
    missing = [part for part in parts if part not in outcome.text]
    assert not missing, (missing, json.dumps(outcome.error, indent=1))
    assert outcome.error["code"] == code, outcome
    assert outcome.error["details"], outcome
    assert home.held() == [], outcome


def on_pod(key: str) -> str:
    """How an annotation of the pod is spoken of."""
    return f'annotation "{key}" of pod shop/web-0 with value '


def on_namespace(key: str) -> str:
    """How an annotation of the namespace is spoken of."""
    return f'annotation "{key}" of namespace shop with value '


def in_config(key: str) -> str:
    """How a key of the CNI configuration is spoken of."""
    return f'key "ipam.{key}" of the CNI config with value '
