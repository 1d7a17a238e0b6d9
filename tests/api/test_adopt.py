"""AdoptBlock, through a real channel: what another IPAM left becomes held here, unchanged."""

from collections.abc import Callable

import grpc
import pytest

import moorage
from api import refusals
from harness import calls, digest, serving
from moorage.v1 import admin_service_pb2 as messages
from moorage.v1 import admin_service_pb2_grpc, resources_pb2

BLOCK = "10.0.0.0/26"
BLOCKS = "SELECT node, cardinality(free) FROM blocks WHERE cidr = CAST(:cidr AS cidr)"


@pytest.fixture
def admin(channel: grpc.Channel) -> admin_service_pb2_grpc.AdminServiceStub:
    return admin_service_pb2_grpc.AdminServiceStub(channel)


@pytest.fixture
def pool(client: moorage.Client) -> None:
    """A pool of blocks that belong to nodes, of which little may be given away."""
    pool = resources_pb2.Pool(
        cidr="10.0.0.0/24",
        block_size=26,
        gateway="10.0.0.1",
        excluded_ranges=["10.0.0.2"],
        assignment_mode=resources_pb2.ASSIGNMENT_MODE_MANUAL,
    )
    client.create_pool("web", pool)


def held(
    address: str,
    container: str = "c1",
    *,
    workload: resources_pb2.Workload | None = None,
    use: int = resources_pb2.USE_UNSPECIFIED,
    labels: dict[str, str] | None = None,
) -> messages.AdoptedAddress:
    return messages.AdoptedAddress(
        address=address,
        attachment=calls.attachment(container),
        workload=workload,
        use=use,  # type: ignore[arg-type]  # also what is no use
        labels=labels,
    )


def adopt(
    admin: admin_service_pb2_grpc.AdminServiceStub,
    *addresses: messages.AdoptedAddress,
    cidr: str = BLOCK,
    node: str = "",
    validate_only: bool = False,
) -> messages.AdoptBlockResponse:
    request = messages.AdoptBlockRequest(
        cidr=cidr, node=node, addresses=addresses, validate_only=validate_only
    )
    return admin.AdoptBlock(request)


def told(response: messages.AdoptBlockResponse) -> tuple[int, int, bool]:
    assert not response.conflicts, response
    return response.adopted_count, response.unchanged_count, response.block_changed


@pytest.mark.usefixtures("pool")
def test_what_is_adopted_is_held_with_all_that_is_known_of_it(
    admin: admin_service_pb2_grpc.AdminServiceStub, client: moorage.Client, server: serving.Serving
) -> None:
    workload = resources_pb2.Workload(
        node="n1", namespace="shop", pod="cart-0", pod_uid="u1", cluster="east"
    )
    use = resources_pb2.USE_TUNNEL
    asked = held("10.0.0.7", workload=workload, use=use, labels={"a": "b"})
    assert told(adopt(admin, asked, node="n1")) == (1, 0, True)
    found = client.get_allocation("10.0.0.7")
    assert found.attachment == calls.attachment("c1")
    assert (found.workload, found.use, dict(found.labels)) == (workload, use, {"a": "b"})
    assert found.generation > 0
    assert server.database.rows(BLOCKS, cidr=BLOCK) == [("n1", 63)]


@pytest.mark.usefixtures("pool")
def test_what_was_adopted_is_released_like_what_was_assigned(
    admin: admin_service_pb2_grpc.AdminServiceStub, client: moorage.Client
) -> None:
    adopt(admin, held("10.0.0.7"), held("10.0.0.9"), node="n1")
    assert calls.release(client) == ["10.0.0.7", "10.0.0.9"]
    with pytest.raises(moorage.NotFound):
        client.get_allocation("10.0.0.7")


@pytest.mark.usefixtures("pool")
def test_adopting_again_changes_nothing(
    admin: admin_service_pb2_grpc.AdminServiceStub, server: serving.Serving
) -> None:
    asked = [held("10.0.0.7"), held("10.0.0.8", "c2")]
    adopt(admin, *asked, node="n1")
    before = digest.of(server.database)
    assert told(adopt(admin, *asked, node="n1")) == (0, 2, False)
    assert told(adopt(admin, *asked)) == (0, 2, False)
    assert digest.of(server.database) == before


