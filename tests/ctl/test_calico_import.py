"""moorctl import calico: every address that Calico handed out is held here, by the same pod."""

import json
import pathlib

import pytest
import yaml

import moorage
from ctl import calico_dump
from ctl.program import Moorctl
from harness import calls, digest, serving
from moorage.ctl import kinds
from moorage.ctl.import_ import holders
from moorage.v1 import resources_pb2

ORPHAN = "192.168.7.8"
FOUR, SIX = "pool default-ipv4-ippool", "pool default-ipv6-ippool"


def held(client: moorage.Client) -> dict[str, tuple[str, str, str, str]]:
    """Who holds which address, in the terms of `calico_dump.HELD`."""
    found = {}
    for each in client.allocations():
        workload = each.workload
        found[each.address] = (
            each.attachment.network,
            each.attachment.container_id,
            resources_pb2.Use.Name(each.use).removeprefix("USE_"),
            f"{workload.node} {workload.namespace}/{workload.pod}",
        )
    return found


@pytest.fixture
def imported(moorctl: Moorctl) -> Moorctl:
    """The program, after it has imported the whole dump."""
    ended = moorctl("import", "calico", "-", "--apply", stdin=calico_dump.whole())
    assert ended.code == 0, ended.err
    return moorctl


def test_a_preview_tells_everything_and_changes_nothing(
    moorctl: Moorctl, server: serving.Serving
) -> None:
    before = digest.of(server.database)
    ended = moorctl("import", "calico", "-", stdin=calico_dump.whole())
    assert ended.code == 0, ended.err
    assert digest.of(server.database) == before
    assert ended.out.splitlines() == [
        "pool/default-ipv4-ippool to be created",
        "pool/default-ipv6-ippool to be created",
        "reservation/gateways to be created",
        "vrf/default is there",
        f"block 10.244.1.0/26 of {FOUR}, node worker-1: 4 to adopt, 0 held already",
        f"block 10.244.2.0/26 of {FOUR}, node worker-2: 4 to adopt, 0 held already",
        f"block 10.244.3.0/26 of {FOUR}: 3 to adopt, 0 held already",
        f"block 10.244.4.0/26 of {FOUR}: 1 to adopt, 0 held already",
        f"block 10.244.5.0/26 of {FOUR}, node worker-1: 0 to adopt, 0 held already",
        "block 192.168.7.0/26, node worker-1: in no pool, 1 held; --orphans adopts it",
        f"block fd00:10:244:1::/122 of {SIX}, node worker-1: 1 to adopt, 0 held already",
        "13 addresses to adopt, 0 held already, 1 block in no pool, 0 conflicts; nothing was"
        " changed, --apply does it",
    ]
    assert "block 10.244.6.0/26 is deleted in Calico, and left out" in ended.err


def test_every_address_is_held_by_its_pod(imported: Moorctl, client: moorage.Client) -> None:
    assert held(client) == calico_dump.HELD


@pytest.mark.parametrize("spelling", ["a file", "standard input"])
def test_a_dump_in_json_says_the_same(
    spelling: str, moorctl: Moorctl, client: moorage.Client, tmp_path: pathlib.Path
) -> None:
    text = json.dumps(yaml.safe_load(calico_dump.whole()))
    dump = tmp_path / "dump.json"
    dump.write_text(text)
    source = "-" if spelling == "standard input" else str(dump)
    ended = moorctl("import", "calico", source, "--apply", stdin=text)
    assert ended.code == 0, ended.err
    assert held(client) == calico_dump.HELD


def test_what_is_adopted_is_of_the_cluster_that_is_said(
    moorctl: Moorctl, client: moorage.Client
) -> None:
    dump = calico_dump.whole()
    ended = moorctl("import", "calico", "-", "--cluster", "e0a7", "--apply", stdin=dump)
    assert ended.code == 0, ended.err
    assert {each.workload.cluster for each in client.allocations()} == {"e0a7"}


def test_what_does_not_follow_from_the_attachment_is_in_labels(
    imported: Moorctl, client: moorage.Client
) -> None:
    labels = dict(client.get_allocation("10.244.1.1").labels)
    assert labels == {"calico.timestamp": "2026-01-05 10:11:12.131415 +0000 UTC"}
    labels = dict(client.get_allocation("10.244.2.0").labels)
    assert labels == {
        "calico.handle": "windows-reserved-ipam-handle",
        "calico.note": "windows host rsvd",
    }
    odd = client.get_allocation("10.244.3.10").labels["calico.handle"]
    assert odd == f"spaces and more {'x' * 150}"


