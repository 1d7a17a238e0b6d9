"""Requests of AssignAddresses that are right in everything but what a row changes."""

from moorage.v1 import allocation_service_pb2 as messages
from moorage.v1 import resources_pb2 as resources

IPV4, IPV6 = resources.IP_FAMILY_IPV4, resources.IP_FAMILY_IPV6


def assign(**changes: object) -> messages.AssignAddressesRequest:
    """A request that is right in everything but this."""
    right: dict[str, object] = {"attachment": attachment(), "addresses": [want()]}
    return messages.AssignAddressesRequest(**right | changes)  # type: ignore[arg-type]  # checked by protobuf


def attachment(**changes: str) -> resources.Attachment:
    right = {"network": "pods", "container_id": "c1", "interface": "eth0"}
    return resources.Attachment(**right | changes)


def attached(**changes: str) -> messages.AssignAddressesRequest:
    return assign(attachment=attachment(**changes))


def want(**changes: object) -> messages.AddressRequest:
    right: dict[str, object] = {"family": IPV4}
    return messages.AddressRequest(**right | changes)  # type: ignore[arg-type]  # likewise


def drawn(
    *pools: str, family: resources.IpFamily.ValueType = IPV4
) -> messages.AssignAddressesRequest:
    """A request for an address of one of these pools."""
    return assign(addresses=[want(pools=pools, family=family)])


def fixed(
    *candidates: str, family: resources.IpFamily.ValueType = IPV4
) -> messages.AssignAddressesRequest:
    """A request for one of these addresses."""
    return assign(addresses=[want(candidate_addresses=candidates, family=family)])


def stamped(
    boot_id: str, boot_time_ns: int, container: str = "c1"
) -> messages.AssignAddressesRequest:
    stamp = resources.AttemptStamp(boot_id=boot_id, boot_time_ns=boot_time_ns)
    return assign(attachment=attachment(container_id=container), attempt=stamp)
