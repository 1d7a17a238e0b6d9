"""One request or more for every RPC that the server accepts, to be spoiled by tests."""

from collections.abc import Sequence

from google.protobuf import duration_pb2, field_mask_pb2, timestamp_pb2
from google.protobuf.message import Message

from moorage.v1 import (
    admin_service_pb2,
    allocation_service_pb2,
    audit_pb2,
    filter_pb2,
    history_pb2,
    node_service_pb2,
    pool_service_pb2,
    reconciliation_pb2,
    reservation_service_pb2,
    resources_pb2,
    vrf_service_pb2,
)

VRF = "vrfs/default"
POOL = resources_pb2.Pool(
    name=f"{VRF}/pools/web",
    cidr="10.0.0.0/24",
    block_size=26,
    node_selector='zone == "east"',
    namespace_selector="has(team)",
    allowed_uses=[resources_pb2.USE_WORKLOAD],
    assignment_mode=resources_pb2.ASSIGNMENT_MODE_MANUAL,
    block_affinity=resources_pb2.BLOCK_AFFINITY_NONE,
    priority=5,
    result_form=resources_pb2.RESULT_FORM_POOL,
    gateway="10.0.0.1",
    routes=[resources_pb2.Route(destination="0.0.0.0/0", gateway="10.0.0.1")],
    dns=resources_pb2.Dns(nameservers=["10.0.0.2"], domain="shop", searches=["a"], options=["b"]),
    excluded_ranges=["10.0.0.3", "10.0.0.8-10.0.0.12"],
    labels={"tier": "front"},
    cooldown_seconds=5,
    cooldown_policy=resources_pb2.COOLDOWN_POLICY_YIELD,
    allowed_namespaces=["shop", "bank"],
    fixed_addresses=resources_pb2.FIXED_ADDRESSES_GRANTED,
)
RESERVATION = resources_pb2.Reservation(
    name=f"{VRF}/reservations/quiet",
    cidrs=["10.0.0.16/28", "fd00::7"],
    description="kept",
    expire_time=timestamp_pb2.Timestamp(seconds=4_000_000_000, nanos=5),
    labels={"tier": "front"},
    owner_key="shop/web-0",
)
CONFIGURATION = resources_pb2.VrfConfiguration(
    strict_affinity=True,
    auto_allocate_blocks=False,
    max_blocks_per_node=3,
    cooldown_seconds=5,
)
QUOTAS = resources_pb2.Quotas(
    addresses_per_node=220,
    addresses_per_namespace=50,
    namespaces=[resources_pb2.NamespaceQuota(namespace="bank", addresses=3)],
)
GRANTS = [
    resources_pb2.FixedAddressGrant(namespace="shop", cidrs=["10.0.0.16/28", "fd00::7"]),
    resources_pb2.FixedAddressGrant(namespace="bank", cidrs=["10.0.0.5"]),
]
NODE = resources_pb2.Node(name=f"{VRF}/nodes/n1", labels={"zone": "east"})
ATTACHMENT = resources_pb2.Attachment(network="pods", container_id="c1", interface="eth0")
WORKLOAD = resources_pb2.Workload(
    node="n1", namespace="shop", pod="web-0", pod_uid="u-1", namespace_labels={"team": "blue"}
)
ATTEMPT = resources_pb2.AttemptStamp(boot_id="boot-1", boot_time_ns=7)


# Of another history, so that it says nothing.
SEEN = resources_pb2.FeedPosition(epoch="of another", revision=7)


def _mask(*paths: str) -> field_mask_pb2.FieldMask:
    return field_mask_pb2.FieldMask(paths=paths)


def _assignment(
    *addresses: allocation_service_pb2.AddressRequest,
) -> allocation_service_pb2.AssignAddressesRequest:
    return allocation_service_pb2.AssignAddressesRequest(
        parent=VRF,
        attachment=ATTACHMENT,
        addresses=addresses,
        workload=WORKLOAD,
        use=resources_pb2.USE_WORKLOAD,
        owner_key="shop/web-0",
        labels={"tier": "front"},
        attempt=ATTEMPT,
        sticky=duration_pb2.Duration(seconds=60),
        seen=SEEN,
    )


_IPV4, _IPV6 = resources_pb2.IP_FAMILY_IPV4, resources_pb2.IP_FAMILY_IPV6
_Want = allocation_service_pb2.AddressRequest

