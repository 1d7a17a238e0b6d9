"""Every method, for every role, on what is its own, another's, and not there: code and reason.

What is expected is written down here once more, by hand: who may call a method, and what it says of
each of the three.
"""

import dataclasses
import itertools
from collections.abc import Callable, Iterator
from typing import Any, Final

import grpc
import pytest
from google.protobuf import (
    descriptor,
    descriptor_pb2,
    descriptor_pool,
    field_mask_pb2,
    message_factory,
)
from google.rpc import error_details_pb2
from grpc_status import rpc_status

import moorage
from harness import calls, postgres, serving
from harness.certificates import Authority
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
from moorage_server import config
from moorage_server.api import authorization, server
from moorage_server.api.server import SERVICES

ROLES: Final = {"n": "node", "t": "tenant", "r": "reader", "o": "operator", "c": "collector"}
SCOPES: Final = ("own", "foreign", "absent")
OK: Final = "OK"
NOT_YOURS: Final = "PERMISSION_DENIED NOT_YOURS"
VRF: Final = "vrfs/default"
MANUAL: Final = resources_pb2.ASSIGNMENT_MODE_MANUAL


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ground:
    """What there is: of n1, which calls as the node, and of n2; of the tenant's namespace, and of
    another one; pools and the rest by the scope.
    """

    operator: moorage.Client
    numbers: "itertools.count[int]"

    def attachment(self, scope: str) -> resources_pb2.Attachment:
        """A new one, that holds an address unless it is absent."""
        container = f"{scope}-{next(self.numbers)}"
        if scope != "absent":
            namespace = NAMESPACES[scope]
            calls.assign(self.operator, container, node=NODES[scope], namespace=namespace)
        return calls.attachment(container)

    def address(self, scope: str) -> str:
        """The name of an allocation."""
        if scope == "absent":
            return f"{VRF}/allocations/10.9.255.1"
        wanted = filter_pb2.AllocationFilter(attachment=self.attachment(scope))
        (held,) = self.operator.allocations(wanted)
        return held.name


NODES: Final = {"own": "n1", "foreign": "n2", "absent": "nobody"}
NAMESPACES: Final = {"own": "shop", "foreign": "bank", "absent": "nobody"}
Make = Callable[[Ground, str], Any]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cell:
    """One method: who may call it, how it is asked, and what it answers in each scope."""

    who: str
    make: Make
    answers: tuple[str, str, str] = (OK, OK, OK)
    to_nodes: tuple[str, str, str] | None = None
    to_tenants: tuple[str, str, str] | None = None

    def expected(self, role: str, scope: str) -> str:
        """Code and reason."""
        if role not in self.who:
            return "PERMISSION_DENIED METHOD_NOT_ALLOWED"
        special = {"n": self.to_nodes, "t": self.to_tenants}.get(role)
        return (special or self.answers)[SCOPES.index(scope)]


def there(missing: str) -> tuple[str, str, str]:
    """The answers of a method about one resource."""
    return (OK, OK, f"NOT_FOUND {missing}")


def taken(reason: str) -> tuple[str, str, str]:
    """The answers of a method that makes one."""
    return (f"ALREADY_EXISTS {reason}", f"ALREADY_EXISTS {reason}", OK)


def _assign(ground: Ground, scope: str) -> allocation_service_pb2.AssignAddressesRequest:
    return allocation_service_pb2.AssignAddressesRequest(
        attachment=ground.attachment(scope),
        addresses=[calls.want()],
        workload=resources_pb2.Workload(node="n1", namespace="shop"),
    )


def _asked_about(scope: str) -> filter_pb2.AllocationFilter:
    workload = resources_pb2.Workload(node=NODES[scope], namespace=NAMESPACES[scope])
    return filter_pb2.AllocationFilter(workload=workload)


def _named(kind: str, request: Any, **more: Any) -> Make:  # noqa: ANN401 - any message
    return lambda _, scope: request(name=f"{VRF}/{kind}/{scope}", **more)


def _node(request: Any, **more: Any) -> Make:  # noqa: ANN401 - any message
    return lambda _, scope: request(name=f"{VRF}/nodes/{NODES[scope]}", **more)


def _plain(request: Any, **more: Any) -> Make:  # noqa: ANN401 - any message
    return lambda *_: request(**more)


