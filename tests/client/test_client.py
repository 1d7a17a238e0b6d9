"""The calls of the client: which RPC each one is, what it sends and what it returns."""

import datetime
import ipaddress
from collections.abc import Callable
from dataclasses import dataclass

import grpc
import pytest
from google.protobuf import duration_pb2, field_mask_pb2, message, timestamp_pb2

import moorage
from client import peer as peers
from moorage.v1 import admin_service_pb2 as admin
from moorage.v1 import allocation_service_pb2 as allocations
from moorage.v1 import audit_pb2 as audit
from moorage.v1 import filter_pb2, reconciliation_pb2, resources_pb2
from moorage.v1 import history_pb2 as history
from moorage.v1 import node_service_pb2 as nodes
from moorage.v1 import pool_service_pb2 as pools
from moorage.v1 import reservation_service_pb2 as reservations
from moorage.v1 import vrf_service_pb2 as vrfs

POOL = resources_pb2.Pool(name="vrfs/blue/pools/web", cidr="10.0.0.0/24")
RESERVATION = resources_pb2.Reservation(name="vrfs/blue/reservations/r", cidrs=["10.0.0.0/30"])
NODE = resources_pb2.Node(name="vrfs/blue/nodes/n1", labels={"zone": "east"})
VRF = resources_pb2.Vrf(name="vrfs/blue", description="tenant")
HELD = resources_pb2.Allocation(name="vrfs/blue/allocations/10.0.0.7", address="10.0.0.7")
KEPT = reconciliation_pb2.StickyAddress(
    name="vrfs/blue/stickyAddresses/10.0.0.7", address="10.0.0.7", owner_key="db-0"
)
MASK = field_mask_pb2.FieldMask(paths=["labels"])
LABELS = {"tier": "front"}
C1 = resources_pb2.Attachment(network="net", container_id="c1", interface="eth0")
BLOCK = resources_pb2.Block(cidr="10.0.0.0/26", pool=POOL.name, node="n1")
FINDING = admin.CheckConsistencyResponse(
    finding=admin.Finding(rule="address_free_and_held", address="10.0.0.7")
)
PROGRESS = admin.CheckConsistencyResponse(
    progress=admin.CheckProgress(rule="address_free_and_held", checked_rule_count=1, rule_count=2)
)
EXPORTED = admin.ExportVrfResponse(allocations=[HELD])
ADOPTED = admin.AdoptedAddress(
    address="10.0.0.7",
    attachment=resources_pb2.Attachment(network="net", container_id="c1", interface="eth0"),
)

RESTORED = resources_pb2.Quarantine(cause=resources_pb2.QUARANTINE_CAUSE_RESTORED)
HOLDING = history.Holding(allocation=HELD, release_generation=8)
CHANGE = audit.Change(change_id=7, method="UpdatePool", resource_id="web")
NOON = datetime.datetime(2030, 1, 1, 12, tzinfo=datetime.UTC)
NOON_STAMP = timestamp_pb2.Timestamp(seconds=int(NOON.timestamp()))


@dataclass(frozen=True, kw_only=True)
class Row:
    """One call of the client, and the exchange that it stands for."""

    rpc: str
    call: Callable[[moorage.Client], object]
    request: message.Message
    response: message.Message
    result: object = None


