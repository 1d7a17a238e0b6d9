"""get and delete: what is there, in every format, and how it goes."""

import json

import pytest
import yaml

import moorage
from ctl import program
from moorage.v1 import allocation_service_pb2, resources_pb2


@pytest.fixture
def shop(client: moorage.Client) -> moorage.Client:
    """Two pools, a reservation, a node, and three allocations: two of web, one of db."""
    client.create_pool("web", resources_pb2.Pool(cidr="10.0.0.0/28", labels={"tier": "front"}))
    client.create_pool("db", resources_pb2.Pool(cidr="10.0.1.0/28", labels={"tier": "back"}))
    client.create_reservation("printers", resources_pb2.Reservation(cidrs=["10.0.0.8/30"]))
    client.upsert_node(resources_pb2.Node(name="vrfs/default/nodes/n1", labels={"zone": "east"}))
    for number, (pool, namespace) in enumerate(
        [("web", "shop"), ("web", "blog"), ("db", "shop")], start=1
    ):
        client.assign(
            resources_pb2.Attachment(network="net", container_id=f"c{number}", interface="eth0"),
            [
                allocation_service_pb2.AddressRequest(
                    family=resources_pb2.IP_FAMILY_IPV4, pools=[pool]
                )
            ],
            workload=resources_pb2.Workload(
                node=f"n{number}",
                namespace=namespace,
                pod=f"pod-{number}",
                cluster=f"uid-{number}",
            ),
            owner_key=f"owner-{number}",
            labels={"number": str(number)},
        )
    return client


def table(text: str) -> list[list[str]]:
    """The cells of a table without blanks inside its cells."""
    return [line.split() for line in text.splitlines()]


def test_a_table_has_a_line_for_each_resource(
    moorctl: program.Moorctl, shop: moorage.Client
) -> None:
    assert table(moorctl.must("get", "pools")) == [
        ["NAME", "CIDR", "BLOCKS", "MODE", "STATE", "NODES", "NAMESPACES"],
        ["db", "10.0.1.0/28", "/28", "AUTOMATIC", "ENABLED", "all()", "-"],
        ["web", "10.0.0.0/28", "/28", "AUTOMATIC", "ENABLED", "all()", "-"],
    ]
    assert table(moorctl.must("get", "reservations")) == [
        ["NAME", "CIDRS", "DESCRIPTION"],
        ["printers", "10.0.0.8/30", "-"],
    ]
    assert table(moorctl.must("get", "nodes")) == [["NAME", "LABELS"], ["n1", "zone=east"]]
    assert table(moorctl.must("get", "vrfs"))[1][0] == "default"


@pytest.mark.parametrize("kind", ["vrfs", "nodes", "pools", "reservations", "allocations"])
def test_a_wide_table_only_adds_columns(
    moorctl: program.Moorctl, shop: moorage.Client, kind: str
) -> None:
    narrow = moorctl.must("get", kind).splitlines()[0].split()
    wide = moorctl.must("get", kind, "-o", "wide").splitlines()[0].split()
    assert wide[: len(narrow)] == narrow
    assert len(wide) > len(narrow)


def test_a_table_of_allocations_says_who_holds_what(
    moorctl: program.Moorctl, shop: moorage.Client
) -> None:
    lines = table(moorctl.must("get", "allocations"))
    assert lines[0] == ["ADDRESS", "POOL", "NODE", "NAMESPACE", "POD", "OWNER", "ASSIGNED"]
    assert [line[1:6] for line in lines[1:]] == [
        ["web", "n1", "shop", "pod-1", "owner-1"],
        ["web", "n2", "blog", "pod-2", "owner-2"],
        ["db", "n3", "shop", "pod-3", "owner-3"],
    ]
    assert all(line[0].startswith("10.0.") and line[0].endswith("/32") for line in lines[1:])


FILTERS = [
    ([], ["c1", "c2", "c3"]),
    (["--pool", "web"], ["c1", "c2"]),
    (["--pool", "web", "--pool", "db"], ["c1", "c2", "c3"]),
    (["--namespace", "shop"], ["c1", "c3"]),
    (["--namespace", "shop", "--pool", "web"], ["c1"]),
    (["--node", "n2"], ["c2"]),
    (["--pod", "pod-3"], ["c3"]),
    (["--cluster", "uid-2"], ["c2"]),
    (["--cidr", "10.0.1.0/24"], ["c3"]),
    (["--owner", "owner-2"], ["c2"]),
    (["--container-id", "c3"], ["c3"]),
    (["-l", "number=2"], ["c2"]),
    (["-l", "number=2", "--namespace", "shop"], []),
]


def test_filters_narrow_down_allocations(moorctl: program.Moorctl, shop: moorage.Client) -> None:
    for filters, containers in FILTERS:
        document = json.loads(moorctl.must("get", "allocations", "-o", "json", *filters))
        held = [held["attachment"]["containerId"] for held in document["allocations"]]
        assert held == containers, filters


def test_labels_narrow_down_any_kind(moorctl: program.Moorctl, shop: moorage.Client) -> None:
    assert moorctl.must("get", "pools", "-l", "tier=back", "-o", "name") == "pool/db\n"
    assert moorctl.must("get", "nodes", "-l", "zone=east", "-o", "name") == "node/n1\n"


