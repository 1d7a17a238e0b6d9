"""moorctl reconcile: a node's list in two forms, shown first and done with --apply."""

import json
import os
import pathlib

import pytest

import moorage
from ctl import program
from harness import postgres
from harness.calls import assign, attachment, create_pool, want
from harness.reconciling import pass_time, suspects, worked_on
from moorage.v1 import resources_pb2

RECONCILE = ("reconcile", "--node", "n1", "--network", "pods")


@pytest.fixture
def pods(client: moorage.Client) -> moorage.Client:
    """Three containers of a node."""
    create_pool(client, "a", "10.0.0.0/24")
    for container in ("c0", "c1", "c2"):
        assign(client, container, node="n1")
    return client


def sandboxes(*containers: str) -> str:
    """What crictl shows."""
    states = ("SANDBOX_READY", "SANDBOX_NOTREADY")
    items = [
        {"id": each, "metadata": {"name": each}, "state": states[at % 2]}
        for at, each in enumerate(containers)
    ]
    return json.dumps({"items": items})


def held(client: moorage.Client) -> list[str]:
    """Who holds addresses."""
    return [each.attachment.container_id for each in client.allocations()]


def test_a_list_is_shown_first_and_done_with_apply(
    moorctl: program.Moorctl, pods: moorage.Client, database: postgres.Database
) -> None:
    listed = sandboxes("c0", "c2")
    shown = moorctl(*RECONCILE, "-", stdin=listed)
    line = "allocation/10.0.0.1 suspect (container c1 on eth0, pod shop/c1)\n"
    assert (shown.code, shown.out) == (0, line)
    assert "2 confirmed, 1 suspect, 0 would be released" in shown.err
    assert "nothing was changed; add --apply" in shown.err
    assert suspects(pods) == set()
    assert moorctl(*RECONCILE, "--apply", "-", stdin=listed).out == line
    assert suspects(pods) == {"c1"}
    pass_time(database)
    would = moorctl(*RECONCILE, "-", stdin=listed).out
    assert would == line.replace("suspect", "would be released")
    done = moorctl(*RECONCILE, "--apply", "-", stdin=listed)
    assert (done.code, done.out) == (0, line.replace("suspect", "released"))
    assert held(pods) == ["c0", "c2"]


def test_the_grace_is_a_duration(
    moorctl: program.Moorctl, pods: moorage.Client, database: postgres.Database
) -> None:
    def reconcile(grace: str) -> str:
        found = moorctl(*RECONCILE, "--grace", grace, "--apply", "-", stdin=sandboxes("c0", "c1"))
        assert found.code == 0, found.err
        return found.out.split()[1]

    assert reconcile("1h") == "suspect"
    pass_time(database, 1800)
    assert reconcile("1h") == "suspect"
    assert reconcile("29m") == "released"
    ended = moorctl(*RECONCILE, "--grace", "soon", "-", stdin=sandboxes())
    assert (ended.code, ended.out) == (2, "")
    assert "not a duration such as 90s, 10m or 1h" in ended.err


def test_a_list_of_attachments_names_networks_and_interfaces(
    moorctl: program.Moorctl, pods: moorage.Client
) -> None:
    listed = [
        {"network": "pods", "containerId": "c0", "interface": "eth0"},
        {"network": "pods", "containerId": "c1", "interface": "eth1"},
    ]
    text = json.dumps({"attachments": listed})
    found = moorctl("reconcile", "--node", "n1", "-o", "json", "-", stdin=text)
    document = found.json()
    assert isinstance(document, dict)
    assert document["confirmedCount"] == 1
    assert [each["address"] for each in document["suspects"]] == ["10.0.0.1", "10.0.0.2"]
    # The network may stand beside the list as well.
    bare = json.dumps({"attachments": [{"containerId": "c0", "interface": "eth0"}]})
    assert "1 confirmed, 2 suspect" in moorctl(*RECONCILE, "-", stdin=bare).err


def test_sandboxes_may_be_on_another_interface(
    moorctl: program.Moorctl, pods: moorage.Client
) -> None:
    ended = moorctl(*RECONCILE, "--interface", "net1", "-", stdin=sandboxes("c0", "c1", "c2"))
    assert "0 confirmed, 3 suspect" in ended.err


def hold(client: moorage.Client, container: str, cluster: str) -> None:
    """A container of the node, of a cluster."""
    workload = resources_pb2.Workload(node="n1", cluster=cluster)
    client.assign(attachment(container), [want()], workload=workload)