def test_blocks_belong_to_their_nodes(imported: Moorctl, server: serving.Serving) -> None:
    rows = server.database.rows("SELECT host(cidr), node FROM blocks ORDER BY cidr")
    assert rows == [
        ("10.244.1.0", "worker-1"),
        ("10.244.2.0", "worker-2"),
        ("10.244.3.0", None),
        ("10.244.4.0", None),
        ("10.244.5.0", "worker-1"),
        ("fd00:10:244:1::", "worker-1"),
    ]


def test_a_pod_that_goes_gives_back_what_was_adopted_for_it(
    imported: Moorctl, client: moorage.Client
) -> None:
    attachment = resources_pb2.Attachment(
        network="k8s-pod-network", container_id=calico_dump.DUAL, interface="eth0"
    )
    released = client.release(attachment)
    assert [each.address for each in released] == ["10.244.1.2", "fd00:10:244:1::7"]
    attachment = resources_pb2.Attachment(
        network="corp.net", container_id=calico_dump.BORROWER, interface="eth0"
    )
    assert [each.address for each in client.release(attachment)] == ["10.244.1.3"]


def test_new_pods_are_given_what_is_free_of_their_nodes_block(
    imported: Moorctl, client: moorage.Client
) -> None:
    # 10.244.1.4 was cooling down in Calico; it is free here.
    assert calls.addresses_of(calls.assign(client, "new", node="worker-1")) == ["10.244.1.4"]


@pytest.mark.parametrize("arguments", [(), ("--apply",)])
def test_importing_again_changes_nothing(
    arguments: tuple[str, ...], imported: Moorctl, server: serving.Serving
) -> None:
    before = digest.of(server.database)
    ended = imported("import", "calico", "-", *arguments, stdin=calico_dump.whole())
    assert ended.code == 0, ended.err
    assert ended.out.splitlines()[-1] == (
        "0 addresses adopted, 13 held already, 1 block in no pool, 0 conflicts; nothing to change"
        if arguments
        else "0 addresses to adopt, 13 held already, 1 block in no pool, 0 conflicts; nothing to"
        " change"
    )
    assert digest.of(server.database) == before


@pytest.mark.parametrize("arguments", [(), ("--apply",)])
def test_what_was_released_since_the_import_stays_released(
    arguments: tuple[str, ...], imported: Moorctl, client: moorage.Client, server: serving.Serving
) -> None:
    attachment = resources_pb2.Attachment(
        network="k8s-pod-network", container_id=calico_dump.DUAL, interface="eth0"
    )
    client.release(attachment)
    before = digest.of(server.database)
    dump = calico_dump.whole()
    lines = imported("import", "calico", "-", *arguments, stdin=dump).out.splitlines()
    done = "adopted" if arguments else "to adopt"
    assert [line for line in lines if "released" in line] == [
        f"block 10.244.1.0/26 of {FOUR}, node worker-1: 0 {done}, 3 held already,"
        " 1 released since and left alone",
        f"block fd00:10:244:1::/122 of {SIX}, node worker-1: 0 {done}, 0 held already,"
        " 1 released since and left alone",
        f"0 addresses {done}, 11 held already, 2 released since and left alone,"
        " 1 block in no pool, 0 conflicts; nothing to change",
    ]
    document = json.loads(
        imported("import", "calico", "-", *arguments, "-o", "json", stdin=dump).out
    )
    assert (document["adoptedCount"], document["releasedCount"]) == (0, 2)
    assert [each["releasedCount"] for each in document["blocks"]].count(1) == 2
    assert digest.of(server.database) == before


POOL_AND_BLOCK = resources_pb2.Pool(cidr="10.244.0.0/16", block_size=26)


