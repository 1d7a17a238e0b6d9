"""Calls as Multus has them made: several interfaces of one container, each of a network of its own.

Multus puts libcni's calls together itself. To its networks it passes no annotation, whatever they
declare; of CNI_ARGS, the pod's keys twice where its own process was given them too; and what a pod
asks for an interface as capability `ips` and as IP in CNI_ARGS.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

import moorage
from cni import program
from harness import serving
from harness.kube import api_server
from moorage.v1 import resources_pb2

pytestmark = pytest.mark.usefixtures("host")

VERSIONS = ("0.3.1", "0.4.0", "1.0.0")
POOLS = "cni.projectcalico.org/ipv4pools"
ADDRS = "cni.projectcalico.org/ipAddrs"
CONTAINER = "c0ffee"
POD = "K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-0;K8S_POD_INFRA_CONTAINER_ID=c0ffee;K8S_POD_UID=u-1"
TWICE = f"IgnoreUnknown=true;{POD};IgnoreUnknown=1;{POD}"


class Multus:
    """Multus on a node, for one pod: each interface of it is attached to a network."""

    def __init__(self, server: serving.Serving, client: moorage.Client, version: str) -> None:
        self.client = client
        self.version = version
        self.ipam: dict[str, object] = {
            "server": server.target,
            "timeout_seconds": 20,
            "nodename": "n1",
        }

    def call(
        self, verb: str, interface: str, *, network: str = "macvlan-conf", wanted: str = ""
    ) -> program.Outcome:
        """One call for an interface, which the pod may have asked an address for."""
        attached: dict[str, object] = {"name": network, "type": "macvlan", "master": "eth1"}
        if wanted:
            attached["capabilities"] = {"ips": True}
            attached["runtimeConfig"] = {"ips": [wanted]}
        environment = {
            "CNI_CONTAINERID": CONTAINER,
            "CNI_IFNAME": interface,
            "CNI_ARGS": f"{TWICE};IP={wanted}" if wanted else TWICE,
        }
        config = program.config(self.version, self.ipam, attached)
        without = ("CNI_NETNS",) if verb == "DEL" else ()
        outcome = program.run(verb, config, environment=environment, without=without)
        assert outcome.stderr == b""
        return outcome

    def add(self, interface: str, *, network: str = "macvlan-conf", wanted: str = "") -> str:
        """The one address of an interface."""
        outcome = self.call("ADD", interface, network=network, wanted=wanted)
        assert outcome.code == 0, outcome
        assert outcome.document["cniVersion"] == self.version
        ips = outcome.document["ips"]
        assert isinstance(ips, list)
        (address,) = (ip["address"] for ip in ips)
        return str(address).removesuffix("/32")

    def delete(self, interface: str, *, network: str = "macvlan-conf") -> None:
        """Which says nothing of what ADD returned."""
        outcome = self.call("DEL", interface, network=network)
        assert (outcome.code, outcome.stdout) == (0, b"")

    def held(self) -> dict[tuple[str, str], str]:
        """The address of every interface, by its network and its name."""
        held = list(self.client.allocations())
        assert {each.attachment.container_id for each in held} <= {CONTAINER}
        return {(each.attachment.network, each.attachment.interface): each.address for each in held}


@pytest.fixture(params=VERSIONS)
def multus(
    request: pytest.FixtureRequest, server: serving.Serving, client: moorage.Client
) -> Multus:
    """With one pool that serves everybody, and one that serves by name."""
    client.create_pool("four", resources_pb2.Pool(cidr="10.0.0.0/24"))
    client.create_pool("named", resources_pb2.Pool(cidr="10.1.0.0/30", node_selector="!all()"))
    return Multus(server, client, request.param)


def test_every_interface_of_a_container_has_an_address_of_its_own(multus: Multus) -> None:
    addresses = {
        ("pods", "eth0"): multus.add("eth0", network="pods"),
        ("macvlan-conf", "net1"): multus.add("net1"),
        # The same network a second time.
        ("macvlan-conf", "net2"): multus.add("net2"),
    }
    assert len(set(addresses.values())) == 3
    assert multus.held() == addresses
    found = [each.workload for each in multus.client.allocations()]
    assert {(each.namespace, each.pod, each.pod_uid) for each in found} == {
        ("shop", "web-0", "u-1")
    }


def test_one_interface_goes_and_the_others_keep_their_addresses(multus: Multus) -> None:
    pods, _ = multus.add("eth0", network="pods"), multus.add("net1")
    second = multus.add("net2")
    for _ in range(2):
        multus.delete("net1")
    assert multus.held() == {("pods", "eth0"): pods, ("macvlan-conf", "net2"): second}
    again = multus.add("net1")
    assert multus.held()["macvlan-conf", "net1"] == again
    # The other way round, as at the end of a pod.
    multus.delete("net2")
    multus.delete("net1")
    multus.delete("eth0", network="pods")
    assert multus.held() == {}


def test_an_interface_that_was_never_added_is_deleted_in_silence(multus: Multus) -> None:
    kept = multus.add("net1")
    multus.delete("net2")
    multus.delete("net1", network="another-conf")
    assert multus.held() == {("macvlan-conf", "net1"): kept}


def test_the_same_interface_is_added_again_after_a_lost_answer(multus: Multus) -> None:
    first, other = multus.add("net1"), multus.add("net2")
    assert multus.add("net1") == first
    assert len({first, other}) == 2


def test_an_address_that_a_pod_asks_for_one_interface_is_that_ones_alone(multus: Multus) -> None:
    assert multus.add("net1", wanted="10.0.0.77") == "10.0.0.77"
    assert multus.add("net2") != "10.0.0.77"
    outcome = multus.call("ADD", "net3", wanted="10.0.0.77")
    assert outcome.error["code"] == 103
    assert "runtimeConfig.ips" in outcome.text


@pytest.fixture
def api(tmp_path: Path, multus: Multus) -> Iterator[api_server.ApiServer]:
    """A Kubernetes API, which the network's configuration names."""
    with api_server.serve(tmp_path) as server:
        server.add("Namespace", "shop")
        multus.ipam["kubernetes"] = server.settings
        yield server


def test_annotations_that_nobody_passes_are_read_from_the_api_for_every_interface(
    multus: Multus, api: api_server.ApiServer
) -> None:
    api.add("Pod", "shop/web-0", uid="u-1", annotations={POOLS: '["named"]'})
    addresses = [multus.add("net1"), multus.add("net2")]
    assert sorted(addresses) == ["10.1.0.0", "10.1.0.1"]
    # A DEL asks for none.
    api.objects.clear()
    multus.delete("net1")
    multus.delete("net2")
    assert multus.held() == {}


def test_a_request_for_one_interface_wins_over_the_pods_annotation(
    multus: Multus, api: api_server.ApiServer
) -> None:
    api.add("Pod", "shop/web-0", uid="u-1", annotations={ADDRS: '["10.0.0.50"]'})
    assert multus.add("net1") == "10.0.0.50"
    assert multus.add("net2", wanted="10.0.0.77") == "10.0.0.77"
    # An annotation is the pod's, and so is the address that it names: the first interface has it.
    assert multus.call("ADD", "net3").error["code"] == 103