ROWS = [
    Row(
        rpc="AllocationService/ListStickyAddresses",
        call=lambda client: list(
            client.sticky_addresses(owner_key="db-0", vrf="blue", page_size=10)
        ),
        request=reconciliation_pb2.ListStickyAddressesRequest(
            parent="vrfs/blue", owner_key="db-0", page_size=10
        ),
        response=reconciliation_pb2.ListStickyAddressesResponse(sticky_addresses=[KEPT]),
        result=[KEPT],
    ),
    Row(
        rpc="AllocationService/DeleteStickyAddress",
        call=lambda client: client.delete_sticky_address("10.0.0.7", vrf="blue"),
        request=reconciliation_pb2.DeleteStickyAddressRequest(name=KEPT.name),
        response=reconciliation_pb2.DeleteStickyAddressResponse(sticky_address=KEPT),
    ),
    Row(
        rpc="AllocationService/ReconcileNode",
        call=lambda client: client.reconcile_node(
            "n1", [C1], network="net", grace=0.5, validate_only=True, vrf="blue"
        ),
        request=reconciliation_pb2.ReconcileNodeRequest(
            parent="vrfs/blue",
            node="n1",
            network="net",
            attachments=[C1],
            grace=duration_pb2.Duration(nanos=500_000_000),
            validate_only=True,
        ),
        response=reconciliation_pb2.ReconcileNodeResponse(released=[HELD]),
        result=reconciliation_pb2.ReconcileNodeResponse(released=[HELD]),
    ),
    Row(
        rpc="AllocationService/GetAllocation",
        call=lambda client: client.get_allocation("10.0.0.7", vrf="blue"),
        request=allocations.GetAllocationRequest(name="vrfs/blue/allocations/10.0.0.7"),
        response=allocations.GetAllocationResponse(allocation=HELD),
        result=HELD,
    ),
    Row(
        rpc="AllocationService/ReconcileNode",
        call=lambda client: client.reconcile_node(
            "n1", [C1], network="net", grace=0.5, validate_only=True, vrf="blue"
        ),
        request=reconciliation_pb2.ReconcileNodeRequest(
            parent="vrfs/blue",
            node="n1",
            network="net",
            attachments=[C1],
            grace=duration_pb2.Duration(nanos=500_000_000),
            validate_only=True,
        ),
        response=reconciliation_pb2.ReconcileNodeResponse(released=[HELD]),
        result=reconciliation_pb2.ReconcileNodeResponse(released=[HELD]),
    ),
    Row(
        rpc="AllocationService/GetAllocation",
        call=lambda client: client.get_allocation(ipaddress.ip_address("fd00::0:7")),
        request=allocations.GetAllocationRequest(name="vrfs/default/allocations/fd00::7"),
        response=allocations.GetAllocationResponse(allocation=HELD),
        result=HELD,
    ),
    Row(
        rpc="AllocationService/ReconcileNode",
        call=lambda client: client.reconcile_node(
            "n1", [C1], network="net", grace=0.5, validate_only=True, vrf="blue"
        ),
        request=reconciliation_pb2.ReconcileNodeRequest(
            parent="vrfs/blue",
            node="n1",
            network="net",
            attachments=[C1],
            grace=duration_pb2.Duration(nanos=500_000_000),
            validate_only=True,
        ),
        response=reconciliation_pb2.ReconcileNodeResponse(released=[HELD]),
        result=reconciliation_pb2.ReconcileNodeResponse(released=[HELD]),
    ),
    Row(
        rpc="AllocationService/GetAllocation",
        call=lambda client: client.get_allocation(HELD.name, vrf="ignored"),
        request=allocations.GetAllocationRequest(name=HELD.name),
        response=allocations.GetAllocationResponse(allocation=HELD),
        result=HELD,
    ),
    Row(
        rpc="AllocationService/ListAllocations",
        call=lambda client: list(
            client.allocations(filter_pb2.AllocationFilter(pools=["web"]), vrf="blue", page_size=10)
        ),
        request=allocations.ListAllocationsRequest(
            parent="vrfs/blue",
            filter=filter_pb2.AllocationFilter(pools=["web"]),
            page_size=10,
        ),
        response=allocations.ListAllocationsResponse(allocations=[HELD]),
        result=[HELD],
    ),
    Row(
        rpc="AllocationService/ListAllocationHistory",
        call=lambda client: list(
            client.history(filter_pb2.AllocationFilter(owner_key="cart"), at=NOON, vrf="blue")
        ),
        request=history.ListAllocationHistoryRequest(
            parent="vrfs/blue",
            filter=filter_pb2.AllocationFilter(owner_key="cart"),
            at_time=NOON_STAMP,
        ),
        response=history.ListAllocationHistoryResponse(holdings=[HOLDING]),
        result=[HOLDING],
    ),
    Row(
        rpc="AllocationService/ListAllocationHistory",
        call=lambda client: list(client.history(start=NOON, end=NOON, page_size=10)),
        request=history.ListAllocationHistoryRequest(
            parent="vrfs/default", start_time=NOON_STAMP, end_time=NOON_STAMP, page_size=10
        ),
        response=history.ListAllocationHistoryResponse(holdings=[HOLDING]),
        result=[HOLDING],
    ),
    Row(
        rpc="AllocationService/ListAllocationHistory",
        call=lambda client: client.history_known_since(vrf="blue"),
        request=history.ListAllocationHistoryRequest(parent="vrfs/blue", page_size=1),
        response=history.ListAllocationHistoryResponse(known_since=NOON_STAMP),
        result=NOON,
    ),
    Row(
        rpc="PoolService/CreatePool",
        call=lambda client: client.create_pool("web", POOL, vrf="blue"),
        request=pools.CreatePoolRequest(parent="vrfs/blue", pool_id="web", pool=POOL),
        response=pools.CreatePoolResponse(pool=POOL),
        result=POOL,
    ),
    Row(
        rpc="PoolService/GetPool",
        call=lambda client: client.get_pool("web", vrf="blue"),
        request=pools.GetPoolRequest(name=POOL.name),
        response=pools.GetPoolResponse(pool=POOL),
        result=POOL,
    ),
    Row(
        rpc="PoolService/ListPools",
        call=lambda client: list(client.pools(labels=LABELS, vrf="blue")),
        request=pools.ListPoolsRequest(parent="vrfs/blue", labels=LABELS),
        response=pools.ListPoolsResponse(pools=[POOL]),
        result=[POOL],
    ),
    Row(
        rpc="PoolService/UpdatePool",
        call=lambda client: client.update_pool(POOL, update_mask=["labels"]),
        request=pools.UpdatePoolRequest(pool=POOL, update_mask=MASK),
        response=pools.UpdatePoolResponse(pool=POOL),
        result=POOL,
    ),
    Row(
        rpc="PoolService/UpdatePool",
        call=lambda client: client.update_pool(POOL),
        request=pools.UpdatePoolRequest(pool=POOL),
        response=pools.UpdatePoolResponse(pool=POOL),
        result=POOL,
    ),
    Row(
        rpc="PoolService/DeletePool",
        call=lambda client: client.delete_pool("web", vrf="blue", etag="e"),
        request=pools.DeletePoolRequest(name=POOL.name, etag="e"),
        response=pools.DeletePoolResponse(),
    ),
    Row(
        rpc="PoolService/DrainPool",
        call=lambda client: client.drain_pool("web", vrf="blue", etag="e"),
        request=pools.DrainPoolRequest(name=POOL.name, etag="e"),
        response=pools.DrainPoolResponse(pool=POOL),
        result=POOL,
    ),
    Row(
        rpc="PoolService/ActivatePool",
        call=lambda client: client.activate_pool("web", vrf="blue", etag="e"),
        request=pools.ActivatePoolRequest(name=POOL.name, etag="e"),
        response=pools.ActivatePoolResponse(pool=POOL),
        result=POOL,
    ),
    Row(
        rpc="PoolService/GetPoolUsage",
        call=lambda client: client.get_pool_usage("web", vrf="blue"),
        request=pools.GetPoolUsageRequest(name=POOL.name),
        response=pools.GetPoolUsageResponse(open_block_count=3),
        result=pools.GetPoolUsageResponse(open_block_count=3),
    ),
    Row(
        rpc="PoolService/ForecastPool",
        call=lambda client: client.forecast_pool("web", window_days=30, vrf="blue"),
        request=pools.ForecastPoolRequest(name=POOL.name, window_days=30),
        response=pools.ForecastPoolResponse(daily_growth=3),
        result=pools.ForecastPoolResponse(daily_growth=3),
    ),
    Row(
        rpc="PoolService/ListBlocks",
        call=lambda client: list(client.blocks(pool="web", node="n1", vrf="blue", page_size=10)),
        request=pools.ListBlocksRequest(parent=POOL.name, node="n1", page_size=10),
        response=pools.ListBlocksResponse(blocks=[BLOCK]),
        result=[BLOCK],
    ),
    Row(
        rpc="PoolService/ListBlocks",
        call=lambda client: list(client.blocks(vrf="blue")),
        request=pools.ListBlocksRequest(parent="vrfs/blue"),
        response=pools.ListBlocksResponse(blocks=[BLOCK]),
        result=[BLOCK],
    ),
    Row(
        rpc="ReservationService/CreateReservation",
        call=lambda client: client.create_reservation("r", RESERVATION, vrf="blue"),
        request=reservations.CreateReservationRequest(
            parent="vrfs/blue", reservation_id="r", reservation=RESERVATION
        ),
        response=reservations.CreateReservationResponse(reservation=RESERVATION),
        result=RESERVATION,
    ),
    Row(
        rpc="ReservationService/GetReservation",
        call=lambda client: client.get_reservation("r", vrf="blue"),
        request=reservations.GetReservationRequest(name=RESERVATION.name),
        response=reservations.GetReservationResponse(reservation=RESERVATION),
        result=RESERVATION,
    ),
    Row(
        rpc="ReservationService/ListReservations",
        call=lambda client: list(client.reservations(labels=LABELS, vrf="blue")),
        request=reservations.ListReservationsRequest(parent="vrfs/blue", labels=LABELS),
        response=reservations.ListReservationsResponse(reservations=[RESERVATION]),
        result=[RESERVATION],
    ),
    Row(
        rpc="ReservationService/UpdateReservation",
        call=lambda client: client.update_reservation(RESERVATION, update_mask=["labels"]),
        request=reservations.UpdateReservationRequest(reservation=RESERVATION, update_mask=MASK),
        response=reservations.UpdateReservationResponse(reservation=RESERVATION),
        result=RESERVATION,
    ),
    Row(
        rpc="ReservationService/DeleteReservation",
        call=lambda client: client.delete_reservation("r", vrf="blue", etag="e"),
        request=reservations.DeleteReservationRequest(name=RESERVATION.name, etag="e"),
        response=reservations.DeleteReservationResponse(),
    ),
    Row(
        rpc="NodeService/UpsertNode",
        call=lambda client: client.upsert_node(NODE),
        request=nodes.UpsertNodeRequest(node=NODE),
        response=nodes.UpsertNodeResponse(node=NODE),
        result=NODE,
    ),
    Row(
        rpc="NodeService/GetNode",
        call=lambda client: client.get_node("n1", vrf="blue"),
        request=nodes.GetNodeRequest(name=NODE.name),
        response=nodes.GetNodeResponse(node=NODE),
        result=NODE,
    ),
    Row(
        rpc="NodeService/ListNodes",
        call=lambda client: list(client.nodes(labels=LABELS, vrf="blue")),
        request=nodes.ListNodesRequest(parent="vrfs/blue", labels=LABELS),
        response=nodes.ListNodesResponse(nodes=[NODE]),
        result=[NODE],
    ),
    Row(
        rpc="NodeService/DeleteNode",
        call=lambda client: client.delete_node("n1", vrf="blue", etag="e"),
        request=nodes.DeleteNodeRequest(name=NODE.name, etag="e"),
        response=nodes.DeleteNodeResponse(),
    ),
    Row(
        rpc="VrfService/CreateVrf",
        call=lambda client: client.create_vrf("blue", VRF),
        request=vrfs.CreateVrfRequest(vrf_id="blue", vrf=VRF),
        response=vrfs.CreateVrfResponse(vrf=VRF),
        result=VRF,
    ),
    Row(
        rpc="VrfService/GetVrf",
        call=lambda client: client.get_vrf("blue"),
        request=vrfs.GetVrfRequest(name=VRF.name),
        response=vrfs.GetVrfResponse(vrf=VRF),
        result=VRF,
    ),
    Row(
        rpc="VrfService/ListVrfs",
        call=lambda client: list(client.vrfs(labels=LABELS)),
        request=vrfs.ListVrfsRequest(labels=LABELS),
        response=vrfs.ListVrfsResponse(vrfs=[VRF]),
        result=[VRF],
    ),
    Row(
        rpc="VrfService/UpdateVrf",
        call=lambda client: client.update_vrf(VRF, update_mask=["labels"]),
        request=vrfs.UpdateVrfRequest(vrf=VRF, update_mask=MASK),
        response=vrfs.UpdateVrfResponse(vrf=VRF),
        result=VRF,
    ),
    Row(
        rpc="VrfService/DeleteVrf",
        call=lambda client: client.delete_vrf("blue", etag="e"),
        request=vrfs.DeleteVrfRequest(name=VRF.name, etag="e"),
        response=vrfs.DeleteVrfResponse(),
    ),
    Row(
        rpc="PoolService/CreatePool",
        call=lambda client: client.create_pool("web", POOL, vrf="blue", validate_only=True),
        request=pools.CreatePoolRequest(
            parent="vrfs/blue", pool_id="web", pool=POOL, validate_only=True
        ),
        response=pools.CreatePoolResponse(pool=POOL),
        result=POOL,
    ),
    Row(
        rpc="PoolService/UpdatePool",
        call=lambda client: client.update_pool(POOL, update_mask=["labels"], validate_only=True),
        request=pools.UpdatePoolRequest(pool=POOL, update_mask=MASK, validate_only=True),
        response=pools.UpdatePoolResponse(pool=POOL),
        result=POOL,
    ),
    Row(
        rpc="PoolService/DeletePool",
        call=lambda client: client.delete_pool("web", vrf="blue", etag="e", validate_only=True),
        request=pools.DeletePoolRequest(name=POOL.name, etag="e", validate_only=True),
        response=pools.DeletePoolResponse(),
    ),
    Row(
        rpc="ReservationService/CreateReservation",
        call=lambda client: client.create_reservation(
            "r", RESERVATION, vrf="blue", validate_only=True
        ),
        request=reservations.CreateReservationRequest(
            parent="vrfs/blue", reservation_id="r", reservation=RESERVATION, validate_only=True
        ),
        response=reservations.CreateReservationResponse(reservation=RESERVATION),
        result=RESERVATION,
    ),
    Row(
        rpc="ReservationService/UpdateReservation",
        call=lambda client: client.update_reservation(
            RESERVATION, update_mask=["labels"], validate_only=True
        ),
        request=reservations.UpdateReservationRequest(
            reservation=RESERVATION, update_mask=MASK, validate_only=True
        ),
        response=reservations.UpdateReservationResponse(reservation=RESERVATION),
        result=RESERVATION,
    ),
    Row(
        rpc="ReservationService/DeleteReservation",
        call=lambda client: client.delete_reservation(
            "r", vrf="blue", etag="e", validate_only=True
        ),
        request=reservations.DeleteReservationRequest(
            name=RESERVATION.name, etag="e", validate_only=True
        ),
        response=reservations.DeleteReservationResponse(),
    ),
    Row(
        rpc="NodeService/UpsertNode",
        call=lambda client: client.upsert_node(NODE, validate_only=True),
        request=nodes.UpsertNodeRequest(node=NODE, validate_only=True),
        response=nodes.UpsertNodeResponse(node=NODE),
        result=NODE,
    ),
    Row(
        rpc="NodeService/DeleteNode",
        call=lambda client: client.delete_node("n1", vrf="blue", etag="e", validate_only=True),
        request=nodes.DeleteNodeRequest(name=NODE.name, etag="e", validate_only=True),
        response=nodes.DeleteNodeResponse(),
    ),
    Row(
        rpc="VrfService/CreateVrf",
        call=lambda client: client.create_vrf("blue", VRF, validate_only=True),
        request=vrfs.CreateVrfRequest(vrf_id="blue", vrf=VRF, validate_only=True),
        response=vrfs.CreateVrfResponse(vrf=VRF),
        result=VRF,
    ),
    Row(
        rpc="VrfService/UpdateVrf",
        call=lambda client: client.update_vrf(VRF, update_mask=["labels"], validate_only=True),
        request=vrfs.UpdateVrfRequest(vrf=VRF, update_mask=MASK, validate_only=True),
        response=vrfs.UpdateVrfResponse(vrf=VRF),
        result=VRF,
    ),
    Row(
        rpc="VrfService/DeleteVrf",
        call=lambda client: client.delete_vrf("blue", etag="e", validate_only=True),
        request=vrfs.DeleteVrfRequest(name=VRF.name, etag="e", validate_only=True),
        response=vrfs.DeleteVrfResponse(),
    ),
    Row(
        rpc="AdminService/CheckConsistency",
        call=lambda client: list(client.check_consistency(vrf="blue")),
        request=admin.CheckConsistencyRequest(parent="vrfs/blue"),
        response=FINDING,
        result=[FINDING],
    ),
    Row(
        rpc="AdminService/ExportVrf",
        call=lambda client: list(client.export_vrf(vrf="blue")),
        request=admin.ExportVrfRequest(parent="vrfs/blue"),
        response=EXPORTED,
        result=[EXPORTED],
    ),
    Row(
        rpc="AdminService/AdoptBlock",
        call=lambda client: client.adopt_block(
            "10.0.0.0/26",
            [ADOPTED],
            node="n1",
            sticky_addresses=[KEPT],
            validate_only=True,
            vrf="blue",
        ),
        request=admin.AdoptBlockRequest(
            parent="vrfs/blue",
            cidr="10.0.0.0/26",
            node="n1",
            addresses=[ADOPTED],
            sticky_addresses=[KEPT],
            validate_only=True,
        ),
        response=admin.AdoptBlockResponse(adopted_count=1),
        result=admin.AdoptBlockResponse(adopted_count=1),
    ),
    Row(
        rpc="AdminService/GetQuarantine",
        call=lambda client: client.get_quarantine(vrf="blue"),
        request=admin.GetQuarantineRequest(parent="vrfs/blue"),
        response=admin.GetQuarantineResponse(quarantines=[RESTORED], awaited_count=1),
        result=admin.GetQuarantineResponse(quarantines=[RESTORED], awaited_count=1),
    ),
    Row(
        rpc="AdminService/LiftQuarantine",
        call=lambda client: client.lift_quarantine("repaired", vrf="blue"),
        request=admin.LiftQuarantineRequest(parent="vrfs/blue", reason="repaired"),
        response=admin.LiftQuarantineResponse(quarantines=[RESTORED]),
        result=[RESTORED],
    ),
    Row(
        rpc="AdminService/ListChanges",
        call=lambda client: list(
            client.changes(audit.CHANGE_KIND_POOL, "web", start=NOON, end=NOON, page_size=10)
        ),
        request=audit.ListChangesRequest(
            parent="vrfs/default",
            kind=audit.CHANGE_KIND_POOL,
            resource_id="web",
            start_time=NOON_STAMP,
            end_time=NOON_STAMP,
            page_size=10,
        ),
        response=audit.ListChangesResponse(changes=[CHANGE]),
        result=[CHANGE],
    ),
]
# These send a stamp that no table can foresee; they have tests of their own.
STAMPED = {
    "AllocationService/AssignAddresses",
    "AllocationService/ReleaseAddresses",
    "AllocationService/ExplainAssign",
}
# A stream that goes on across connections; tests/client/test_watch.py is about it.
WATCHED = {"AllocationService/WatchAllocations"}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.rpc)
def test_a_call_sends_its_request_and_returns_what_was_stored(
    peer: peers.Peer, caller: moorage.Client, row: Row
) -> None:
    peer.will(peers.answer(row.response))
    assert row.call(caller) == row.result
    (call,) = peer.calls
    assert call.method == f"/moorage.v1.{row.rpc}"
    assert type(row.request).FromString(call.request) == row.request