@pytest.mark.parametrize(("affinity", "node"), [("host:n2", "n2"), (None, "")])
def test_an_empty_block_follows_its_node_in_calico(
    affinity: str | None, node: str, moorctl: Moorctl, client: moorage.Client
) -> None:
    client.create_pool("mine", POOL_AND_BLOCK)
    calls.assign(client, "c1", calls.fixed("10.244.1.1"), node="n1")
    dump = calico_dump.listed(calico_dump.block("10.244.1.0/26", affinity, {}))
    if node:
        ended = moorctl("import", "calico", "-", "--apply", stdin=dump)
        assert (ended.code, "belongs to node n1, not to n2" in ended.out) == (4, True)
    calls.release(client, "c1")
    for arguments in ((), ("--apply",)):
        ended = moorctl("import", "calico", "-", *arguments, stdin=dump)
        assert ended.code == 0, ended.err
        assert ended.out.splitlines()[0].endswith(
            ", taken from node n1, for which it is empty here"
        )
    assert [(each.cidr, each.node) for each in client.blocks()] == [("10.244.1.0/26", node)]
    again = moorctl.must("import", "calico", "-", "--apply", stdin=dump)
    assert again.splitlines()[-1].endswith("nothing to change")


def test_an_attachment_gets_no_second_address(
    moorctl: Moorctl, client: moorage.Client, server: serving.Serving
) -> None:
    client.create_pool("mine", POOL_AND_BLOCK)
    client.create_pool("six", resources_pb2.Pool(cidr="fd00::/120"))
    attachment = resources_pb2.Attachment(
        network="k8s-pod-network", container_id=calico_dump.CART, interface="eth0"
    )
    client.assign(attachment, [calls.fixed("10.244.9.9"), calls.fixed("fd00::9")])
    pod = calico_dump.pod(calico_dump.CART, "n1", "cart-0")
    ours = calico_dump.block("10.244.1.0/26", "host:n1", {4: pod})
    # Of a pool that is still to be created as well.
    theirs = calico_dump.block("10.9.0.0/26", "host:n1", {5: pod})
    dump = calico_dump.listed(ippool("new"), ours, theirs)
    before = digest.of(server.database)
    for arguments in ((), ("--apply",)):
        ended = moorctl("import", "calico", "-", *arguments, stdin=dump)
        assert ended.code == 4
        conflicts = [line for line in ended.out.splitlines() if "conflict: " in line]
        assert [line.split()[1] for line in conflicts] == ["10.9.0.5", "10.244.1.4"]
        assert all("which holds 10.244.9.9 here, and not in Calico" in line for line in conflicts)
        assert digest.of(server.database) == before
    client.release(attachment)
    released = moorctl.must("import", "calico", "-", stdin=dump)
    assert "0 conflicts" in released


def test_what_was_released_here_is_no_second_address(
    imported: Moorctl, client: moorage.Client
) -> None:
    attachment = resources_pb2.Attachment(
        network="k8s-pod-network", container_id=calico_dump.CART, interface="eth0"
    )
    client.release(attachment)
    client.assign(attachment, [calls.want()])
    ended = imported("import", "calico", "-", "--apply", stdin=calico_dump.whole())
    assert ended.code == 0, ended.out
    assert "0 conflicts; nothing to change" in ended.out


def test_orphans_are_adopted_into_draining_pools(
    imported: Moorctl, client: moorage.Client, server: serving.Serving
) -> None:
    for adopted in (1, 0):
        ended = imported(
            "import", "calico", "-", "--orphans", "--apply", "-o", "json", stdin=calico_dump.whole()
        )
        assert ended.code == 0, ended.err
        document = json.loads(ended.out)
        assert (document["applied"], document["adoptedCount"]) == (True, adopted)
    pool = client.get_pool("calico-orphan-192-168-7-0-26")
    assert (pool.cidr, pool.state) == ("192.168.7.0/26", resources_pb2.POOL_STATE_DRAINING)
    assert client.get_allocation(ORPHAN).workload.pod == "stray-0"


def test_an_orphans_pool_that_was_left_in_service_is_drained(
    moorctl: Moorctl, client: moorage.Client
) -> None:
    pool = resources_pb2.Pool(cidr="192.168.7.0/26", block_size=26)
    client.create_pool("calico-orphan-192-168-7-0-26", pool)
    moorctl("import", "calico", "-", "--orphans", "--apply", stdin=calico_dump.whole())
    pool = client.get_pool("calico-orphan-192-168-7-0-26")
    assert pool.state == resources_pb2.POOL_STATE_DRAINING


def test_a_pool_of_the_same_range_and_block_size_is_used_as_it_is(
    moorctl: Moorctl, client: moorage.Client
) -> None:
    pool = resources_pb2.Pool(cidr="10.244.0.0/16", block_size=26, priority=7)
    client.create_pool("mine", pool)
    ended = moorctl("import", "calico", "-", "--apply", stdin=calico_dump.whole())
    assert (ended.code, ended.out.splitlines()[0]) == (0, "pool/mine unchanged"), ended.err
    assert client.get_pool("mine").priority == 7
    assert held(client) == calico_dump.HELD