_A, _P, _R = allocation_service_pb2, pool_service_pb2, reservation_service_pb2
_N, _V, _M = node_service_pb2, vrf_service_pb2, admin_service_pb2
_POOL, _RESERVATION = "POOL_NOT_FOUND", "RESERVATION_NOT_FOUND"
OWN_ALONE: Final = (OK, NOT_YOURS, NOT_YOURS)
OWN_POOLS: Final = (OK, f"NOT_FOUND {_POOL}", f"NOT_FOUND {_POOL}")
DRY: Final[dict[str, Any]] = {"validate_only": True}

CELLS: Final[dict[str, Cell]] = {
    "AssignAddresses": Cell(
        who="nto",
        make=_assign,
        to_nodes=(OK, NOT_YOURS, OK),
        to_tenants=(OK, NOT_YOURS, OK),
    ),
    "ReleaseAddresses": Cell(
        who="nto",
        make=lambda ground, scope: _A.ReleaseAddressesRequest(attachment=ground.attachment(scope)),
    ),
    "ExplainAssign": Cell(
        who="ro", make=lambda *args: _A.ExplainAssignRequest(assign=_assign(*args))
    ),
    "GetAllocation": Cell(
        who="ntroc",
        make=lambda ground, scope: _A.GetAllocationRequest(name=ground.address(scope)),
        answers=there("ALLOCATION_NOT_FOUND"),
        to_nodes=OWN_ALONE,
        to_tenants=OWN_ALONE,
    ),
    "ListAllocations": Cell(
        who="ntroc",
        make=lambda _, scope: _A.ListAllocationsRequest(filter=_asked_about(scope)),
        to_nodes=OWN_ALONE,
        to_tenants=OWN_ALONE,
    ),
    "WatchAllocations": Cell(
        who="tro",
        make=lambda _, scope: history_pb2.WatchAllocationsRequest(filter=_asked_about(scope)),
        to_tenants=OWN_ALONE,
    ),
    "ListAllocationHistory": Cell(
        who="tro",
        make=lambda _, scope: history_pb2.ListAllocationHistoryRequest(filter=_asked_about(scope)),
        to_tenants=OWN_ALONE,
    ),
    "ReconcileNode": Cell(
        who="noc",
        make=lambda _, scope: reconciliation_pb2.ReconcileNodeRequest(node=NODES[scope], **DRY),
        to_nodes=OWN_ALONE,
    ),
    "ListStickyAddresses": Cell(
        who="ro", make=_plain(reconciliation_pb2.ListStickyAddressesRequest)
    ),
    "DeleteStickyAddress": Cell(
        who="o",
        make=lambda ground, scope: reconciliation_pb2.DeleteStickyAddressRequest(
            name=ground.address(scope).replace("allocations", "stickyAddresses")
        ),
        answers=("NOT_FOUND STICKY_ADDRESS_NOT_FOUND",) * 3,
    ),
    "CreatePool": Cell(
        who="o",
        make=lambda _, scope: _P.CreatePoolRequest(
            pool_id=scope, pool=resources_pb2.Pool(cidr="10.250.0.0/24"), **DRY
        ),
        answers=taken("POOL_ALREADY_EXISTS"),
    ),
    "GetPool": Cell(
        who="ntro",
        make=_named("pools", _P.GetPoolRequest),
        answers=there(_POOL),
        to_tenants=OWN_POOLS,
    ),
    "ListPools": Cell(who="tro", make=_plain(_P.ListPoolsRequest)),
    "UpdatePool": Cell(
        who="o",
        make=lambda _, scope: _P.UpdatePoolRequest(
            pool=resources_pb2.Pool(name=f"{VRF}/pools/{scope}", priority=3),
            update_mask=field_mask_pb2.FieldMask(paths=["priority"]),
            **DRY,
        ),
        answers=there(_POOL),
    ),
    "DeletePool": Cell(
        who="o", make=_named("pools", _P.DeletePoolRequest, **DRY), answers=there(_POOL)
    ),
    "DrainPool": Cell(who="o", make=_named("pools", _P.DrainPoolRequest), answers=there(_POOL)),
    "ActivatePool": Cell(
        who="o", make=_named("pools", _P.ActivatePoolRequest), answers=there(_POOL)
    ),
    "GetPoolUsage": Cell(
        who="tro",
        make=_named("pools", _P.GetPoolUsageRequest),
        answers=there(_POOL),
        to_tenants=OWN_POOLS,
    ),
    "ForecastPool": Cell(
        who="ro", make=_named("pools", _P.ForecastPoolRequest), answers=there(_POOL)
    ),
    "ListBlocks": Cell(
        who="ro",
        make=lambda _, scope: _P.ListBlocksRequest(parent=f"{VRF}/pools/{scope}"),
        answers=there(_POOL),
    ),
    "CreateReservation": Cell(
        who="o",
        make=lambda _, scope: _R.CreateReservationRequest(
            reservation_id=scope,
            reservation=resources_pb2.Reservation(cidrs=["10.8.0.0/30"]),
            **DRY,
        ),
        answers=taken("RESERVATION_ALREADY_EXISTS"),
    ),
    "GetReservation": Cell(
        who="ro",
        make=_named("reservations", _R.GetReservationRequest),
        answers=there(_RESERVATION),
    ),
    "ListReservations": Cell(who="ro", make=_plain(_R.ListReservationsRequest)),
    "UpdateReservation": Cell(
        who="o",
        make=lambda _, scope: _R.UpdateReservationRequest(
            reservation=resources_pb2.Reservation(
                name=f"{VRF}/reservations/{scope}", description="x"
            ),
            update_mask=field_mask_pb2.FieldMask(paths=["description"]),
            **DRY,
        ),
        answers=there(_RESERVATION),
    ),
    "DeleteReservation": Cell(
        who="o",
        make=_named("reservations", _R.DeleteReservationRequest, **DRY),
        answers=there(_RESERVATION),
    ),
    "UpsertNode": Cell(
        who="oc",
        make=lambda _, scope: _N.UpsertNodeRequest(
            node=resources_pb2.Node(name=f"{VRF}/nodes/{NODES[scope]}"), **DRY
        ),
    ),
    "GetNode": Cell(who="roc", make=_node(_N.GetNodeRequest), answers=there("NODE_NOT_FOUND")),
    "ListNodes": Cell(who="roc", make=_plain(_N.ListNodesRequest)),
    "DeleteNode": Cell(
        who="oc", make=_node(_N.DeleteNodeRequest, **DRY), answers=there("NODE_NOT_FOUND")
    ),
    "CreateVrf": Cell(
        who="o",
        make=lambda _, scope: _V.CreateVrfRequest(vrf_id=scope, **DRY),
        answers=taken("VRF_ALREADY_EXISTS"),
    ),
    "GetVrf": Cell(
        who="ro",
        make=lambda _, scope: _V.GetVrfRequest(name=f"vrfs/{scope}"),
        answers=there("VRF_NOT_FOUND"),
    ),
    "ListVrfs": Cell(who="ro", make=_plain(_V.ListVrfsRequest)),
    "UpdateVrf": Cell(
        who="o",
        make=lambda _, scope: _V.UpdateVrfRequest(
            vrf=resources_pb2.Vrf(name=f"vrfs/{scope}", description="x"),
            update_mask=field_mask_pb2.FieldMask(paths=["description"]),
            **DRY,
        ),
        answers=there("VRF_NOT_FOUND"),
    ),
    "DeleteVrf": Cell(
        who="o",
        make=lambda _, scope: _V.DeleteVrfRequest(name=f"vrfs/{scope}", **DRY),
        answers=there("VRF_NOT_FOUND"),
    ),
    "CheckConsistency": Cell(
        who="o",
        make=lambda _, scope: _M.CheckConsistencyRequest(parent=f"vrfs/{scope}"),
        answers=there("VRF_NOT_FOUND"),
    ),
    "ExportVrf": Cell(
        who="o",
        make=lambda _, scope: _M.ExportVrfRequest(parent=f"vrfs/{scope}"),
        answers=there("VRF_NOT_FOUND"),
    ),
    "AdoptBlock": Cell(
        who="o",
        make=lambda _, scope: _M.AdoptBlockRequest(parent=f"vrfs/{scope}", cidr="10.0.0.0/26"),
        answers=there("VRF_NOT_FOUND"),
    ),
    "GetQuarantine": Cell(
        who="ro",
        make=lambda _, scope: _M.GetQuarantineRequest(parent=f"vrfs/{scope}"),
        answers=there("VRF_NOT_FOUND"),
    ),
    "LiftQuarantine": Cell(
        who="o",
        make=lambda _, scope: _M.LiftQuarantineRequest(parent=f"vrfs/{scope}", reason="a test"),
        answers=there("VRF_NOT_FOUND"),
    ),
    "ListChanges": Cell(who="ro", make=_plain(audit_pb2.ListChangesRequest)),
}