def test_every_rpc_has_a_call() -> None:
    published = {
        f"{service.name}/{method.name}"
        for file in (allocations, pools, reservations, nodes, vrfs, admin)
        for service in file.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    }
    assert published == {row.rpc for row in ROWS} | STAMPED | WATCHED


ANY_IPV4 = allocations.AddressRequest(family=resources_pb2.IP_FAMILY_IPV4)


def test_assign_sends_everything_and_returns_the_allocations(
    peer: peers.Peer, caller: moorage.Client
) -> None:
    peer.will(peers.answer(allocations.AssignAddressesResponse(allocations=[HELD])))
    workload = resources_pb2.Workload(node="n1", namespace="shop", pod="cart-0")
    assigned = caller.assign(
        C1,
        [ANY_IPV4],
        workload=workload,
        use=resources_pb2.USE_TUNNEL,
        owner_key="cart",
        labels=LABELS,
        wait=1.5,
        sticky=datetime.timedelta(hours=1),
        vrf="blue",
    )
    assert assigned == [HELD]
    sent = allocations.AssignAddressesRequest.FromString(peer.calls[0].request)
    assert sent.attempt.boot_id
    assert sent.attempt.boot_time_ns > 0
    sent.ClearField("attempt")
    assert sent == allocations.AssignAddressesRequest(
        parent="vrfs/blue",
        attachment=C1,
        addresses=[ANY_IPV4],
        workload=workload,
        use=resources_pb2.USE_TUNNEL,
        owner_key="cart",
        labels=LABELS,
        wait=duration_pb2.Duration(seconds=1, nanos=500_000_000),
        sticky=duration_pb2.Duration(seconds=3600),
    )