def test_a_conflict_stops_everything(
    moorctl: Moorctl, client: moorage.Client, server: serving.Serving
) -> None:
    pool = resources_pb2.Pool(cidr="10.244.0.0/16", block_size=26, gateway="10.244.3.9")
    client.create_pool("mine", pool)
    calls.assign(client, "c0", calls.fixed("10.244.1.1"), node="worker-9")
    before = digest.of(server.database)
    for arguments in ((), ("--apply",)):
        ended = moorctl("import", "calico", "-", *arguments, stdin=calico_dump.whole())
        assert ended.code == 4
        assert "moorctl: 3 conflicts; nothing was changed" in ended.err
        assert ended.out.splitlines()[-1].endswith("nothing was changed because of the conflicts")
        found = [line for line in ended.out.splitlines() if "conflict:" in line]
        assert [line.partition("conflict: ")[2].partition(" ")[0] for line in found] == [
            "block",
            "10.244.1.1",
            "10.244.3.9",
        ]
        assert digest.of(server.database) == before


@pytest.mark.parametrize(
    ("cidr", "size", "name", "told"),
    [
        ("10.244.0.0/16", 28, "mine", "pool mine has the same range with block size 28, not 26"),
        ("10.0.0.0/8", 26, "mine", "10.244.0.0/16 overlaps 10.0.0.0/8 of pool mine"),
        (
            "10.9.0.0/24",
            26,
            "default-ipv4-ippool",
            "pool default-ipv4-ippool is there with another range, 10.9.0.0/24",
        ),
    ],
)
def test_a_pool_in_the_way_is_a_conflict(
    cidr: str, size: int, name: str, told: str, moorctl: Moorctl, client: moorage.Client
) -> None:
    client.create_pool(name, resources_pb2.Pool(cidr=cidr, block_size=size))
    dump = calico_dump.listed(*calico_dump.pools())
    ended = moorctl("import", "calico", "-", "-o", "json", stdin=dump)
    assert ended.code == 4
    assert ended.error()["reason"] == "IMPORT_CONFLICT"
    resource = json.loads(ended.out)["resources"][0]
    assert resource["conflict"].startswith(told)


def test_every_conflicting_address_of_a_block_is_listed(
    moorctl: Moorctl, client: moorage.Client
) -> None:
    client.create_pool("mine", resources_pb2.Pool(cidr="10.244.0.0/16", block_size=26))
    for at in range(60):
        calls.assign(client, f"c{at}", calls.fixed(f"10.244.1.{at}"), node="w")
    held = {at: calico_dump.pod(f"d{at}", "w", f"p{at}") for at in range(60)}
    dump = calico_dump.listed(calico_dump.block("10.244.1.0/26", "host:w", held))
    ended = moorctl("import", "calico", "-", stdin=dump)
    assert sum("  conflict: 10.244.1." in line for line in ended.out.splitlines()) == 50
    assert "  and 10 conflicts more; -o json lists them all" in ended.out
    document = json.loads(moorctl("import", "calico", "-", "-o", "json", stdin=dump).out)
    assert len(document["blocks"][0]["conflicts"]) == 60


def ippool(name: str, **spec: object) -> calico_dump.Object:
    """A pool of a range of its own."""
    return calico_dump.document("IPPool", name, {"cidr": "10.9.0.0/24", **spec})


def test_a_disabled_pool_may_be_smaller_than_its_block(
    moorctl: Moorctl, client: moorage.Client
) -> None:
    small = ippool("small", cidr="10.9.0.0/28", blockSize=26, disabled=True)
    ended = moorctl("import", "calico", "-", "--apply", stdin=calico_dump.listed(small))
    assert (ended.code, ended.out.splitlines()[0]) == (0, "pool/small created"), ended.err
    assert "pool/small: smaller than its blockSize 26; here it is one block of size 28" in ended.err
    pool = client.get_pool("small")
    assert (pool.block_size, pool.disabled) == (28, True)


