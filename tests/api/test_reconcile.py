"""ReconcileNode: a node's list releases what it lacks, in two steps, and never anything else."""

import grpc
import pytest
from google.protobuf import duration_pb2

import moorage
from api import refusals
from harness import postgres
from harness.calls import IPV6, assign, attachment, create_pool, release, want
from harness.reconciling import GRACE, containers, pass_time, reconcile, suspects, worked_on
from moorage.v1 import allocation_service_pb2_grpc, error_reason_pb2
from moorage.v1 import reconciliation_pb2 as requests
from moorage.v1 import resources_pb2 as messages


@pytest.fixture(autouse=True)
def pools(request: pytest.FixtureRequest) -> None:
    """A pool of each family, where the test is about more than refusals."""
    if "client" in request.fixturenames:
        client: moorage.Client = request.getfixturevalue("client")
        create_pool(client, "four", "10.0.0.0/24")
        create_pool(client, "six", "fd00::/120")


def held(client: moorage.Client) -> list[str]:
    """Who holds addresses."""
    return sorted({each.attachment.container_id for each in client.allocations()})


def test_what_a_list_lacks_is_suspect_and_released_after_the_grace(
    client: moorage.Client, database: postgres.Database
) -> None:
    for container in ("live", "gone"):
        assign(client, container, want(), want(IPV6), node="n1")
    found = reconcile(client, "live")
    assert containers(found) == (1, ["gone", "gone"], [])
    assert [(each.address, each.suspect) for each in found.suspects] == [
        ("10.0.0.1", True),
        ("fd00::1", True),
    ]
    pass_time(database, GRACE - 60)
    assert containers(reconcile(client, "live")) == (1, ["gone", "gone"], [])
    assert suspects(client) == {"gone"}
    pass_time(database, 61)
    assert containers(reconcile(client, "live")) == (1, [], ["gone", "gone"])
    assert held(client) == ["live"]
    assert containers(reconcile(client, "live")) == (1, [], [])


def test_the_event_says_that_a_list_did_it(
    client: moorage.Client, database: postgres.Database
) -> None:
    assign(client, "gone", node="n1")
    reconcile(client)
    pass_time(database)
    reconcile(client)
    causes = database.rows("SELECT kind, cause FROM events ORDER BY event_id")
    assert causes == [("ASSIGNED", "REQUESTED"), ("RELEASED", "RECONCILED")]


def test_no_list_releases_what_it_is_the_first_to_lack(
    client: moorage.Client, database: postgres.Database
) -> None:
    assign(client, "gone", node="n1")
    pass_time(database, 1_000_000)
    assert containers(reconcile(client, grace=0)) == (0, ["gone"], [])
    pass_time(database, 1)
    assert containers(reconcile(client, grace=0)) == (0, [], ["gone"])


def test_a_grace_is_counted_in_whole_seconds_none_too_few(
    client: moorage.Client, database: postgres.Database
) -> None:
    assign(client, "gone", node="n1")
    reconcile(client, grace=99.5)
    # It became suspect somewhere in its tick: 100 whole ones have to lie between.
    (tick,) = database.rows("SELECT suspect_tick FROM allocations")[0]
    database.execute("UPDATE ticks SET tick = CAST(:tick AS bigint) + 97", tick=tick)
    assert containers(reconcile(client, grace=99.5)) == (0, ["gone"], [])
    database.execute("UPDATE ticks SET tick = CAST(:tick AS bigint) + 101", tick=tick)
    assert containers(reconcile(client, grace=99.5)) == (0, [], ["gone"])


def test_a_list_that_has_it_clears_the_suspicion(
    client: moorage.Client, database: postgres.Database
) -> None:
    assign(client, "late", node="n1")
    reconcile(client)
    pass_time(database)
    assert containers(reconcile(client, "late")) == (1, [], [])
    assert suspects(client) == set()
    # From now on the grace begins anew.
    assert containers(reconcile(client)) == (0, ["late"], [])


