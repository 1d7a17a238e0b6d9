"""Every limit on what a caller may send: what has just as much is read, and one more is refused."""

from collections.abc import Callable

import pytest
from google.protobuf import duration_pb2

from moorage.v1 import (
    admin_service_pb2,
    allocation_service_pb2,
    history_pb2,
    node_service_pb2,
    pool_service_pb2,
    reconciliation_pb2,
    reservation_service_pb2,
    resources_pb2,
    vrf_service_pb2,
)
from moorage_server.api import (
    decode,
    decode_admin,
    decode_history,
    decode_pools,
    decode_reconciliation,
    decode_resources,
    decode_vrfs,
    decode_watch,
    limits,
)
from moorage_server.domain import errors, selectors

IPV4 = resources_pb2.IP_FAMILY_IPV4
Want = allocation_service_pb2.AddressRequest
Workload = resources_pb2.Workload
Read = Callable[[int], object]


def assign(**changes: object) -> object:
    right: dict[str, object] = {"attachment": attachment(), "addresses": [Want(family=IPV4)]}
    request = allocation_service_pb2.AssignAddressesRequest(**right | changes)  # type: ignore[arg-type]  # checked by protobuf
    return decode.assign_request(request)


def attachment(**changes: object) -> resources_pb2.Attachment:
    right = {"network": "pods", "container_id": "c1", "interface": "eth0"}
    return resources_pb2.Attachment(**right | changes)  # type: ignore[arg-type]  # checked by protobuf


def pool(pool_id: str = "web", **fields: object) -> object:
    made = resources_pb2.Pool(**{"cidr": "10.0.0.0/16"} | fields)  # type: ignore[arg-type]  # checked by protobuf
    return decode_pools.new_pool(pool_service_pb2.CreatePoolRequest(pool_id=pool_id, pool=made))


def reservation(**fields: object) -> object:
    made = resources_pb2.Reservation(**{"cidrs": ["10.0.0.0/28"]} | fields)  # type: ignore[arg-type]  # checked by protobuf
    request = reservation_service_pb2.CreateReservationRequest(
        reservation_id="quiet", reservation=made
    )
    return decode_resources.new_reservation(request)


def vrf(vrf_id: str = "blue", **fields: object) -> object:
    made = resources_pb2.Vrf(**fields)  # type: ignore[arg-type]  # checked by protobuf
    return decode_vrfs.new_vrf(vrf_service_pb2.CreateVrfRequest(vrf_id=vrf_id, vrf=made))


def node(name: str = "n1", **fields: object) -> object:
    made = resources_pb2.Node(name=f"vrfs/default/nodes/{name}", **fields)  # type: ignore[arg-type]  # checked by protobuf
    return decode_resources.node(node_service_pb2.UpsertNodeRequest(node=made))


def lists(**fields: object) -> object:
    right: dict[str, object] = {"node": "n1", "network": "pods"}
    request = reconciliation_pb2.ReconcileNodeRequest(**right | fields)  # type: ignore[arg-type]  # checked by protobuf
    return decode_reconciliation.reconcile_request(request)


def watch(epoch: str) -> object:
    cursor = history_pb2.Cursor(epoch=epoch)
    return decode_watch.watch(history_pb2.WatchAllocationsRequest(cursor=cursor))


def adopt(count: int) -> object:
    address = admin_service_pb2.AdoptedAddress
    request = admin_service_pb2.AdoptBlockRequest(
        cidr="10.0.0.0/20",
        addresses=[
            address(
                address=f"10.0.{number >> 8}.{number & 255}",
                attachment=attachment(container_id=f"c{number}"),
            )
            for number in range(count)
        ],
    )
    return decode_admin.adopt_request(request)


def seconds(count: int) -> duration_pb2.Duration:
    return duration_pb2.Duration(seconds=count)


def labels(count: int) -> dict[str, str]:
    return {f"l{number}": "" for number in range(count)}


