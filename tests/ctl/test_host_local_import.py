"""moorctl import host-local: what one node's files say is held here, by the same containers."""

import json
import os
import pathlib
import subprocess

import pytest

import moorage
from bench import peers
from ctl.program import Moorctl
from harness import calls, digest, serving
from moorage.v1 import resources_pb2

CART, WEB = "0f3c" * 16, "91ab" * 16

RANGES = [
    [{"subnet": "10.22.0.0/24", "rangeStart": "10.22.0.10", "rangeEnd": "10.22.0.99"}],
    [{"subnet": "fd00:22::/64", "gateway": "fd00:22::fe"}],
]
ROUTES = [{"dst": "0.0.0.0/0"}, {"dst": "10.9.0.0/16", "gw": "10.22.0.5"}, {"dst": "::/0"}]

FOUR, SIX = "pool pods-10-22-0-0-24", "pool pods-fd00-22---64"


class Node:
    """The files of a node: its network list, and the directory of its addresses."""

    def __init__(self, home: pathlib.Path, **ipam: object) -> None:
        self.directory = home / "networks" / "pods"
        self.directory.mkdir(parents=True)
        for name, content in (("lock", ""), ("last_reserved_ip.0", "10.22.0.11")):
            (self.directory / name).write_text(content)
        self.configuration = home / "10-pods.conflist"
        chosen = {"ranges": RANGES, "routes": ROUTES} | ipam
        own = {"type": "host-local", "dataDir": str(home / "networks"), **chosen}
        plugins = [{"type": "bridge", "ipam": own}, {"type": "portmap"}]
        listed = {"cniVersion": "1.0.0", "name": "pods", "plugins": plugins}
        self.configuration.write_text(json.dumps(listed))

    def hold(self, address: str, *words: str) -> None:
        """Write the file of an address as host-local does."""
        (self.directory / address).write_bytes("\r\n".join(words).encode())


@pytest.fixture
def node(tmp_path: pathlib.Path) -> Node:
    """A node with a container of both families, and one of IPv4."""
    found = Node(tmp_path)
    found.hold("10.22.0.10", CART, "eth0")
    found.hold("fd00:22::2", CART, "eth0")
    found.hold("10.22.0.11", WEB, "net1")
    return found


def attachment(container: str, interface: str = "eth0") -> resources_pb2.Attachment:
    """An attachment of the network."""
    return resources_pb2.Attachment(network="pods", container_id=container, interface=interface)


def held(client: moorage.Client) -> dict[str, tuple[str, str, str]]:
    """Container, interface and node by address."""
    return {
        each.address: (
            each.attachment.container_id,
            each.attachment.interface,
            each.workload.node,
        )
        for each in client.allocations()
    }


HELD = {
    "10.22.0.10": (CART, "eth0", "worker-1"),
    "10.22.0.11": (WEB, "net1", "worker-1"),
    "fd00:22::2": (CART, "eth0", "worker-1"),
}


def run(moorctl: Moorctl, node: Node, *arguments: str) -> tuple[int, list[str], str]:
    """Import the node's files."""
    words = ("--node", "worker-1", str(node.configuration), *arguments)
    ended = moorctl("import", "host-local", *words)
    return ended.code, ended.out.splitlines(), ended.err


def test_a_preview_tells_everything_and_changes_nothing(
    moorctl: Moorctl, node: Node, server: serving.Serving
) -> None:
    before = digest.of(server.database)
    code, lines, _ = run(moorctl, node)
    assert (code, digest.of(server.database)) == (0, before)
    assert lines == [
        "pool/pods-10-22-0-0-24 to be created",
        "pool/pods-fd00-22---64 to be created",
        f"block 10.22.0.0/26 of {FOUR}, node worker-1: 2 to adopt, 0 held already",
        f"block fd00:22::/122 of {SIX}, node worker-1: 1 to adopt, 0 held already",
        "3 addresses to adopt, 0 held already, 0 blocks in no pool, 0 conflicts; nothing was"
        " changed, --apply does it",
    ]


