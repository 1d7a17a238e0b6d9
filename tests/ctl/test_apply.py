"""apply and diff: what manifests make of a server's resources."""

import json
import pathlib

import pytest

import moorage
from ctl import program
from moorage.v1 import resources_pb2

POOL = """
apiVersion: moorage.dev/v1
kind: Pool
metadata: {name: web, labels: {tier: front}}
spec: {cidr: 10.0.0.0/24, nodeSelector: zone=="east", assignmentMode: manual}
"""
EVERYTHING = """
apiVersion: moorage.dev/v1
kind: Reservation
metadata: {name: printers, vrf: blue}
spec: {cidrs: [10.0.0.16/28, 10.0.0.9], description: second floor}
---
apiVersion: moorage.dev/v1
kind: Pool
metadata: {name: web, vrf: blue}
spec: {cidr: 10.0.0.0/24}
---
apiVersion: moorage.dev/v1
kind: Node
metadata: {name: n1, vrf: blue, labels: {zone: east}}
---
apiVersion: moorage.dev/v1
kind: Vrf
metadata: {name: blue, labels: {tenant: shop}}
spec: {description: of the shop}
"""


def test_a_resource_is_created_then_unchanged_then_configured(moorctl: program.Moorctl) -> None:
    assert moorctl.must("apply", "-f", "-", stdin=POOL) == "pool/web created\n"
    assert moorctl.must("apply", "-f", "-", stdin=POOL) == "pool/web unchanged\n"
    changed = POOL.replace("tier: front", "tier: back")
    assert moorctl.must("apply", "-f", "-", stdin=changed) == "pool/web configured\n"
    assert moorctl.must("apply", "-f", "-", stdin=changed) == "pool/web unchanged\n"


def test_an_unchanged_resource_is_not_touched(
    moorctl: program.Moorctl, client: moorage.Client
) -> None:
    moorctl.must("apply", "-f", "-", stdin=POOL)
    before = client.get_pool("web")
    assert moorctl.must("apply", "-f", "-", stdin=POOL) == "pool/web unchanged\n"
    assert client.get_pool("web") == before


def test_what_lies_in_something_is_applied_after_it(moorctl: program.Moorctl) -> None:
    assert moorctl.must("apply", "-f", "-", stdin=EVERYTHING).splitlines() == [
        "vrf/blue created",
        "node/n1 created",
        "pool/web created",
        "reservation/printers created",
    ]
    again = moorctl.must("apply", "-f", "-", stdin=EVERYTHING)
    assert {line.split()[1] for line in again.splitlines()} == {"unchanged"}


def test_a_resource_is_stored_as_its_manifest_says(
    moorctl: program.Moorctl, client: moorage.Client
) -> None:
    moorctl.must("apply", "-f", "-", stdin=POOL)
    pool = client.get_pool("web")
    assert (pool.cidr, pool.node_selector, dict(pool.labels)) == (
        "10.0.0.0/24",
        'zone == "east"',
        {"tier": "front"},
    )
    assert pool.assignment_mode == resources_pb2.ASSIGNMENT_MODE_MANUAL


def test_a_field_that_is_left_out_goes_back_to_its_default(
    moorctl: program.Moorctl, client: moorage.Client
) -> None:
    manifest = POOL.replace("assignmentMode: manual", "disabled: true, priority: 5")
    moorctl.must("apply", "-f", "-", stdin=manifest)
    bare = (
        "apiVersion: moorage.dev/v1\nkind: Pool\nmetadata: {name: web}\nspec: {cidr: 10.0.0.0/24}"
    )
    assert moorctl.must("apply", "-f", "-", stdin=bare) == "pool/web configured\n"
    pool = client.get_pool("web")
    assert (pool.disabled, pool.priority, pool.node_selector) == (False, 0, "all()")
    assert not pool.labels
    assert moorctl.must("apply", "-f", "-", stdin=bare) == "pool/web unchanged\n"


@pytest.mark.parametrize("output", ["yaml", "json"])
def test_what_get_shows_can_be_applied_as_it_is(moorctl: program.Moorctl, output: str) -> None:
    moorctl.must("apply", "-f", "-", stdin=EVERYTHING)
    shown = {
        kind: moorctl.must("get", kind, "--vrf", "blue", "-o", output)
        for kind in ("vrfs", "nodes", "pools", "reservations")
    }
    for kind, text in shown.items():
        applied = moorctl.must("apply", "-f", "-", stdin=text)
        assert {line.split()[1] for line in applied.splitlines()} == {"unchanged"}
        assert moorctl.must("get", kind, "--vrf", "blue", "-o", output) == text


@pytest.mark.parametrize("output", ["yaml", "json"])
def test_what_was_shown_brings_back_what_was_deleted(moorctl: program.Moorctl, output: str) -> None:
    moorctl.must("apply", "-f", "-", stdin=POOL)
    shown = moorctl.must("get", "pool", "web", "-o", output)
    moorctl.must("delete", "pool", "web")
    assert moorctl.must("apply", "-f", "-", stdin=shown) == "pool/web created\n"