def nested(depth: int) -> str:
    return f"{'(' * depth}has(a) || has(b){')' * depth}"


AT_MOST: dict[str, tuple[int, Read]] = {
    "network": (limits.NETWORK_LENGTH, lambda n: assign(attachment=attachment(network="n" * n))),
    "container id": (
        limits.CONTAINER_ID_LENGTH,
        lambda n: assign(attachment=attachment(container_id="c" * n)),
    ),
    "interface": (
        limits.INTERFACE_LENGTH,
        lambda n: assign(attachment=attachment(interface="e" * n)),
    ),
    "node": (limits.TEXT_LENGTH, lambda n: assign(workload=Workload(node="n" * n))),
    "namespace": (limits.TEXT_LENGTH, lambda n: assign(workload=Workload(namespace="n" * n))),
    "pod": (limits.TEXT_LENGTH, lambda n: assign(workload=Workload(pod="n" * n))),
    "pod uid": (limits.UID_LENGTH, lambda n: assign(workload=Workload(pod_uid="n" * n))),
    "cluster": (limits.UID_LENGTH, lambda n: assign(workload=Workload(cluster="n" * n))),
    "namespace labels": (
        limits.OBJECT_LABELS,
        lambda n: assign(workload=Workload(namespace_labels=labels(n))),
    ),
    "owner key": (limits.TEXT_LENGTH, lambda n: assign(owner_key="o" * n)),
    "labels": (limits.LABELS, lambda n: assign(labels=labels(n))),
    "label key": (limits.LABEL_KEY_LENGTH, lambda n: assign(labels={"k" * n: ""})),
    "label value": (limits.LABEL_VALUE_LENGTH, lambda n: assign(labels={"k": "v" * n})),
    "addresses": (
        limits.ADDRESSES_PER_REQUEST,
        lambda n: assign(addresses=[Want(family=IPV4)] * n),
    ),
    "pools": (
        limits.POOLS_PER_REQUEST,
        lambda n: assign(addresses=[Want(family=IPV4, pools=["web"] * n)]),
    ),
    "candidates": (
        limits.CANDIDATES_PER_REQUEST,
        lambda n: assign(addresses=[Want(family=IPV4, candidate_addresses=["10.0.0.7"] * n)]),
    ),
    "name of a pool asked for": (
        limits.NAME_LENGTH,
        lambda n: assign(addresses=[Want(family=IPV4, pools=["w" * n])]),
    ),
    "boot id": (
        limits.BOOT_ID_LENGTH,
        lambda n: assign(attempt=resources_pb2.AttemptStamp(boot_id="b" * n, boot_time_ns=1)),
    ),
    "epoch seen": (
        limits.EPOCH_LENGTH,
        lambda n: assign(seen=resources_pb2.FeedPosition(epoch="e" * n)),
    ),
    "wait": (limits.WAIT_SECONDS, lambda n: assign(wait=seconds(n))),
    "sticky": (limits.STICKY_SECONDS, lambda n: assign(owner_key="o", sticky=seconds(n))),
    "epoch of a cursor": (limits.EPOCH_LENGTH, lambda n: watch("e" * n)),
    "id of a pool": (limits.NAME_LENGTH, lambda n: pool("w" * n)),
    "id of a VRF": (limits.VRF_LENGTH, lambda n: vrf("b" * n)),
    "name of a node": (limits.NAME_LENGTH, lambda n: node("n" * n)),
    "labels of a node": (limits.OBJECT_LABELS, lambda n: node(labels=labels(n))),
    "label key of a node": (
        limits.OBJECT_LABEL_KEY_LENGTH,
        lambda n: node(labels={"k" * n: ""}),
    ),
    "selector": (
        selectors.TEXT_LIMIT,
        lambda n: pool(node_selector=f'a=="{"v" * (n - len("a==##"))}"'),
    ),
    "depth of a selector": (
        selectors.NESTING_LIMIT,
        lambda n: pool(node_selector=nested(n)),
    ),
    "label name in a selector": (
        selectors.LABEL_LIMIT,
        lambda n: pool(node_selector=f"has({'a' * n})"),
    ),
    "excluded ranges": (
        limits.EXCLUDED_RANGES,
        lambda n: pool(excluded_ranges=[f"10.0.0.{number}" for number in range(n)]),
    ),
    "routes": (
        limits.ROUTES,
        lambda n: pool(
            routes=[resources_pb2.Route(destination=f"10.{at}.0.0/16") for at in range(n)]
        ),
    ),
    "name servers": (
        limits.DNS_ENTRIES,
        lambda n: pool(
            dns=resources_pb2.Dns(nameservers=[f"10.0.0.{at}" for at in range(1, n + 1)])
        ),
    ),
    "priority": (limits.PRIORITY, lambda n: pool(priority=n)),
    "cool-down of a pool": (limits.COOLDOWN_SECONDS, lambda n: pool(cooldown_seconds=n)),
    "ranges of a reservation": (
        limits.CIDRS_PER_RESERVATION,
        lambda n: reservation(cidrs=[f"10.0.{at >> 8}.{at & 255}" for at in range(n)]),
    ),
    "description": (
        limits.DESCRIPTION_LENGTH,
        lambda n: reservation(description="d" * n),
    ),
    "description of a VRF": (limits.DESCRIPTION_LENGTH, lambda n: vrf(description="d" * n)),
    "attachments of a list": (
        limits.ATTACHMENTS_PER_LIST,
        lambda n: lists(attachments=[attachment(container_id=f"c{at}") for at in range(n)]),
    ),
    "grace": (limits.GRACE_SECONDS, lambda n: lists(grace=seconds(n))),
    "adopted addresses": (limits.ADDRESSES_PER_ADOPTION, adopt),
    "window of a forecast": (
        limits.WINDOW_DAYS,
        lambda n: decode_history.outlook(
            pool_service_pb2.ForecastPoolRequest(name="vrfs/default/pools/web", window_days=n)
        ),
    ),
}