METHODS: Final = {method.name: method for each in SERVICES for method in each.methods}


@pytest.fixture(scope="module")
def channels(
    cluster: postgres.Postgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, grpc.Channel]]:
    """One of each role, with certificates, to a server that asks for them."""
    folder = tmp_path_factory.mktemp("papers")
    authority, roles = Authority(folder), folder / "roles.toml"
    lists = [f'{name} = ["{name}"]' for name in ("reader", "operator", "collector")]
    roles.write_text("\n".join([*lists, "[tenant.tenant]", 'namespaces = ["shop"]']))
    own = authority.server()
    settings = {
        "tls_cert": str(own.certificate),
        "tls_key": str(own.key),
        "tls_client_ca": str(authority.ca),
        "node_identity": "node-certificate",
        "roles": str(roles),
    }
    papers = {letter: authority.sign(name, common_name=name) for letter, name in ROLES.items()}
    papers["n"] = authority.node("n1")
    with cluster.database() as database, serving.in_process(database, access=settings) as secured:
        opened = {
            letter: grpc.secure_channel(
                secured.target,
                grpc.ssl_channel_credentials(
                    authority.ca.read_bytes(),
                    paper.key.read_bytes(),
                    paper.certificate.read_bytes(),
                ),
            )
            for letter, paper in papers.items()
        }
        yield opened
        for each in opened.values():
            each.close()