def test_a_repeated_assign_clears_the_suspicion(
    client: moorage.Client, database: postgres.Database
) -> None:
    first = assign(client, "late", want(), want(IPV6), node="n1")
    reconcile(client)
    pass_time(database)
    again = assign(client, "late", want(), want(IPV6), node="n1")
    assert again == first
    assert suspects(client) == set()
    assert containers(reconcile(client)) == (0, ["late", "late"], [])


def test_an_attachment_that_began_after_the_list_is_left_alone_and_cleared(
    client: moorage.Client, database: postgres.Database
) -> None:
    assign(client, "young", node="n1", stamp=20)
    assert containers(reconcile(client, stamp=19)) == (1, [], [])
    reconcile(client, stamp=21)
    assert suspects(client) == {"young"}
    pass_time(database)
    # However late it comes: this list says nothing of what began after it.
    assert containers(reconcile(client, stamp=19)) == (1, [], [])
    assert suspects(client) == set()


def test_after_a_reboot_what_the_node_had_before_is_found(
    client: moorage.Client, database: postgres.Database
) -> None:
    # whereabouts#75, plugins#252, calico#4190: the node went down, and no DEL was ever sent.
    for at in range(3):
        assign(client, f"old{at}", node="n1", stamp=9_000)
    assign(client, "elsewhere", node="n2", stamp=9_000)
    rebooted = messages.AttemptStamp(boot_id="boot-2", boot_time_ns=5)
    client.reconcile_node("n1", [], attempt=rebooted)
    pass_time(database)
    found = client.reconcile_node("n1", [], attempt=rebooted)
    assert containers(found) == (0, [], ["old0", "old1", "old2"])
    assert held(client) == ["elsewhere"]


def test_what_the_runtime_never_released_is_found(
    client: moorage.Client, database: postgres.Database
) -> None:
    # kubernetes#86944: the runtime did not call DEL.
    for container in ("web-1", "web-2"):
        assign(client, container, node="n1")
    assert release(client, "web-1")
    reconcile(client)
    pass_time(database)
    assert containers(reconcile(client)) == (0, [], ["web-2"])


def test_the_new_sandbox_of_a_name_keeps_what_the_old_one_leaked(
    client: moorage.Client, database: postgres.Database
) -> None:
    # whereabouts#176, spiderpool#2442: by the name of the pod the two are the same.
    pod = messages.Workload(node="n1", namespace="shop", pod="web-0")
    client.assign(attachment("old"), [want()], workload=pod)
    reconcile(client)
    pass_time(database)
    client.assign(attachment("new"), [want()], workload=pod)
    assert containers(reconcile(client)) == (0, ["new"], ["old"])
    assert held(client) == ["new"]


def test_whoever_gets_a_leaked_address_next_is_not_under_its_suspicion(
    client: moorage.Client, database: postgres.Database
) -> None:
    client.create_pool("one", messages.Pool(cidr="10.9.0.0/32", node_selector="!all()"))
    wanted = want(pools=("one",))
    assign(client, "old", wanted, node="n1")
    reconcile(client)
    pass_time(database)
    release(client, "old")
    assert assign(client, "new", wanted, node="n1")[0].address == "10.9.0.0"
    assert containers(reconcile(client)) == (0, ["new"], [])
    assert held(client) == ["new"]


def test_the_same_container_again_is_not_under_its_old_suspicion(
    client: moorage.Client, database: postgres.Database
) -> None:
    assign(client, "again", node="n1", stamp=1)
    reconcile(client, stamp=5)
    pass_time(database)
    release(client, "again", stamp=6)
    assign(client, "again", node="n1", stamp=7)
    assert containers(reconcile(client, stamp=8)) == (0, ["again"], [])


def test_lists_of_other_nodes_and_networks_say_nothing(
    client: moorage.Client, database: postgres.Database
) -> None:
    # calico#12257: only the node that it is recorded for is ever asked about an address.
    assign(client, "here", node="n1")
    assign(client, "there", node="n2")
    assign(client, "nowhere")
    storage = messages.Attachment(network="storage", container_id="here", interface="eth1")
    client.assign(storage, [want()], workload=messages.Workload(node="n1"))
    for _ in range(3):
        reconcile(client, node="n3")
        reconcile(client, node="n1", network="other")
        pass_time(database)
    assert suspects(client) == set()
    reconcile(client, network="storage")
    pass_time(database)
    found = reconcile(client, network="storage")
    assert [each.attachment for each in found.released] == [storage]
    assert held(client) == ["here", "nowhere", "there"]