def test_allocations_in_json_and_yaml_are_the_protobuf_mapping(
    moorctl: program.Moorctl, shop: moorage.Client
) -> None:
    as_json = json.loads(moorctl.must("get", "allocations", "-o", "json"))
    as_yaml = yaml.safe_load(moorctl.must("get", "allocations", "-o", "yaml"))
    assert as_json == as_yaml
    held = as_json["allocations"][0]
    assert held["name"] == f"vrfs/default/allocations/{held['address']}"
    assert held["use"] == "USE_WORKLOAD"
    assert int(held["generation"]) >= 1


@pytest.mark.parametrize("output", ["json", "yaml"])
def test_an_empty_listing_is_an_empty_document(moorctl: program.Moorctl, output: str) -> None:
    assert yaml.safe_load(moorctl.must("get", "allocations", "-o", output)) == {"allocations": []}


def test_an_empty_table_is_said_to_be_empty_on_standard_error(moorctl: program.Moorctl) -> None:
    ended = moorctl("get", "pools")
    assert (ended.code, ended.out, ended.err) == (0, "", "there are no pools to show\n")


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("vrf", "default"),
        ("node", "n1"),
        ("pool", "web"),
        ("reservations", "printers"),
        ("pools", "vrfs/default/pools/web"),
    ],
)
def test_one_resource_is_shown_as_one_manifest(
    moorctl: program.Moorctl, shop: moorage.Client, kind: str, name: str
) -> None:
    as_json = json.loads(moorctl.must("get", kind, name, "-o", "json"))
    as_yaml = yaml.safe_load(moorctl.must("get", kind, name, "-o", "yaml"))
    assert as_json == as_yaml
    assert as_json["apiVersion"] == "moorage.dev/v1"
    assert as_json["metadata"]["name"] == name.rpartition("/")[2]
    assert "etag" in as_json["status"]
    singular = as_json["kind"].lower()
    assert moorctl.must("get", kind, name, "-o", "name") == (
        f"{singular}/{as_json['metadata']['name']}\n"
    )


def test_one_allocation_is_found_by_its_address(
    moorctl: program.Moorctl, shop: moorage.Client
) -> None:
    address = next(shop.allocations()).address
    document = json.loads(moorctl.must("get", "allocation", address, "-o", "json"))
    assert document["address"] == address


@pytest.mark.parametrize("kind", ["vrf", "node", "pool", "reservation"])
def test_what_is_not_there_is_not_found(moorctl: program.Moorctl, kind: str) -> None:
    ended = moorctl("get", kind, "none")
    assert (ended.code, ended.out) == (3, "")
    assert ended.err.startswith(f"moorctl: cannot get {kind}/none: ")
    assert f"{kind.upper()}_NOT_FOUND" in ended.err


def test_a_vrf_that_is_not_there_is_not_found(moorctl: program.Moorctl) -> None:
    ended = moorctl("get", "pools", "--vrf", "none", "-o", "json")
    assert (ended.code, ended.out) == (3, "")
    assert (ended.error()["reason"], ended.error()["metadata"]) == (
        "VRF_NOT_FOUND",
        {"vrf": "none"},
    )


def test_more_than_a_page_is_shown_in_full(
    moorctl: program.Moorctl, client: moorage.Client
) -> None:
    wanted = [f"node/n{number:03}" for number in range(150)]
    for name in wanted:
        client.upsert_node(resources_pb2.Node(name=f"vrfs/default/nodes/{name[5:]}"))
    assert moorctl.must("get", "nodes", "-o", "name").split() == wanted


def test_deleting_by_name_says_what_was_deleted(
    moorctl: program.Moorctl, client: moorage.Client
) -> None:
    for number in (1, 2):
        client.create_pool(f"p{number}", resources_pb2.Pool(cidr=f"10.0.{number}.0/24"))
    assert moorctl.must("delete", "pools", "p1", "p2") == "pool/p1 deleted\npool/p2 deleted\n"
    assert list(client.pools()) == []


def test_deleting_by_manifest_goes_from_the_inside_out(moorctl: program.Moorctl) -> None:
    text = "".join(
        f"---\napiVersion: moorage.dev/v1\nkind: {kind}\nmetadata: {metadata}\nspec: {spec}\n"
        for kind, metadata, spec in (
            ("Vrf", "{name: blue}", "{}"),
            ("Node", "{name: n1, vrf: blue}", "{}"),
            ("Pool", "{name: web, vrf: blue}", "{cidr: 10.0.0.0/24}"),
        )
    )
    moorctl.must("apply", "-f", "-", stdin=text)
    assert moorctl.must("delete", "-f", "-", stdin=text).splitlines() == [
        "pool/web deleted",
        "node/n1 deleted",
        "vrf/blue deleted",
    ]


def test_deleting_what_is_not_there_can_be_passed_over(moorctl: program.Moorctl) -> None:
    ended = moorctl("delete", "pool", "none")
    assert (ended.code, ended.out) == (3, "")
    assert ended.err.startswith("moorctl: cannot delete pool/none: ")
    ignored = moorctl.must("delete", "pool", "none", "--ignore-not-found", "-o", "json")
    assert json.loads(ignored) == {
        "kind": "Pool",
        "name": "vrfs/default/pools/none",
        "result": "not found",
    }


def test_a_pool_in_use_stays(moorctl: program.Moorctl, shop: moorage.Client) -> None:
    ended = moorctl("delete", "pool", "web")
    assert (ended.code, ended.out) == (4, "")
    assert "POOL_IN_USE" in ended.err
    assert shop.get_pool("web").cidr == "10.0.0.0/28"
