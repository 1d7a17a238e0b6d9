"""moorctl quarantine: why a VRF assigns nothing new is shown, and ended."""

import json

import moorage
from ctl import program
from harness import calls
from harness.postgres import Database
from moorage_server import restore


def test_it_is_shown_and_lifted(
    moorctl: program.Moorctl, client: moorage.Client, database: Database
) -> None:
    calls.create_pool(client, "a", "10.0.0.0/24")
    calls.assign(client, "c1", node="n1")
    assert "is in no quarantine" in moorctl("quarantine", "show").err
    assert "is in no quarantine" in moorctl("quarantine", "lift", "--reason", "x").err
    assert "OPEN" in moorctl.must("get", "vrfs")

    restore.check(database.service_url)
    client.reconcile_node("n1", [calls.attachment("c1"), calls.attachment("lost")])
    why, *rows = moorctl.must("quarantine", "show").splitlines()
    assert why.startswith("vrf/default in quarantine since 2")
    assert why.endswith(": RESTORED: the database was restored from a backup")
    assert [row.split() for row in rows] == [
        ["lists", "awaited:", "1"],
        ["NODE", "CLUSTER", "NETWORK"],
        ["n1", "any", "pods"],
        ["named", "by", "lists,", "and", "held", "by", "nobody:", "1"],
        ["NODE", "NETWORK", "CONTAINER", "INTERFACE"],
        ["n1", "pods", "lost", "eth0"],
    ]
    shown = json.loads(moorctl.must("quarantine", "show", "-o", "json"))
    assert (shown["awaitedCount"], shown["unknownCount"]) == (1, 1)
    assert "QUARANTINED" in moorctl.must("get", "vrfs")
    assert "quarantine" not in moorctl.must("get", "vrfs", "-o", "yaml")

    lifted = moorctl.must("quarantine", "lift", "--reason", "all pods were deleted")
    assert lifted == "vrf/default lifted: RESTORED\n"
    assert calls.assign(client, "c2")


def test_a_reason_must_be_given(moorctl: program.Moorctl) -> None:
    ended = moorctl("quarantine", "lift")
    assert (ended.code, "--reason" in ended.err) == (2, True)


def test_a_list_by_hand_tells_what_nobody_is_known_to_hold(
    moorctl: program.Moorctl, client: moorage.Client, database: Database
) -> None:
    restore.check(database.service_url)
    listed = {"attachments": [{"network": "pods", "containerId": "lost", "interface": "eth0"}]}
    ended = moorctl("reconcile", "--node", "n1", "--apply", "-", stdin=json.dumps(listed))
    assert "attachment/pods/lost/eth0 unknown" in ended.out
    assert client.get_quarantine().unknown_count == 1
