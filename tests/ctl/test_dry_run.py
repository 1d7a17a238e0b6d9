"""--dry-run: every changing command says what it would do, or that it cannot, and does nothing."""

import json
from collections.abc import Callable, Iterator

import click
import pytest

import moorage
from ctl import program
from harness import calls, serving
from moorage.ctl import program as moorctl_program
from moorage.v1 import resources_pb2

STATE = """
SELECT (SELECT json_agg(v ORDER BY v.name)::text FROM vrfs v)
    || (SELECT json_agg(p ORDER BY p.name)::text FROM pools p)
    || (SELECT json_agg(r ORDER BY r.name)::text FROM reservations r)
    || (SELECT json_agg(n ORDER BY n.name)::text FROM nodes n)
    || (SELECT json_agg(b ORDER BY b.cidr)::text FROM blocks b)
    || (SELECT json_agg(a ORDER BY a.address)::text FROM allocations a)
"""
HEAD = "apiVersion: moorage.dev/v1\nkind:"
MANIFESTS = f"""
{HEAD} Vrf
metadata: {{name: blue}}
---
{HEAD} Pool
metadata: {{name: fresh, vrf: blue}}
spec: {{cidr: 10.5.0.0/24}}
---
{HEAD} Pool
metadata: {{name: web}}
spec: {{cidr: 10.0.0.0/24, blockAffinity: NONE, priority: 3}}
---
{HEAD} Pool
metadata: {{name: idle}}
spec: {{cidr: 10.1.0.0/24, blockAffinity: NONE, nodeSelector: " all( )"}}
"""


@pytest.fixture
def state(client: moorage.Client, server: serving.Serving) -> Callable[[], object]:
    """A pool in use, an idle one, a reservation, a node, and another VRF; tells what there is."""
    calls.create_pool(client, "web", "10.0.0.0/24")
    calls.create_pool(client, "idle", "10.1.0.0/24")
    client.create_reservation("office", resources_pb2.Reservation(cidrs=["10.0.0.8/29"]))
    client.upsert_node(resources_pb2.Node(name="vrfs/default/nodes/n1"))
    client.create_vrf("red")
    client.create_pool("a", resources_pb2.Pool(cidr="10.0.0.0/24"), vrf="red")
    calls.assign(client, "c1", calls.want(pools=("web",)), node="n1")
    return lambda: server.database.scalar(STATE)


def test_apply_says_what_it_would_do_and_does_nothing(
    moorctl: program.Moorctl, state: Callable[[], object]
) -> None:
    before = state()
    told = moorctl.must("apply", "--dry-run", "-f", "-", stdin=MANIFESTS)
    assert told.splitlines() == [
        "vrf/blue created (dry run)",
        "pool/fresh created (dry run)",
        "pool/web configured (dry run)",
        "pool/idle unchanged (dry run)",
    ]
    lines = moorctl.must("apply", "--dry-run", "-ojson", "-f", "-", stdin=MANIFESTS).splitlines()
    assert json.loads(lines[2]) == {
        "kind": "Pool",
        "name": "vrfs/default/pools/web",
        "result": "configured",
        "dryRun": True,
    }
    assert state() == before
    done = moorctl.must("apply", "-f", "-", stdin=MANIFESTS)
    assert done == told.replace(" (dry run)", "")


def test_apply_is_refused_what_it_would_be_refused(
    moorctl: program.Moorctl, state: Callable[[], object]
) -> None:
    before = state()
    text = f"{HEAD} Pool\nmetadata: {{name: late}}\nspec: {{cidr: 10.0.0.0/25}}\n"
    ended = moorctl("apply", "--dry-run", "-f", "-", stdin=text)
    assert (ended.code, ended.out, "POOL_OVERLAPS" in ended.err) == (4, "", True)
    assert state() == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["pools", "idle"], "pool/idle deleted"),
        (["reservation", "office"], "reservation/office deleted"),
        (["node", "n1"], "node/n1 deleted"),
        (["pool", "none", "--ignore-not-found"], "pool/none not found"),
        (["ipamconfiguration", "default"], "vrf/default unchanged"),
    ],
)
def test_delete_says_what_it_would_do_and_does_nothing(
    moorctl: program.Moorctl, state: Callable[[], object], arguments: list[str], said: str
) -> None:
    before = state()
    assert moorctl.must("delete", "--dry-run", *arguments) == f"{said} (dry run)\n"
    assert state() == before