@pytest.mark.usefixtures("pool")
def test_validating_answers_the_same_and_changes_nothing(
    admin: admin_service_pb2_grpc.AdminServiceStub, server: serving.Serving
) -> None:
    before = digest.of(server.database)
    assert told(adopt(admin, held("10.0.0.7"), node="n1", validate_only=True)) == (1, 0, True)
    assert digest.of(server.database) == before
    assert told(adopt(admin, held("10.0.0.7"), node="n1")) == (1, 0, True)


@pytest.mark.usefixtures("pool")
def test_further_addresses_join_those_that_an_attachment_holds(
    admin: admin_service_pb2_grpc.AdminServiceStub, client: moorage.Client
) -> None:
    calls.create_pool(client, "six", "fd00::/64", block_size=122)
    adopt(admin, held("10.0.0.7", workload=resources_pb2.Workload(pod="cart-0")))
    assert told(adopt(admin, held("fd00::7"), cidr="fd00::/122")) == (1, 0, True)
    assert told(adopt(admin, held("10.0.0.7"), held("10.0.0.8"))) == (1, 1, False)
    assert client.get_allocation("fd00::7").workload.pod == "cart-0"
    assert calls.release(client) == ["10.0.0.7", "fd00::7", "10.0.0.8"]


@pytest.mark.usefixtures("pool")
def test_a_further_address_goes_behind_a_gap(
    admin: admin_service_pb2_grpc.AdminServiceStub, client: moorage.Client
) -> None:
    adopt(admin, held("10.0.0.7"), held("10.0.0.8"))
    first = client.get_allocation("10.0.0.7").generation
    assert calls.release(client, generations=(first,)) == ["10.0.0.7"]
    response = adopt(admin, held("10.0.0.7"), held("10.0.0.9"))
    assert (told(response), response.released_count) == ((1, 0, False), 1)
    assert calls.release(client) == ["10.0.0.8", "10.0.0.9"]


FORGET = "DELETE FROM attachments WHERE state = 'RELEASED'"
SINCE = {
    "nothing": (),
    "forgotten": ("forget",),
    "held by another": ("hold",),
    "forgotten, and held by another": ("forget", "hold"),
    "forgotten, and released by another": ("hold", "release", "forget"),
}


@pytest.mark.usefixtures("pool")
@pytest.mark.parametrize("since", SINCE)
def test_what_was_released_since_stays_released(
    since: str,
    admin: admin_service_pb2_grpc.AdminServiceStub,
    client: moorage.Client,
    server: serving.Serving,
) -> None:
    asked = [held("10.0.0.7"), held("10.0.0.8", "c2")]
    adopt(admin, *asked, node="n1")
    calls.release(client, "c1")
    does: dict[str, Callable[[], object]] = {
        "forget": lambda: server.database.execute(FORGET),
        "hold": lambda: calls.assign(client, "other", calls.fixed("10.0.0.7")),
        "release": lambda: calls.release(client, "other"),
    }
    for each in SINCE[since]:
        does[each]()
    before = digest.of(server.database)
    for validate_only in (True, False):
        response = adopt(admin, *asked, node="n1", validate_only=validate_only)
        assert (told(response), response.released_count) == ((0, 1, False), 1)
    assert digest.of(server.database) == before


@pytest.mark.usefixtures("pool")
@pytest.mark.parametrize("forgotten", [False, True])
def test_a_block_of_which_all_was_released_since_stays_as_it_is(
    forgotten: bool,
    admin: admin_service_pb2_grpc.AdminServiceStub,
    client: moorage.Client,
    server: serving.Serving,
) -> None:
    adopt(admin, held("10.0.0.7"), node="n1")
    calls.release(client, "c1")
    client.drain_pool("web")
    client.activate_pool("web")
    if forgotten:
        server.database.execute(FORGET)
    before = digest.of(server.database)
    for validate_only in (True, False):
        response = adopt(admin, held("10.0.0.7"), node="n1", validate_only=validate_only)
        assert (told(response), response.released_count) == ((0, 0, False), 1)
    assert server.database.rows(BLOCKS, cidr=BLOCK) == []
    assert digest.of(server.database) == before
    # It is in the way of nobody either, once it is another's.
    calls.assign(client, "other", calls.fixed("10.0.0.9"), node="n2")
    assert adopt(admin, held("10.0.0.7"), node="n1").released_count == 1
    assert server.database.rows(BLOCKS, cidr=BLOCK) == [("n2", 63)]


