"""ExplainAssign: what would be assigned, or why not, without a change."""

import pytest

import moorage
from harness import postgres
from harness.calls import IPV6, assign, attachment, create_pool, fixed, want
from moorage.v1 import allocation_service_pb2 as messages
from moorage.v1 import resources_pb2


def explain(
    client: moorage.Client, *wants: messages.AddressRequest, container: str = "c1"
) -> messages.ExplainAssignResponse:
    return client.explain_assign(attachment(container), wants or (want(),))


def test_it_promises_what_an_assign_would_give_and_writes_nothing(
    client: moorage.Client, database: postgres.Database
) -> None:
    create_pool(client, "a", "10.0.0.0/24")
    create_pool(client, "b", "fd00::/120")
    for _ in range(2):
        explained = explain(client, want(IPV6), want())
        assert [each.address for each in explained.allocations] == ["fd00::", "10.0.0.0"]
        assert not explained.HasField("refusal")
        assert [each.generation for each in explained.allocations] == [0, 0]
        assert not any(each.HasField("assign_time") for each in explained.allocations)
    for table in ("blocks", "attachments", "allocations", "events"):
        assert database.scalar(f"SELECT count(*) FROM {table}") == 0
    given = assign(client, "c1", want(IPV6), want())
    assert [each.address for each in given] == ["fd00::", "10.0.0.0"]


def test_of_an_attachment_that_holds_addresses_it_tells_these(client: moorage.Client) -> None:
    create_pool(client, "a", "10.0.0.0/24")
    held = assign(client)
    assert list(explain(client).allocations) == held


def test_a_refusal_is_part_of_the_answer_with_all_pools_and_their_counts(
    client: moorage.Client,
) -> None:
    create_pool(client, "full", "10.0.0.0/32", priority=1)
    create_pool(client, "off", "10.0.1.0/24", disabled=True)
    create_pool(client, "six", "fd00::/120")
    assign(client, "holder")
    explained = explain(client)
    assert explained.refusal.metadata["pools"] == "full"
    assert 'pool "off": it is disabled' in explained.refusal.message
    full, off = explained.addresses[0].pools
    assert (full.pool, full.passed_over) == (
        "vrfs/default/pools/full",
        messages.PASSED_OVER_UNSPECIFIED,
    )
    assert full.counts == resources_pb2.AddressCounts(capacity_count=1, assigned_count=1)
    assert full.next_step.startswith("add a pool")
    assert (off.passed_over, off.next_step) == (messages.PASSED_OVER_DISABLED, "enable it")


def test_a_pool_that_is_not_there_is_a_refusal(client: moorage.Client) -> None:
    create_pool(client, "a", "10.0.0.0/24")
    explained = explain(client, want(pools=("b",)))
    assert explained.refusal.metadata == {"vrf": "default", "pool": "b"}
    assert not explained.addresses[0].pools


def test_a_fixed_address_names_the_pool_it_lies_in(client: moorage.Client) -> None:
    create_pool(client, "a", "10.0.0.0/24", disabled=True)
    create_pool(client, "b", "10.0.1.0/24")
    (pools,) = (each.pools for each in explain(client, fixed("10.0.0.9")).addresses)
    verdicts = {each.pool.rpartition("/")[2]: each.passed_over for each in pools}
    assert verdicts == {
        "a": messages.PASSED_OVER_DISABLED,
        "b": messages.PASSED_OVER_NOT_NAMED,
    }


def test_a_malformed_call_is_refused_as_an_assign_is(client: moorage.Client) -> None:
    with pytest.raises(moorage.InvalidRequest):
        client.explain_assign(attachment(), ())
    with pytest.raises(moorage.NotFound):
        client.explain_assign(attachment(), (want(),), vrf="nowhere")