def test_explain_asks_about_the_assign_it_would_send(
    peer: peers.Peer, caller: moorage.Client
) -> None:
    answer = allocations.ExplainAssignResponse(
        refusal=reconciliation_pb2.Refusal(message="pools are full"),
    )
    peer.will(
        peers.answer(answer),
        peers.answer(allocations.AssignAddressesResponse()),
    )
    stamp = resources_pb2.AttemptStamp(boot_id="b", boot_time_ns=7)
    workload = resources_pb2.Workload(node="n1", namespace="shop", pod="cart-0")
    use = resources_pb2.USE_TUNNEL
    explained = caller.explain_assign(
        C1,
        [ANY_IPV4],
        workload=workload,
        use=use,
        owner_key="cart",
        labels=LABELS,
        wait=1.5,
        sticky=datetime.timedelta(hours=1),
        vrf="blue",
        attempt=stamp,
    )
    assert explained == answer
    caller.assign(
        C1,
        [ANY_IPV4],
        workload=workload,
        use=use,
        owner_key="cart",
        labels=LABELS,
        wait=1.5,
        sticky=datetime.timedelta(hours=1),
        vrf="blue",
        attempt=stamp,
    )
    explain, assign = peer.calls
    assert explain.method == "/moorage.v1.AllocationService/ExplainAssign"
    assert allocations.ExplainAssignRequest.FromString(
        explain.request
    ).assign == allocations.AssignAddressesRequest.FromString(assign.request)