def test_nothing_is_written_when_one_manifest_of_many_is_wrong(
    moorctl: program.Moorctl, client: moorage.Client
) -> None:
    ended = moorctl("apply", "-f", "-", stdin=f"{POOL}---\n{POOL.replace('cidr', 'cdir')}")
    assert (ended.code, ended.out) == (2, "")
    assert list(client.pools()) == []


def test_files_and_directories_are_read_in_order(
    moorctl: program.Moorctl, tmp_path: pathlib.Path
) -> None:
    for number, suffix in ((2, "yaml"), (1, "yml"), (3, "json"), (4, "txt")):
        pool = {
            "apiVersion": "moorage.dev/v1",
            "kind": "Pool",
            "metadata": {"name": f"p{number}"},
            "spec": {"cidr": f"10.0.{number}.0/24"},
        }
        (tmp_path / f"{number}.{suffix}").write_text(json.dumps(pool))
    single = tmp_path / "4.txt"
    assert moorctl.must("apply", "-f", str(tmp_path), "-f", str(single)).splitlines() == [
        f"pool/p{number} created" for number in (1, 2, 3, 4)
    ]


def test_a_manifest_without_a_vrf_means_the_one_of_the_command(
    moorctl: program.Moorctl, client: moorage.Client
) -> None:
    client.create_vrf("blue")
    moorctl.must("apply", "-f", "-", "--vrf", "blue", stdin=POOL)
    assert [pool.name for pool in client.pools(vrf="blue")] == ["vrfs/blue/pools/web"]
    assert list(client.pools()) == []


def test_json_says_what_became_of_each_resource_on_a_line(moorctl: program.Moorctl) -> None:
    out = moorctl.must("apply", "-o", "json", "-f", "-", stdin=EVERYTHING)
    assert [json.loads(line) for line in out.splitlines()] == [
        {"kind": "Vrf", "name": "vrfs/blue", "result": "created"},
        {"kind": "Node", "name": "vrfs/blue/nodes/n1", "result": "created"},
        {"kind": "Pool", "name": "vrfs/blue/pools/web", "result": "created"},
        {"kind": "Reservation", "name": "vrfs/blue/reservations/printers", "result": "created"},
    ]


def test_a_field_that_never_changes_is_refused_by_the_server(moorctl: program.Moorctl) -> None:
    moorctl.must("apply", "-f", "-", stdin=POOL)
    ended = moorctl("apply", "-f", "-", stdin=POOL.replace("10.0.0.0/24", "10.0.1.0/24"))
    assert (ended.code, ended.out) == (4, "")
    assert "cannot apply pool/web (standard input, document 1 (line 2))" in ended.err
    assert "FIELD_IMMUTABLE" in ended.err


OTHER = POOL.replace("name: web", "name: zoo").replace("10.0.0.0/24", "10.0.1.0/24")
WITH_THE_SERVER: dict[str, tuple[str, int, str]] = {
    "a block size that cannot be": (
        OTHER.replace("cidr:", "blockSize: 33, cidr:"),
        2,
        "spec.blockSize: is 33; give 20 to 32",
    ),
    "a selector that is none": (OTHER.replace('zone=="east"', "zone=="), 2, "spec.nodeSelector: "),
    "a range of an earlier document": (
        POOL.replace("name: web", "name: web-2").replace("0.0/24", "0.64/26"),
        4,
        "spec.cidr: 10.0.0.64/26 overlaps 10.0.0.0/24 of pool/web (standard input, document 1",
    ),
    "a range of a pool that is there": (
        OTHER.replace("10.0.1.0/24", "10.5.0.0/16"),
        4,
        "POOL_OVERLAPS",
    ),
    "an owner of too much": (
        "{apiVersion: moorage.dev/v1, kind: Reservation, metadata: {name: r},"
        " spec: {cidrs: [10.0.0.0/8], ownerKey: o}}",
        2,
        "spec.cidrs: 10.0.0.0/8 has more than",
    ),
    "a range that never changes": (
        OTHER.replace("name: zoo", "name: there"),
        4,
        "spec.cidr: cidr of vrfs/default/pools/there cannot be changed",
    ),
    "a VRF that is not there": (OTHER.replace("zoo", "zoo, vrf: nowhere"), 3, "VRF_NOT_FOUND"),
    "labels that are too long": (
        OTHER.replace("tier: front", f"{'k' * 64}: front"),
        2,
        "metadata.labels key: has 64",
    ),
    "a configuration that cannot be": (
        "{apiVersion: moorage.dev/v1, kind: Vrf, metadata: {name: default},"
        " spec: {configuration: {maxBlocksPerNode: 3}}}",
        2,
        "spec.configuration.maxBlocksPerNode: is 3",
    ),
}