def test_a_list_may_be_of_a_cluster(moorctl: program.Moorctl, pods: moorage.Client) -> None:
    hold(pods, "c3", "e0a7")
    done = moorctl(*RECONCILE, "--cluster", "e0a7", "-", stdin=sandboxes("c0"))
    assert (done.code, done.out) == (0, "allocation/10.0.0.3 suspect (container c3 on eth0)\n")
    assert "left alone, being of cluster none (3)" in done.err
    done = moorctl(*RECONCILE, "--cluster", "none", "-", stdin=sandboxes("c0"))
    assert "1 confirmed, 2 suspect" in done.err


def test_where_a_cluster_holds_something_it_has_to_be_named(
    moorctl: program.Moorctl, pods: moorage.Client
) -> None:
    hold(pods, "c3", "e0a7")
    ended = moorctl(*RECONCILE, "--apply", "-", stdin=sandboxes())
    assert (ended.code, ended.out) == (2, "")
    assert "node n1 holds addresses of pods for cluster none (3), e0a7 (1)" in ended.err
    assert "kubectl get namespace kube-system" in ended.err
    assert suspects(pods) == set()


def test_a_cluster_that_holds_nothing_on_a_node_has_nothing_to_lose_there(
    moorctl: program.Moorctl, pods: moorage.Client
) -> None:
    hold(pods, "c3", "e0a7")
    ended = moorctl(*RECONCILE, "--cluster", "b1c2", "--apply", "-", stdin=sandboxes())
    assert (ended.code, ended.out) == (0, "")
    assert "left alone, being of cluster none (3), e0a7 (1)" in ended.err
    assert suspects(pods) == set()


def test_what_another_network_holds_for_a_cluster_asks_for_its_name_too(
    moorctl: program.Moorctl, pods: moorage.Client
) -> None:
    hold(pods, "c3", "e0a7")
    arguments = ("reconcile", "--node", "n1", "--network", "other")
    assert moorctl(*arguments, "-", stdin=sandboxes("c0")).code == 2
    ended = moorctl(*arguments, "--cluster", "none", "-", stdin=sandboxes("c0"))
    assert (ended.code, ended.out) == (0, "")


def test_what_could_not_be_done_is_told_and_makes_the_exit_code(
    moorctl: program.Moorctl, pods: moorage.Client, database: postgres.Database
) -> None:
    moorctl(*RECONCILE, "--apply", "-", stdin=sandboxes())
    pass_time(database)
    with worked_on(database, "c1"):
        ended = moorctl(*RECONCILE, "--apply", "-", stdin=sandboxes())
    assert ended.code == 1
    assert ended.out.splitlines() == [
        "allocation/10.0.0.0 released (container c0 on eth0, pod shop/c0)",
        "allocation/10.0.0.2 released (container c2 on eth0, pod shop/c2)",
        "attachment/pods/c1/eth0 failed: other requests hold what this one needs; "
        "send the same call again",
    ]
    assert held(pods) == ["c1"]


def test_an_old_file_is_refused(
    moorctl: program.Moorctl, pods: moorage.Client, tmp_path: pathlib.Path
) -> None:
    file = tmp_path / "pods.json"
    file.write_text(sandboxes())
    assert moorctl(*RECONCILE, str(file)).code == 0
    written = file.stat().st_mtime - 400
    os.utime(file, (written, written))
    ended = moorctl(*RECONCILE, "--apply", str(file))
    assert (ended.code, ended.out) == (2, "")
    assert "make the list anew" in ended.err
    assert suspects(pods) == set()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is not JSON"),
        ("[]", "it is no object"),
        ("{}", "KeyError: 'items'"),
        ('{"items": {}}', "is no list"),
        ('{"items": [{"name": "x"}]}', "KeyError: 'id'"),
        ('{"items": ["c0"]}', "is no object"),
        ('{"attachments": [{"containerId": "c0"}]}', "KeyError: 'interface'"),
        ('{"attachments": [{"containerId": 7, "interface": "eth0"}]}', "is no text"),
    ],
)
def test_what_is_not_wholly_a_list_is_refused(
    offline: program.Moorctl, text: str, said: str
) -> None:
    ended = offline(*RECONCILE, "--apply", "-", stdin=text)
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err


def test_sandboxes_need_a_network(offline: program.Moorctl) -> None:
    ended = offline("reconcile", "--node", "n1", "-", stdin=sandboxes("c0"))
    assert ended.code == 2
    assert "name it: --network" in ended.err
