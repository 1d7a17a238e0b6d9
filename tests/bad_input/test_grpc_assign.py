"""AssignAddresses: every way in which it can be asked wrongly, and what exactly is answered."""

import pytest
from google.protobuf import duration_pb2

from bad_input import tables
from bad_input.assigning import IPV6, assign, attached, drawn, fixed, stamped, want
from bad_input.ground import Ground
from bad_input.tables import (
    LEADING_ZERO,
    LONG,
    NO_ADDRESS,
    NO_CNI_NAME,
    NO_INTERFACE,
    NO_LABEL,
    NO_PREFIX_WANTED,
    NO_VRF,
    REQUIRED,
    ZONE,
    Malformed,
    too_long,
    unprintable,
)
from moorage.v1 import allocation_service_pb2 as messages
from moorage.v1 import resources_pb2 as resources
from moorage.v1.resources_pb2 import AttemptStamp, Workload

pytestmark = pytest.mark.usefixtures("nothing_written")

WHERE: dict[str, Malformed] = {
    "a VRF by its id": (assign(parent="default"), [("parent", f'"default" {NO_VRF}')]),
    "a VRF without id": (assign(parent="vrfs/"), [("parent", f'"vrfs/" {NO_VRF}')]),
    "a pool for a VRF": (
        assign(parent="vrfs/default/pools/web"),
        [("parent", f'"vrfs/default/pools/web" {NO_VRF}')],
    ),
    "a VRF in capitals": (assign(parent="vrfs/Default"), [("parent", f'"Default" {NO_LABEL}')]),
    "a VRF of 64 characters": (
        assign(parent=f"vrfs/{'x' * 64}"),
        [("parent", too_long(64, 63))],
    ),
    "a VRF of 100 KB": (
        assign(parent=f"vrfs/{LONG}"),
        [("parent", too_long(100_000, 63))],
    ),
    "a VRF with NUL": (
        assign(parent="vrfs/a\x00b"),
        [("parent", unprintable(r"a\u0000b")), ("parent", rf'"a\u0000b" {NO_LABEL}')],
    ),
    "a VRF with a newline": (
        assign(parent="vrfs/default\n"),
        [("parent", unprintable(r"default\n")), ("parent", rf'"default\n" {NO_LABEL}')],
    ),
}