@pytest.mark.usefixtures("pool")
def test_what_was_released_before_it_came_is_not_adopted(
    admin: admin_service_pb2_grpc.AdminServiceStub, client: moorage.Client
) -> None:
    calls.release(client, "c1")
    response = adopt(admin, held("10.0.0.7"), held("10.0.0.8", "c2"))
    assert (told(response), response.released_count) == ((1, 0, True), 1)
    with pytest.raises(moorage.NotFound):
        client.get_allocation("10.0.0.7")


@pytest.mark.usefixtures("pool")
def test_a_release_that_began_before_the_assign_frees_nothing_that_was_adopted_since(
    admin: admin_service_pb2_grpc.AdminServiceStub, client: moorage.Client
) -> None:
    calls.assign(client, "c1", calls.fixed("10.0.0.5"), stamp=200)
    assert told(adopt(admin, held("10.0.0.7"))) == (1, 0, False)
    assert calls.release(client, "c1", stamp=100) == []
    assert calls.release(client, "c1", stamp=300) == ["10.0.0.5", "10.0.0.7"]


@pytest.mark.usefixtures("pool")
def test_a_tombstone_fences_as_before_after_adopting(
    admin: admin_service_pb2_grpc.AdminServiceStub, client: moorage.Client
) -> None:
    adopt(admin, held("10.0.0.7"))
    assert calls.release(client, "c1", stamp=200) == ["10.0.0.7"]
    assert adopt(admin, held("10.0.0.7")).released_count == 1
    with pytest.raises(moorage.MoorageError) as refusal:
        calls.assign(client, "c1", calls.fixed("10.0.0.7"), stamp=100)
    assert refusal.value.reason == "ATTACHMENT_RELEASED"
    calls.assign(client, "c1", calls.fixed("10.0.0.7"), stamp=300)
    response = adopt(admin, held("10.0.0.7"))
    assert (told(response), response.released_count) == ((0, 1, False), 0)
    assert calls.release(client, "c1", stamp=250) == []
    assert calls.release(client, "c1", stamp=400) == ["10.0.0.7"]


def test_an_address_that_cools_down_is_adopted(
    admin: admin_service_pb2_grpc.AdminServiceStub, client: moorage.Client, server: serving.Serving
) -> None:
    calls.create_pool(client, "web", "10.0.0.0/24", block_size=26)
    server.database.execute("UPDATE vrfs SET cooldown_seconds = 600, catalog_version = DEFAULT")
    calls.assign(client, "c0", calls.fixed("10.0.0.7"))
    calls.assign(client, "other", calls.fixed("10.0.0.6"))
    calls.release(client, "c0")
    cooling = "SELECT jsonb_array_length(cooling) FROM blocks"
    assert server.database.scalar(cooling) == 1
    assert told(adopt(admin, held("10.0.0.7"))) == (1, 0, False)
    assert server.database.scalar(cooling) == 0


def test_an_address_that_is_kept_for_an_owner_is_a_conflict(
    admin: admin_service_pb2_grpc.AdminServiceStub, client: moorage.Client, server: serving.Serving
) -> None:
    calls.create_pool(client, "web", "10.0.0.0/24", block_size=26)
    client.assign(calls.attachment("c0"), [calls.fixed("10.0.0.7")], owner_key="db-0")
    server.database.execute("UPDATE attachments SET sticky_seconds = 600")
    calls.release(client, "c0")
    (conflict,) = adopt(admin, held("10.0.0.7")).conflicts
    assert (conflict.address, "kept for owner db-0" in conflict.message) == ("10.0.0.7", True)
    client.delete_sticky_address("10.0.0.7")
    assert told(adopt(admin, held("10.0.0.7"))) == (1, 0, False)


@pytest.mark.usefixtures("pool")
def test_a_block_goes_to_its_node_and_stays_there(
    admin: admin_service_pb2_grpc.AdminServiceStub, server: serving.Serving
) -> None:
    assert told(adopt(admin)) == (0, 0, False)
    assert server.database.rows(BLOCKS, cidr=BLOCK) == []
    assert told(adopt(admin, held("10.0.0.7"))) == (1, 0, True)
    assert server.database.rows(BLOCKS, cidr=BLOCK) == [(None, 63)]
    assert told(adopt(admin, node="n1")) == (0, 0, True)
    assert told(adopt(admin, node="n1")) == (0, 0, False)
    assert server.database.rows(BLOCKS, cidr=BLOCK) == [("n1", 63)]
    assert told(adopt(admin, cidr="10.0.0.64/26", node="n2")) == (0, 0, True)
    assert server.database.rows(BLOCKS, cidr="10.0.0.64/26") == [("n2", 64)]


