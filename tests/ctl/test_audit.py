"""moorctl audit, and who acted in moorctl history."""

import json

import moorage
from ctl import holdings, program
from harness import serving
from moorage.v1 import resources_pb2
from moorage_server import restore


def _shop(client: moorage.Client) -> None:
    client.create_pool("web", resources_pb2.Pool(cidr="10.0.0.0/24"))
    changed = resources_pb2.Pool(name="vrfs/default/pools/web", priority=7, disabled=True)
    client.update_pool(changed, update_mask=["priority", "disabled"])
    client.upsert_node(resources_pb2.Node(name="vrfs/default/nodes/n1"))


def test_a_table_says_who_changed_what(moorctl: program.Moorctl, client: moorage.Client) -> None:
    _shop(client)
    lines = [line.split() for line in moorctl.must("audit").splitlines()]
    assert lines[0] == ["TIME", "WHO", "FROM", "METHOD", "KIND", "NAME", "CHANGED"]
    assert [line[1:] for line in lines[1:]] == [
        ["anonymous", "ipv4:127.0.0.1", "UpsertNode", "node", "n1", "-"],
        ["anonymous", "ipv4:127.0.0.1", "UpdatePool", "pool", "web", "disabled,priority"],
        ["anonymous", "ipv4:127.0.0.1", "CreatePool", "pool", "web", "-"],
    ]


def test_one_kind_and_one_name_in_json(moorctl: program.Moorctl, client: moorage.Client) -> None:
    _shop(client)
    command = ("audit", "--kind", "pool", "--name", "web", "--since", "-1h", "-o", "json")
    changed, new = json.loads(moorctl.must(*command))["changes"]
    assert changed["before"] == {"priority": 0, "disabled": False}
    assert changed["after"] == {"priority": 7, "disabled": True}
    assert new["after"]["cidr"] == "10.0.0.0/24"
    assert new["actor"]["proof"] == "PROOF_NONE"
    assert moorctl.must("audit", "--kind", "vrf", "-o", "yaml") == "changes: []\n"


def test_what_a_part_of_the_server_did_is_in_brackets(
    moorctl: program.Moorctl, server: serving.Serving
) -> None:
    restore.check(server.database.service_url)
    (_, line) = moorctl.must("audit").splitlines()
    assert line.split()[1:] == ["(restore)", "-", "BeginQuarantine", "quarantine", "RESTORED", "-"]


def test_where_nothing_was_changed_that_is_said(
    moorctl: program.Moorctl, client: moorage.Client
) -> None:
    _shop(client)
    ended = moorctl("audit", "--until", "-1h")
    assert (ended.code, ended.out) == (0, "")
    assert "there are no changes to show" in ended.err


def test_history_says_by_whom_where_it_is_wide(
    moorctl: program.Moorctl, client: moorage.Client
) -> None:
    client.create_pool("web", resources_pb2.Pool(cidr="10.0.0.0/24"))
    (first,) = holdings.assign(client, "10.0.0.7", container="c1", node="n1", pod="cart-0")
    client.release(first.attachment)
    holdings.assign(client, "10.0.0.8", container="c2", node="n1", pod="cart-1")
    lines = [line.split() for line in moorctl.must("history", "-o", "wide").splitlines()]
    assert [line[-2:] for line in lines] == [
        ["ASSIGNED-BY", "RELEASED-BY"],
        ["anonymous", "anonymous"],
        ["anonymous", "-"],
    ]
    gone, _ = json.loads(moorctl.must("history", "-o", "json"))["holdings"]
    assert gone["assignActor"]["source"] == "ipv4:127.0.0.1"
    assert gone["releaseActor"]["requestId"]
