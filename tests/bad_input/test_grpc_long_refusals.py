"""Refusals that have much to tell: their reason arrives all the same.

gRPC carries a refusal in trailers; clients drop a call's whole status where these are too long.
"""

from collections.abc import Iterator

import grpc
import pytest

import moorage
from api import refusals
from harness import calls, postgres, serving
from moorage.v1 import allocation_service_pb2 as messages
from moorage.v1 import allocation_service_pb2_grpc as stubs
from moorage.v1 import resources_pb2 as resources

POOLS = 100
# As a cluster's own controllers label every node.
LABELS = {f"feature.node.kubernetes.io/cpu-{number}": "true" for number in range(30)}


@pytest.fixture(scope="module")
def crowded(cluster: postgres.Postgres) -> Iterator[stubs.AllocationServiceStub]:
    """Many pools, none of which has an address to give."""
    with (
        cluster.database() as database,
        serving.in_process(database) as server,
        grpc.insecure_channel(server.target) as channel,
    ):
        with moorage.Client(server.target) as client:
            for number in range(POOLS):
                cidr, excluded = f"10.0.{number}.0/32", [f"10.0.{number}.0"]
                name, zone = f"team-blue-production-eu-west-1-zone-a-{number}", 'zone == "east"'
                calls.create_pool(client, name, cidr, node_selector=zone, excluded_ranges=excluded)
            for node, labels in {"west": LABELS, "east": {"zone": "east"}}.items():
                client.upsert_node(resources.Node(name=f"vrfs/default/nodes/{node}", labels=labels))
        yield stubs.AllocationServiceStub(channel)


@pytest.mark.parametrize(
    ("node", "reason"),
    [("west", "NO_ELIGIBLE_POOL"), ("east", "POOL_EXHAUSTED")],
)
def test_the_reason_arrives_however_much_there_is_to_tell(
    crowded: stubs.AllocationServiceStub, node: str, reason: str
) -> None:
    request = messages.AssignAddressesRequest(
        attachment=calls.attachment(),
        addresses=[calls.want()],
        workload=resources.Workload(node=node, namespace="shop"),
    )
    # Clients drop a status of 8 KiB at random, and one of 16 KiB always.
    for _ in range(5):
        assert refusals.of(crowded.AssignAddresses, request).reason == reason
