"""ReleaseAddresses, GetAllocation and ListAllocations, asked wrongly: what exactly is answered."""

import pytest

from bad_input import tables
from bad_input.ground import Ground
from bad_input.tables import (
    LEADING_ZERO,
    LONG,
    NO_ADDRESS,
    NO_CNI_NAME,
    NO_INTERFACE,
    NO_LABEL,
    NO_PLAIN_LENGTH,
    NO_PREFIX_WANTED,
    NO_VRF,
    OTHER_TOKEN,
    REQUIRED,
    ZONE,
    Malformed,
    Refused,
    too_long,
    unprintable,
)
from moorage.v1.allocation_service_pb2 import (
    GetAllocationRequest,
    ListAllocationsRequest,
    ReleaseAddressesRequest,
)
from moorage.v1.filter_pb2 import AllocationFilter
from moorage.v1.resources_pb2 import Attachment, AttemptStamp, Workload
from moorage_server.api import page_tokens

pytestmark = pytest.mark.usefixtures("nothing_written")

HOLDER = Attachment(network="pods", container_id="holder", interface="eth0")


def release(**changes: object) -> ReleaseAddressesRequest:
    """A request that would release something, were it not for this."""
    right: dict[str, object] = {"attachment": HOLDER}
    return ReleaseAddressesRequest(**right | changes)  # type: ignore[arg-type]  # by protobuf


def get(name: str) -> GetAllocationRequest:
    return GetAllocationRequest(name=f"vrfs/default/allocations/{name}")


def listing(**filters: object) -> ListAllocationsRequest:
    wanted = AllocationFilter(**filters)  # type: ignore[arg-type]  # checked by protobuf
    return ListAllocationsRequest(filter=wanted)


_POSITIVE = "give what the assign returned, which is positive"

RELEASE: dict[str, Malformed] = {
    "nothing at all": (
        ReleaseAddressesRequest(),
        [
            ("attachment.network", REQUIRED),
            ("attachment.container_id", REQUIRED),
            ("attachment.interface", REQUIRED),
        ],
    ),
    "a VRF by its id": (release(parent="default"), [("parent", f'"default" {NO_VRF}')]),
    "names that no CNI runtime gives": (
        release(attachment=Attachment(network="a/b", container_id="-c", interface="e:0")),
        [
            ("attachment.network", f'"a/b" {NO_CNI_NAME}'),
            ("attachment.container_id", f'"-c" {NO_CNI_NAME}'),
            ("attachment.interface", f'"e:0" {NO_INTERFACE}'),
        ],
    ),
    "a container id with NUL": (
        release(attachment=Attachment(network="pods", container_id="holder\x00", interface="eth0")),
        [
            ("attachment.container_id", unprintable(r"holder\u0000")),
            ("attachment.container_id", rf'"holder\u0000" {NO_CNI_NAME}'),
        ],
    ),
    "generations that never were": (
        release(generations=[5, 0, -1]),
        [("generations[1]", f"is 0; {_POSITIVE}"), ("generations[2]", f"is -1; {_POSITIVE}")],
    ),
    "17 generations": (
        release(generations=range(1, 18)),
        [("generations", "has 17 entries; at most 16 are allowed")],
    ),
    "an attempt without a stamp": (
        release(attempt=AttemptStamp()),
        [("attempt.boot_id", REQUIRED), ("attempt.boot_time_ns", "is 0; it must be positive")],
    ),
}

_NO_NAME = 'is not "vrfs/{vrf}/allocations/{id}"'