def test_a_check_yields_what_comes_until_it_breaks_off(
    peer: peers.Peer, caller: moorage.Client
) -> None:
    peer.will(
        peers.answer(FINDING),
        peers.answer(PROGRESS),
        peers.refuse(grpc.StatusCode.UNAVAILABLE, "DATABASE_UNAVAILABLE"),
    )
    check = caller.check_consistency()
    assert next(check) == FINDING
    assert next(check) == PROGRESS
    with pytest.raises(moorage.Unavailable) as caught:
        next(check)
    assert caught.value.reason == "DATABASE_UNAVAILABLE"
    assert len(peer.calls) == 1


def test_a_check_has_one_deadline(peer: peers.Peer, caller: moorage.Client) -> None:
    peer.will(peers.answer(FINDING), peer.hang())
    check = caller.check_consistency(timeout=0.2)
    assert next(check) == FINDING
    with pytest.raises(moorage.DeadlineExceeded):
        next(check)
    assert peer.calls[0].time_remaining <= 0.2


def test_release_sends_everything_and_returns_what_was_released(
    peer: peers.Peer, caller: moorage.Client
) -> None:
    peer.will(peers.answer(allocations.ReleaseAddressesResponse(allocations=[HELD])))
    assert caller.release(C1, vrf="blue") == [HELD]
    sent = allocations.ReleaseAddressesRequest.FromString(peer.calls[0].request)
    assert sent.attempt.boot_id
    sent.ClearField("attempt")
    assert sent == allocations.ReleaseAddressesRequest(parent="vrfs/blue", attachment=C1)