UNFIT = [
    ({"cidr": "169.254.1.0/24"}, "spec.cidr: ", "overlaps 169.254.0.0/16, which is never assigned"),
    ({"blockSize": 19}, "spec.blockSize: ", "is 19; give 20 to 32 for IPV4"),
    ({"cidr": "10.9.0.0/28", "blockSize": 26}, "spec.blockSize: ", "smaller than one block"),
    (
        {"namespaceSelector": "all()", "allowedUses": ["Tunnel"]},
        "spec.namespaceSelector: ",
        "does not go with use TUNNEL",
    ),
    ({"nodeSelector": "zone ="}, "spec.nodeSelector: ", "expected an operator"),
    ({"nodeSelector": "global()"}, "spec.nodeSelector: ", "write all()"),
]


@pytest.mark.parametrize(("spec", "field", "told"), UNFIT)
def test_a_preview_tells_what_the_server_would_refuse(
    spec: dict[str, object], field: str, told: str, moorctl: Moorctl, client: moorage.Client
) -> None:
    dump = calico_dump.listed(ippool("fits", cidr="10.8.0.0/24"), ippool("unfit", **spec))
    ended = moorctl("import", "calico", "-", "--apply", stdin=dump)
    assert (ended.code, list(client.pools())) == (4, [])
    (line,) = (line for line in ended.out.splitlines() if line.startswith("pool/unfit conflict: "))
    assert line.removeprefix("pool/unfit conflict: ").startswith(field)
    assert told in line


def test_labels_that_do_not_fit_are_a_conflict(moorctl: Moorctl, client: moorage.Client) -> None:
    labelled = ippool("labelled")
    labelled["metadata"]["labels"] = {"a" * 64: "b"}
    ended = moorctl("import", "calico", "-", stdin=calico_dump.listed(labelled))
    assert (ended.code, "metadata.labels key: has 64 characters" in ended.out) == (4, True)


def test_a_reservation_of_too_many_ranges_is_a_conflict(moorctl: Moorctl) -> None:
    reserved = [f"10.9.{at // 256}.{at % 256}" for at in range(257)]
    many = calico_dump.document("IPReservation", "many", {"reservedCIDRs": reserved})
    ended = moorctl("import", "calico", "-", stdin=calico_dump.listed(many))
    assert ended.code == 4
    told = "reservation/many conflict: spec.reservedCIDRs: has 257 entries; at most 256 are allowed"
    assert ended.out.startswith(told)


def test_a_configuration_that_cannot_be_is_a_conflict(moorctl: Moorctl) -> None:
    wrong = calico_dump.document("IPAMConfiguration", "default", {"ipCooldownSeconds": 1201})
    ended = moorctl("import", "calico", "-", stdin=calico_dump.listed(wrong))
    assert ended.code == 4
    assert ended.out.startswith("vrf/default conflict: spec.ipCooldownSeconds: is 1201; give 0 to")


# What no check foresees: the COMMIT of this one pool fails.
FAILING = """
CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;
CREATE CONSTRAINT TRIGGER fails AFTER INSERT ON pools DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.name = 'deep') EXECUTE FUNCTION fail();
"""


def test_what_was_done_before_a_failure_is_told(
    moorctl: Moorctl, client: moorage.Client, server: serving.Serving
) -> None:
    server.database.execute(FAILING)
    dump = calico_dump.listed(*calico_dump.pools(), ippool("deep"), *calico_dump.blocks())
    ended = moorctl("import", "calico", "-", "--apply", stdin=dump)
    assert ended.code == 7
    assert ended.out.splitlines()[:2] == [
        "pool/default-ipv4-ippool created",
        "pool/default-ipv6-ippool created",
    ]
    assert ended.out.splitlines()[-1].endswith("the import stopped before its end")
    assert "cannot import pool/deep (standard input, document 1 (line 1), items[2])" in ended.err
    assert "the same command goes on from there" in ended.err
    assert held(client) == {}
    server.database.execute("DROP TRIGGER fails ON pools; DROP FUNCTION fail()")
    ended = moorctl("import", "calico", "-", "--apply", stdin=dump)
    assert (ended.code, held(client)) == (0, calico_dump.HELD), ended.err


TERMINATING: list[dict[str, calico_dump.Object]] = [
    {"metadata": {"deletionTimestamp": "2026-01-05T10:11:12Z"}},
    {
        "status": {
            "conditions": [{"type": "Allocatable", "status": "False", "reason": "Terminating"}]
        }
    },
]


