"""ReservationService, NodeService and VrfService, asked wrongly: what exactly is answered."""

import pytest
from google.protobuf import field_mask_pb2

from bad_input import tables
from bad_input.ground import Ground
from bad_input.tables import (
    LEADING_ZERO,
    LONG,
    NO_ADDRESS,
    NO_LABEL,
    NO_PLAIN_LENGTH,
    NO_SUBDOMAIN,
    NO_VRF,
    OTHER_TOKEN,
    REQUIRED,
    ZONE,
    Malformed,
    Refused,
    too_long,
    unprintable,
)
from moorage.v1.node_service_pb2 import (
    DeleteNodeRequest,
    GetNodeRequest,
    ListNodesRequest,
    UpsertNodeRequest,
)
from moorage.v1.reservation_service_pb2 import (
    CreateReservationRequest,
    DeleteReservationRequest,
    GetReservationRequest,
    ListReservationsRequest,
    UpdateReservationRequest,
)
from moorage.v1.resources_pb2 import (
    FixedAddressGrant,
    NamespaceQuota,
    Node,
    Quotas,
    Reservation,
    Vrf,
)
from moorage.v1.vrf_service_pb2 import (
    CreateVrfRequest,
    DeleteVrfRequest,
    GetVrfRequest,
    ListVrfsRequest,
    UpdateVrfRequest,
)

pytestmark = pytest.mark.usefixtures("nothing_written")

QUIET = "vrfs/default/reservations/quiet"
N1 = "vrfs/default/nodes/n1"
NOWHERE = "vrfs/nowhere"


def reserve(*cidrs: str, name: str = "new", **changes: object) -> CreateReservationRequest:
    """A reservation that is right in everything but this."""
    reservation = Reservation(cidrs=cidrs, **changes)  # type: ignore[arg-type]  # by protobuf
    return CreateReservationRequest(reservation_id=name, reservation=reservation)


def update(*paths: str, **fields: object) -> UpdateReservationRequest:
    reservation = Reservation(name=QUIET, **fields)  # type: ignore[arg-type]  # by protobuf
    mask = field_mask_pb2.FieldMask(paths=paths)
    return UpdateReservationRequest(reservation=reservation, update_mask=mask)


def upsert(name: str = N1, **fields: object) -> UpsertNodeRequest:
    return UpsertNodeRequest(node=Node(name=name, **fields))  # type: ignore[arg-type]  # likewise


# What can neither be reserved nor is an address, as JSON writes it, and why not.
NO_CIDRS = [
    ("", NO_ADDRESS),
    ("web", NO_ADDRESS),
    ("10.0.0.1-10.0.0.9", NO_ADDRESS),
    (r"10.0.0.1\u0000", NO_ADDRESS),
    (r"10.0.0.1\n", NO_ADDRESS),
    ("10.0.0.01", LEADING_ZERO),
    ("10.0.0.0/024", NO_PLAIN_LENGTH),
    ("10.0.0.0/255.255.255.0", NO_PLAIN_LENGTH),
    ("10.0.0.0/33", "the prefix length must be at most 32"),
    ("10.0.0.1/24", "host bits are set; did you mean 10.0.0.0/24?"),
    ("fe80::1%eth0", ZONE),
    ("0::ffff:10.0.0.0/120", "IPv4-mapped; write 10.0.0.0/24"),
]

_NO_RESERVATION = 'is not "vrfs/{vrf}/reservations/{id}"'
_NO_FIELD = "is no field of Reservation; leave it out"