def test_an_import_adopts_once(
    moorctl: Moorctl, node: Node, client: moorage.Client, server: serving.Serving
) -> None:
    code, lines, err = run(moorctl, node, "--apply")
    assert (code, held(client)) == (0, HELD), err
    assert lines[-1].startswith("3 addresses adopted, 0 held already")
    before = digest.of(server.database)
    code, lines, err = run(moorctl, node, "--apply")
    assert (code, lines[-1]) == (
        0,
        "0 addresses adopted, 3 held already, 0 blocks in no pool, 0 conflicts; nothing to change",
    ), err
    assert digest.of(server.database) == before


def test_pools_are_as_host_local_dealt_them_out(
    moorctl: Moorctl, node: Node, client: moorage.Client
) -> None:
    selector = 'zone == "a"'
    assert run(moorctl, node, "--apply", "--node-selector", selector)[0] == 0
    four, six = (client.get_pool(name) for name in ("pods-10-22-0-0-24", "pods-fd00-22---64"))
    assert list(four.excluded_ranges) == ["10.22.0.0-10.22.0.9", "10.22.0.100-10.22.0.255"]
    assert (four.gateway, six.gateway) == ("10.22.0.1", "fd00:22::fe")
    assert [(each.destination, each.gateway) for each in four.routes] == [
        ("0.0.0.0/0", ""),
        ("10.9.0.0/16", "10.22.0.5"),
    ]
    assert [each.destination for each in six.routes] == ["::/0"]
    assert (six.exclude_network_addresses, list(six.excluded_ranges)) == (True, [])
    for pool in (four, six):
        assert pool.result_form == resources_pb2.RESULT_FORM_POOL
        assert pool.block_affinity == resources_pb2.BLOCK_AFFINITY_NONE
        assert pool.node_selector == selector


def test_new_containers_are_given_what_is_free(
    moorctl: Moorctl, node: Node, client: moorage.Client
) -> None:
    run(moorctl, node, "--apply")
    assert calls.addresses_of(calls.assign(client, "new")) == ["10.22.0.12"]


def test_a_container_that_goes_gives_back_what_was_adopted_for_it(
    moorctl: Moorctl, node: Node, client: moorage.Client
) -> None:
    run(moorctl, node, "--apply")
    released = client.release(attachment(CART))
    assert sorted(each.address for each in released) == ["10.22.0.10", "fd00:22::2"]
    code, lines, _ = run(moorctl, node, "--apply")
    assert (code, list(held(client))) == (0, ["10.22.0.11"])
    assert "2 released since and left alone" in lines[-1]


def test_an_address_of_another_is_a_conflict(
    moorctl: Moorctl, node: Node, client: moorage.Client, server: serving.Serving
) -> None:
    calls.create_pool(client, "mine", "10.22.0.0/24")
    calls.assign(client, "other", calls.fixed("10.22.0.11"))
    before = digest.of(server.database)
    code, lines, err = run(moorctl, node, "--apply")
    assert (code, digest.of(server.database)) == (4, before)
    (line,) = (line for line in lines if "conflict:" in line)
    assert "10.22.0.11 is held by container other of network pods (eth0)" in line
    assert "moorctl: 1 conflict; nothing was changed" in err


def test_a_range_that_lies_in_a_pool_is_served_by_it(
    moorctl: Moorctl, node: Node, client: moorage.Client
) -> None:
    client.create_pool("all", resources_pb2.Pool(cidr="10.22.0.0/16", block_size=24))
    code, lines, err = run(moorctl, node, "--apply")
    assert (code, held(client)) == (0, HELD), err
    assert lines[0] == "pool/all unchanged"
    assert "block 10.22.0.0/24 of pool all, node worker-1: 2 adopted, 0 held already" in lines
    # What routes a block to its node goes on doing so.
    again = calls.addresses_of(calls.assign(client, "new", node="worker-1"))
    assert again == ["10.22.0.0"]