@pytest.mark.parametrize("of", ["", "east"])
def test_a_list_is_of_one_cluster_or_of_what_is_of_none(
    client: moorage.Client, database: postgres.Database, of: str
) -> None:
    for each in ("", "east", "west"):
        workload = messages.Workload(node="n1", cluster=each)
        client.assign(attachment(f"of-{each}"), [want()], workload=workload)
    client.reconcile_node("n1", [], cluster=of)
    pass_time(database)
    found = client.reconcile_node("n1", [], cluster=of)
    assert [each.workload.cluster for each in found.released] == [of]
    assert suspects(client) == set()
    assert len(held(client)) == 2


def test_addresses_of_no_workload_are_not_for_a_runtime_to_list(
    client: moorage.Client, database: postgres.Database
) -> None:
    node = messages.Workload(node="n1")
    client.assign(attachment("vxlan"), [want()], workload=node, use=messages.USE_TUNNEL)
    for _ in range(2):
        assert containers(reconcile(client)) == (0, [], [])
        pass_time(database)


def test_an_attachment_without_a_network_is_of_the_lists(client: moorage.Client) -> None:
    assign(client, "live", node="n1")
    bare = messages.Attachment(container_id="live", interface="eth0")
    assert containers(client.reconcile_node("n1", [bare], network="pods")) == (1, [], [])


def test_another_interface_of_the_same_container_does_not_speak_for_it(
    client: moorage.Client, database: postgres.Database
) -> None:
    assign(client, "c1", node="n1")
    second = attachment("c1", interface="eth1")
    client.assign(second, [want()], workload=messages.Workload(node="n1"))
    client.reconcile_node("n1", [second])
    pass_time(database)
    found = client.reconcile_node("n1", [second])
    assert [each.attachment for each in found.released] == [attachment("c1")]


def test_validate_only_tells_everything_and_changes_nothing(
    client: moorage.Client, database: postgres.Database
) -> None:
    assign(client, "gone", node="n1")
    assert containers(reconcile(client, validate_only=True)) == (0, ["gone"], [])
    assert suspects(client) == set()
    reconcile(client)
    pass_time(database)
    assert containers(reconcile(client, validate_only=True)) == (0, [], ["gone"])
    assert containers(reconcile(client, "gone", validate_only=True)) == (1, [], [])
    assert (held(client), suspects(client)) == (["gone"], {"gone"})


def test_an_assign_that_began_before_the_list_comes_too_late_for_what_was_released(
    client: moorage.Client, database: postgres.Database
) -> None:
    # cilium#37746, the other way round: an ADD that is overtaken must not hold an address.
    assign(client, "gone", node="n1", stamp=1)
    reconcile(client, stamp=5)
    pass_time(database)
    assert containers(reconcile(client, stamp=6)) == (0, [], ["gone"])
    with pytest.raises(moorage.MoorageError, match="released") as refusal:
        assign(client, "gone", node="n1", stamp=2)
    assert refusal.value.reason == "ATTACHMENT_RELEASED"
    assert assign(client, "gone", node="n1", stamp=7)


def test_a_late_release_of_what_was_collected_succeeds(
    client: moorage.Client, database: postgres.Database
) -> None:
    assign(client, "gone", node="n1")
    reconcile(client)
    pass_time(database)
    reconcile(client)
    assert release(client, "gone") == []


def test_one_attachment_that_somebody_works_on_keeps_no_other_from_its_release(
    client: moorage.Client, database: postgres.Database
) -> None:
    # calico#8643, #7839, #5218: one failing item ended the whole pass.
    for at in range(40):
        assign(client, f"c{at:02}", node="n1")
    reconcile(client)
    pass_time(database)
    with worked_on(database, "c07"):
        found = reconcile(client)
        assert len(found.released) == 39
        (failure,) = found.failures
        assert failure.attachment == attachment("c07")
        assert failure.refusal.reason == error_reason_pb2.ERROR_REASON_CONTENTION
        assert "send the same call again" in failure.refusal.message
    assert containers(reconcile(client)) == (0, [], ["c07"])