def test_a_release_of_generations_says_nothing_of_the_callers_clock(
    peer: peers.Peer, caller: moorage.Client
) -> None:
    peer.will(peers.answer(allocations.ReleaseAddressesResponse(allocations=[HELD])))
    assert caller.release(C1, generations=iter([4, 5])) == [HELD]
    sent = allocations.ReleaseAddressesRequest.FromString(peer.calls[0].request)
    assert not sent.HasField("attempt")
    assert sent.generations == [4, 5]


def test_a_caller_may_send_the_stamp_of_an_earlier_moment(
    peer: peers.Peer, caller: moorage.Client
) -> None:
    earlier = resources_pb2.AttemptStamp(boot_id="b", boot_time_ns=7)
    peer.will(
        peers.answer(allocations.AssignAddressesResponse()),
        peers.answer(allocations.ReleaseAddressesResponse()),
    )
    caller.assign(C1, [ANY_IPV4], attempt=earlier)
    caller.release(C1, attempt=earlier)
    assign, release = (call.request for call in peer.calls)
    assert allocations.AssignAddressesRequest.FromString(assign).attempt == earlier
    assert allocations.ReleaseAddressesRequest.FromString(release).attempt == earlier


def test_a_later_call_has_a_later_stamp(peer: peers.Peer, caller: moorage.Client) -> None:
    peer.will(*[peers.answer(allocations.ReleaseAddressesResponse())] * 2)
    caller.release(C1)
    caller.release(C1)
    stamps = [allocations.ReleaseAddressesRequest.FromString(c.request).attempt for c in peer.calls]
    assert stamps[0].boot_id == stamps[1].boot_id
    assert stamps[0].boot_time_ns < stamps[1].boot_time_ns