RESERVATIONS: dict[str, Malformed] = {
    "nothing at all": (
        CreateReservationRequest(),
        [
            ("reservation_id", REQUIRED),
            ("reservation.cidrs", "is required; give at least one CIDR or address"),
        ],
    ),
    "an id in capitals": (
        reserve("10.0.0.1", name="New"),
        [("reservation_id", f'"New" {NO_SUBDOMAIN}')],
    ),
    "257 addresses": (
        reserve(*["10.0.0.1"] * 257),
        [("reservation.cidrs", "has 257 entries; at most 256 are allowed")],
    ),
    "100 KB": (reserve(LONG), [("reservation.cidrs[0]", too_long(100_000, 1024))]),
    "a description of 100 KB": (
        reserve("10.0.0.1", description=LONG),
        [("reservation.description", too_long(100_000, 256))],
    ),
    "a description of two lines": (
        reserve("10.0.0.1", description="a\nb"),
        [("reservation.description", unprintable(r"a\nb"))],
    ),
    "a label of 257 characters": (
        reserve("10.0.0.1", labels={"tier": "x" * 257}),
        [("reservation.labels[tier]", too_long(257, 256))],
    ),
    "a name that is an id": (
        GetReservationRequest(name="quiet"),
        [("name", f'"quiet" {_NO_RESERVATION}')],
    ),
    "no address any more": (
        update("cidrs"),
        [("reservation.cidrs", "is required; give at least one CIDR or address")],
    ),
    "fields that no reservation has": (
        update("colour", "cidrs.x"),
        [("update_mask", f'"colour" {_NO_FIELD}'), ("update_mask", f'"cidrs.x" {_NO_FIELD}')],
    ),
    "nothing to delete": (DeleteReservationRequest(), [("name", f'"" {_NO_RESERVATION}')]),
    "fewer than none": (
        ListReservationsRequest(page_size=-1),
        [("page_size", "is -1; leave it out or give 1 to 1000")],
    ),
}

_NO_NODE = 'is not "vrfs/{vrf}/nodes/{id}"'

NODES: dict[str, Malformed] = {
    "nothing at all": (UpsertNodeRequest(), [("node.name", f'"" {_NO_NODE}')]),
    "a name that is an id": (upsert("n1"), [("node.name", f'"n1" {_NO_NODE}')]),
    "a name in capitals": (
        upsert("vrfs/default/nodes/N1"),
        [("node.name", f'"N1" {NO_SUBDOMAIN}')],
    ),
    "a name with NUL": (
        upsert("vrfs/default/nodes/n\x00"),
        [
            ("node.name", unprintable(r"n\u0000")),
            ("node.name", rf'"n\u0000" {NO_SUBDOMAIN}'),
        ],
    ),
    "1,025 labels": (
        upsert(labels=tables.labels(1025)),
        [("node.labels", "has 1025 entries; at most 1024 are allowed")],
    ),
    "labels that cannot be": (
        upsert(labels={"k" * 318: "v", "zone": LONG}),
        [
            ("node.labels key", too_long(318, 317, "k")),
            ("node.labels[zone]", too_long(100_000, 256)),
        ],
    ),
    "a pool": (
        GetNodeRequest(name="vrfs/default/pools/web"),
        [("name", f'"vrfs/default/pools/web" {_NO_NODE}')],
    ),
    "nothing to delete": (DeleteNodeRequest(), [("name", f'"" {_NO_NODE}')]),
    "a label without key": (ListNodesRequest(labels={"": ""}), [("labels key", REQUIRED)]),
}

_VRF_REQUIRED = 'is required; write "vrfs/{vrf}"'