_DATA_PATH: dict[str, Sequence[Message]] = {
    "AssignAddresses": [
        _assignment(_Want(family=_IPV4, pools=["web", "10.0.0.0/24"])),
        _assignment(_Want(family=_IPV4, candidate_addresses=["10.0.0.5", "10.0.0.6"])),
        _assignment(_Want(family=_IPV4), _Want(family=_IPV6)),
    ],
    "ReleaseAddresses": [
        allocation_service_pb2.ReleaseAddressesRequest(
            parent=VRF, attachment=ATTACHMENT, attempt=ATTEMPT, generations=[1, 2], seen=SEEN
        )
    ],
    "ReconcileNode": [
        reconciliation_pb2.ReconcileNodeRequest(
            parent=VRF,
            node="n9",
            network="net",
            attachments=[ATTACHMENT, resources_pb2.Attachment(container_id="c", interface="i")],
            attempt=ATTEMPT,
            grace=duration_pb2.Duration(seconds=60),
            validate_only=True,
            seen=SEEN,
            from_records=True,
        ),
        reconciliation_pb2.ReconcileNodeRequest(node="n9"),
    ],
    "ExplainAssign": [
        allocation_service_pb2.ExplainAssignRequest(
            assign=_assignment(_Want(family=_IPV4), _Want(family=_IPV6))
        )
    ],
    "GetAllocation": [
        allocation_service_pb2.GetAllocationRequest(name=f"{VRF}/allocations/10.0.0.5")
    ],
    "ListAllocations": [
        allocation_service_pb2.ListAllocationsRequest(
            parent=VRF,
            filter=filter_pb2.AllocationFilter(
                pools=["web"],
                cidr="10.0.0.0/28",
                attachment=ATTACHMENT,
                workload=resources_pb2.Workload(node="n1", namespace="shop", pod="web-0"),
                owner_key="shop/web-0",
                labels={"tier": "front"},
            ),
            page_size=1,
        )
    ],
    "ListAllocationHistory": [
        history_pb2.ListAllocationHistoryRequest(
            parent=VRF,
            filter=filter_pb2.AllocationFilter(
                pools=["web"],
                attachment=ATTACHMENT,
                workload=resources_pb2.Workload(node="n1", namespace="shop", pod="web-0"),
                owner_key="shop/web-0",
                labels={"tier": "front"},
            ),
            at_time=timestamp_pb2.Timestamp(seconds=2_000_000_000, nanos=5),
            page_size=1,
        ),
        history_pb2.ListAllocationHistoryRequest(
            filter=filter_pb2.AllocationFilter(cidr="10.0.0.5"),
            start_time=timestamp_pb2.Timestamp(seconds=1),
            end_time=timestamp_pb2.Timestamp(seconds=2_000_000_000, nanos=5),
        ),
    ],
    "ListStickyAddresses": [
        reconciliation_pb2.ListStickyAddressesRequest(
            parent=VRF, owner_key="shop/web-0", page_size=1
        )
    ],
    "DeleteStickyAddress": [
        reconciliation_pb2.DeleteStickyAddressRequest(name=f"{VRF}/stickyAddresses/10.0.0.5")
    ],
}
_POOLS: dict[str, Sequence[Message]] = {
    "CreatePool": [pool_service_pb2.CreatePoolRequest(parent=VRF, pool_id="web", pool=POOL)],
    "GetPool": [pool_service_pb2.GetPoolRequest(name=POOL.name)],
    "ListPools": [pool_service_pb2.ListPoolsRequest(parent=VRF, page_size=1, labels=POOL.labels)],
    "UpdatePool": [
        pool_service_pb2.UpdatePoolRequest(pool=POOL, update_mask=_mask("*")),
        pool_service_pb2.UpdatePoolRequest(pool=POOL, update_mask=_mask("dns.domain", "labels")),
    ],
    "DeletePool": [pool_service_pb2.DeletePoolRequest(name=POOL.name, etag="7")],
    "DrainPool": [pool_service_pb2.DrainPoolRequest(name=POOL.name, etag="7")],
    "ActivatePool": [pool_service_pb2.ActivatePoolRequest(name=POOL.name, etag="7")],
    "GetPoolUsage": [pool_service_pb2.GetPoolUsageRequest(name=POOL.name)],
    "ForecastPool": [pool_service_pb2.ForecastPoolRequest(name=POOL.name, window_days=30)],
    "ListBlocks": [
        pool_service_pb2.ListBlocksRequest(parent=POOL.name, node="n1", page_size=1),
        pool_service_pb2.ListBlocksRequest(parent=VRF),
    ],
}
_RESERVATIONS: dict[str, Sequence[Message]] = {
    "CreateReservation": [
        reservation_service_pb2.CreateReservationRequest(
            parent=VRF, reservation_id="quiet", reservation=RESERVATION
        )
    ],
    "GetReservation": [reservation_service_pb2.GetReservationRequest(name=RESERVATION.name)],
    "ListReservations": [
        reservation_service_pb2.ListReservationsRequest(parent=VRF, page_size=1, labels={"a": "b"})
    ],
    "UpdateReservation": [
        reservation_service_pb2.UpdateReservationRequest(
            reservation=RESERVATION, update_mask=_mask("cidrs", "description")
        )
    ],
    "DeleteReservation": [
        reservation_service_pb2.DeleteReservationRequest(name=RESERVATION.name, etag="7")
    ],
}
_NODES: dict[str, Sequence[Message]] = {
    "UpsertNode": [node_service_pb2.UpsertNodeRequest(node=NODE)],
    "GetNode": [node_service_pb2.GetNodeRequest(name=NODE.name)],
    "ListNodes": [node_service_pb2.ListNodesRequest(parent=VRF, page_size=1, labels={"a": "b"})],
    "DeleteNode": [node_service_pb2.DeleteNodeRequest(name=NODE.name, etag="7")],
}
_VRFS: dict[str, Sequence[Message]] = {
    "CreateVrf": [
        vrf_service_pb2.CreateVrfRequest(
            vrf_id="blue",
            vrf=resources_pb2.Vrf(
                description="spare",
                labels={"a": "b"},
                configuration=CONFIGURATION,
                fixed_address_grants=GRANTS,
                strict_namespaces=True,
                quotas=QUOTAS,
            ),
        )
    ],
    "GetVrf": [vrf_service_pb2.GetVrfRequest(name=VRF)],
    "ListVrfs": [vrf_service_pb2.ListVrfsRequest(page_size=1, labels={"a": "b"})],
    "UpdateVrf": [
        vrf_service_pb2.UpdateVrfRequest(
            vrf=resources_pb2.Vrf(name=VRF, description="changed"), update_mask=_mask("description")
        ),
        vrf_service_pb2.UpdateVrfRequest(
            vrf=resources_pb2.Vrf(
                name=VRF,
                configuration=CONFIGURATION,
                fixed_address_grants=GRANTS,
                quotas=QUOTAS,
            ),
            update_mask=_mask("configuration.strict_affinity", "fixed_address_grants", "quotas"),
        ),
    ],
    "DeleteVrf": [vrf_service_pb2.DeleteVrfRequest(name=VRF, etag="7")],
}

