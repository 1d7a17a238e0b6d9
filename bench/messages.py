"""What callers send, as bytes: requests of ours, and those of go-ipam that are compared."""

import ipaddress
from collections.abc import Iterable, Sequence
from typing import Final

from google.rpc import error_details_pb2, status_pb2

from bench.work import Ask
from moorage import failures, names
from moorage.v1 import allocation_service_pb2 as requests
from moorage.v1 import history_pb2, node_service_pb2, pool_service_pb2
from moorage.v1 import resources_pb2 as resources

FIXED: Final = 1 << 16  # addresses that callers name themselves

_FAMILIES: Final = {4: resources.IP_FAMILY_IPV4, 6: resources.IP_FAMILY_IPV6}
_VARINT: Final = 0
_LENGTH_DELIMITED: Final = 2


def attachment(name: str) -> resources.Attachment:
    """The attachment of one pod."""
    return resources.Attachment(network="pods", container_id=name, interface="eth0")


def assign(holder: resources.Attachment, ask: Ask, node: str, number: int) -> bytes:
    """An AssignAddressesRequest; `number` tells the address where the caller names it."""
    container = holder.container_id
    return requests.AssignAddressesRequest(
        attachment=holder,
        addresses=_addresses(ask, number),
        workload=resources.Workload(
            node=node, namespace="bench", pod=container, pod_uid=f"uid-{container}"
        ),
        labels={"app": "bench"},
    ).SerializeToString()


def release(holder: resources.Attachment) -> bytes:
    """A ReleaseAddressesRequest."""
    return requests.ReleaseAddressesRequest(attachment=holder).SerializeToString()


def assigned(answer: bytes) -> Sequence[str]:
    """The addresses in an AssignAddressesResponse."""
    allocations = requests.AssignAddressesResponse.FromString(answer).allocations
    return [each.address for each in allocations]


def reason(metadata: Iterable[tuple[str, str | bytes]]) -> str:
    """Why a call was refused, by what came behind its answer."""
    carried = dict(metadata).get(failures.DETAILS_KEY)
    status = status_pb2.Status.FromString(carried if isinstance(carried, bytes) else b"")
    info = error_details_pb2.ErrorInfo()
    any(detail.Unpack(info) for detail in status.details)
    return info.reason


def look_up(answer: bytes) -> bytes:
    """A GetAllocationRequest for the address that was assigned."""
    assigned = requests.AssignAddressesResponse.FromString(answer).allocations[0]
    return requests.GetAllocationRequest(name=assigned.name).SerializeToString()


def ends_snapshot(answer: bytes) -> bool:
    """Whether a WatchAllocationsResponse is the last of those that tell what was held already."""
    return history_pb2.WatchAllocationsResponse.FromString(answer).HasField("cursor")


def create_pool(pool_id: str, cidr: str, vrf: str = names.DEFAULT_VRF) -> bytes:
    """A CreatePoolRequest."""
    return pool_service_pb2.CreatePoolRequest(
        parent=names.vrf(vrf), pool_id=pool_id, pool=resources.Pool(cidr=cidr)
    ).SerializeToString()


def delete_pool(pool_id: str) -> bytes:
    """A DeletePoolRequest."""
    return pool_service_pb2.DeletePoolRequest(name=names.pool(pool_id)).SerializeToString()


def delete_node(node: str) -> bytes:
    """A DeleteNodeRequest."""
    return node_service_pb2.DeleteNodeRequest(name=names.node(node)).SerializeToString()


def peer_prefix(cidr: str, namespace: str = "") -> bytes:
    """go-ipam's CreatePrefixRequest, DeletePrefixRequest, ReleaseChildPrefixRequest."""
    return _field(1, cidr) + (_field(2, namespace) if namespace else b"")


def peer_child(cidr: str, length: int) -> bytes:
    """go-ipam's AcquireChildPrefixRequest: fields 1 and 2 are the parent and the child's length."""
    return _field(1, cidr) + bytes([2 << 3 | _VARINT, length])


def peer_acquire(prefix: str) -> bytes:
    """go-ipam's AcquireIPRequest: field 1 is the prefix."""
    return _field(1, prefix)


def peer_release(prefix: str, answer: bytes) -> bytes:
    """go-ipam's ReleaseIPRequest, fields 1 and 2, for what an AcquireIPResponse tells."""
    return _field(1, prefix) + _field(2, peer_given(answer))


def peer_given(answer: bytes) -> str:
    """The address, or child prefix, that was acquired: field 1 of the message in field 1."""
    return answer[4 : 4 + answer[3]].decode()


def _addresses(ask: Ask, number: int) -> list[requests.AddressRequest]:
    if ask.fixed_start:
        address = ipaddress.ip_address(ask.fixed_start) + number % FIXED
        family = _FAMILIES[address.version]
        return [requests.AddressRequest(family=family, candidate_addresses=[str(address)])]
    return [
        requests.AddressRequest(family=_FAMILIES[version], pools=[pool])
        for version, pool in ((4, ask.ipv4), (6, ask.ipv6))
        if pool
    ]


def _field(number: int, text: str) -> bytes:
    return bytes([number << 3 | _LENGTH_DELIMITED, len(text)]) + text.encode()