def test_what_the_ranges_leave_out_and_is_held_is_a_conflict(
    moorctl: Moorctl, node: Node, client: moorage.Client
) -> None:
    node.hold("10.22.0.200", WEB, "eth0")
    code, lines, _ = run(moorctl, node, "--apply")
    assert (code, list(client.pools())) == (4, [])
    (line,) = (line for line in lines if "conflict:" in line)
    assert line.endswith(
        "10.22.0.200 is excluded from pool pods-10-22-0-0-24, or its gateway; create the pool"
        " first, otherwise, or leave the address out"
    )


def test_an_old_file_names_no_interface(
    moorctl: Moorctl, node: Node, client: moorage.Client
) -> None:
    node.hold("10.22.0.12", "old")
    assert run(moorctl, node, "--apply", "--interface", "eth7")[0] == 0
    assert held(client)["10.22.0.12"] == ("old", "eth7", "worker-1")


def test_an_address_of_nobody_is_reserved(
    moorctl: Moorctl, node: Node, client: moorage.Client
) -> None:
    node.hold("10.22.0.12")
    for told in ("created", "unchanged"):
        code, lines, err = run(moorctl, node, "--apply")
        assert (code, lines[2]) == (0, f"reservation/host-local-10-22-0-12 {told}"), err
        assert "10.22.0.12: names no container; 10.22.0.12 is reserved" in err
    assert list(client.get_reservation("host-local-10-22-0-12").cidrs) == ["10.22.0.12/32"]
    assert calls.addresses_of(calls.assign(client, "new")) == ["10.22.0.13"]


def test_what_is_to_be_reserved_and_is_held_is_a_conflict(
    moorctl: Moorctl, node: Node, client: moorage.Client
) -> None:
    calls.create_pool(client, "mine", "10.22.0.0/24")
    calls.assign(client, "other", calls.fixed("10.22.0.12"))
    node.hold("10.22.0.12")
    code, lines, _ = run(moorctl, node, "--apply")
    assert (code, list(client.reservations())) == (4, [])
    assert (
        "reservation/host-local-10-22-0-12 conflict: 10.22.0.12 is held here by container other of"
        " network pods, pod shop/other, and taken in host-local; release it here, or leave it out"
        " of what host-local says"
    ) in lines


def test_what_lies_in_no_range_is_adopted_where_that_is_asked_for(
    moorctl: Moorctl, node: Node, client: moorage.Client
) -> None:
    node.hold("10.99.0.7", WEB, "eth0")
    code, lines, _ = run(moorctl, node)
    assert "block 10.99.0.7/32, node worker-1: in no pool, 1 held; --orphans adopts it" in lines
    code, lines, err = run(moorctl, node, "--apply", "--orphans")
    assert (code, "pool/host-local-orphan-10-99-0-7-32 created" in lines) == (0, True), err
    assert held(client)["10.99.0.7"] == (WEB, "eth0", "worker-1")
    pool = client.get_pool("host-local-orphan-10-99-0-7-32")
    assert pool.state == resources_pb2.POOL_STATE_DRAINING


def test_a_file_of_no_address_is_left_out(moorctl: Moorctl, node: Node) -> None:
    node.hold("notes.txt", CART, "eth0")
    code, _, err = run(moorctl, node)
    assert (code, "notes.txt: is no file of an address; left out" in err) == (0, True)


def test_an_old_configuration_has_one_subnet(
    moorctl: Moorctl, tmp_path: pathlib.Path, client: moorage.Client
) -> None:
    old = Node(tmp_path, ranges=None, subnet="10.23.0.0/24")
    plugin = json.loads(old.configuration.read_text())["plugins"][0]
    old.configuration.write_text(json.dumps(plugin | {"name": "pods"}))
    old.hold("10.23.0.2", CART, "eth0")
    code, _, err = run(moorctl, old, str(old.directory), "--apply")
    assert (code, list(held(client))) == (0, ["10.23.0.2"]), err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((CART, "eth0", "more"), "has 3 words; a container id and an interface are expected"),
        (("-x", "eth0"), "must be at most 128 letters, digits"),
        ((CART, "x" * 16), "must be the name of an interface"),
        (("ü",), "cannot be read: not text in ASCII"),
    ],
)
def test_a_malformed_file_never_reaches_the_server(
    words: tuple[str, ...], told: str, offline: Moorctl, node: Node
) -> None:
    node.hold("10.22.0.12", *words)
    code, _, err = run(offline, node, "-o", "json")
    (violation,) = json.loads(err)["violations"]
    assert (code, violation["field"]) == (2, str(node.directory / "10.22.0.12"))
    assert told in violation["description"]


