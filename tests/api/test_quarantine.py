"""Quarantine, through a real channel: what begins it, what goes on, and what ends it."""

import subprocess

import grpc
import pytest

import moorage
from harness import calls, serving
from moorage.v1 import admin_service_pb2, resources_pb2
from moorage_server import restore

RESTORED = resources_pb2.QUARANTINE_CAUSE_RESTORED
WENT_BACK = resources_pb2.QUARANTINE_CAUSE_WENT_BACK


@pytest.fixture
def pool(client: moorage.Client) -> None:
    """A pool of a /29, of no node's."""
    calls.create_pool(client, "a", "10.0.0.0/29", block_size=29)


def restore_check(server: serving.Serving) -> None:
    """What an operator has done after a restore."""
    restore.check(server.database.service_url)


def refused(client: moorage.Client, container: str, *, node: str = "") -> moorage.MoorageError:
    """What is said to one that wants an address and gets none."""
    with pytest.raises(moorage.MoorageError) as raised:
        calls.assign(client, container, node=node)
    assert raised.value.reason == "VRF_QUARANTINED"
    return raised.value


def send_list(client: moorage.Client, node: str, *containers: str, **more: object) -> list[str]:
    """Sends a node's list; returns which of it nobody holds."""
    listed = [calls.attachment(each) for each in containers]
    options: dict[str, object] = {"grace": 0, "network": "pods"} | more
    done = client.reconcile_node(node, listed, **options)  # type: ignore[arg-type]  # of several types
    return [each.container_id for each in done.unknown]


def let_pass(server: serving.Serving, seconds: int = 1) -> None:
    """So long ago it was that the quarantine began, as seconds are counted."""
    server.database.execute(
        "UPDATE quarantines SET begin_tick = (SELECT tick FROM ticks) - :seconds", seconds=seconds
    )


@pytest.mark.usefixtures("pool")
def test_after_a_restore_nothing_new_is_assigned_and_everything_else_goes_on(
    server: serving.Serving, client: moorage.Client
) -> None:
    held = calls.assign(client, "c1", node="n1")
    calls.assign(client, "c2", node="n1")
    restore_check(server)
    refusal = refused(client, "c3", node="n1")
    assert refusal.code is grpc.StatusCode.FAILED_PRECONDITION
    assert refusal.metadata["vrf"] == "default"
    assert refusal.metadata["cause"] == "RESTORED"
    assert refusal.metadata["begin_time"]
    assert "restored from a backup" in refusal.message
    assert "moorctl quarantine show" in refusal.message
    # A fixed address is new as well, whoever asks.
    with pytest.raises(moorage.MoorageError, match="quarantine"):
        client.assign(calls.attachment("c3"), [calls.fixed("10.0.0.7")])

    assert calls.assign(client, "c1", node="n1") == held
    assert calls.release(client, "c2")
    (shown,) = client.get_vrf("default").quarantines
    assert (shown.cause, shown.awaits_lists) == (RESTORED, True)
    explained = client.explain_assign(calls.attachment("c3"), [calls.want()])
    assert "quarantine" in explained.refusal.message


@pytest.mark.usefixtures("pool")
def test_a_new_sandbox_gets_nothing_either_since_the_old_one_may_have_let_go(
    server: serving.Serving, client: moorage.Client
) -> None:
    pod = resources_pb2.Workload(node="n1", namespace="s", pod="p", pod_uid="u")
    client.assign(calls.attachment("c1"), [calls.want()], workload=pod)
    restore_check(server)
    with pytest.raises(moorage.MoorageError, match="quarantine"):
        client.assign(calls.attachment("c2"), [calls.want()], workload=pod)


@pytest.mark.usefixtures("pool")
def test_cursors_of_before_the_restore_are_refused(
    server: serving.Serving, client: moorage.Client
) -> None:
    calls.assign(client, "c1")
    with client.watch(timeout=20) as updates:
        cursor = next(update.cursor for update in updates if update.cursor)
    restore_check(server)
    with pytest.raises(moorage.MoorageError) as raised, client.watch(cursor=cursor) as updates:
        next(updates)
    assert raised.value.reason == "CURSOR_UNKNOWN"


@pytest.mark.usefixtures("pool")
def test_it_ends_with_the_last_list_that_is_awaited(
    server: serving.Serving, client: moorage.Client
) -> None:
    calls.assign(client, "c1", node="n1")
    calls.assign(client, "c2", node="n2")
    client.upsert_node(resources_pb2.Node(name="vrfs/default/nodes/n3"))
    restore_check(server)
    awaited = client.get_quarantine()
    assert [(each.node, each.network) for each in awaited.awaited] == [
        ("n1", "pods"),
        ("n2", "pods"),
        # It holds nothing that is known; what it was given since is what matters.
        ("n3", ""),
    ]

    let_pass(server)
    send_list(client, "n1", "c1")
    send_list(client, "n2", "c2", network="other")
    assert [each.node for each in client.get_quarantine().awaited] == ["n2", "n3"]
    send_list(client, "n3")
    refused(client, "c3")
    send_list(client, "n2", "c2")
    assert calls.assign(client, "c3")
    assert client.get_quarantine() == admin_service_pb2.GetQuarantineResponse()
    assert server.database.scalar("SELECT end_reason FROM quarantines") == (
        "every list has come, and none names what is not held"
    )


