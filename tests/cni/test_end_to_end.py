"""The installed plugin and a real server: what a pod gets, keeps and gives back."""

import contextlib
import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

import moorage
from cni import program
from harness import eventually, serving
from harness.kube import api_server
from moorage.v1 import filter_pb2, resources_pb2

pytestmark = pytest.mark.usefixtures("host")

POOLS = "cni.projectcalico.org/ipv4pools"
ADDRS = "cni.projectcalico.org/ipAddrs"
FAMILIES = "cni.projectcalico.org/ipFamilies"
OWNER = "moorage.dev/owner"
# Whoever may only ask for single objects watches nothing.
SINGLE = {("get", "", "namespaces"), ("get", "", "pods")}


class Node:
    """One node's runtime: calls the plugin for its containers."""

    def __init__(self, server: serving.Serving, client: moorage.Client) -> None:
        self.client = client
        self.ipam: dict[str, object] = {
            "server": server.target,
            "timeout_seconds": 20,
            "nodename": "n1",
        }

    def call(
        self,
        verb: str,
        container: str = "c0ffee",
        passed: Mapping[str, object] | None = None,
        *,
        version: str = "1.0.0",
        args: str = "",
        rest: Mapping[str, object] | None = None,
    ) -> program.Outcome:
        runtime = {"runtimeConfig": {"io.kubernetes.cri.pod-annotations": passed or {}}}
        # Every container is one of a pod of its own, which differs by its uid.
        pod = f"K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-0;K8S_POD_UID=u-{container};"
        outcome = program.run(
            verb,
            program.config(version, self.ipam, runtime | dict(rest or {})),
            environment={"CNI_CONTAINERID": container, "CNI_ARGS": pod + args},
        )
        assert outcome.stderr == b""
        return outcome

    def add(
        self, container: str, passed: Mapping[str, object] | None = None, args: str = ""
    ) -> list[str]:
        """The addresses of a container, each with its prefix length."""
        outcome = self.call("ADD", container, passed, args=args)
        assert outcome.code == 0, outcome
        ips = outcome.document["ips"]
        assert isinstance(ips, list)
        return [ip["address"] for ip in ips]

    def refused(self, passed: Mapping[str, object], container: str = "refused") -> str:
        """What a runtime shows of an ADD that fails."""
        outcome = self.call("ADD", container, passed)
        return f"{outcome.error['code']} {outcome.text}"

    def held(self) -> dict[str, str]:
        """Every address that is assigned, and the container that holds it."""
        return {a.address: a.attachment.container_id for a in self.client.allocations()}


@pytest.fixture
def node(server: serving.Serving, client: moorage.Client) -> Node:
    """A node whose server has one pool of each family, and one that only serves by name."""
    client.create_pool("four", resources_pb2.Pool(cidr="10.0.0.0/24"))
    client.create_pool("six", resources_pb2.Pool(cidr="fd00::/112"))
    client.create_pool("named", resources_pb2.Pool(cidr="10.1.0.0/30", node_selector="!all()"))
    return Node(server, client)


def test_a_container_gets_an_address_keeps_it_and_gives_it_back(node: Node) -> None:
    first = node.add("a")
    assert node.add("a") == first
    other = node.add("b")
    assert other != first
    assert node.held() == {first[0].removesuffix("/32"): "a", other[0].removesuffix("/32"): "b"}
    for _ in range(5):
        outcome = node.call("DEL", "a")
        assert (outcome.code, outcome.stdout) == (0, b"")
    assert list(node.held().values()) == ["b"]


def test_a_container_nobody_knows_has_nothing_to_give_back(node: Node) -> None:
    outcome = node.call("DEL", "stranger")
    assert (outcome.code, outcome.stdout) == (0, b"")


def test_a_container_id_may_be_used_again_after_its_release(node: Node) -> None:
    for _ in range(3):
        assert len(node.add("a")) == 1
        assert node.call("DEL", "a").code == 0
    assert node.held() == {}


def test_what_is_given_back_unheard_is_not_what_a_later_call_was_told(node: Node) -> None:
    heard, said = os.pipe()
    os.set_blocking(said, False)
    with contextlib.suppress(BlockingIOError):
        while os.write(said, b"of others"):
            pass  # until nothing more is taken of what nobody reads
    os.set_blocking(said, True)
    with subprocess.Popen(
        [program.installed_program()],
        stdin=subprocess.PIPE,
        stdout=said,
        env=program.CONTAINER | {"CNI_COMMAND": "ADD", "CNI_CONTAINERID": "a"},
    ) as unheard:
        assert unheard.stdin is not None
        unheard.stdin.write(json.dumps(program.config(ipam=node.ipam)).encode())
        unheard.stdin.close()
        os.close(said)
        eventually.until(node.held)
        assert node.call("DEL", "a").code == 0
        later = node.add("a")
        os.close(heard)
        assert unheard.wait(timeout=30) == 1
    assert node.held() == {later[0].removesuffix("/32"): "a"}