VRFS: dict[str, Malformed] = {
    "nothing at all": (CreateVrfRequest(), [("vrf_id", REQUIRED)]),
    "an id in capitals": (CreateVrfRequest(vrf_id="Blue"), [("vrf_id", f'"Blue" {NO_LABEL}')]),
    "an id with a dot": (CreateVrfRequest(vrf_id="a.b"), [("vrf_id", f'"a.b" {NO_LABEL}')]),
    "an id of 64 characters": (
        CreateVrfRequest(vrf_id="x" * 64),
        [("vrf_id", too_long(64, 63))],
    ),
    "an id of 100 KB": (CreateVrfRequest(vrf_id=LONG), [("vrf_id", too_long(100_000, 63))]),
    "an id with NUL": (
        CreateVrfRequest(vrf_id="b\x00"),
        [("vrf_id", unprintable(r"b\u0000")), ("vrf_id", rf'"b\u0000" {NO_LABEL}')],
    ),
    "words that cannot be": (
        CreateVrfRequest(vrf_id="blue", vrf=Vrf(description="x" * 257, labels={"k": "v\n"})),
        [
            ("vrf.description", too_long(257, 256)),
            ("vrf.labels[k]", unprintable(r"v\n")),
        ],
    ),
    "grants of nothing to nobody": (
        CreateVrfRequest(
            vrf_id="blue",
            vrf=Vrf(
                fixed_address_grants=[
                    FixedAddressGrant(),
                    FixedAddressGrant(namespace="a\x00", cidrs=["web"]),
                ]
            ),
        ),
        [
            ("vrf.fixed_address_grants[0].namespace", REQUIRED),
            (
                "vrf.fixed_address_grants[0].cidrs",
                "is required; give at least one CIDR or address",
            ),
            ("vrf.fixed_address_grants[1].namespace", unprintable(r"a\u0000")),
            ("vrf.fixed_address_grants[1].cidrs[0]", f'"web": {NO_ADDRESS}'),
        ],
    ),
    "quotas of less than nothing, and twice": (
        CreateVrfRequest(
            vrf_id="blue",
            vrf=Vrf(
                quotas=Quotas(
                    addresses_per_node=-1,
                    addresses_per_namespace=1_000_000_001,
                    namespaces=[
                        NamespaceQuota(addresses=-2),
                        NamespaceQuota(namespace="shop"),
                        NamespaceQuota(namespace="shop"),
                    ],
                )
            ),
        ),
        [
            ("vrf.quotas.addresses_per_node", "is -1; give 0 to 1000000000"),
            ("vrf.quotas.addresses_per_namespace", "is 1000000001; give 0 to 1000000000"),
            ("vrf.quotas.namespaces[0].namespace", REQUIRED),
            ("vrf.quotas.namespaces[0].addresses", "is -2; give 0 to 1000000000"),
            ("vrf.quotas.namespaces[2].namespace", '"shop" has a quota already; leave one'),
        ],
    ),
    "no name": (GetVrfRequest(), [("name", _VRF_REQUIRED)]),
    "a name that is an id": (GetVrfRequest(name="default"), [("name", f'"default" {NO_VRF}')]),
    "nothing to update": (UpdateVrfRequest(), [("vrf.name", _VRF_REQUIRED)]),
    "fields that no VRF has": (
        UpdateVrfRequest(
            vrf=Vrf(name="vrfs/default"), update_mask=field_mask_pb2.FieldMask(paths=["colour"])
        ),
        [("update_mask", '"colour" is no field of Vrf; leave it out')],
    ),
    "nothing to delete": (DeleteVrfRequest(), [("name", _VRF_REQUIRED)]),
    "fewer than none": (
        ListVrfsRequest(page_size=-1),
        [("page_size", "is -1; leave it out or give 1 to 1000")],
    ),
}

_NO_VRF = ("NOT_FOUND", "VRF_NOT_FOUND", {"vrf": "nowhere"})
_NO_VRF_NOWHERE = 'there is no VRF "nowhere"; create it or correct the name'
_OTHER: tuple[str, str, dict[str, str]] = ("INVALID_ARGUMENT", "PAGE_TOKEN_MISMATCH", {})


def changed(name: str) -> tuple[tuple[str, str, dict[str, str]], str]:
    """What is said where somebody else was first."""
    said = f"{name} was changed by somebody else; read it again, merge and retry"
    return ("ABORTED", "ETAG_MISMATCH", {"resource": name}), said


def absent(kind: str) -> tuple[tuple[str, str, dict[str, str]], str]:
    """What is said of a reservation or node that is not there."""
    metadata = {"vrf": "default", kind: "nowhere"}
    return (
        "NOT_FOUND",
        f"{kind.upper()}_NOT_FOUND",
        metadata,
    ), f'VRF "default" has no {kind} "nowhere"'