_ADMIN: dict[str, Sequence[Message]] = {
    "CheckConsistency": [admin_service_pb2.CheckConsistencyRequest(parent=VRF)],
    "ExportVrf": [admin_service_pb2.ExportVrfRequest(parent=VRF)],
    "GetQuarantine": [admin_service_pb2.GetQuarantineRequest(parent=VRF)],
    "LiftQuarantine": [admin_service_pb2.LiftQuarantineRequest(parent=VRF, reason="repaired")],
    "ListChanges": [
        audit_pb2.ListChangesRequest(
            parent=VRF,
            kind=audit_pb2.CHANGE_KIND_POOL,
            resource_id="a",
            start_time=timestamp_pb2.Timestamp(seconds=1),
            end_time=timestamp_pb2.Timestamp(seconds=2),
            page_size=7,
        )
    ],
    "AdoptBlock": [
        admin_service_pb2.AdoptBlockRequest(
            parent=VRF,
            cidr="10.0.0.128/26",
            node="n1",
            addresses=[
                admin_service_pb2.AdoptedAddress(
                    address="10.0.0.129",
                    attachment=ATTACHMENT,
                    workload=WORKLOAD,
                    owner_key="db-0",
                    sticky=duration_pb2.Duration(seconds=60),
                )
            ],
            sticky_addresses=[
                reconciliation_pb2.StickyAddress(
                    address="10.0.0.130",
                    owner_key="db-1",
                    network="pods",
                    interface="eth0",
                    expire_time=timestamp_pb2.Timestamp(seconds=4_000_000_000),
                )
            ],
            validate_only=True,
        )
    ],
}

# By the name of the RPC, which is unique among the services.
REQUESTS: dict[str, Sequence[Message]] = (
    _DATA_PATH | _POOLS | _RESERVATIONS | _NODES | _VRFS | _ADMIN
)