GET: dict[str, Malformed] = {
    "no name": (GetAllocationRequest(), [("name", f'"" {_NO_NAME}')]),
    "an address alone": (
        GetAllocationRequest(name="10.0.0.5"),
        [("name", f'"10.0.0.5" {_NO_NAME}')],
    ),
    "no address": (get(""), [("name", f'"vrfs/default/allocations/" {_NO_NAME}')]),
    "a pool's name": (
        GetAllocationRequest(name="vrfs/default/pools/web"),
        [("name", f'"vrfs/default/pools/web" {_NO_NAME}')],
    ),
    "no VRF": (
        GetAllocationRequest(name="vrfs//allocations/10.0.0.5"),
        [("name", f'"vrfs//allocations/10.0.0.5" {_NO_NAME}')],
    ),
    "a VRF in capitals": (
        GetAllocationRequest(name="vrfs/Default/allocations/10.0.0.5"),
        [("name", f'"Default" {NO_LABEL}')],
    ),
    "a prefix length": (get("10.0.0.5/32"), [("name", f'"10.0.0.5/32": {NO_PREFIX_WANTED}')]),
    "a leading zero": (get("010.0.0.5"), [("name", f'"010.0.0.5": {LEADING_ZERO}')]),
    "a zone": (get("fd00::5%eth0"), [("name", f'"fd00::5%eth0": {ZONE}')]),
    "NUL": (get("10.0.0.5\x00"), [("name", rf'"10.0.0.5\u0000": {NO_ADDRESS}')]),
    "100 KB": (get(LONG), [("name", too_long(100_000, 1024))]),
}

# What is no CIDR, as JSON writes it, and why not.
NO_CIDRS = [
    ("web", NO_ADDRESS),
    ("10/8", NO_ADDRESS),
    ("10.0.0/24", NO_ADDRESS),
    ("10.0.0.1-10.0.0.9", NO_ADDRESS),
    (r"10.0.0.\u0660/24", NO_ADDRESS),
    ("010.0.0.0/24", LEADING_ZERO),
    ("10.0.0.0/", NO_PLAIN_LENGTH),
    ("10.0.0.0/ 24", NO_PLAIN_LENGTH),
    ("10.0.0.0/+24", NO_PLAIN_LENGTH),
    ("10.0.0.0/-1", NO_PLAIN_LENGTH),
    ("10.0.0.0/024", NO_PLAIN_LENGTH),
    ("10.0.0.0/255.255.255.0", NO_PLAIN_LENGTH),
    ("10.0.0.0/0.0.0.255", NO_PLAIN_LENGTH),
    ("10.0.0.0/24/24", NO_PLAIN_LENGTH),
    (r"10.0.0.0/24\n", NO_PLAIN_LENGTH),
    (r"10.0.0.0/24\u0000", NO_PLAIN_LENGTH),
    ("10.0.0.0/33", "the prefix length must be at most 32"),
    ("fd00::/129", "the prefix length must be at most 128"),
    ("10.0.0.5/24", "host bits are set; did you mean 10.0.0.0/24?"),
    ("fd00::1/64", "host bits are set; did you mean fd00::/64?"),
    ("fe80::%eth0/64", ZONE),
    ("::ffff:10.0.0.0/120", "IPv4-mapped; write 10.0.0.0/24"),
    ("::FFFF:A00:5/120", "IPv4-mapped; write 10.0.0.0/24"),
    ("0:0:0:0:0:ffff:0:0/96", "IPv4-mapped; write 0.0.0.0/0"),
]

LISTING: dict[str, Malformed] = {
    "fewer than none": (
        ListAllocationsRequest(page_size=-1),
        [("page_size", "is -1; leave it out or give 1 to 1000")],
    ),
    "17 pools": (
        listing(pools=["web"] * 17),
        [("filter.pools", "has 17 entries; at most 16 are allowed")],
    ),
    "pools that cannot be": (
        listing(pools=["web", "", "a\nb"]),
        [("filter.pools[1]", REQUIRED), ("filter.pools[2]", unprintable(r"a\nb"))],
    ),
    "a CIDR of 100 KB": (listing(cidr=LONG), [("filter.cidr", too_long(100_000, 1024))]),
    "an attachment that cannot be": (
        listing(attachment=Attachment(network="x" * 129, container_id="c\x00", interface=LONG)),
        [
            ("filter.attachment.network", too_long(129, 128)),
            ("filter.attachment.container_id", unprintable(r"c\u0000")),
            ("filter.attachment.interface", too_long(100_000, 15)),
        ],
    ),
    "a workload that cannot be": (
        listing(
            workload=Workload(
                node="a\n", pod_uid="x" * 129, cluster="\n", namespace_labels={"a": "b"}
            )
        ),
        [
            ("filter.workload.node", unprintable(r"a\n")),
            ("filter.workload.pod_uid", too_long(129, 128)),
            ("filter.workload.cluster", unprintable(r"\n")),
            ("filter.workload.namespace_labels", "cannot be filtered by; leave it out"),
        ],
    ),
    "an owner key of 254 characters": (
        listing(owner_key="x" * 254),
        [("filter.owner_key", too_long(254, 253))],
    ),
    "33 labels": (
        listing(labels=tables.labels(33)),
        [("filter.labels", "has 33 entries; at most 32 are allowed")],
    ),
    "a page token that was made up": (
        ListAllocationsRequest(page_token=page_tokens.encode(ListAllocationsRequest(), "web")),
        [("page_token", f'"web": {NO_ADDRESS}')],
    ),
}