@pytest.mark.parametrize("version", program.VERSIONS)
def test_every_version_goes_the_whole_way(version: str, node: Node) -> None:
    node.ipam["assign_ipv6"] = "true"
    result = node.call("ADD", version=version).document
    assert result["cniVersion"] == version
    assert {"10.0.0.0", "fd00::"} == set(node.held())
    if version >= "0.4.0":
        assert node.call("CHECK", version=version, rest={"prevResult": result}).code == 0
    assert node.call("DEL", version=version, rest={"prevResult": result}).code == 0
    assert node.held() == {}


def test_the_pools_own_words_about_the_link_come_with_the_address(node: Node) -> None:
    shared = resources_pb2.Pool(
        cidr="10.2.0.0/24",
        result_form=resources_pb2.RESULT_FORM_POOL,
        exclude_network_addresses=True,
        gateway="10.2.0.1",
        routes=[resources_pb2.Route(destination="0.0.0.0/0")],
        dns=resources_pb2.Dns(nameservers=["10.2.0.53"], searches=["shop.example"]),
    )
    node.client.create_pool("shared", shared)
    assert node.call("ADD", passed={POOLS: '["shared"]'}).document == {
        "cniVersion": "1.0.0",
        "ips": [{"address": "10.2.0.2/24", "gateway": "10.2.0.1"}],
        "routes": [{"dst": "0.0.0.0/0", "gw": "10.2.0.1"}],
        "dns": {"nameservers": ["10.2.0.53"], "search": ["shop.example"]},
    }


def test_whom_an_address_is_for_is_recorded(node: Node) -> None:
    node.add("a", {OWNER: "web-0"})
    allocation = next(node.client.allocations())
    assert allocation.owner_key == "shop/web-0"
    assert allocation.attachment == resources_pb2.Attachment(
        network="pods", container_id="a", interface="eth0"
    )
    assert allocation.workload == resources_pb2.Workload(
        node="n1", namespace="shop", pod="web-0", pod_uid="u-a"
    )


@pytest.mark.parametrize("pools", ['["named"]', '["10.1.0.0/30"]', '["10.1.0.1/30","four"]'])
def test_an_annotated_pool_is_drawn_from_first(pools: str, node: Node) -> None:
    assert node.add("a", {POOLS: pools}) == ["10.1.0.0/32"]


def test_one_unknown_pool_fails_all_and_is_named_with_its_annotation(node: Node) -> None:
    said = node.refused({POOLS: '["four","gone"]'})
    assert said.startswith("102 ")
    assert "POOL_NOT_FOUND" in said
    assert "pool=gone" in said
    assert f'annotation "{POOLS}" of pod shop/web-0' in said
    assert node.held() == {}


def test_a_pool_of_a_family_that_nobody_asks_for_must_be_there_all_the_same(node: Node) -> None:
    v6 = "cni.projectcalico.org/ipv6pools"
    said = node.refused({v6: '["six","gone"]'})
    assert said.startswith("102 ")
    assert 'error parsing pool "gone": invalid CIDR address: gone' in said
    assert f'asked for by annotation "{v6}" of pod shop/web-0' in said
    said = node.refused({v6: '["four"]'})
    assert said.startswith("100 ")
    assert """"10.0.0.0" isn't a IPv6 address""" in said
    assert node.held() == {}
    # A range is a range, whether a pool has it or not.
    assert node.add("a", {v6: '["six","fd01::/64"]'}) == ["10.0.0.0/32"]


def test_families_of_the_pod_replace_those_of_the_configuration(node: Node) -> None:
    assert node.add("a", {FAMILIES: '["IPv6"]'}) == ["fd00::/128"]
    assert node.add("b", {FAMILIES: '["IPv4","IPv6"]'}) == ["10.0.0.0/32", "fd00::1/128"]


def test_of_several_listed_addresses_the_first_that_is_free_is_given(node: Node) -> None:
    listed = {ADDRS: '["10.0.0.9","10.0.0.8"]'}
    assert node.add("a", listed) == ["10.0.0.9/32"]
    assert node.add("b", listed) == ["10.0.0.8/32"]
    said = node.refused(listed)
    assert said.startswith("103 ")
    assert "ADDRESS_IN_USE" in said
    assert f'annotation "{ADDRS}" of pod shop/web-0' in said


def test_when_one_family_is_taken_the_other_is_not_kept(node: Node) -> None:
    node.add("a", {ADDRS: '["fd00::9"]'})
    assert node.refused({ADDRS: '["10.0.0.9","fd00::9"]'}).startswith("103 ")
    assert node.held() == {"fd00::9": "a"}


def test_an_address_outside_of_every_pool_is_refused(node: Node) -> None:
    assert "ADDRESS_NOT_IN_POOL" in node.refused({ADDRS: '["192.0.2.1"]'})