@pytest.mark.parametrize("change", TERMINATING)
def test_a_pool_that_is_being_deleted_is_drained(
    change: dict[str, calico_dump.Object], moorctl: Moorctl, client: moorage.Client
) -> None:
    going = calico_dump.pools()[0]
    for key, entries in change.items():
        going.setdefault(key, {}).update(entries)
    block = calico_dump.block(
        "10.244.1.0/26", "host:w", {1: calico_dump.pod(calico_dump.CART, "w", "p")}
    )
    for told in ("created", "unchanged"):
        dump = calico_dump.listed(going, block)
        ended = moorctl("import", "calico", "-", "--apply", stdin=dump)
        assert ended.out.splitlines()[0] == f"pool/default-ipv4-ippool {told}", ended.err
        assert "pool/default-ipv4-ippool: is being deleted in Calico" in ended.err
        pool = client.get_pool("default-ipv4-ippool")
        assert pool.state == resources_pb2.POOL_STATE_DRAINING
    assert client.get_allocation("10.244.1.1").workload.pod == "p"
    client.activate_pool("default-ipv4-ippool")
    moorctl("import", "calico", "-", "--apply", stdin=dump)
    pool = client.get_pool("default-ipv4-ippool")
    assert pool.state == resources_pb2.POOL_STATE_DRAINING


@pytest.mark.parametrize("spec", [None, {}, {"reservedCIDRs": []}])
def test_a_reservation_of_nothing_is_left_out(
    spec: calico_dump.Object, moorctl: Moorctl, client: moorage.Client
) -> None:
    empty = calico_dump.document("IPReservation", "empty", spec)
    dump = calico_dump.listed(empty, *calico_dump.others())
    ended = moorctl("import", "calico", "-", "--apply", stdin=dump)
    assert ended.code == 0, ended.err
    assert "items[0]: IPReservation without reservedCIDRs; left out" in ended.err
    assert [kinds.label_of(each) for each in client.reservations()] == ["reservation/gateways"]


def test_a_pool_in_both_api_groups_is_taken_once(moorctl: Moorctl, client: moorage.Client) -> None:
    kept = {"projectcalico.org/metadata": json.dumps({"labels": {"tier": "front"}})}
    stored, shown = ippool("web"), ippool("web", blockSize=26, nodeSelector="all()")
    stored["metadata"]["annotations"] = kept
    shown["metadata"]["labels"] = {"tier": "front"}
    shown["apiVersion"] = "projectcalico.org/v3"
    ended = moorctl("import", "calico", "-", "--apply", stdin=calico_dump.listed(stored, shown))
    assert (ended.code, ended.out.splitlines()[0]) == (0, "pool/web created"), ended.err
    assert dict(client.get_pool("web").labels) == {"tier": "front"}


def test_two_pools_of_one_name_that_are_not_the_same_are_a_conflict(moorctl: Moorctl) -> None:
    dump = calico_dump.listed(ippool("web"), ippool("web", disabled=True))
    ended = moorctl("import", "calico", "-", stdin=dump)
    assert ended.code == 4
    assert ended.out.startswith(
        "pool/web conflict: standard input, document 1 (line 1), items[1] does not say the same as"
        " standard input, document 1 (line 1), items[0]: disabled; leave one of them"
    )
    assert "moorctl: 1 conflict; nothing was changed" in ended.err
    assert ended.out.endswith("1 conflict; nothing was changed because of that conflict\n")


def test_lists_in_json_follow_one_another(moorctl: Moorctl, client: moorage.Client) -> None:
    def listed(kind: str, *items: calico_dump.Object) -> str:
        own = [{key: each[key] for key in ("metadata", "spec")} for each in items]
        return json.dumps({"apiVersion": calico_dump.CRD, "kind": f"{kind}List", "items": own})

    text = (
        listed("IPPool", *calico_dump.pools()) + "\n" + listed("IPAMBlock", *calico_dump.blocks())
    )
    ended = moorctl("import", "calico", "-", "--apply", stdin=text)
    assert ended.code == 0, ended.err
    assert held(client) == calico_dump.HELD


def test_a_handle_ends_at_the_first_carriage_return(moorctl: Moorctl) -> None:
    name = f"k8s-pod-network.{calico_dump.CART}"
    pod = calico_dump.pod(calico_dump.CART, "w", "p") | {"handle_id": f"{name}\r\n"}
    dump = calico_dump.listed(
        *calico_dump.pools(),
        calico_dump.block("10.244.1.0/26", "host:w", {1: pod}),
        calico_dump.handle(f"{name}\r\nmore", {"10.244.1.0/26": 1}),
    )
    document = json.loads(moorctl.must("import", "calico", "-", "-o", "json", stdin=dump))
    assert not [note for note in document["notes"] if "handle" in note]


