"""The one table of who may call what, and a node's own part of it; a tenant's is in `tenants`.

Whoever is not named in a row may not call its method. A rule looks at the request, and refuses it
or narrows it down to what is the caller's; what only the database can tell is decided there, by the
bounds that `acting.signed` puts into requests. An operator may do everything.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from google.protobuf import descriptor

from moorage.v1 import allocation_service_pb2, reconciliation_pb2
from moorage_server.api import tenants
from moorage_server.domain import errors
from moorage_server.domain.callers import Identity, Role

Rule = Callable[[Any, Identity], None]
Row = Mapping[Role, Rule]


class Incomplete(Exception):
    """Methods are served that the table does not have."""


def freely(_: object, __: Identity) -> None:
    """No part of the request matters, or the database decides."""


def _for_itself(request: allocation_service_pb2.AssignAddressesRequest, caller: Identity) -> None:
    _require_own(request.workload.node, caller)


def _of_itself(request: reconciliation_pb2.ReconcileNodeRequest, caller: Identity) -> None:
    _require_own(request.node, caller)


def _what_it_holds(
    request: allocation_service_pb2.ListAllocationsRequest, caller: Identity
) -> None:
    node = caller.bounds.node
    _require_own(request.filter.workload.node or node, caller)
    # Whatever else is asked for, of others there is nothing.
    request.filter.workload.node = node


def _require_own(node: str, caller: Identity) -> None:
    if node != caller.bounds.node:
        raise errors.NotYours(node=caller.bounds.node)


def _row(
    *,
    node: Rule | None = None,
    tenant: Rule | None = None,
    reader: Rule | None = None,
    collector: Rule | None = None,
) -> Row:
    row = {
        Role.NODE: node,
        Role.TENANT: tenant,
        Role.READER: reader,
        Role.COLLECTOR: collector,
        Role.OPERATOR: freely,
    }
    return {role: rule for role, rule in row.items() if rule is not None}


_OPERATORS: Final = _row()
_READERS: Final = _row(reader=freely)
_NODES: Final = _row(reader=freely, collector=freely)

TABLE: Final[Mapping[str, Row]] = {
    "/moorage.v1.AllocationService/AssignAddresses": _row(node=_for_itself, tenant=tenants.assign),
    "/moorage.v1.AllocationService/ReleaseAddresses": _row(node=freely, tenant=tenants.release),
    "/moorage.v1.AllocationService/ExplainAssign": _READERS,
    "/moorage.v1.AllocationService/GetAllocation": _row(
        node=freely, tenant=tenants.allocation, reader=freely, collector=freely
    ),
    "/moorage.v1.AllocationService/ListAllocations": _row(
        node=_what_it_holds, tenant=tenants.query, reader=freely, collector=freely
    ),
    "/moorage.v1.AllocationService/WatchAllocations": _row(tenant=tenants.query, reader=freely),
    "/moorage.v1.AllocationService/ListAllocationHistory": _row(
        tenant=tenants.query, reader=freely
    ),
    "/moorage.v1.AllocationService/ReconcileNode": _row(node=_of_itself, collector=freely),
    "/moorage.v1.AllocationService/ListStickyAddresses": _READERS,
    "/moorage.v1.AllocationService/DeleteStickyAddress": _OPERATORS,
    "/moorage.v1.PoolService/CreatePool": _OPERATORS,
    # The plugin asks whether a pool that is named for the other family is there at all.
    "/moorage.v1.PoolService/GetPool": _row(node=freely, tenant=tenants.pool, reader=freely),
    "/moorage.v1.PoolService/ListPools": _row(tenant=tenants.pools, reader=freely),
    "/moorage.v1.PoolService/UpdatePool": _OPERATORS,
    "/moorage.v1.PoolService/DeletePool": _OPERATORS,
    "/moorage.v1.PoolService/DrainPool": _OPERATORS,
    "/moorage.v1.PoolService/ActivatePool": _OPERATORS,
    "/moorage.v1.PoolService/GetPoolUsage": _row(tenant=tenants.pool, reader=freely),
    "/moorage.v1.PoolService/ForecastPool": _READERS,
    "/moorage.v1.PoolService/ListBlocks": _READERS,
    "/moorage.v1.ReservationService/CreateReservation": _OPERATORS,
    "/moorage.v1.ReservationService/GetReservation": _READERS,
    "/moorage.v1.ReservationService/ListReservations": _READERS,
    "/moorage.v1.ReservationService/UpdateReservation": _OPERATORS,
    "/moorage.v1.ReservationService/DeleteReservation": _OPERATORS,
    "/moorage.v1.NodeService/UpsertNode": _row(collector=freely),
    "/moorage.v1.NodeService/GetNode": _NODES,
    "/moorage.v1.NodeService/ListNodes": _NODES,
    "/moorage.v1.NodeService/DeleteNode": _row(collector=freely),
    "/moorage.v1.VrfService/CreateVrf": _OPERATORS,
    "/moorage.v1.VrfService/GetVrf": _READERS,
    "/moorage.v1.VrfService/ListVrfs": _READERS,
    "/moorage.v1.VrfService/UpdateVrf": _OPERATORS,
    "/moorage.v1.VrfService/DeleteVrf": _OPERATORS,
    # Looks at whole tables.
    "/moorage.v1.AdminService/CheckConsistency": _OPERATORS,
    "/moorage.v1.AdminService/AdoptBlock": _OPERATORS,
    # All there is, and long in reading it.
    "/moorage.v1.AdminService/ExportVrf": _OPERATORS,
    "/moorage.v1.AdminService/GetQuarantine": _READERS,
    "/moorage.v1.AdminService/LiftQuarantine": _OPERATORS,
    "/moorage.v1.AdminService/ListChanges": _READERS,
}


def require_complete(services: Iterable[descriptor.ServiceDescriptor]) -> None:
    """Raises Incomplete where a method of these has no row."""
    methods = {f"/{each.full_name}/{method.name}" for each in services for method in each.methods}
    if unlisted := sorted(methods - TABLE.keys()):
        raise Incomplete(
            f"nobody has said who may call {', '.join(unlisted)}; add rows to "
            "moorage_server.api.authorization.TABLE"
        )


def rule(method: str, caller: Identity) -> Rule:
    """What a caller's request is held against; raises MethodNotAllowed."""
    found = TABLE[method].get(caller.role)
    if found is None:
        raise errors.MethodNotAllowed(caller.role, method.rpartition("/")[2])
    return found