def test_what_is_not_granted_is_refused_with_the_annotation_that_asks_for_it(node: Node) -> None:
    for name, cidr in (("bank", "10.3.0.0/24"), ("banks", "10.4.0.0/24")):
        pool = resources_pb2.Pool(cidr=cidr, allowed_namespaces=["bank"], priority=1)
        node.client.create_pool(name, pool)
    for key, value, shown in ((POOLS, "bank", "pool=bank"), (ADDRS, "10.4.0.1", "10.4.0.1")):
        said = node.refused({key: f'["{value}"]'})
        assert said.startswith("102 ")
        assert 'NAMESPACE_NOT_GRANTED: namespace "shop" may not' in said
        assert shown in said
        assert f'annotation "{key}" of pod shop/web-0' in said
    assert node.held() == {}
    assert node.add("a") == ["10.0.0.0/32"]


def test_the_runtime_may_fix_an_address_of_each_family(node: Node) -> None:
    passed = {ADDRS: '["10.0.0.9"]'}
    assert node.add("a", passed, "IP=10.0.0.7,fd00::7") == ["10.0.0.7/32", "fd00::7/128"]


def test_a_full_pool_is_said_to_be_full(node: Node) -> None:
    for container in "abcd":
        node.add(container, {POOLS: '["named"]'})
    said = node.refused({POOLS: '["named"]'})
    assert said.startswith("104 ")
    assert "POOL_EXHAUSTED" in said


def test_a_contradiction_to_what_a_container_holds_is_refused(node: Node) -> None:
    node.add("a", {ADDRS: '["10.0.0.9"]'})
    assert "ATTACHMENT_CHANGED" in node.refused({ADDRS: '["10.0.0.8"]'}, container="a")
    assert node.held() == {"10.0.0.9": "a"}


def test_an_unknown_vrf_refuses_add_and_has_nothing_to_release(node: Node) -> None:
    node.ipam["vrf"] = "gone"
    assert "VRF_NOT_FOUND" in node.refused({})
    assert node.call("DEL").code == 0


def test_check_notices_an_address_that_was_taken_away(node: Node) -> None:
    result = node.call("ADD", "a").document
    assert node.call("CHECK", "a", rest={"prevResult": result}).code == 0
    node.client.release(
        resources_pb2.Attachment(network="pods", container_id="a", interface="eth0")
    )
    outcome = node.call("CHECK", "a", rest={"prevResult": result})
    assert outcome.error["code"] == 105
    assert "10.0.0.0 is configured but not assigned" in outcome.text


def test_two_interfaces_of_a_container_have_an_address_each(node: Node) -> None:
    config = program.config(ipam=node.ipam)
    for interface in ("eth0", "net1"):
        assert program.run("ADD", config, environment={"CNI_IFNAME": interface}).code == 0
    assert len(node.held()) == 2
    assert program.run("DEL", config, environment={"CNI_IFNAME": "net1"}).code == 0
    assert set(node.held()) == {"10.0.0.0"}


def test_an_address_nobody_heard_of_is_free_again(node: Node) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [program.installed_program()],
        input=json.dumps(program.config(ipam=node.ipam)).encode(),
        env=program.CONTAINER | {"CNI_COMMAND": "ADD"},
        stdout=write,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (1, b"")
    assert node.held() == {}


@pytest.fixture
def api(tmp_path: Path, node: Node) -> Iterator[api_server.ApiServer]:
    """A Kubernetes API that the node asks about its pods."""
    with api_server.serve(tmp_path) as server:
        server.add("Namespace", "shop")
        server.add("Pod", "shop/web-0")
        node.ipam["kubernetes"] = server.settings
        yield server


def test_a_namespace_annotation_is_the_default_of_its_pods(
    node: Node, api: api_server.ApiServer
) -> None:
    api.add("Namespace", "shop", annotations={POOLS: '["named"]'})
    assert node.add("a") == ["10.1.0.0/32"]
    assert node.add("b", {POOLS: '["four"]'}) == ["10.0.0.0/32"]


def test_a_pool_may_select_by_the_labels_of_the_namespace(
    node: Node, api: api_server.ApiServer
) -> None:
    gold = resources_pb2.Pool(cidr="10.3.0.0/24", namespace_selector="tier == 'gold'", priority=1)
    node.client.create_pool("gold", gold)
    assert node.add("a") == ["10.0.0.0/32"]
    api.add("Namespace", "shop", labels={"tier": "gold"})
    assert node.add("b") == ["10.3.0.0/32"]


def test_a_release_that_overtakes_its_add_wins(node: Node, api: api_server.ApiServer) -> None:
    def delete_meanwhile(handler: api_server.Handler) -> None:
        if "?" in handler.path:
            handler.proceed()  # an agent that would like to watch
            return
        api.misbehave = None
        assert node.call("DEL", "a").code == 0
        handler.answer(200, json.dumps(api.objects[handler.path]).encode())

    api.granted = SINGLE
    api.misbehave = delete_meanwhile
    said = node.refused({}, container="a")
    assert "ATTACHMENT_RELEASED" in said
    assert node.held() == {}
    assert node.add("a") == ["10.0.0.0/32"]


def test_filters_find_a_pod_by_what_the_plugin_said(node: Node) -> None:
    node.add("a")
    wanted = filter_pb2.AllocationFilter(
        workload=resources_pb2.Workload(namespace="shop", pod="web-0")
    )
    assert [a.attachment.container_id for a in node.client.allocations(wanted)] == ["a"]