@pytest.mark.parametrize(
    "network",
    ["calico-tunnels", "calico-unknown", "calico-windows", "calico-load-balancers", "calico-vms"],
)
def test_networks_of_no_sandbox_are_known(network: str) -> None:
    assert holders.is_adopted_without_sandbox(network)


@pytest.mark.parametrize("network", ["k8s-pod-network", "calico-legacy", "corp.net"])
def test_networks_of_pods_are_none_of_them(network: str) -> None:
    assert not holders.is_adopted_without_sandbox(network)


def test_what_handles_and_affinities_say_otherwise_is_noted(moorctl: Moorctl) -> None:
    name = f"k8s-pod-network.{calico_dump.CART}"
    dump = calico_dump.listed(
        *calico_dump.pools(),
        calico_dump.block(
            "10.244.1.0/26", "host:worker-1", {1: calico_dump.pod(calico_dump.CART, "w", "p")}
        ),
        calico_dump.affinity("worker-2", "10.244.1.0/26"),
        calico_dump.handle(name, {"10.244.1.0/26": 1}),
        calico_dump.handle("k8s-pod-network.lost", {"10.244.1.0/26": 2}),
        calico_dump.document("ClusterInformation", "default", {}),
    )
    document = json.loads(moorctl.must("import", "calico", "-", "-o", "json", stdin=dump))
    assert [note for note in document["notes"] if "10.244.1.0/26" in note] == [
        "node worker-2 claims block 10.244.1.0/26, which is not its own in Calico; left alone",
        "handle k8s-pod-network.lost counts 2 addresses of block 10.244.1.0/26, and the block 0;"
        " the block is believed",
    ]
    assert any("ClusterInformation is not of the IPAM" in note for note in document["notes"])


MALFORMED = {
    "too few allocations": ({"allocations": [None]}, "spec.allocations", "a list of 64 entries"),
    "an index of nothing": (
        {"allocations": [3] + [None] * 63},
        "spec.allocations[0]",
        "must be null or an index of the 0 attributes",
    ),
    "attributes that are none": ({"attributes": "x"}, "spec.attributes", "must be a list"),
    "a node of many words": ({"affinity": ["host:a"]}, "spec.affinity", "text, not a list"),
    "a handle that is none": (
        {"allocations": [0] + [None] * 63, "attributes": [{1: 2, "handle_id": {}}]},
        "spec.attributes[0].handle_id",
        "must be text, not a mapping",
    ),
    "half a character": (
        {"allocations": [0] + [None] * 63, "attributes": [{"secondary": {"node": "\ud800"}}]},
        "spec.attributes[0].secondary",
        "must be text, not ",
    ),
    "no CIDR": ({"cidr": "10.244.1.1/26"}, "spec.cidr", "must be a CIDR"),
}


@pytest.mark.parametrize("malformed", MALFORMED)
def test_a_malformed_dump_never_reaches_the_server(malformed: str, offline: Moorctl) -> None:
    change, place, text = MALFORMED[malformed]
    broken = calico_dump.block("10.244.1.0/26", "host:worker-1", {})
    broken["spec"] |= change
    ended = offline("import", "calico", "-", "-o", "json", stdin=calico_dump.listed(broken))
    assert ended.code == 2
    violations = ended.error()["violations"]
    assert isinstance(violations, list)
    assert len(violations) == 1
    assert violations[0]["field"].endswith(place)
    assert text in violations[0]["description"]


def test_a_large_block_is_imported_in_several_calls(
    moorctl: Moorctl, client: moorage.Client
) -> None:
    held = {at: calico_dump.pod(f"c{at}", "w", f"p{at}") for at in range(300)}
    spec = {"blockSize": 23, "cidr": "10.244.0.0/16"}
    dump = calico_dump.listed(
        calico_dump.document("IPPool", "large", spec),
        calico_dump.block("10.244.0.0/23", "host:w", held, size=512),
    )
    moorctl.must("import", "calico", "-", "--apply", stdin=dump)
    assert sum(1 for _ in client.allocations()) == 300
