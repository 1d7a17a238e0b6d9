"""Steps that assign, release and ask who holds what; taken from `ground`."""

from collections.abc import Mapping, Sequence
from typing import TypedDict, Unpack

from google.protobuf.message import Message

from acceptance.calico import checks, spelling
from acceptance.calico.stage import Stage
from acceptance.calico.step import Step
from moorage.v1 import allocation_service_pb2 as messages
from moorage.v1 import filter_pb2, resources_pb2
from moorage.v1 import pool_service_pb2 as pooling

IPV4, IPV6 = resources_pb2.IP_FAMILY_IPV4, resources_pb2.IP_FAMILY_IPV6


class Whom(TypedDict, total=False):
    """What an assign may say besides the addresses that are wanted.

    `pod` is the container's name where it is not given; `use` is spelt as in Calico; `began` is
    the attempt's stamp, without which none is sent.
    """

    node: str
    namespace: str
    pod: str
    pod_uid: str
    owner: str
    use: str
    labels: Mapping[str, str]
    began: int


def assign(
    container: str = "c1",
    *,
    v4: int = 1,
    v6: int = 0,
    ipv4pools: Sequence[str] = (),
    ipv6pools: Sequence[str] = (),
    **whom: Unpack[Whom],
) -> Step:
    """So many addresses of each family, IPv4 first, from these pools where they are named."""
    four = messages.AddressRequest(family=IPV4, pools=ipv4pools)
    six = messages.AddressRequest(family=IPV6, pools=ipv6pools)
    return _assign(container, [four] * v4 + [six] * v6, whom)


def fixed(container: str, *addresses: str | Sequence[str], **whom: Unpack[Whom]) -> Step:
    """For each argument that address, or the first free one where it is a list."""
    candidates = [[each] if isinstance(each, str) else each for each in addresses]
    wants = [
        messages.AddressRequest(family=_family(each[0]), candidate_addresses=each)
        for each in candidates
    ]
    return _assign(container, wants, whom)


def _assign(container: str, wants: Sequence[messages.AddressRequest], whom: Whom) -> Step:
    use = spelling.enum_name("USE", whom.get("use", "Unspecified"))

    def request(stage: Stage) -> Message:
        return messages.AssignAddressesRequest(
            parent=stage.parent,
            attachment=attachment(container),
            addresses=wants,
            workload=_workload(stage, container, whom),
            use=resources_pb2.Use.Value(use),
            owner_key=whom.get("owner", ""),
            labels=whom.get("labels", {}),
            attempt=_stamp(whom.get("began", 0)),
        )

    return Step(request)


def _workload(stage: Stage, container: str, whom: Whom) -> resources_pb2.Workload:
    namespace = whom.get("namespace", "")
    return resources_pb2.Workload(
        node=whom.get("node", ""),
        namespace=namespace,
        pod=whom.get("pod", container),
        pod_uid=whom.get("pod_uid", ""),
        namespace_labels=stage.namespaces.get(namespace, {}),
    )


def release(container: str = "c1", *, at: str = "", began: int = 0) -> Step:
    """Releases what a container holds; `at`: only at the generations of the step kept so."""

    def request(stage: Stage) -> Message:
        held = checks.allocations(stage.known[at]) if at else []
        return messages.ReleaseAddressesRequest(
            parent=stage.parent,
            attachment=attachment(container),
            generations=[each.generation for each in held],
            attempt=_stamp(began),
        )

    return Step(request)


def explain(assignment: Step) -> Step:
    """What an assign would do now, without doing it."""

    def request(stage: Stage) -> Message:
        call = assignment.request(stage)
        assert isinstance(call, messages.AssignAddressesRequest)
        return messages.ExplainAssignRequest(assign=call)

    return Step(request)


def usage(pool: str) -> Step:
    """Counts the addresses of a pool."""
    return Step(lambda stage: pooling.GetPoolUsageRequest(name=stage.name("pools", pool)))


def blocks(pool: str = "", *, node: str = "") -> Step:
    """Lists the open blocks of a pool, or of all; of a node, or of all."""

    def request(stage: Stage) -> Message:
        parent = stage.name("pools", pool) if pool else stage.parent
        return pooling.ListBlocksRequest(parent=parent, node=node, page_size=1000)

    return Step(request)


def holder(address: str) -> Step:
    """Shows who holds an address."""
    return Step(
        lambda stage: messages.GetAllocationRequest(name=stage.name("allocations", address))
    )


def allocations(**filter: object) -> Step:
    """Lists allocations; `filter` has fields of AllocationFilter in proto's JSON."""

    def request(stage: Stage) -> Message:
        return messages.ListAllocationsRequest(
            parent=stage.parent,
            filter=spelling.message(filter_pb2.AllocationFilter, filter),
            page_size=1000,
        )

    return Step(request)


def attachment(container: str) -> resources_pb2.Attachment:
    """The attachment that a container's name stands for."""
    return resources_pb2.Attachment(network="pods", container_id=container, interface="eth0")


def _family(address: str) -> resources_pb2.IpFamily.ValueType:
    # An IPv4-mapped address is the IPv4 address that it maps.
    return IPV6 if ":" in address and not address.startswith("::ffff:") else IPV4


def _stamp(began: int) -> resources_pb2.AttemptStamp | None:
    return resources_pb2.AttemptStamp(boot_id="boot-1", boot_time_ns=began) if began else None
