"""AdminService: who changed what of a VRF, the newest first."""

import datetime
from collections.abc import Iterable
from typing import Any

import grpc
import pytest
from google.protobuf import json_format

import moorage
from api import refusals
from harness import calls, postgres, serving
from moorage.v1 import admin_service_pb2_grpc, audit_pb2, resources_pb2
from moorage_server.domain import model
from moorage_server.storage import database as storage
from moorage_server.usecases import quarantine, tidy

POOL = audit_pb2.CHANGE_KIND_POOL
BLOCK = audit_pb2.CHANGE_KIND_BLOCK


def told(found: Iterable[audit_pb2.Change]) -> list[tuple[str, str]]:
    return [(each.method, each.resource_id) for each in found]


def fields(struct: Any) -> dict[str, Any]:  # noqa: ANN401 - a message of Google's
    found: dict[str, Any] = json_format.MessageToDict(struct)
    return found


def update(client: moorage.Client, name: str, mask: str, **changed: object) -> None:
    pool = resources_pb2.Pool(name=f"vrfs/default/pools/{name}", **changed)  # type: ignore[arg-type]  # checked by protobuf
    client.update_pool(pool, update_mask=[mask])


def test_a_change_has_what_became_another_and_nothing_else(client: moorage.Client) -> None:
    calls.create_pool(client, "web", "10.0.0.0/24", gateway="10.0.0.1", labels={"tier": "front"})
    update(client, "web", "priority", priority=7)
    update(client, "web", "priority", priority=7)  # changes nothing
    client.delete_pool("web")
    gone, changed, new = client.changes()
    assert told([gone, changed, new]) == [
        ("DeletePool", "web"),
        ("UpdatePool", "web"),
        ("CreatePool", "web"),
    ]
    assert (new.kind, new.parent) == (POOL, "vrfs/default")
    assert not new.HasField("before")
    after = fields(new.after)
    assert (after["cidr"], after["gateway"], after["labels"]) == (
        *("10.0.0.0/24", "10.0.0.1", {"tier": "front"}),
    )
    assert fields(changed.before) == {"priority": 0}
    assert fields(changed.after) == {"priority": 7}
    assert not gone.HasField("after")
    assert fields(gone.before)["priority"] == 7
    assert gone.change_time.ToNanoseconds() >= changed.change_time.ToNanoseconds()


@pytest.mark.parametrize(
    ("mask", "changed", "after"),
    [
        ("excluded_ranges", {"excluded_ranges": ["10.0.0.8-10.0.0.9"]}, ["10.0.0.8-10.0.0.9"]),
        (
            "routes",
            {"routes": [resources_pb2.Route(destination="10.1.0.0/16")]},
            [{"destination": "10.1.0.0/16", "gateway": None}],
        ),
        ("allowed_namespaces", {"allowed_namespaces": ["shop", "bank"]}, ["bank", "shop"]),
    ],
)
def test_every_kind_of_field_is_told_as_json(
    client: moorage.Client, mask: str, changed: dict[str, object], after: object
) -> None:
    calls.create_pool(client, "web", "10.0.0.0/24")
    update(client, "web", mask, **changed)
    newest = next(client.changes())
    assert list(fields(newest.after).values()) == [after]


def test_pages_kinds_names_and_times(client: moorage.Client) -> None:
    names = [f"p{at}" for at in range(5)]
    for at, name in enumerate(names):
        calls.create_pool(client, name, f"10.0.{at}.0/24")
        client.upsert_node(resources_pb2.Node(name=f"vrfs/default/nodes/{name}"))
    everything = list(client.changes())
    assert told(everything) == [
        (method, name) for name in reversed(names) for method in ("UpsertNode", "CreatePool")
    ]
    assert list(client.changes(page_size=3)) == everything
    pools = [name for _, name in told(client.changes(POOL, page_size=2))]
    assert pools == list(reversed(names))
    assert told(client.changes(POOL, "p3")) == [("CreatePool", "p3")]
    third = everything[4].change_time.ToDatetime(tzinfo=datetime.UTC)
    assert list(client.changes(start=third)) == everything[:5]
    assert list(client.changes(end=third)) == everything[5:]
    assert list(client.changes(vrf="blue")) == []


def test_a_vrf_that_is_gone_is_told_of(client: moorage.Client) -> None:
    client.create_vrf("blue")
    client.delete_vrf("blue")
    assert told(client.changes(vrf="blue")) == [("DeleteVrf", "blue"), ("CreateVrf", "blue")]


def test_a_node_that_is_told_of_again_is_no_change(client: moorage.Client) -> None:
    node = resources_pb2.Node(name="vrfs/default/nodes/n1", labels={"zone": "east"})
    client.upsert_node(node)
    client.upsert_node(node)
    assert told(client.changes()) == [("UpsertNode", "n1")]


def test_what_the_server_does_by_itself_names_its_part(
    server: serving.Serving, client: moorage.Client
) -> None:
    node = resources_pb2.BLOCK_AFFINITY_NODE
    calls.create_pool(client, "p", "10.0.0.0/24", block_affinity=node, block_size=26)
    calls.assign(client, "c1", node="n1")
    calls.release(client, "c1")
    server.database.execute("UPDATE blocks SET node = NULL")
    store = storage.Database(server.database.service_url, threads=1)
    try:
        assert tidy.tidy(store, _limits()) == 1
        seen = model.Position(epoch=_epoch(server.database), revision=1000)
        assert quarantine.went_back(store, _limits(), "default", seen)
        assert quarantine.rules_broken(store, _limits(), "default", ["held twice"])
    finally:
        store.close()
    broken, back, closed = list(client.changes())[:3]
    assert (broken.method, broken.resource_id, broken.actor.name) == (
        *("BeginQuarantine", "RULES_BROKEN", "verifier"),
    )
    assert fields(broken.after) == {"message": "held twice"}
    assert (back.resource_id, back.actor.name) == ("WENT_BACK", "feed")
    assert (closed.method, closed.kind, closed.actor.name) == ("CloseBlocks", BLOCK, "tidy")
    assert fields(closed.before) == {"cidrs": ["10.0.0.0/26"]}
    assert {each.actor.proof for each in (broken, back, closed)} == {audit_pb2.PROOF_SERVER}


def _epoch(database: postgres.Database) -> str:
    return str(database.scalar("SELECT epoch FROM vrfs WHERE name = 'default'"))


def _limits() -> storage.Limits:
    return storage.Limits(lock=2.0, statement=10.0, deadline=float("inf"))


@pytest.mark.parametrize(
    ("request_", "fields_"),
    [
        ({"kind": 99}, ["kind"]),
        ({"resource_id": "x" * 254}, ["resource_id"]),
        ({"parent": "pools/web"}, ["parent"]),
        ({"page_size": -1}, ["page_size"]),
    ],
)
def test_what_is_malformed_is_refused(
    channel: grpc.Channel, request_: dict[str, Any], fields_: list[str]
) -> None:
    stub = admin_service_pb2_grpc.AdminServiceStub(channel)
    request = audit_pb2.ListChangesRequest(**request_)
    assert refusals.of(stub.ListChanges, request).fields == fields_


def test_an_end_that_is_before_the_start_is_refused(client: moorage.Client) -> None:
    now = datetime.datetime.now(datetime.UTC)
    with pytest.raises(moorage.MoorageError) as raised:
        list(client.changes(start=now, end=now))
    assert [each.field for each in raised.value.violations] == ["end_time"]