_OTHER: tuple[str, str, dict[str, str]] = ("INVALID_ARGUMENT", "PAGE_TOKEN_MISMATCH", {})
_NOWHERE = ("NOT_FOUND", "VRF_NOT_FOUND", {"vrf": "nowhere"})
_NO_VRF_NOWHERE = 'there is no VRF "nowhere"; create it or correct the name'

REFUSED: dict[str, Refused] = {
    "release in an unknown VRF": (release(parent="vrfs/nowhere"), _NOWHERE, _NO_VRF_NOWHERE),
    "get in an unknown VRF": (
        GetAllocationRequest(name="vrfs/nowhere/allocations/10.0.0.5"),
        _NOWHERE,
        _NO_VRF_NOWHERE,
    ),
    "list in an unknown VRF": (
        ListAllocationsRequest(parent="vrfs/nowhere"),
        _NOWHERE,
        _NO_VRF_NOWHERE,
    ),
    "list an unknown pool": (
        listing(pools=["web", "nowhere"]),
        ("NOT_FOUND", "POOL_NOT_FOUND", {"vrf": "default", "pool": "nowhere"}),
        'VRF "default" has no pool "nowhere"; give the id or the exact CIDR of a pool',
    ),
    "an address that nobody holds, IPv4-mapped": (
        get("::ffff:10.0.0.99"),
        ("NOT_FOUND", "ALLOCATION_NOT_FOUND", {"vrf": "default", "address": "10.0.0.99"}),
        'nobody holds 10.0.0.99 in VRF "default"',
    ),
    **{
        f"a page token {what}": (ListAllocationsRequest(page_token=token), _OTHER, OTHER_TOKEN)
        for what, token in {
            "of nonsense": "garbage",
            "with NUL": "\x00",
            "of 100 KB": LONG,
            "of another listing": page_tokens.encode(listing(owner_key="a"), "10.0.0.5"),
        }.items()
    },
}


@tables.each(RELEASE)
def test_a_malformed_release_is_refused_with_every_violation(
    ground: Ground, row: Malformed
) -> None:
    tables.check_malformed(ground, row)


@tables.each(GET)
def test_a_malformed_name_of_an_allocation_is_refused(ground: Ground, row: Malformed) -> None:
    tables.check_malformed(ground, row)


@tables.each(LISTING)
def test_a_malformed_listing_is_refused_with_every_violation(
    ground: Ground, row: Malformed
) -> None:
    tables.check_malformed(ground, row)


@pytest.mark.parametrize(("escaped", "said"), NO_CIDRS)
def test_what_is_no_cidr_is_told_why(ground: Ground, escaped: str, said: str) -> None:
    cidr = escaped.encode("ascii").decode("unicode_escape")
    tables.check_malformed(ground, (listing(cidr=cidr), [("filter.cidr", f'"{escaped}": {said}')]))


@tables.each(REFUSED)
def test_what_cannot_be_answered_is_told_why(ground: Ground, row: Refused) -> None:
    tables.check_refused(ground, row)
