"""VrfService, through a real channel."""

import grpc
import pytest
from google.protobuf import field_mask_pb2

from api import refusals
from harness import serving
from moorage.v1 import allocation_service_pb2 as allocation_messages
from moorage.v1 import (
    allocation_service_pb2_grpc,
    node_service_pb2_grpc,
    pool_service_pb2_grpc,
    reservation_service_pb2_grpc,
    resources_pb2,
    vrf_service_pb2_grpc,
)
from moorage.v1 import node_service_pb2 as node_messages
from moorage.v1 import pool_service_pb2 as pool_messages
from moorage.v1 import reservation_service_pb2 as reservation_messages
from moorage.v1 import vrf_service_pb2 as messages

Vrf = resources_pb2.Vrf


@pytest.fixture
def vrfs(channel: grpc.Channel) -> vrf_service_pb2_grpc.VrfServiceStub:
    return vrf_service_pb2_grpc.VrfServiceStub(channel)


def create(vrfs: vrf_service_pb2_grpc.VrfServiceStub, vrf_id: str, vrf: Vrf | None = None) -> Vrf:
    return vrfs.CreateVrf(messages.CreateVrfRequest(vrf_id=vrf_id, vrf=vrf)).vrf


def test_a_vrf_is_returned_as_stored(vrfs: vrf_service_pb2_grpc.VrfServiceStub) -> None:
    given = Vrf(name="vrfs/other", uid="mine", description="Blue", labels={"a": "b"}, etag="7")
    made = create(vrfs, "blue", given)
    assert (made.name, made.description, dict(made.labels)) == ("vrfs/blue", "Blue", {"a": "b"})
    assert made.etag not in ("", "7")
    assert made.uid not in ("", "mine")
    assert made.create_time.seconds > 0
    assert vrfs.GetVrf(messages.GetVrfRequest(name="vrfs/blue")).vrf == made


def test_the_default_vrf_is_there_from_the_start(
    vrfs: vrf_service_pb2_grpc.VrfServiceStub,
) -> None:
    assert vrfs.GetVrf(messages.GetVrfRequest(name="vrfs/default")).vrf.name == "vrfs/default"


def test_an_id_is_taken_once(vrfs: vrf_service_pb2_grpc.VrfServiceStub) -> None:
    create(vrfs, "blue")
    refusal = refusals.of(vrfs.CreateVrf, messages.CreateVrfRequest(vrf_id="blue"))
    assert refusal.told() == (
        grpc.StatusCode.ALREADY_EXISTS,
        "VRF_ALREADY_EXISTS",
        {"vrf": "blue"},
    )


@pytest.mark.parametrize(
    ("request_", "fields"),
    [
        (messages.CreateVrfRequest(), ["vrf_id"]),
        (messages.CreateVrfRequest(vrf_id="Blue"), ["vrf_id"]),
        (messages.CreateVrfRequest(vrf_id="a.b"), ["vrf_id"]),
        (messages.CreateVrfRequest(vrf_id="x" * 64), ["vrf_id"]),
        (
            messages.CreateVrfRequest(
                vrf_id="-", vrf=Vrf(description="x" * 257, labels={"k" * 64: "v"})
            ),
            ["vrf_id", "vrf.description", "vrf.labels key"],
        ),
        (
            messages.CreateVrfRequest(
                vrf_id="a", vrf=Vrf(labels={str(at): "" for at in range(33)})
            ),
            ["vrf.labels"],
        ),
        (messages.GetVrfRequest(), ["name"]),
        (messages.GetVrfRequest(name="blue"), ["name"]),
        (messages.GetVrfRequest(name="vrfs/a/pools/b"), ["name"]),
        (messages.GetVrfRequest(name="vrfs/a\x00"), ["name"] * 2),
        (messages.DeleteVrfRequest(), ["name"]),
        (messages.ListVrfsRequest(page_size=-1), ["page_size"]),
        (messages.UpdateVrfRequest(), ["vrf.name"]),
        (
            messages.UpdateVrfRequest(
                vrf=Vrf(name="default"),
                update_mask=field_mask_pb2.FieldMask(paths=["colour", "labels.a"]),
            ),
            ["vrf.name", "update_mask", "update_mask"],
        ),
        (
            messages.UpdateVrfRequest(vrf=Vrf(name="vrfs/default", description="\t")),
            ["vrf.description"],
        ),
    ],
)
def test_a_malformed_request_is_refused_with_every_field(
    unchanged: grpc.Channel,
    request_: messages.CreateVrfRequest
    | messages.GetVrfRequest
    | messages.ListVrfsRequest
    | messages.UpdateVrfRequest
    | messages.DeleteVrfRequest,
    fields: list[str],
) -> None:
    method = request_.DESCRIPTOR.name.removesuffix("Request")
    refusal = refusals.of(getattr(vrf_service_pb2_grpc.VrfServiceStub(unchanged), method), request_)
    assert refusal.told() == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST", {})
    assert refusal.fields == fields