@pytest.fixture(scope="module")
def ground(channels: dict[str, grpc.Channel]) -> Ground:
    """What the methods are asked about."""
    operator = moorage.Client(channel=channels["o"])
    calls.create_pool(operator, "held", "10.9.0.0/16")
    for at, scope in enumerate(("own", "foreign")):
        # Nobody draws from these: they can be deleted.
        namespaces = [NAMESPACES[scope]]
        calls.create_pool(
            operator,
            scope,
            f"10.{at}.0.0/24",
            assignment_mode=MANUAL,
            allowed_namespaces=namespaces,
        )
        operator.create_reservation(scope, resources_pb2.Reservation(cidrs=[f"10.{at}.0.0/30"]))
        operator.create_vrf(scope)
        operator.upsert_node(resources_pb2.Node(name=f"{VRF}/nodes/{NODES[scope]}"))
    return Ground(operator=operator, numbers=itertools.count())


def told(channel: grpc.Channel, method: descriptor.MethodDescriptor, request: Any) -> str:  # noqa: ANN401 - any message
    """Code and reason of a call."""
    kind: Any = channel.unary_stream if method.server_streaming else channel.unary_unary
    call = kind(
        f"/{method.containing_service.full_name}/{method.name}",
        request_serializer=lambda each: each.SerializeToString(),
        response_deserializer=message_factory.GetMessageClass(method.output_type).FromString,
    )
    try:
        answer = call(request, timeout=30)
        if method.server_streaming:
            next(answer)
            answer.cancel()
    except grpc.RpcError as error:
        return refusal(error)
    return OK


def refusal(error: Any) -> str:  # noqa: ANN401 - the type stubs do not know that it is a call
    """Code and reason of a call that has failed."""
    status, info = rpc_status.from_call(error), error_details_pb2.ErrorInfo()
    assert status is not None, error
    any(detail.Unpack(info) for detail in status.details)
    return f"{error.code().name} {info.reason}"


def test_the_matrix_has_every_method() -> None:
    assert CELLS.keys() == METHODS.keys()
    assert {f"/{each.containing_service.full_name}/{name}" for name, each in METHODS.items()} == (
        authorization.TABLE.keys()
    )


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("role", ROLES, ids=ROLES.get)
@pytest.mark.parametrize("name", CELLS)
def test_a_cell(
    channels: dict[str, grpc.Channel], ground: Ground, name: str, role: str, scope: str
) -> None:
    cell = CELLS[name]
    found = told(channels[role], METHODS[name], cell.make(ground, scope))
    assert found == cell.expected(role, scope)


def test_a_server_with_a_method_that_is_not_in_the_table_does_not_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = descriptor_pb2.FileDescriptorProto(name="later.proto", package="moorage.v1")
    file.message_type.add(name="Later")
    service, message = file.service.add(name="LaterService"), ".moorage.v1.Later"
    for name in ("Do", "Undo"):
        service.method.add(name=name, input_type=message, output_type=message)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    later = pool.FindServiceByName("moorage.v1.LaterService")
    monkeypatch.setattr(server, "SERVICES", (*SERVICES, later))
    with pytest.raises(authorization.Incomplete) as raised:
        server.Server(config.Settings(database_url="postgresql://"))
    assert "/moorage.v1.LaterService/Do, /moorage.v1.LaterService/Undo" in str(raised.value)