WHO: dict[str, Malformed] = {
    "nothing at all": (
        messages.AssignAddressesRequest(),
        [
            ("attachment.network", REQUIRED),
            ("attachment.container_id", REQUIRED),
            ("attachment.interface", REQUIRED),
            ("addresses", "is required; ask for at least one address"),
        ],
    ),
    "a network with a slash": (
        attached(network="pods/blue"),
        [("attachment.network", f'"pods/blue" {NO_CNI_NAME}')],
    ),
    "a network with letters beyond ASCII": (
        attached(network="größe"),
        [("attachment.network", rf'"gr\u00f6\u00dfe" {NO_CNI_NAME}')],
    ),
    "a container id with a newline": (
        attached(container_id="c1\n"),
        [
            ("attachment.container_id", unprintable(r"c1\n")),
            ("attachment.container_id", rf'"c1\n" {NO_CNI_NAME}'),
        ],
    ),
    "a container id of 129 characters": (
        attached(container_id="x" * 129),
        [("attachment.container_id", too_long(129, 128))],
    ),
    "a container id of 100 KB": (
        attached(container_id=LONG),
        [("attachment.container_id", too_long(100_000, 128))],
    ),
    "an interface of 16 characters": (
        attached(interface="x" * 16),
        [("attachment.interface", too_long(16, 15))],
    ),
    "an interface with a blank": (
        attached(interface="eth 0"),
        [("attachment.interface", f'"eth 0" {NO_INTERFACE}')],
    ),
    "the directory above for an interface": (
        attached(interface=".."),
        [("attachment.interface", f'".." {NO_INTERFACE}')],
    ),
    "an interface with NUL": (
        attached(interface="eth0\x00"),
        [("attachment.interface", unprintable(r"eth0\u0000"))],
    ),
    "a node of 254 characters": (
        assign(workload=Workload(node="x" * 254)),
        [("workload.node", too_long(254, 253))],
    ),
    "control characters in every word about the workload": (
        assign(workload=Workload(node="\x00", namespace="a\n", pod="\x1b[2J", pod_uid="\x7f")),
        [
            ("workload.node", unprintable(r"\u0000")),
            ("workload.namespace", unprintable(r"a\n")),
            ("workload.pod", unprintable(r"\u001b[2J")),
            ("workload.pod_uid", unprintable(r"\u007f")),
        ],
    ),
    "the uid of a cluster of 129 characters": (
        assign(workload=Workload(cluster="x" * 129)),
        [("workload.cluster", too_long(129, 128))],
    ),
    "1,025 labels of a namespace": (
        assign(workload=Workload(namespace_labels=tables.labels(1025))),
        [("workload.namespace_labels", "has 1025 entries; at most 1024 are allowed")],
    ),
    "a namespace's label with a key of 318 characters": (
        assign(workload=Workload(namespace_labels={"k" * 318: ""})),
        [("workload.namespace_labels key", too_long(318, 317, "k"))],
    ),
    "a use that nobody knows": (
        assign(use=9),
        [
            (
                "use",
                "9 is not one of the known values;"
                " give USE_WORKLOAD, USE_TUNNEL or USE_LOAD_BALANCER",
            )
        ],
    ),
    "an owner key of 100 KB": (assign(owner_key=LONG), [("owner_key", too_long(100_000, 253))]),
    "an owner key with NUL": (
        assign(owner_key="web\x00"),
        [("owner_key", unprintable(r"web\u0000"))],
    ),
    "33 labels": (
        assign(labels=tables.labels(33)),
        [("labels", "has 33 entries; at most 32 are allowed")],
    ),
    "a label without key": (assign(labels={"": "x"}), [("labels key", REQUIRED)]),
    "a label of 100 KB": (
        assign(labels={"tier": LONG}),
        [("labels[tier]", too_long(100_000, 256))],
    ),
    "a label with newlines on both sides": (
        assign(labels={"a\nb": "c\nd"}),
        [("labels key", unprintable(r"a\nb")), (r"labels[a\nb]", unprintable(r"c\nd"))],
    ),
    "an attempt without a stamp": (
        stamped("", 0),
        [("attempt.boot_id", REQUIRED), ("attempt.boot_time_ns", "is 0; it must be positive")],
    ),
    "an attempt before the boot": (
        stamped("b" * 65, -1),
        [
            ("attempt.boot_id", too_long(65, 64, "b")),
            ("attempt.boot_time_ns", "is -1; it must be positive"),
        ],
    ),
    "a position of no history, before its beginning": (
        assign(seen=resources.FeedPosition(revision=-1)),
        [
            ("seen.epoch", REQUIRED),
            ("seen.revision", "is -1; send the position as it was told"),
        ],
    ),
    "a position of a history with too long a name": (
        assign(seen=resources.FeedPosition(epoch="e" * 65)),
        [("seen.epoch", too_long(65, 64, "e"))],
    ),
    "too much patience": (
        assign(wait=duration_pb2.Duration(seconds=60, nanos=1000000)),
        [("wait", "is 60.001 seconds; at least 0 and at most 60 are allowed")],
    ),
    "a wait that ends before it begins": (
        assign(wait=duration_pb2.Duration(nanos=-1000000)),
        [("wait", "is -0.001 seconds; at least 0 and at most 60 are allowed")],
    ),
    "a retention that is too long": (
        assign(sticky=duration_pb2.Duration(seconds=7776001), owner_key="o"),
        [("sticky", "is 7776001 seconds; at least 0 and at most 7776000 are allowed")],
    ),
    "a retention for nobody": (
        assign(sticky=duration_pb2.Duration(seconds=1)),
        [("sticky", "keeps addresses for an owner; give owner_key, or leave it out")],
    ),
}