@pytest.mark.parametrize(
    ("manifest", "code", "told"), WITH_THE_SERVER.values(), ids=list(WITH_THE_SERVER)
)
def test_nothing_is_written_when_the_server_would_refuse_one_of_many(
    moorctl: program.Moorctl, client: moorage.Client, manifest: str, code: int, told: str
) -> None:
    client.create_pool("there", resources_pb2.Pool(cidr="10.5.0.0/24"))
    ended = moorctl("apply", "-f", "-", stdin=f"{POOL}---\n{manifest}")
    assert (ended.code, ended.out) == (code, ""), ended.err
    assert told in ended.err
    assert "nothing was changed" in ended.err
    assert [pool.name for pool in client.pools()] == ["vrfs/default/pools/there"]
    differs = moorctl("diff", "-f", "-", stdin=f"{POOL}---\n{manifest}")
    assert differs.code == 1
    assert "pool/web created" in differs.out.splitlines()
    assert sum(" refused by apply: " in line for line in differs.out.splitlines()) == 1


def test_all_that_the_server_would_refuse_is_told(moorctl: program.Moorctl) -> None:
    manifests = [
        POOL.replace("cidr:", f"blockSize: {size}, cidr:").replace("web", f"p{size}")
        for size in (33, 19)
    ]
    ended = moorctl("apply", "-f", "-", stdin="---".join(manifests))
    assert (ended.code, ended.out) == (2, "")
    assert "is 33; give 20 to 32" in ended.err
    assert "pool/p19 (standard input, document 2" in ended.err
    assert "spec.blockSize: is 19; give 20 to 32" in ended.err


def test_what_is_for_a_vrf_of_the_same_input_is_checked_too(
    moorctl: program.Moorctl, client: moorage.Client
) -> None:
    bad = EVERYTHING.replace("cidr: 10.0.0.0/24", "cidr: 10.0.0.0/24, blockSize: 33")
    ended = moorctl("apply", "-f", "-", stdin=bad)
    assert (ended.code, ended.out) == (2, "")
    assert "spec.blockSize: is 33" in ended.err
    assert [each.name for each in client.vrfs()] == ["vrfs/default"]


def test_a_selector_that_the_server_refuses_is_shown_with_its_field(
    moorctl: program.Moorctl,
) -> None:
    ended = moorctl("apply", "-f", "-", stdin=POOL.replace('zone=="east"', "zone=="))
    assert (ended.code, ended.out) == (2, "")
    assert "spec.nodeSelector: " in ended.err


def test_diff_says_what_apply_would_do_and_does_nothing(
    moorctl: program.Moorctl, client: moorage.Client
) -> None:
    ended = moorctl("diff", "-f", "-", stdin=POOL)
    assert (ended.code, ended.out, ended.err) == (1, "pool/web created\n", "")
    assert list(client.pools()) == []
    moorctl.must("apply", "-f", "-", stdin=POOL)
    changed = POOL.replace("tier: front", "tier: back").replace("manual", "automatic")
    ended = moorctl("diff", "-f", "-", stdin=changed)
    assert (ended.code, ended.err) == (1, "")
    assert ended.out == "pool/web configured: assignment_mode, labels\n"


def test_diff_says_what_apply_refuses(moorctl: program.Moorctl) -> None:
    moorctl.must("apply", "-f", "-", stdin=POOL)
    changed = POOL.replace("cidr:", "blockSize: 28, priority: 7, cidr:")
    ended = moorctl("diff", "-f", "-", stdin=changed)
    assert (ended.code, ended.err) == (1, "")
    assert ended.out.startswith("pool/web refused by apply: spec.blockSize: block_size of ")
    assert "FIELD_IMMUTABLE" in moorctl("apply", "-f", "-", stdin=changed).err


def test_a_selector_that_is_too_long_is_refused_once(moorctl: program.Moorctl) -> None:
    ended = moorctl("apply", "-f", "-", stdin=POOL.replace("east", "e" * 1024))
    assert ended.code == 2
    assert ended.err.count("at most 1024") == 1


def test_diff_of_what_is_already_so_is_empty(moorctl: program.Moorctl) -> None:
    moorctl.must("apply", "-f", "-", stdin=EVERYTHING)
    assert moorctl.must("diff", "-f", "-", stdin=EVERYTHING) == ""


SPELLINGS = [
    POOL.replace('zone=="east"', "\"zone == 'east'\""),
    POOL.replace("manual", "MANUAL, allowedUses: [TUNNEL, WORKLOAD]"),
    POOL.replace("cidr:", "blockSize: 26, priority: 0, disabled: false, cidr:"),
]


def test_another_spelling_is_no_difference(moorctl: program.Moorctl) -> None:
    moorctl.must("apply", "-f", "-", stdin=POOL)
    for manifest in SPELLINGS:
        assert moorctl.must("diff", "-f", "-", stdin=manifest) == ""


def test_a_spelling_that_only_the_server_understands_is_unchanged_all_the_same(
    moorctl: program.Moorctl,
) -> None:
    moorctl.must("apply", "-f", "-", stdin=POOL)
    manifest = POOL.replace('zone=="east"', '((zone=="east"))')
    assert moorctl.must("apply", "-f", "-", stdin=manifest) == "pool/web unchanged\n"
