"""What a row can say of an answer: each check takes the stage and the answer."""

import ipaddress
from collections.abc import Callable, Mapping

from google.protobuf.message import Message

from acceptance.calico import spelling
from acceptance.calico.stage import Stage
from moorage.v1 import allocation_service_pb2 as allocating
from moorage.v1 import pool_service_pb2 as pooling
from moorage.v1 import resources_pb2

Check = Callable[[Stage, Message], None]


def subjects(answer: Message) -> list[Message]:
    """What an answer is about: its list, or the one resource in it."""
    value: object = getattr(answer, answer.DESCRIPTOR.fields[0].name)
    found = [value] if isinstance(value, Message) else list(value)  # type: ignore[call-overload]  # repeated
    return [each for each in found if isinstance(each, Message)]


def allocations(answer: Message) -> list[resources_pb2.Allocation]:
    """The allocations of an answer."""
    return [each for each in subjects(answer) if isinstance(each, resources_pb2.Allocation)]


def resource(answer: Message) -> resources_pb2.Pool | resources_pb2.Reservation | resources_pb2.Vrf:
    """The resource of an answer that has one with an etag."""
    (found,) = subjects(answer)
    assert isinstance(found, resources_pb2.Pool | resources_pb2.Reservation | resources_pb2.Vrf)
    return found


def gives(*addresses: str) -> Check:
    """Exactly these addresses, in this order."""

    def check(_: Stage, answer: Message) -> None:
        assert [each.address for each in allocations(answer)] == list(addresses)

    return check


def inside(*pools: str) -> Check:
    """One address for each of these pools, in this order."""

    def check(stage: Stage, answer: Message) -> None:
        found = [each.pool for each in allocations(answer)]
        assert found == [stage.name("pools", pool) for pool in pools], answer

    return check


def in_range(cidr: str) -> Check:
    """At least one address, and every one inside of a CIDR."""

    def check(_: Stage, answer: Message) -> None:
        found = [ipaddress.ip_address(each.address) for each in allocations(answer)]
        assert found
        assert all(each in ipaddress.ip_network(cidr) for each in found), found

    return check


def in_blocks(*blocks: str) -> Check:
    """The blocks of the addresses, in order."""

    def check(_: Stage, answer: Message) -> None:
        assert [each.block for each in allocations(answer)] == list(blocks)

    return check


def shows(fields: Mapping[str, object]) -> Check:
    """The resource has these values, in Calico's spelling."""

    def check(_: Stage, answer: Message) -> None:
        shown = subjects(answer)[0]
        if isinstance(shown, resources_pb2.Vrf) and "configuration" not in fields:
            shown = shown.configuration
        expected = spelling.message(type(shown), fields)
        for path in spelling.paths(fields):
            assert getattr(shown, path) == getattr(expected, path), path

    return check


def same_as(name: str) -> Check:
    """What the answer is about is what it was in an answer kept under a name."""

    def check(stage: Stage, answer: Message) -> None:
        assert subjects(answer) == subjects(stage.known[name])

    return check


def other_etag_than(name: str) -> Check:
    """The resource was changed since an answer kept under a name."""

    def check(stage: Stage, answer: Message) -> None:
        assert resource(answer).etag != resource(stage.known[name]).etag

    return check


def kept(name: str) -> Check:
    """Keeps the answer for later steps."""

    def check(stage: Stage, answer: Message) -> None:
        stage.known[name] = answer

    return check


def counts(expected: Mapping[str, int]) -> Check:
    """The counts of a pool; a key is a field of AddressCounts without "_count"."""

    def check(_: Stage, answer: Message) -> None:
        assert isinstance(answer, pooling.GetPoolUsageResponse)
        found = {key: getattr(answer.counts, f"{key}_count") for key in expected}
        assert found == dict(expected)

    return check


def open_blocks(expected: int) -> Check:
    """How many blocks of a pool are open."""

    def check(_: Stage, answer: Message) -> None:
        assert isinstance(answer, pooling.GetPoolUsageResponse)
        assert answer.open_block_count == expected

    return check


def lists(*expected: str) -> Check:
    """Blocks as "cidr node", or "cidr" where one belongs to no node, in this order."""

    def check(_: Stage, answer: Message) -> None:
        assert isinstance(answer, pooling.ListBlocksResponse)
        assert [f"{each.cidr} {each.node}".strip() for each in answer.blocks] == list(expected)

    return check


def block_counts(cidr: str, expected: Mapping[str, int]) -> Check:
    """The counts of one block; a key is a field of AddressCounts without "_count"."""

    def check(_: Stage, answer: Message) -> None:
        assert isinstance(answer, pooling.ListBlocksResponse)
        (block,) = (each for each in answer.blocks if each.cidr == cidr)
        assert {key: getattr(block.counts, f"{key}_count") for key in expected} == dict(expected)

    return check


def explains(expected: Mapping[str, str]) -> Check:
    """The pools of the first address in order, each with the rule that passes it over or ""."""

    def check(_: Stage, answer: Message) -> None:
        assert isinstance(answer, allocating.ExplainAssignResponse)
        found = {
            each.pool.rpartition("/")[2]: allocating.PassedOver.Name(each.passed_over)
            for each in answer.addresses[0].pools
        }
        told = {
            pool: "" if rule == "PASSED_OVER_UNSPECIFIED" else rule.removeprefix("PASSED_OVER_")
            for pool, rule in found.items()
        }
        assert list(told.items()) == list(expected.items())

    return check