def test_a_vrf_that_is_not_there_is_not_found(
    vrfs: vrf_service_pb2_grpc.VrfServiceStub,
) -> None:
    told = (grpc.StatusCode.NOT_FOUND, "VRF_NOT_FOUND", {"vrf": "red"})
    get, delete = (
        messages.GetVrfRequest(name="vrfs/red"),
        messages.DeleteVrfRequest(name="vrfs/red"),
    )
    assert refusals.of(vrfs.GetVrf, get).told() == told
    assert refusals.of(vrfs.DeleteVrf, delete).told() == told
    update = messages.UpdateVrfRequest(vrf=Vrf(name="vrfs/red"))
    assert refusals.of(vrfs.UpdateVrf, update).told() == told


def test_an_update_changes_what_its_mask_names(
    vrfs: vrf_service_pb2_grpc.VrfServiceStub,
) -> None:
    made = create(vrfs, "blue", Vrf(description="Blue", labels={"a": "b"}))
    given = Vrf(name="vrfs/blue", description="Navy", uid="ignored")
    partial = messages.UpdateVrfRequest(
        vrf=given, update_mask=field_mask_pb2.FieldMask(paths=["description", "uid"])
    )
    after = vrfs.UpdateVrf(partial).vrf
    assert (after.description, dict(after.labels)) == ("Navy", {"a": "b"})
    assert after.uid == made.uid
    assert after.create_time == made.create_time
    assert after.update_time.ToNanoseconds() > made.update_time.ToNanoseconds()
    whole = vrfs.UpdateVrf(messages.UpdateVrfRequest(vrf=given)).vrf
    assert (whole.description, dict(whole.labels)) == ("Navy", {})
    assert len({made.etag, after.etag, whole.etag}) == 3
    assert vrfs.UpdateVrf(messages.UpdateVrfRequest(vrf=given)).vrf == whole


def test_an_old_etag_is_refused(vrfs: vrf_service_pb2_grpc.VrfServiceStub) -> None:
    made = create(vrfs, "blue")
    told = (grpc.StatusCode.ABORTED, "ETAG_MISMATCH", {"resource": "vrfs/blue"})
    update = messages.UpdateVrfRequest(vrf=Vrf(name="vrfs/blue", etag="2"))
    assert refusals.of(vrfs.UpdateVrf, update).told() == told
    delete = messages.DeleteVrfRequest(name="vrfs/blue", etag="2")
    assert refusals.of(vrfs.DeleteVrf, delete).told() == told
    vrfs.DeleteVrf(messages.DeleteVrfRequest(name="vrfs/blue", etag=made.etag))


def test_a_vrf_with_pools_is_not_deleted(
    vrfs: vrf_service_pb2_grpc.VrfServiceStub, channel: grpc.Channel
) -> None:
    pools = pool_service_pb2_grpc.PoolServiceStub(channel)
    create(vrfs, "blue")
    pool = resources_pb2.Pool(cidr="10.0.0.0/24")
    pools.CreatePool(pool_messages.CreatePoolRequest(parent="vrfs/blue", pool_id="a", pool=pool))
    delete = messages.DeleteVrfRequest(name="vrfs/blue")
    refusal = refusals.of(vrfs.DeleteVrf, delete)
    assert refusal.told() == (
        grpc.StatusCode.FAILED_PRECONDITION,
        "VRF_IN_USE",
        {"vrf": "blue"},
    )
    pools.DeletePool(pool_messages.DeletePoolRequest(name="vrfs/blue/pools/a"))
    vrfs.DeleteVrf(delete)
    assert refusals.of(vrfs.DeleteVrf, delete).reason == "VRF_NOT_FOUND"