@pytest.mark.parametrize(
    ("arguments", "reason", "code"),
    [
        (["pool", "web"], "POOL_IN_USE", 4),
        (["pool", "none"], "POOL_NOT_FOUND", 3),
        (["vrf", "red"], "VRF_IN_USE", 4),
    ],
)
def test_delete_is_refused_what_it_would_be_refused(
    moorctl: program.Moorctl,
    state: Callable[[], object],
    arguments: list[str],
    reason: str,
    code: int,
) -> None:
    ended = moorctl("delete", "--dry-run", *arguments)
    assert (ended.code, ended.out, reason in ended.err) == (code, "", True)


def test_a_vrf_could_be_deleted_once_its_pools_are(
    moorctl: program.Moorctl, client: moorage.Client, state: Callable[[], object]
) -> None:
    text = (
        f"{HEAD} Vrf\nmetadata: {{name: red}}\n---\n{HEAD} Pool\nmetadata: {{name: a, vrf: red}}\n"
    )
    told = moorctl.must("delete", "--dry-run", "-f", "-", stdin=text)
    assert told.splitlines() == ["pool/a deleted (dry run)", "vrf/red deleted (dry run)"]
    client.create_pool("b", resources_pb2.Pool(cidr="10.1.0.0/24"), vrf="red")
    ended = moorctl("delete", "--dry-run", "-f", "-", stdin=text)
    assert (ended.code, "VRF_IN_USE" in ended.err) == (4, True)


def test_configure_says_what_it_would_do_and_does_nothing(
    moorctl: program.Moorctl, state: Callable[[], object]
) -> None:
    before = state()
    arguments = ("ipam", "configure", "--dry-run", "--strictaffinity", "true")
    assert moorctl.must(*arguments) == "Would set StrictAffinity to: true\n"
    document = json.loads(moorctl.must(*arguments, "-o", "json"))
    assert (document["strictAffinity"], document["dryRun"]) == (True, True)
    ended = moorctl("ipam", "configure", "--dry-run", "--max-blocks-per-host", "3")
    assert (ended.code, "strict" in ended.err) == (2, True)
    assert state() == before


IMPOSSIBLE = [
    ["activate", "web"],
    ["assign", "--container-id", "c2"],
    ["drain", "web"],
    ["ipam", "release", "--ip", "10.0.0.0"],
    ["ipam", "split", "2", "--name", "idle"],
    ["quarantine", "lift", "--reason", "x"],
    ["release", "--container-id", "c1"],
    ["sticky", "delete", "10.0.0.0"],
]


@pytest.mark.parametrize("arguments", IMPOSSIBLE, ids=" ".join)
def test_what_the_server_cannot_check_is_refused(
    moorctl: program.Moorctl, state: Callable[[], object], arguments: list[str]
) -> None:
    before = state()
    ended = moorctl(*arguments, "--dry-run")
    assert (ended.code, ended.out) == (2, "")
    assert (
        "as a dry run: the server has no call that only checks it; nothing was changed" in ended.err
    )
    assert "\n  next: see " in ended.err or "\n  next: ask " in ended.err
    assert state() == before


def test_what_is_only_shown_without_apply_is_so_with_dry_run(
    moorctl: program.Moorctl, state: Callable[[], object]
) -> None:
    before = state()
    words = ("reconcile", "--node", "n1", "--grace", "0", "-")
    nothing = json.dumps({"attachments": []})
    ended = moorctl(*words, "--dry-run", stdin=nothing)
    assert (ended.code, "nothing was changed" in ended.err) == (0, True)
    for flags in (("--apply", "--dry-run"), ("--dry-run", "--apply")):
        ended = moorctl(*words, *flags, stdin=nothing)
        assert (ended.code, "either --apply or --dry-run" in ended.err) == (2, True)
    assert "--dry-run" in moorctl.must("import", "netbox", "-h")
    assert state() == before
    assert moorctl(*words, "--apply", stdin=nothing).code == 0
    assert state() != before


# What changes nothing on a server.
HARMLESS = {
    *("audit", "completion", "config", "describe", "diff", "explain", "export", "get"),
    *(
        "history",
        "man",
        "pki",
        "show",
        "top",
        "watch",
        "ipam check",
        "ipam show",
        "quarantine show",
        "sticky list",
    ),
}


def test_every_changing_command_has_a_dry_run() -> None:
    root = moorctl_program.moorctl
    for name, command in commands(root, click.Context(root)):
        options = {option for each in command.params for option in each.opts}
        assert ("--dry-run" in options) != (name in HARMLESS), name


def commands(
    group: click.Group, ctx: click.Context, before: str = ""
) -> Iterator[tuple[str, click.Command]]:
    """Every command that is none but for others, with its whole name."""
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        assert command is not None
        whole = f"{before} {name}".strip()
        if isinstance(command, click.Group) and whole not in HARMLESS:
            yield from commands(command, ctx, whole)
        else:
            yield whole, command