_NO_FAMILY = "is not one of the known values; give IP_FAMILY_IPV4 or IP_FAMILY_IPV6"

WANTED: dict[str, Malformed] = {
    "nine addresses": (
        assign(addresses=[want()] * 9),
        [("addresses", "has 9 entries; at most 8 are allowed")],
    ),
    "no family": (assign(addresses=[want(family=0)]), [("addresses[0].family", f"0 {_NO_FAMILY}")]),
    "an unknown family of the second address": (
        assign(addresses=[want(), want(family=99)]),
        [("addresses[1].family", f"99 {_NO_FAMILY}")],
    ),
    "pools and candidates at once": (
        assign(addresses=[want(pools=["web"], candidate_addresses=["10.0.0.7"])]),
        [("addresses[0]", "has both pools and candidate_addresses; give one of them")],
    ),
    "17 pools": (
        drawn(*["web"] * 17),
        [("addresses[0].pools", "has 17 entries; at most 16 are allowed")],
    ),
    "a pool without name": (drawn("web", ""), [("addresses[0].pools[1]", REQUIRED)]),
    "a pool with NUL": (
        drawn("we\x00b"),
        [("addresses[0].pools[0]", unprintable(r"we\u0000b"))],
    ),
    "a pool of 100 KB": (drawn(LONG), [("addresses[0].pools[0]", too_long(100_000, 253))]),
    "17 candidates": (
        fixed(*["10.0.0.7"] * 17),
        [("addresses[0].candidate_addresses", "has 17 entries; at most 16 are allowed")],
    ),
    "no family, and candidates that are wrong too": (
        fixed("10.0.0.300", "", family=resources.IP_FAMILY_UNSPECIFIED),
        [
            ("addresses[0].family", f"0 {_NO_FAMILY}"),
            ("addresses[0].candidate_addresses[0]", f'"10.0.0.300": {NO_ADDRESS}'),
            ("addresses[0].candidate_addresses[1]", f'"": {NO_ADDRESS}'),
        ],
    ),
    "three candidates, of which one is right": (
        fixed("10.0.0.7", "010.0.0.8", "10.0.0.9/32"),
        [
            ("addresses[0].candidate_addresses[1]", f'"010.0.0.8": {LEADING_ZERO}'),
            ("addresses[0].candidate_addresses[2]", f'"10.0.0.9/32": {NO_PREFIX_WANTED}'),
        ],
    ),
}

_ONE_FAMILY = "ask for each by itself"

# One candidate that is no address, as JSON writes it, and why not.
NO_CANDIDATES = [
    ("", NO_ADDRESS),
    ("10.0.0", NO_ADDRESS),
    ("10.0.0.300", NO_ADDRESS),
    ("10.0.0.7.8", NO_ADDRESS),
    ("010.0.0.7", LEADING_ZERO),
    ("10.0.0.07", LEADING_ZERO),
    ("::ffff:10.0.0.07", LEADING_ZERO),
    ("0x0a000007", NO_ADDRESS),
    ("167772167", NO_ADDRESS),
    (" 10.0.0.7", NO_ADDRESS),
    (r"10.0.0.7\n", NO_ADDRESS),
    (r"10.0.0.7\u0000", NO_ADDRESS),
    (r"10.0.0.\u0667", NO_ADDRESS),
    ("10.0.0.7/32", NO_PREFIX_WANTED),
    ("10.0.0.7/255.255.255.0", NO_PREFIX_WANTED),
    ("10.0.0.7-10.0.0.9", NO_ADDRESS),
    ("[fd00::7]", NO_ADDRESS),
    ("fd00:::7", NO_ADDRESS),
    ("fd00::12345", NO_ADDRESS),
    ("fe80::1%eth0", ZONE),
    ("localhost", NO_ADDRESS),
    ("fd00::7", f"IPV6 where IPV4 is wanted; {_ONE_FAMILY}"),
]