@pytest.mark.parametrize("state", ["ACTIVE", "DRAINING"])
def test_blocks_of_a_pool_without_affinity_or_of_a_draining_one_belong_to_nobody(
    state: str,
    admin: admin_service_pb2_grpc.AdminServiceStub,
    client: moorage.Client,
    server: serving.Serving,
) -> None:
    affinity = {
        "ACTIVE": resources_pb2.BLOCK_AFFINITY_NONE,
        "DRAINING": resources_pb2.BLOCK_AFFINITY_NODE,
    }[state]
    calls.create_pool(client, "web", "10.0.0.0/24", block_size=26, block_affinity=affinity)
    server.database.execute(
        "WITH changed AS (UPDATE vrfs SET catalog_version = DEFAULT)"
        " UPDATE pools SET state = :state",
        state=state,
    )
    assert told(adopt(admin, node="n1")) == (0, 0, False)
    assert told(adopt(admin, held("10.0.0.7"), node="n1")) == (1, 0, True)
    assert server.database.rows(BLOCKS, cidr=BLOCK) == [(None, 63)]


@pytest.mark.usefixtures("pool")
@pytest.mark.parametrize("validate_only", [True, False])
@pytest.mark.parametrize(("node", "stored"), [("n2", "n2"), ("", None)])
def test_a_block_that_is_empty_here_changes_hands(
    admin: admin_service_pb2_grpc.AdminServiceStub,
    client: moorage.Client,
    server: serving.Serving,
    node: str,
    stored: str | None,
    validate_only: bool,
) -> None:
    adopt(admin, held("10.0.0.5"), node="n1")
    calls.release(client, "c1")
    response = adopt(admin, node=node, validate_only=validate_only)
    assert told(response) == (0, 0, True)
    assert response.previous_node == "n1"
    owner = "n1" if validate_only else stored
    assert server.database.rows(BLOCKS, cidr=BLOCK) == [(owner, 64)]
    if not validate_only:
        again = adopt(admin, node=node)
        assert (told(again), again.previous_node) == ((0, 0, False), "")


@pytest.mark.usefixtures("pool")
@pytest.mark.parametrize("way", ["delete the node", "release everything"])
def test_what_is_said_of_a_block_of_another_node_can_be_done(
    admin: admin_service_pb2_grpc.AdminServiceStub,
    client: moorage.Client,
    server: serving.Serving,
    way: str,
) -> None:
    adopt(admin, held("10.0.0.5"), node="n1")
    (refused,) = adopt(admin, node="n2").conflicts
    assert "delete node n1, which gives up all its blocks, or release everything" in refused.message
    if way == "delete the node":
        client.delete_node("n1")
    else:
        calls.release(client, "c1")
    assert told(adopt(admin, node="n2"))[2]
    assert [row[0] for row in server.database.rows(BLOCKS, cidr=BLOCK)] == ["n2"]


CONFLICTS = {
    "10.0.0.1": "10.0.0.1 is excluded from pool web, or its gateway",
    "10.0.0.2": "10.0.0.2 is excluded from pool web, or its gateway",
    "10.0.0.5": "10.0.0.5 is held by container c0 of network pods (eth0), pod shop/c0; release it",
}


@pytest.mark.usefixtures("pool")
def test_every_conflict_is_told_and_nothing_is_adopted(
    admin: admin_service_pb2_grpc.AdminServiceStub, server: serving.Serving
) -> None:
    workload = resources_pb2.Workload(namespace="shop", pod="c0")
    adopt(admin, held("10.0.0.5", "c0", workload=workload), node="n1")
    before = digest.of(server.database)
    asked = [held(address) for address in ("10.0.0.3", *CONFLICTS)]
    for validate_only in (True, False):
        response = adopt(admin, *asked, node="n2", validate_only=validate_only)
        assert (response.adopted_count, response.block_changed) == (0, False)
        assert [each.address for each in response.conflicts] == ["", *CONFLICTS]
        assert response.conflicts[0].message.startswith(
            "block 10.0.0.0/26 belongs to node n1, not to n2"
        )
        for each in response.conflicts[1:]:
            assert each.message.startswith(CONFLICTS[each.address])
    assert digest.of(server.database) == before