def test_a_listing_asks_for_the_next_page_only_when_it_is_wanted(
    peer: peers.Peer, caller: moorage.Client
) -> None:
    first, second, third = (
        resources_pb2.Allocation(address=address) for address in ("10.0.0.1", "10.0.0.2", "fd00::1")
    )
    peer.will(
        peers.answer(
            allocations.ListAllocationsResponse(allocations=[first, second], next_page_token="t1")
        ),
        peers.answer(allocations.ListAllocationsResponse(next_page_token="t2")),
        peers.answer(allocations.ListAllocationsResponse(allocations=[third])),
    )
    listing = caller.allocations(filter_pb2.AllocationFilter(cidr="10.0.0.0/8"), page_size=2)
    assert peer.calls == []
    assert next(listing) == first
    assert len(peer.calls) == 1
    assert list(listing) == [second, third]
    sent = [allocations.ListAllocationsRequest.FromString(call.request) for call in peer.calls]
    assert [request.page_token for request in sent] == ["", "t1", "t2"]
    assert {request.filter.cidr for request in sent} == {"10.0.0.0/8"}
    assert {request.page_size for request in sent} == {2}


def test_a_page_that_fails_in_passing_is_asked_for_again(
    peer: peers.Peer, caller: moorage.Client
) -> None:
    peer.will(
        peers.answer(pools.ListPoolsResponse(pools=[POOL], next_page_token="t1")),
        peers.refuse(grpc.StatusCode.UNAVAILABLE),
        peers.answer(pools.ListPoolsResponse(pools=[POOL])),
    )
    assert list(caller.pools()) == [POOL, POOL]
