"""AdoptBlock with owner keys and sticky addresses: whose they were elsewhere, they are here."""

import datetime

import pytest

import moorage
from harness import calls
from moorage.v1 import admin_service_pb2, reconciliation_pb2, resources_pb2

CIDR = "10.0.0.0/26"
DAY = datetime.timedelta(days=1)


@pytest.fixture(autouse=True)
def pool(client: moorage.Client) -> None:
    """One to adopt blocks of."""
    calls.create_pool(client, "web", "10.0.0.0/24", block_size=26)


def kept(
    address: str = "10.0.0.5", owner: str = "db-0", *, left: datetime.timedelta = DAY
) -> reconciliation_pb2.StickyAddress:
    """An address that is kept for its owner."""
    made = reconciliation_pb2.StickyAddress(
        address=address, owner_key=owner, network="pods", interface="eth0"
    )
    made.expire_time.FromDatetime(datetime.datetime.now(datetime.UTC) + left)
    return made


def adopt(
    client: moorage.Client,
    *sticky: reconciliation_pb2.StickyAddress,
    validate_only: bool = False,
) -> admin_service_pb2.AdoptBlockResponse:
    """Adopts a block with nothing else in it."""
    return client.adopt_block(CIDR, sticky_addresses=sticky, validate_only=validate_only)


def assign(client: moorage.Client, container: str, owner: str) -> str:
    """The address that a container is given."""
    found = client.assign(
        calls.attachment(container), [calls.want()], owner_key=owner, sticky=DAY if owner else 0
    )
    return found[0].address


def test_a_sticky_address_waits_for_its_owner(client: moorage.Client) -> None:
    assert adopt(client, kept(), validate_only=True).kept_count == 1
    assert not list(client.sticky_addresses())
    assert adopt(client, kept()).kept_count == 1
    (found,) = client.sticky_addresses()
    assert (found.address, found.owner_key) == ("10.0.0.5", "db-0")
    left = found.expire_time.ToDatetime(datetime.UTC) - datetime.datetime.now(datetime.UTC)
    assert abs(left - DAY) < datetime.timedelta(minutes=1)
    assert {assign(client, f"other-{at}", "") for at in range(5)}.isdisjoint({"10.0.0.5"})
    assert assign(client, "c1", "db-0") == "10.0.0.5"


def test_adopting_it_again_changes_nothing(client: moorage.Client) -> None:
    adopt(client, kept())
    assert adopt(client, kept()) == admin_service_pb2.AdoptBlockResponse()
    assign(client, "c1", "db-0")
    # Its owner has it.
    assert adopt(client, kept()) == admin_service_pb2.AdoptBlockResponse()


def test_what_has_expired_is_left_out(client: moorage.Client) -> None:
    assert adopt(client, kept(left=-DAY)) == admin_service_pb2.AdoptBlockResponse()
    assert not list(client.blocks())


def test_it_is_kept_for_ninety_days_at_most(client: moorage.Client) -> None:
    adopt(client, kept(left=400 * DAY))
    (found,) = client.sticky_addresses()
    left = found.expire_time.ToDatetime(datetime.UTC) - datetime.datetime.now(datetime.UTC)
    assert left < 90 * DAY + datetime.timedelta(minutes=1)


def test_what_cools_down_here_goes_on_doing_so_where_it_is_given_up(
    client: moorage.Client,
) -> None:
    client.update_pool(
        resources_pb2.Pool(name="vrfs/default/pools/web", cooldown_seconds=1200),
        update_mask=["cooldown_seconds"],
    )
    client.assign(calls.attachment("c1"), [calls.fixed("10.0.0.5")])
    calls.release(client, "c1")
    # Kept for less than it would have cooled down.
    adopt(client, kept(left=datetime.timedelta(seconds=90)))
    (found,) = client.sticky_addresses()
    left = found.expire_time.ToDatetime(datetime.UTC) - datetime.datetime.now(datetime.UTC)
    assert left > datetime.timedelta(minutes=15)
    client.delete_sticky_address(found.name)
    (block,) = client.blocks()
    assert block.counts.cooling_count == 1


def test_what_another_has_is_a_conflict(client: moorage.Client) -> None:
    client.assign(calls.attachment("c1"), [calls.fixed("10.0.0.5")], owner_key="db-9")
    adopt(client, kept("10.0.0.6", "db-8"))
    answer = adopt(client, kept(), kept("10.0.0.6"))
    assert [each.address for each in answer.conflicts] == ["10.0.0.5", "10.0.0.6"]
    assert "is held by container c1" in answer.conflicts[0].message
    assert "is kept for owner db-8" in answer.conflicts[1].message
    assert answer.kept_count == 0


def test_an_owner_and_its_retention_are_adopted(client: moorage.Client) -> None:
    held = admin_service_pb2.AdoptedAddress(
        address="10.0.0.9", attachment=calls.attachment("c1"), owner_key="db-0"
    )
    held.sticky.FromTimedelta(DAY)
    client.adopt_block(CIDR, [held])
    (found,) = client.allocations()
    assert (found.owner_key, found.sticky.ToTimedelta()) == ("db-0", DAY)
    calls.release(client, "c1")
    assert assign(client, "c2", "db-0") == "10.0.0.9"


@pytest.mark.parametrize("field", ["owner_key", "network", "interface", "expire_time", "address"])
def test_every_field_is_required(client: moorage.Client, field: str) -> None:
    given = kept()
    given.ClearField(field)  # type: ignore[arg-type]  # one of its fields
    with pytest.raises(moorage.InvalidRequest) as caught:
        adopt(client, given)
    assert caught.value.violations[0].field == f"sticky_addresses[0].{field}"


def test_an_address_is_held_or_kept(client: moorage.Client) -> None:
    held = admin_service_pb2.AdoptedAddress(address="10.0.0.5", attachment=calls.attachment("c1"))
    with pytest.raises(moorage.InvalidRequest, match=r"has 10\.0\.0\.5 2 times"):
        client.adopt_block(CIDR, [held], sticky_addresses=[kept()])


def test_a_retention_needs_an_owner(client: moorage.Client) -> None:
    held = admin_service_pb2.AdoptedAddress(address="10.0.0.5", attachment=calls.attachment("c1"))
    held.sticky.FromTimedelta(DAY)
    with pytest.raises(moorage.InvalidRequest) as caught:
        client.adopt_block(CIDR, [held])
    assert caught.value.violations[0].field == "addresses[0].sticky"