@pytest.mark.usefixtures("pool")
@pytest.mark.parametrize(
    ("cidr", "message"),
    [
        (
            "10.1.0.0/26",
            "no pool of VRF default holds 10.1.0.0/26; create one that does, of block size 26",
        ),
        (
            "::/0",
            "no pool of VRF default holds ::/0; adopt its blocks one by one, which for IPV6 are of"
            " size 116 to 128",
        ),
        (
            "10.0.0.0/27",
            "10.0.0.0/27 is not a block of pool web, whose block size is 26; create that pool anew"
            " with block size 27",
        ),
        (
            "10.0.0.0/23",
            "10.0.0.0/23 is not a block of pool web, whose block size is 26; adopt what that pool"
            " holds of it block by block",
        ),
        (
            "10.0.0.0/16",
            "10.0.0.0/16 is not a block of pool web, whose block size is 26; adopt what that pool"
            " holds of it block by block",
        ),
    ],
)
def test_a_block_that_fits_no_pool_is_a_conflict(
    cidr: str, message: str, admin: admin_service_pb2_grpc.AdminServiceStub
) -> None:
    (conflict,) = adopt(admin, cidr=cidr, node="n1").conflicts
    assert (conflict.address, conflict.message) == ("", message)


def test_everything_that_is_malformed_is_told_at_once(unchanged: grpc.Channel) -> None:
    admin = admin_service_pb2_grpc.AdminServiceStub(unchanged)
    request = messages.AdoptBlockRequest(
        parent="x",
        cidr=BLOCK,
        node="n" * 254,
        addresses=[
            held("10.0.0.64"),
            held("10.0.0.1", "bad id"),
            held("10.0.0.1", labels={"": "x"}),
            held("x", use=9),
            messages.AdoptedAddress(),
        ],
    )
    assert refusals.of(admin.AdoptBlock, request).violations == (
        ("parent", '"x" is not a VRF; write "vrfs/{vrf}"'),
        ("node", f'has 254 characters: "{"n" * 80}..."; at most 253 are allowed'),
        ("addresses[0].address", '"10.0.0.64": lies outside of 10.0.0.0/26'),
        (
            "addresses[1].attachment.container_id",
            '"bad id" is not a CNI name: a letter or digit, then letters, digits, _, . and -',
        ),
        ("addresses[2].labels key", "is required"),
        (
            "addresses[3].address",
            '"x": not an IPv4 or IPv6 address; write for example 10.0.0.7 or fd00::7',
        ),
        (
            "addresses[3].use",
            "9 is not one of the known values; give USE_WORKLOAD, USE_TUNNEL or USE_LOAD_BALANCER",
        ),
        (
            "addresses[4].address",
            '"": not an IPv4 or IPv6 address; write for example 10.0.0.7 or fd00::7',
        ),
        ("addresses[4].attachment.network", "is required"),
        ("addresses[4].attachment.container_id", "is required"),
        ("addresses[4].attachment.interface", "is required"),
        ("addresses", "has 10.0.0.1 2 times; give each address once"),
    )


@pytest.mark.parametrize(
    ("request_", "reason", "fields"),
    [
        (messages.AdoptBlockRequest(), "INVALID_REQUEST", ["cidr"]),
        (messages.AdoptBlockRequest(cidr="10.0.0.1/26"), "INVALID_REQUEST", ["cidr"]),
        (
            messages.AdoptBlockRequest(
                cidr="10.0.0.0/16",
                addresses=[messages.AdoptedAddress()] * 1025,
            ),
            "INVALID_REQUEST",
            ["addresses"],
        ),
        (messages.AdoptBlockRequest(parent="vrfs/none", cidr=BLOCK), "VRF_NOT_FOUND", []),
    ],
    ids=["no block", "host bits", "too many addresses", "no such VRF"],
)
def test_what_cannot_be_decided_on_is_refused(
    request_: messages.AdoptBlockRequest, reason: str, fields: list[str], unchanged: grpc.Channel
) -> None:
    admin = admin_service_pb2_grpc.AdminServiceStub(unchanged)
    refusal = refusals.of(admin.AdoptBlock, request_)
    assert (refusal.reason, refusal.fields) == (reason, fields)