def test_a_deleted_vrf_takes_all_but_its_history_with_it(
    vrfs: vrf_service_pb2_grpc.VrfServiceStub, channel: grpc.Channel, server: serving.Serving
) -> None:
    made = create(vrfs, "blue")
    fill(channel, "vrfs/blue")
    vrfs.DeleteVrf(messages.DeleteVrfRequest(name="vrfs/blue"))
    again = create(vrfs, "blue")
    assert again.uid != made.uid
    assert again.etag != made.etag
    nodes = node_service_pb2_grpc.NodeServiceStub(channel)
    assert not nodes.ListNodes(node_messages.ListNodesRequest(parent="vrfs/blue")).nodes
    assert server.database.scalar("SELECT count(*) FROM attachments") == 0
    assert server.database.scalar("SELECT count(*) FROM reservations") == 0
    assert server.database.scalar("SELECT count(*) FROM events") == 2


def fill(channel: grpc.Channel, vrf: str) -> None:
    """Leaves a reservation, a node and the tombstone of an attachment in a VRF."""
    reservation_service_pb2_grpc.ReservationServiceStub(channel).CreateReservation(
        reservation_messages.CreateReservationRequest(
            parent=vrf,
            reservation_id="r",
            reservation=resources_pb2.Reservation(cidrs=["10.0.0.0/30"]),
        )
    )
    node = resources_pb2.Node(name=f"{vrf}/nodes/n")
    node_service_pb2_grpc.NodeServiceStub(channel).UpsertNode(
        node_messages.UpsertNodeRequest(node=node)
    )
    pools = pool_service_pb2_grpc.PoolServiceStub(channel)
    pool = resources_pb2.Pool(cidr="10.0.0.0/24")
    pools.CreatePool(pool_messages.CreatePoolRequest(parent=vrf, pool_id="a", pool=pool))
    allocations = allocation_service_pb2_grpc.AllocationServiceStub(channel)
    attachment = resources_pb2.Attachment(network="n", container_id="c", interface="eth0")
    wanted = allocation_messages.AddressRequest(family=resources_pb2.IP_FAMILY_IPV4)
    allocations.AssignAddresses(
        allocation_messages.AssignAddressesRequest(
            parent=vrf, attachment=attachment, addresses=[wanted]
        )
    )
    allocations.ReleaseAddresses(
        allocation_messages.ReleaseAddressesRequest(parent=vrf, attachment=attachment)
    )
    pools.DeletePool(pool_messages.DeletePoolRequest(name=f"{vrf}/pools/a"))


def test_pages_are_in_order_and_filtered_by_labels(
    vrfs: vrf_service_pb2_grpc.VrfServiceStub,
) -> None:
    for name in ("c", "a", "b"):
        create(vrfs, name, Vrf(labels={"colour": "blue", "name": name}))
    request = messages.ListVrfsRequest(page_size=2, labels={"colour": "blue"})
    first = vrfs.ListVrfs(request)
    assert [each.name for each in first.vrfs] == ["vrfs/a", "vrfs/b"]
    request.page_token = first.next_page_token
    last = vrfs.ListVrfs(request)
    assert ([each.name for each in last.vrfs], last.next_page_token) == (["vrfs/c"], "")
    everything = [each.name for each in vrfs.ListVrfs(messages.ListVrfsRequest()).vrfs]
    assert everything == ["vrfs/a", "vrfs/b", "vrfs/c", "vrfs/default"]


def test_a_page_token_belongs_to_its_filter(vrfs: vrf_service_pb2_grpc.VrfServiceStub) -> None:
    create(vrfs, "a")
    token = vrfs.ListVrfs(messages.ListVrfsRequest(page_size=1)).next_page_token
    request = messages.ListVrfsRequest(page_token=token, labels={"a": "b"})
    refusal = refusals.of(vrfs.ListVrfs, request)
    assert refusal.told() == (grpc.StatusCode.INVALID_ARGUMENT, "PAGE_TOKEN_MISMATCH", {})
