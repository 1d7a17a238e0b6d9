"""What one plugin call asks the server for, as messages of `moorage.v1`."""

from collections.abc import Sequence

from moorage.cni import constraints, errors, netconf, subject
from moorage.cni.addresses import Family
from moorage.cni.invocation import Invocation
from moorage.v1 import allocation_service_pb2, resources_pb2

_FAMILIES: dict[Family, "resources_pb2.IpFamily.ValueType"] = {
    4: resources_pb2.IP_FAMILY_IPV4,
    6: resources_pb2.IP_FAMILY_IPV6,
}


def attachment(conf: netconf.NetConf, call: Invocation) -> resources_pb2.Attachment:
    """Returns the key of everything this call is about."""
    return resources_pb2.Attachment(
        network=conf.name, container_id=call.container_id, interface=call.interface
    )


def addresses(
    choices: Sequence[constraints.Choice],
) -> list[allocation_service_pb2.AddressRequest]:
    """Returns one request for each address, in the order of the choices."""
    return [
        allocation_service_pb2.AddressRequest(
            family=_FAMILIES[choice.family],
            pools=choice.pools,
            candidate_addresses=[str(address) for address in choice.candidates],
        )
        for choice in choices
    ]


def owner_key(wanted: constraints.Constraints, call: Invocation) -> str:
    """Returns who the addresses are for beyond this pod: an owner is of its namespace."""
    owner, namespace = wanted.owner, call.namespace
    return f"{namespace}/{owner}" if owner and namespace else owner


def workload(
    call: Invocation, described: subject.Subject, node_name: str, cluster_uid: str
) -> resources_pb2.Workload:
    """Returns whom the addresses are for.

    Raises:
        CniError: INVALID_ENVIRONMENT, CNI_ARGS says something that is no plain text.
    """
    for key in ("K8S_POD_NAMESPACE", "K8S_POD_NAME", "K8S_POD_UID"):
        value = call.args.get(key, "")
        if not value.isprintable():
            raise errors.CniError(
                errors.Code.INVALID_ENVIRONMENT,
                f"{key} of CNI_ARGS is no plain text: {errors.quote(value)}",
                "pass the pod as the runtime knows it",
            )
    return resources_pb2.Workload(
        node=node_name,
        namespace=call.namespace,
        pod=call.pod,
        pod_uid=call.pod_uid,
        namespace_labels=described.namespace_labels,
        cluster=cluster_uid,
    )