def test_what_cannot_be_noted_is_told_of_and_the_rest_is_noted(
    client: moorage.Client, database: postgres.Database
) -> None:
    for at in range(5):
        assign(client, f"c{at}", node="n1")
    with worked_on(database, "c3"):
        found = reconcile(client)
        assert [each.attachment.container_id for each in found.failures] == ["c3"]
    assert suspects(client) == {"c0", "c1", "c2", "c4"}
    with worked_on(database, "c0"):
        found = reconcile(client, *(f"c{at}" for at in range(5)))
        assert [each.attachment.container_id for each in found.failures] == ["c0"]
        assert found.confirmed_count == 4
    assert suspects(client) == {"c0"}


def test_one_poisoned_address_keeps_no_other_from_its_release(
    client: moorage.Client, database: postgres.Database
) -> None:
    for at in range(3):
        assign(client, f"c{at}", node="n1")
    reconcile(client)
    pass_time(database)
    database.execute(
        "CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'broken'; END $$"
    )
    database.execute(
        "CREATE TRIGGER broken BEFORE DELETE ON allocations FOR EACH ROW"
        " WHEN (OLD.address = '10.0.0.1') EXECUTE FUNCTION broken()"
    )
    found = reconcile(client)
    assert [each.attachment.container_id for each in found.released] == ["c0", "c2"]
    (failure,) = found.failures
    assert failure.refusal.reason == error_reason_pb2.ERROR_REASON_INTERNAL
    assert "incident" in failure.refusal.metadata
    database.execute("DROP TRIGGER broken ON allocations")
    assert containers(reconcile(client)) == (0, [], ["c1"])


def test_a_whole_nodes_attachments_are_noted_and_released(
    client: moorage.Client, database: postgres.Database
) -> None:
    # More than one transaction notes at once.
    create_pool(client, "large", "10.4.0.0/20", priority=1)
    for at in range(300):
        assign(client, f"c{at}", node="n1")
    assert len(reconcile(client).suspects) == 300
    pass_time(database)
    assert len(reconcile(client).released) == 300
    assert held(client) == []


def test_a_vrf_that_is_not_there_is_named(client: moorage.Client) -> None:
    with pytest.raises(moorage.NotFound) as refusal:
        client.reconcile_node("n1", [], vrf="nowhere")
    assert refusal.value.reason == "VRF_NOT_FOUND"


MANY = [messages.Attachment(container_id="c", interface="i")] * 4097


@pytest.mark.parametrize(
    ("request_", "fields"),
    [
        (requests.ReconcileNodeRequest(), {"node"}),
        (requests.ReconcileNodeRequest(node="n" * 254), {"node"}),
        (requests.ReconcileNodeRequest(node="n", parent="pods"), {"parent"}),
        (requests.ReconcileNodeRequest(node="n", network="/"), {"network"}),
        (requests.ReconcileNodeRequest(node="n", network="net", attachments=MANY), {"attachments"}),
        (
            requests.ReconcileNodeRequest(node="n", attachments=MANY[:1]),
            {"attachments[0].network"},
        ),
        (
            requests.ReconcileNodeRequest(
                node="n", network="p", attachments=[attachment(), messages.Attachment()]
            ),
            {"attachments[1].container_id", "attachments[1].interface"},
        ),
        (
            requests.ReconcileNodeRequest(node="n", attempt=messages.AttemptStamp(boot_id="b")),
            {"attempt.boot_time_ns"},
        ),
        (
            requests.ReconcileNodeRequest(node="n", grace=duration_pb2.Duration(seconds=-1)),
            {"grace"},
        ),
        (
            requests.ReconcileNodeRequest(node="n", grace=duration_pb2.Duration(seconds=86_401)),
            {"grace"},
        ),
    ],
)
def test_what_is_malformed_is_refused(
    unchanged: grpc.Channel, request_: requests.ReconcileNodeRequest, fields: set[str]
) -> None:
    stub = allocation_service_pb2_grpc.AllocationServiceStub(unchanged)
    assert set(refusals.of(stub.ReconcileNode, request_).fields) == fields
