"""Requests that are right in everything but what a row changes."""

from moorage.v1 import allocation_service_pb2 as allocations
from moorage.v1 import resources_pb2 as resources

IPV4, IPV6 = resources.IP_FAMILY_IPV4, resources.IP_FAMILY_IPV6
Attachment, Workload = resources.Attachment, resources.Workload
AttemptStamp = resources.AttemptStamp
Assign, Release = allocations.AssignAddressesRequest, allocations.ReleaseAddressesRequest
GetAllocation, ListAllocations = (
    allocations.GetAllocationRequest,
    allocations.ListAllocationsRequest,
)
Filter = allocations.AllocationFilter

LONG = "x" * 100_000


def attachment(**changes: str) -> Attachment:
    """The attachment of container "c1"."""
    right = {"network": "pods", "container_id": "c1", "interface": "eth0"}
    return Attachment(**right | changes)


def want(**changes: object) -> allocations.AddressRequest:
    """One IPv4 address."""
    right: dict[str, object] = {"family": IPV4}
    return allocations.AddressRequest(**right | changes)  # type: ignore[arg-type]  # see the proto


def one_of(*candidates: str, **changes: object) -> Assign:
    """A request for one of these addresses."""
    return assign(addresses=[want(candidate_addresses=candidates, **changes)])


def drawn(*pools: str, **changes: object) -> Assign:
    """A request for an address of one of these pools."""
    return assign(addresses=[want(pools=pools, **changes)])


def assign(**changes: object) -> Assign:
    """A request for one IPv4 address."""
    right: dict[str, object] = {"attachment": attachment(), "addresses": [want()]}
    return Assign(**right | changes)  # type: ignore[arg-type]  # see the proto


def release(**changes: object) -> Release:
    """A request to release what container "c1" holds."""
    right: dict[str, object] = {"attachment": attachment()}
    return Release(**right | changes)  # type: ignore[arg-type]  # see the proto


def listing(**changes: object) -> ListAllocations:
    """A request for all allocations that a filter with these fields lets through."""
    return ListAllocations(filter=Filter(**changes))  # type: ignore[arg-type]  # see the proto