@pytest.mark.parametrize("what", AT_MOST)
def test_as_much_as_allowed_is_read_and_one_more_is_refused(what: str) -> None:
    most, read = AT_MOST[what]
    read(most)
    with pytest.raises(errors.InvalidRequest):
        read(most + 1)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "fe80::1%eth0",
            "010.0.0.1",
            "10.0.0.01",
            "::ffff:010.0.0.1",
            "10.1",
            "167772161",
            "0x0a",
        ),
        *("10.0.0.1/24", " 10.0.0.1", "10.0.0.1\n", "10.0.0.1\x00", "[::1]", "true", "1"),
    ],
)
def test_an_address_that_others_read_otherwise_is_refused(text: str) -> None:
    with pytest.raises(errors.InvalidRequest):
        assign(addresses=[Want(family=IPV4, candidate_addresses=[text])])


@pytest.mark.parametrize(
    "text",
    [
        *(
            "10.0.0.0/0.0.0.255",
            "10.0.0.0/255.255.0.0",
            "10.0.0.0/016",
            "10.0.0.0/+8",
            "10.0.0.1/24",
        ),
        *("::ffff:10.0.0.0/112", "fe80::%1/64", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0"),
    ],
)
def test_a_range_that_others_read_otherwise_is_refused(text: str) -> None:
    with pytest.raises(errors.InvalidRequest):
        pool(cidr=text)


@pytest.mark.parametrize(
    "character", ["\x00", "\n", "\x1b", "\x7f", "\x9b", "\u061c", "\u2028", "\u202e", "\u2069"]
)
def test_a_control_character_is_refused(character: str) -> None:
    for read in (
        lambda text: assign(owner_key=text),
        lambda text: assign(labels={"k": text}),
        lambda text: assign(labels={text: ""}),
        lambda text: reservation(description=text),
        watch,
    ):
        with pytest.raises(errors.InvalidRequest):
            read(f"a{character}b")
