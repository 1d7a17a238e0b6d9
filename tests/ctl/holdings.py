"""Addresses that tests of moorctl ipam have assigned, and the pods that they are for."""

import json
from collections.abc import Mapping

import moorage
from moorage.v1 import allocation_service_pb2, resources_pb2


def assign(
    client: moorage.Client,
    *addresses: str,
    container: str = "c1",
    node: str = "",
    pod: str = "",
    cluster: str = "",
    use: resources_pb2.Use.ValueType = resources_pb2.USE_WORKLOAD,
) -> list[resources_pb2.Allocation]:
    """Assign these addresses to one container, for a pod in the namespace shop."""
    return client.assign(
        resources_pb2.Attachment(network="net", container_id=container, interface="eth0"),
        [
            allocation_service_pb2.AddressRequest(
                family=resources_pb2.IP_FAMILY_IPV6
                if ":" in address
                else resources_pb2.IP_FAMILY_IPV4,
                candidate_addresses=[address],
            )
            for address in addresses
        ],
        workload=resources_pb2.Workload(
            node=node, namespace="shop" if pod else "", pod=pod, cluster=cluster
        ),
        use=use,
    )


def pod_list(pods: Mapping[str, list[str]], node: str = "n1") -> str:
    """What kubectl lists, given the addresses of each pod of the namespace shop."""
    items = [
        {
            "kind": "Pod",
            "metadata": {"namespace": "shop", "name": name},
            "spec": {"nodeName": node},
            "status": {"phase": "Running", "podIPs": [{"ip": address} for address in addresses]},
        }
        for name, addresses in pods.items()
    ]
    return json.dumps({"kind": "List", "items": items})
