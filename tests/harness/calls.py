"""Short forms of the SDK's calls, for tests that make many."""

import moorage
from moorage.v1 import allocation_service_pb2 as requests
from moorage.v1 import resources_pb2 as messages

IPV4 = messages.IP_FAMILY_IPV4
IPV6 = messages.IP_FAMILY_IPV6


def attachment(container: str = "c1", *, interface: str = "eth0") -> messages.Attachment:
    """An attachment of the network "pods"."""
    return messages.Attachment(network="pods", container_id=container, interface=interface)


def want(
    family: messages.IpFamily.ValueType = IPV4, *, pools: tuple[str, ...] = ()
) -> requests.AddressRequest:
    """One wanted address."""
    return requests.AddressRequest(family=family, pools=pools)


def fixed(*candidates: str) -> requests.AddressRequest:
    """One of these addresses."""
    family = IPV6 if ":" in candidates[0] else IPV4
    return requests.AddressRequest(family=family, candidate_addresses=candidates)


def create_pool(client: moorage.Client, name: str, cidr: str, **fields: object) -> None:
    """A pool that belongs to no node, unless told otherwise."""
    fields = {"block_affinity": messages.BLOCK_AFFINITY_NONE} | fields
    pool = messages.Pool(cidr=cidr, **fields)  # type: ignore[arg-type]  # checked by protobuf
    client.create_pool(name, pool)


def assign(
    client: moorage.Client,
    container: str = "c1",
    *wants: requests.AddressRequest,
    node: str = "",
    namespace: str = "shop",
    stamp: int | None = None,
) -> list[messages.Allocation]:
    """Addresses for a container; one IPv4 address unless told otherwise."""
    return client.assign(
        attachment(container),
        wants or (want(),),
        workload=messages.Workload(node=node, namespace=namespace, pod=container),
        attempt=attempt(stamp),
    )


def release(
    client: moorage.Client,
    container: str = "c1",
    *,
    generations: tuple[int, ...] = (),
    stamp: int | None = None,
) -> list[str]:
    """Releases what a container holds; returns the addresses."""
    released = client.release(
        attachment(container), generations=generations, attempt=attempt(stamp)
    )
    return [each.address for each in released]


def attempt(stamp: int | None) -> messages.AttemptStamp | None:
    """When an attempt began; None leaves it to the client's clock."""
    if stamp is None:
        return None
    return messages.AttemptStamp(boot_id="boot-1", boot_time_ns=stamp)


def addresses_of(allocations: list[messages.Allocation]) -> list[str]:
    """The addresses alone."""
    return [each.address for each in allocations]
