"""A tenant's own part of each method: its namespaces, in its VRFs.

What is refused here is refused whether it is there or not. What only the database knows is decided
there, by the `Bounds` that requests are given.
"""

from moorage.v1 import allocation_service_pb2, filter_pb2, history_pb2, pool_service_pb2
from moorage_server.api import names
from moorage_server.api.violations import Violations
from moorage_server.domain import errors
from moorage_server.domain.callers import Identity

_Asking = (
    allocation_service_pb2.ListAllocationsRequest
    | history_pb2.ListAllocationHistoryRequest
    | history_pb2.WatchAllocationsRequest
)
_Pool = pool_service_pb2.GetPoolRequest | pool_service_pb2.GetPoolUsageRequest


def assign(request: allocation_service_pb2.AssignAddressesRequest, caller: Identity) -> None:
    """For a workload of one of its namespaces, which its owner key is one of as well."""
    _require_parent(request.parent, caller)
    namespace, owner_key = request.workload.namespace, request.owner_key
    # Whoever has an owner key has what is kept for it.
    is_own = not owner_key or owner_key.startswith(f"{namespace}/")
    _require(namespace in caller.bounds.namespaces and is_own, caller)
    # A node has what is stored under its name, and its quota.
    request.workload.ClearField("node")
    _forget_seen(request)


def release(request: allocation_service_pb2.ReleaseAddressesRequest, caller: Identity) -> None:
    """In one of its VRFs."""
    _require_parent(request.parent, caller)
    _forget_seen(request)


def allocation(request: allocation_service_pb2.GetAllocationRequest, caller: Identity) -> None:
    """In one of its VRFs."""
    _require_child(request.name, names.ALLOCATIONS, caller)


def query(request: _Asking, caller: Identity) -> None:
    """About one of its namespaces, which need not be named where there is one alone."""
    _require_parent(request.parent, caller)
    own = caller.bounds.namespaces
    namespace = request.filter.workload.namespace
    _require(not namespace or namespace in own, caller)
    _check_filter(request.filter, own)
    request.filter.workload.namespace = namespace or next(iter(own))


def pool(request: _Pool, caller: Identity) -> None:
    """In one of its VRFs; which pools there are is for the use case."""
    _require_child(request.name, names.POOLS, caller)


def pools(request: pool_service_pb2.ListPoolsRequest, caller: Identity) -> None:
    """In one of its VRFs; which pools there are is for the use case."""
    _require_parent(request.parent, caller)


def _check_filter(given: filter_pb2.AllocationFilter, own: frozenset[str]) -> None:
    found = Violations()
    if not given.workload.namespace and len(own) > 1:
        text = "is required of a tenant of several namespaces; name one of them"
        found.add("filter.workload.namespace", text)
    if given.pools:
        # Which names are of pools is not told.
        found.add("filter.pools", "is not for tenants; give a CIDR, or leave it out")
    found.check()


def _require_parent(parent: str, caller: Identity) -> None:
    found = Violations()
    vrf = names.parent(found, parent)
    found.check()
    _require(vrf in caller.vrfs, caller)


def _require_child(name: str, collection: str, caller: Identity) -> None:
    found = Violations()
    vrf, _ = names.child(found, name, collection)
    found.check()
    _require(vrf in caller.vrfs, caller)


def _require(is_own: bool, caller: Identity) -> None:
    if not is_own:
        raise errors.NotYours(tenant=caller.name)


def _forget_seen(
    request: allocation_service_pb2.AssignAddressesRequest
    | allocation_service_pb2.ReleaseAddressesRequest,
) -> None:
    # What is said of how far the feed has come may shut the VRF to everybody.
    request.ClearField("seen")