@pytest.mark.parametrize(
    ("ipam", "field", "told"),
    [
        ({"ranges": []}, "ipam.ranges", "must have a range"),
        ({"ranges": [[{"subnet": "10.0.0.1/24"}]]}, "ipam.ranges[0][0].subnet", "must be a CIDR"),
        (
            {"ranges": [[{"subnet": "10.0.0.0/24", "rangeStart": "10.1.0.1"}]]},
            "ipam.ranges[0][0].rangeStart",
            "10.1.0.1 is not in 10.0.0.0/24",
        ),
        ({"routes": [{"dst": "x"}]}, "ipam.routes[0].dst", "must be a CIDR"),
        ({"type": "moorage"}, "ipam", 'must be there, and of type "host-local"'),
    ],
)
def test_a_malformed_configuration_never_reaches_the_server(
    ipam: dict[str, object], field: str, told: str, offline: Moorctl, tmp_path: pathlib.Path
) -> None:
    code, _, err = run(offline, Node(tmp_path, **ipam), "-o", "json")
    (violation,) = json.loads(err)["violations"]
    assert (code, violation["field"].endswith(f": {field}")) == (2, True)
    assert told in violation["description"]


@pytest.mark.parametrize(
    ("option", "value", "field"),
    [
        ("--node", "n" * 254, "workload.node"),
        ("--cluster", "u" * 254, "workload.cluster"),
        ("--interface", "..", "attachment.interface"),
    ],
)
def test_what_the_server_would_not_take_is_told_before_the_first_change(
    option: str, value: str, field: str, moorctl: Moorctl, node: Node, server: serving.Serving
) -> None:
    node.hold("10.22.0.12", "old")
    before = digest.of(server.database)
    code, _, err = run(moorctl, node, "--apply", option, value)
    assert (code, digest.of(server.database)) == (2, before)
    assert f"{field}: " in err


def test_a_directory_that_is_not_there_is_told(offline: Moorctl, node: Node) -> None:
    code, _, err = run(offline, node, "/nowhere/at/all")
    assert (code, "cannot read /nowhere/at/all: No such file or directory" in err) == (2, True)


def test_what_the_plugin_itself_wrote_is_taken_over(
    moorctl: Moorctl, tmp_path: pathlib.Path, client: moorage.Client
) -> None:
    try:
        program = peers.program(peers.HOST_LOCAL, build=False)
    except peers.UnavailableError as reason:
        pytest.skip(f"host-local cannot be had here: {reason}")
    node = Node(tmp_path / "node")
    plugin = json.loads(node.configuration.read_text())["plugins"][0]
    network = json.dumps(plugin | {"name": "pods", "cniVersion": "1.0.0"})
    given = {}
    for container in (CART, WEB):
        called = {"CNI_COMMAND": "ADD", "CNI_CONTAINERID": container, "CNI_IFNAME": "eth0"}
        environment = os.environ | called | {"CNI_NETNS": "/proc/1/ns/net", "CNI_PATH": "/"}
        ended = subprocess.run(
            [program], input=network, env=environment, capture_output=True, text=True, check=True
        )
        for each in json.loads(ended.stdout)["ips"]:
            given[each["address"].partition("/")[0]] = (container, "eth0", "worker-1")
    code, _, err = run(moorctl, node, "--apply")
    assert (code, held(client)) == (0, given), err
    assert len(given) == 4
    assert {each.address for each in client.release(attachment(CART))} == {
        address for address, (container, _, _) in given.items() if container == CART
    }
