"""What is noted of a change of a resource."""

import datetime
import json

import pytest
from google.protobuf import descriptor

from moorage.v1 import resources_pb2
from moorage_server.domain import addresses, audit, model, resources

V4 = addresses.parse_network("10.0.0.0/24")
POOL = resources.Pool(
    vrf="default",
    name="web",
    cidr=V4,
    block_size=26,
    allowed_uses=frozenset({model.Use.WORKLOAD}),
    gateway=addresses.parse_address("10.0.0.1"),
    routes=(resources.Route(destination=addresses.parse_network("fd00::/64")),),
    dns=resources.Dns(nameservers=(addresses.parse_address("10.0.0.2"),)),
    excluded=(addresses.Span.parse("10.0.0.8-10.0.0.9"),),
    allowed_namespaces=frozenset({"shop", "bank"}),
    labels={"tier": "front"},
)
VRF = resources.Vrf(
    name="default",
    fixed_address_grants=(resources.FixedAddressGrant(namespace="shop", cidrs=(V4,)),),
)
RESERVATION = resources.Reservation(
    vrf="default",
    name="quiet",
    cidrs=(V4,),
    expire_time=datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC),
)


@pytest.mark.parametrize(
    ("resource", "message"),
    [
        (POOL, resources_pb2.Pool),
        (VRF, resources_pb2.Vrf),
        (RESERVATION, resources_pb2.Reservation),
        (resources.Node(vrf="default", name="n1"), resources_pb2.Node),
    ],
)
def test_fields_have_the_names_that_are_published(
    resource: resources.Stored, message: type[resources_pb2.Pool]
) -> None:
    noted = audit.fields(resource)
    assert json.loads(json.dumps(noted)) == noted
    _require_published(noted, message.DESCRIPTOR)


def _require_published(noted: audit.Fields, published: descriptor.Descriptor) -> None:
    # Which one it is, is noted of nodes as well.
    assert noted.keys() - {"uid"} <= set(published.fields_by_name)
    for name, value in ((name, value) for name, value in noted.items() if name != "uid"):
        of = published.fields_by_name[name].message_type
        if isinstance(value, dict) and of is not None and not of.GetOptions().map_entry:
            _require_published(value, of)


def test_values_are_spelled_as_they_are_given() -> None:
    noted = audit.fields(POOL)
    assert noted["excluded_ranges"] == ["10.0.0.8-10.0.0.9"]
    assert noted["routes"] == [{"destination": "fd00::/64", "gateway": None}]
    assert noted["allowed_namespaces"] == ["bank", "shop"]
    assert noted["allowed_uses"] == ["WORKLOAD"]
    assert noted["cooldown_seconds"] is None
    assert audit.fields(RESERVATION)["expire_time"] == "2030-01-01 00:00:00+00:00"
    assert audit.fields(VRF)["configuration"]["history_retention_days"] == 400


@pytest.mark.parametrize(
    ("before", "after", "differing"),
    [
        ({"a": 1, "b": 2}, {"a": 1, "b": 3}, ({"b": 2}, {"b": 3})),
        ({}, {"a": 1}, ({}, {"a": 1})),
        ({"a": 1}, {}, ({"a": 1}, {})),
        ({"a": [1]}, {"a": [1]}, ({}, {})),
    ],
)
def test_only_what_differs_is_noted(
    before: audit.Fields, after: audit.Fields, differing: tuple[audit.Fields, audit.Fields]
) -> None:
    assert audit.differing(before, after) == differing