REFUSED: dict[str, Refused] = {
    "reserve in an unknown VRF": (
        CreateReservationRequest(
            parent=NOWHERE, reservation_id="new", reservation=Reservation(cidrs=["10.0.0.1"])
        ),
        _NO_VRF,
        _NO_VRF_NOWHERE,
    ),
    "reserve by an id that is taken": (
        reserve("10.0.0.1", name="quiet"),
        (
            "ALREADY_EXISTS",
            "RESERVATION_ALREADY_EXISTS",
            {"vrf": "default", "reservation": "quiet"},
        ),
        'reservation "quiet" exists already in VRF "default"; choose another id or update it',
    ),
    "get a reservation that is not there": (
        GetReservationRequest(name="vrfs/default/reservations/nowhere"),
        *absent("reservation"),
    ),
    "delete a reservation that is not there": (
        DeleteReservationRequest(name="vrfs/default/reservations/nowhere"),
        *absent("reservation"),
    ),
    "update a reservation at another version": (
        update("description", description="x", etag="77"),
        *changed(QUIET),
    ),
    "delete a reservation at another version": (
        DeleteReservationRequest(name=QUIET, etag=LONG),
        *changed(QUIET),
    ),
    "record a node in an unknown VRF": (upsert(f"{NOWHERE}/nodes/n1"), _NO_VRF, _NO_VRF_NOWHERE),
    "get a node that is not there": (
        GetNodeRequest(name="vrfs/default/nodes/nowhere"),
        *absent("node"),
    ),
    "delete a node at another version": (DeleteNodeRequest(name=N1, etag="77"), *changed(N1)),
    "list nodes behind nonsense": (ListNodesRequest(page_token="x"), _OTHER, OTHER_TOKEN),
    "create a VRF by an id that is taken": (
        CreateVrfRequest(vrf_id="default"),
        ("ALREADY_EXISTS", "VRF_ALREADY_EXISTS", {"vrf": "default"}),
        'VRF "default" exists already; choose another id or update it',
    ),
    "get a VRF that is not there": (GetVrfRequest(name=NOWHERE), _NO_VRF, _NO_VRF_NOWHERE),
    "update a VRF that is not there": (
        UpdateVrfRequest(vrf=Vrf(name=NOWHERE, description="x")),
        _NO_VRF,
        _NO_VRF_NOWHERE,
    ),
    "delete a VRF that has pools": (
        DeleteVrfRequest(name="vrfs/default"),
        ("FAILED_PRECONDITION", "VRF_IN_USE", {"vrf": "default"}),
        'VRF "default" still has pools; delete them first',
    ),
    "delete a VRF at another version": (
        DeleteVrfRequest(name="vrfs/default", etag="77"),
        *changed("vrfs/default"),
    ),
    "list VRFs behind nonsense": (ListVrfsRequest(page_token="x"), _OTHER, OTHER_TOKEN),
}


@pytest.mark.parametrize(("escaped", "said"), NO_CIDRS)
def test_what_cannot_be_reserved_is_told_why(ground: Ground, escaped: str, said: str) -> None:
    cidr = escaped.encode("ascii").decode("unicode_escape")
    violations = [("reservation.cidrs[0]", f'"{escaped}": {said}')]
    tables.check_malformed(ground, (reserve(cidr), violations))


@tables.each(RESERVATIONS)
def test_a_malformed_reservation_is_refused_with_every_violation(
    ground: Ground, row: Malformed
) -> None:
    tables.check_malformed(ground, row)


@tables.each(NODES)
def test_a_malformed_node_is_refused_with_every_violation(ground: Ground, row: Malformed) -> None:
    tables.check_malformed(ground, row)


@tables.each(VRFS)
def test_a_malformed_vrf_is_refused_with_every_violation(ground: Ground, row: Malformed) -> None:
    tables.check_malformed(ground, row)


@tables.each(REFUSED)
def test_what_cannot_be_done_is_told_why(ground: Ground, row: Refused) -> None:
    tables.check_refused(ground, row)