@tables.each(WHERE | WHO | WANTED)
def test_a_malformed_request_is_refused_with_every_violation(
    ground: Ground, row: Malformed
) -> None:
    tables.check_malformed(ground, row)


@pytest.mark.parametrize(("escaped", "said"), NO_CANDIDATES)
def test_a_candidate_that_is_no_address_of_the_family_is_told_why(
    ground: Ground, escaped: str, said: str
) -> None:
    candidate = escaped.encode("ascii").decode("unicode_escape")
    violation = ("addresses[0].candidate_addresses[0]", f'"{escaped}": {said}')
    tables.check_malformed(ground, (fixed(candidate), [violation]))


def test_an_ipv4_mapped_candidate_is_of_ipv4(ground: Ground) -> None:
    said = f'"::ffff:10.0.0.7": IPV4 where IPV6 is wanted; {_ONE_FAMILY}'
    row = (
        fixed("::ffff:10.0.0.7", family=IPV6),
        [("addresses[0].candidate_addresses[0]", said)],
    )
    tables.check_malformed(ground, row)


def test_a_candidate_of_100_kb_is_not_even_read(ground: Ground) -> None:
    said = ("addresses[0].candidate_addresses[0]", too_long(100_000, 1024))
    tables.check_malformed(ground, (fixed(LONG), [said]))


def test_everything_that_is_wrong_is_told_at_once(ground: Ground) -> None:
    request = assign(
        parent="default",
        attachment=resources.Attachment(network="a/b", container_id="c d", interface="e f"),
        addresses=[
            want(family=9, pools=[""], candidate_addresses=["x"]),
            want(candidate_addresses=["fd00::7"]),
        ],
        workload=Workload(pod="p\n", namespace_labels={"": "v\n"}),
        use=9,
        owner_key="o\n",
        labels={"": "v\n"},
        attempt=AttemptStamp(),
        wait=duration_pb2.Duration(seconds=-1),
    )
    violations = [
        ("parent", f'"default" {NO_VRF}'),
        ("attachment.network", f'"a/b" {NO_CNI_NAME}'),
        ("attachment.container_id", f'"c d" {NO_CNI_NAME}'),
        ("attachment.interface", f'"e f" {NO_INTERFACE}'),
        ("addresses[0].family", f"9 {_NO_FAMILY}"),
        ("addresses[0]", "has both pools and candidate_addresses; give one of them"),
        ("addresses[0].pools[0]", REQUIRED),
        ("addresses[0].candidate_addresses[0]", f'"x": {NO_ADDRESS}'),
        (
            "addresses[1].candidate_addresses[0]",
            f'"fd00::7": IPV6 where IPV4 is wanted; {_ONE_FAMILY}',
        ),
        ("workload.pod", unprintable(r"p\n")),
        ("workload.namespace_labels key", REQUIRED),
        ("workload.namespace_labels[]", unprintable(r"v\n")),
        *WHO["a use that nobody knows"][1],
        ("owner_key", unprintable(r"o\n")),
        ("labels key", REQUIRED),
        ("labels[]", unprintable(r"v\n")),
        ("attempt.boot_id", REQUIRED),
        ("attempt.boot_time_ns", "is 0; it must be positive"),
        ("wait", "is -1 seconds; at least 0 and at most 60 are allowed"),
    ]
    tables.check_malformed(ground, (request, violations))


def test_what_is_wrong_beyond_what_a_refusal_can_carry_is_counted(ground: Ground) -> None:
    candidates = [f"10.0.0.{number}/24" for number in range(16)]
    request = assign(addresses=[want(candidate_addresses=candidates)] * 8)
    told = [
        (f"addresses[0].candidate_addresses[{at}]", f'"{candidate}": {NO_PREFIX_WANTED}')
        for at, candidate in enumerate(candidates[:15])
    ]
    field, text = told.pop()
    told.append((field, f"{text}; and 113 more are wrong"))
    tables.check_malformed(ground, (request, told))