@pytest.mark.usefixtures("pool")
def test_a_node_that_has_just_released_its_last_is_awaited_for_what_it_was_given_since(
    server: serving.Serving, client: moorage.Client
) -> None:
    calls.assign(client, "c1", node="n1")
    calls.release(client, "c1")
    restore_check(server)
    awaited = client.get_quarantine().awaited
    assert [(each.node, each.network) for each in awaited] == [("n1", "pods")]

    let_pass(server)
    assert send_list(client, "n1", "lost") == ["lost"]
    refused(client, "c2")
    assert send_list(client, "n1") == []
    assert calls.assign(client, "c2")


@pytest.mark.usefixtures("pool")
def test_a_list_counts_once_it_must_have_all_that_was_assigned_before(
    server: serving.Serving, client: moorage.Client
) -> None:
    calls.assign(client, "c1", node="n1")
    restore_check(server)
    let_pass(server, 540)
    send_list(client, "n1", "c1", grace=600)
    refused(client, "c2")
    let_pass(server, 601)
    send_list(client, "n1", "c1", grace=600, validate_only=True)
    send_list(client, "n1", "c1", grace=600, from_records=True)
    refused(client, "c2")
    send_list(client, "n1", "c1", grace=600)
    assert calls.assign(client, "c2")


@pytest.mark.usefixtures("pool")
def test_what_a_list_names_and_nobody_holds_keeps_the_vrf_shut_until_it_ends_or_is_adopted(
    server: serving.Serving, client: moorage.Client
) -> None:
    calls.assign(client, "c1", node="n1")
    restore_check(server)
    let_pass(server)
    assert send_list(client, "n1", "c1", "lost", "gone") == ["gone", "lost"]
    found = client.get_quarantine()
    assert (found.awaited_count, found.unknown_count) == (0, 2)
    assert [(e.node, e.attachment.container_id) for e in found.unknown] == [
        ("n1", "gone"),
        ("n1", "lost"),
    ]
    refused(client, "c2")

    adopted = admin_service_pb2.AdoptedAddress(
        address="10.0.0.5",
        attachment=calls.attachment("lost"),
        workload=resources_pb2.Workload(node="n1"),
    )
    assert client.adopt_block("10.0.0.0/29", [adopted]).adopted_count == 1
    assert send_list(client, "n1", "c1", "lost") == []
    given = [calls.assign(client, f"d{at}")[0].address for at in range(6)]
    assert "10.0.0.5" not in given


@pytest.mark.usefixtures("pool")
def test_an_operator_can_end_it_at_once_and_the_reason_is_kept(
    server: serving.Serving, client: moorage.Client
) -> None:
    calls.assign(client, "c1", node="n1")
    restore_check(server)
    with pytest.raises(moorage.MoorageError) as raised:
        client.lift_quarantine("")
    assert [each.field for each in raised.value.violations] == ["reason"]
    (ended,) = client.lift_quarantine("all nodes were rebuilt")
    assert ended.cause == RESTORED
    assert calls.assign(client, "c2")
    assert client.get_quarantine().awaited_count == 0
    assert client.lift_quarantine("again") == []
    kept = server.database.rows("SELECT end_reason, ended_by FROM quarantines")
    assert kept == [("all nodes were rebuilt", "anonymous")]


def test_vrfs_are_in_quarantine_each_by_itself(
    server: serving.Serving, client: moorage.Client
) -> None:
    client.create_vrf("blue")
    restore_check(server)
    client.lift_quarantine("nothing was there", vrf="blue")
    shown = {each.name: len(each.quarantines) for each in client.vrfs()}
    assert shown == {"vrfs/blue": 0, "vrfs/default": 1}
    client.delete_vrf("blue")


def test_the_installed_program_says_what_it_has_done(server: serving.Serving) -> None:
    url = server.database.service_url
    command = [str(serving.PROGRAM), "restore-check", f"--database-url={url}"]
    ended = subprocess.run(command, check=True, capture_output=True, text=True)
    assert ended.stdout == "vrf/default is in quarantine; lists awaited: 0\n"
    assert "moorctl quarantine show" in ended.stderr


def test_a_database_that_cannot_be_reached_is_said_to_be_unchecked() -> None:
    url = "postgresql+psycopg://nobody@127.0.0.1:1/none"
    command = [str(serving.PROGRAM), "restore-check", f"--database-url={url}"]
    ended = subprocess.run(command, check=False, capture_output=True, text=True)
    assert ended.returncode == 1
    assert "no VRF is known to be in quarantine" in ended.stderr
