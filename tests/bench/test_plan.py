"""Pools that the benchmark program asks for have what they are said to have."""

import pytest

import moorage
from bench import plan
from moorage import errors
from moorage.v1 import allocation_service_pb2, resources_pb2

IPV4, IPV6 = resources_pb2.IP_FAMILY_IPV4, resources_pb2.IP_FAMILY_IPV6


@pytest.mark.parametrize(("start", "family"), [("10.0.0.0", IPV4), ("fd00::", IPV6)])
@pytest.mark.parametrize("size", [3, 4])
def test_a_pool_has_exactly_as_many_addresses(
    client: moorage.Client, start: str, family: resources_pb2.IpFamily.ValueType, size: int
) -> None:
    client.create_pool("p", plan.exactly(start, size))
    asked = allocation_service_pb2.AddressRequest(family=family, pools=["p"])

    def assign(number: int) -> None:
        name = f"c{number}"
        holder = resources_pb2.Attachment(network="n", container_id=name, interface="eth0")
        client.assign(holder, [asked])

    for number in range(size):
        assign(number)
    with pytest.raises(errors.Exhausted):
        assign(size)


@pytest.mark.parametrize("rollout", [*plan.rollouts(1000), plan.plugin_rollout(200)])
def test_pods_ask_for_an_address_of_each_pool_of_their_rollout(rollout: plan.Rollout) -> None:
    asked = [pool for pool in (rollout.ask.ipv4, rollout.ask.ipv6) if pool]
    assert asked == list(rollout.pools)
