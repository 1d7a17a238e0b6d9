"""PoolService, asked wrongly: what exactly is answered."""

import pytest
from google.protobuf import field_mask_pb2

from bad_input import tables
from bad_input.ground import Ground
from bad_input.tables import (
    LEADING_ZERO,
    LONG,
    NO_ADDRESS,
    NO_PLAIN_LENGTH,
    NO_PREFIX_WANTED,
    NO_SUBDOMAIN,
    NO_VRF,
    OTHER_TOKEN,
    PREFIX_WANTED,
    REQUIRED,
    ZONE,
    Malformed,
    Refused,
    too_long,
    unprintable,
)
from moorage.v1.node_service_pb2 import ListNodesRequest
from moorage.v1.pool_service_pb2 import (
    CreatePoolRequest,
    DeletePoolRequest,
    GetPoolRequest,
    ListPoolsRequest,
    UpdatePoolRequest,
)
from moorage.v1.resources_pb2 import (
    USE_LOAD_BALANCER,
    USE_TUNNEL,
    USE_WORKLOAD,
    AssignmentMode,
    BlockAffinity,
    Dns,
    FixedAddresses,
    Pool,
    ResultForm,
    Route,
    Use,
)
from moorage_server.api import page_tokens

pytestmark = pytest.mark.usefixtures("nothing_written")

NAME = "vrfs/default/pools/web"


def create(pool_id: str = "new", **changes: object) -> CreatePoolRequest:
    """A pool that is right in everything but this."""
    right: dict[str, object] = {"cidr": "192.168.0.0/24"}
    pool = Pool(**right | changes)  # type: ignore[arg-type]  # checked by protobuf
    return CreatePoolRequest(pool_id=pool_id, pool=pool)


def update(*paths: str, **fields: object) -> UpdatePoolRequest:
    pool = Pool(name=NAME, **fields)  # type: ignore[arg-type]  # checked by protobuf
    return UpdatePoolRequest(pool=pool, update_mask=field_mask_pb2.FieldMask(paths=paths))


_SELECTOR = 'write it like zone == "east"'
_INSIDE = "is not inside 192.168.0.0/24; give what belongs to the pool"
_USES = "is not one of the known values; give USE_WORKLOAD, USE_TUNNEL or USE_LOAD_BALANCER"

IDS: dict[str, Malformed] = {
    "nothing at all": (
        CreatePoolRequest(),
        [("pool_id", REQUIRED), ("pool.cidr", REQUIRED)],
    ),
    "a VRF by its id": (
        CreatePoolRequest(parent="default", pool_id="new", pool=Pool(cidr="192.168.0.0/24")),
        [("parent", f'"default" {NO_VRF}')],
    ),
    "capitals": (create("New"), [("pool_id", f'"New" {NO_SUBDOMAIN}')]),
    "a dash at the end": (create("new-"), [("pool_id", f'"new-" {NO_SUBDOMAIN}')]),
    "two dots": (create("a..b"), [("pool_id", f'"a..b" {NO_SUBDOMAIN}')]),
    "a slash": (create("a/b"), [("pool_id", f'"a/b" {NO_SUBDOMAIN}')]),
    "a newline": (
        create("new\n"),
        [("pool_id", unprintable(r"new\n")), ("pool_id", rf'"new\n" {NO_SUBDOMAIN}')],
    ),
    "100 KB": (create(LONG), [("pool_id", too_long(100_000, 253))]),
}

# What is no range of a pool, as JSON writes it, and why not.
NO_RANGES = [
    ("web", PREFIX_WANTED),
    ("192.168.0.0", PREFIX_WANTED),
    ("192.168.0.1/24", "host bits are set; did you mean 192.168.0.0/24?"),
    ("fd01::1/64", "host bits are set; did you mean fd01::/64?"),
    ("192.168.0.0/33", "the prefix length must be at most 32"),
    ("192.168.0.0/024", NO_PLAIN_LENGTH),
    ("192.168.0.0/255.255.255.0", NO_PLAIN_LENGTH),
    ("192.168.00.0/24", LEADING_ZERO),
    ("fe80::%eth0/64", ZONE),
    ("::ffff:192.168.0.0/120", "IPv4-mapped; write 192.168.0.0/24"),
    (
        "169.254.1.0/24",
        "overlaps 169.254.0.0/16, which is never assigned; choose another range",
    ),
    ("fe80::/64", "overlaps fe80::/10, which is never assigned; choose another range"),
]

FIELDS: dict[str, Malformed] = {
    "a CIDR with a newline": (
        create(cidr="192.168.0.0/24\n"),
        [
            ("pool.cidr", unprintable(r"192.168.0.0/24\n")),
            ("pool.cidr", rf'"192.168.0.0/24\n": {NO_PLAIN_LENGTH}'),
        ],
    ),
    "a CIDR with NUL": (
        create(cidr="192.168.0.0/24\x00"),
        [
            ("pool.cidr", unprintable(r"192.168.0.0/24\u0000")),
            ("pool.cidr", rf'"192.168.0.0/24\u0000": {NO_PLAIN_LENGTH}'),
        ],
    ),
    "a CIDR of 100 KB": (create(cidr=LONG), [("pool.cidr", too_long(100_000, 48))]),
    "blocks larger than any": (
        create(block_size=19),
        [("pool.block_size", "is 19; give 20 to 32 for IPV4, or leave it")],
    ),
    "blocks larger than the pool": (
        create(block_size=23),
        [
            (
                "pool.block_size",
                "is 23, so that 192.168.0.0/24 is smaller than one block;"
                " give 24 to 32, or leave it",
            )
        ],
    ),
    "a selector that breaks off": (
        create(node_selector="has("),
        [
            (
                "pool.node_selector",
                '"has(": bad selector at character 5: found the end, expected a label name; '
                + _SELECTOR,
            )
        ],
    ),
    "a selector with one equals sign": (
        create(namespace_selector="zone = 'east'"),
        [
            (
                "pool.namespace_selector",
                "\"zone = 'east'\": bad selector at character 6: found '=',"
                f" expected an operator such as ==, != or in; {_SELECTOR}",
            )
        ],
    ),
    "a selector with NUL": (
        create(node_selector="zone == 'a\x00'"),
        [("pool.node_selector", unprintable(r"zone == 'a\u0000'"))],
    ),
    "a selector of policies": (
        create(node_selector="global()"),
        [
            (
                "pool.node_selector",
                '"global()": global() selects neither nodes nor namespaces; write all()',
            )
        ],
    ),
    "uses that exclude each other": (
        create(allowed_uses=[USE_WORKLOAD, USE_LOAD_BALANCER]),
        [("pool.allowed_uses", "LOAD_BALANCER goes with no other use; make two pools")],
    ),
    "a use of no namespace with a namespace selector": (
        create(allowed_uses=[USE_TUNNEL], namespace_selector="has(team)"),
        [
            (
                "pool.namespace_selector",
                '"has(team)" does not go with use TUNNEL, which is of no namespace;'
                " leave it out, or give allowed_uses without TUNNEL",
            )
        ],
    ),
    "numbers that mean nothing": (
        create(
            allowed_uses=[Use.ValueType(9)],
            assignment_mode=AssignmentMode.ValueType(-1),
            block_affinity=BlockAffinity.ValueType(9),
            priority=-1001,
            result_form=ResultForm.ValueType(9),
        ),
        [
            ("pool.allowed_uses[0]", f"9 {_USES}"),
            (
                "pool.assignment_mode",
                "-1 is not one of the known values;"
                " give ASSIGNMENT_MODE_AUTOMATIC or ASSIGNMENT_MODE_MANUAL",
            ),
            (
                "pool.block_affinity",
                "9 is not one of the known values; give BLOCK_AFFINITY_NODE or BLOCK_AFFINITY_NONE",
            ),
            ("pool.priority", "is -1001; give -1000 to 1000"),
            (
                "pool.result_form",
                "9 is not one of the known values;"
                " give RESULT_FORM_HOST, RESULT_FORM_BLOCK or RESULT_FORM_POOL",
            ),
        ],
    ),
    "gateways of elsewhere": (
        create(
            gateway="192.168.1.1",
            routes=[
                Route(destination="10.0.0.1/8"),
                Route(destination="fd00::/8"),
                Route(destination="0.0.0.0/0", gateway="gw"),
            ],
        ),
        [
            ("pool.gateway", f'"192.168.1.1" {_INSIDE}'),
            (
                "pool.routes[0].destination",
                '"10.0.0.1/8": host bits are set; did you mean 10.0.0.0/8?',
            ),
            (
                "pool.routes[1].destination",
                "fd00::/8 is not of the pool's family; give it in IPV4",
            ),
            ("pool.routes[2].gateway", f'"gw": {NO_ADDRESS}'),
        ],
    ),
    "namespaces that are none": (
        create(
            allowed_namespaces=["shop", "", "a\nb", LONG],
            fixed_addresses=FixedAddresses.ValueType(9),
        ),
        [
            ("pool.allowed_namespaces[1]", REQUIRED),
            ("pool.allowed_namespaces[2]", unprintable(r"a\nb")),
            ("pool.allowed_namespaces[3]", too_long(100_000, 253)),
            (
                "pool.fixed_addresses",
                "9 is not one of the known values;"
                " give FIXED_ADDRESSES_ANY, FIXED_ADDRESSES_GRANTED or FIXED_ADDRESSES_NONE",
            ),
        ],
    ),
    "257 namespaces": (
        create(allowed_namespaces=[str(at) for at in range(257)]),
        [("pool.allowed_namespaces", "has 257 entries; at most 256 are allowed")],
    ),
    "33 routes": (
        create(routes=[Route(destination="0.0.0.0/0")] * 33),
        [("pool.routes", "has 33 entries; at most 32 are allowed")],
    ),
    "name servers by name": (
        create(dns=Dns(nameservers=["ns1", "010.0.0.1"], searches=[""], options=["ndots:5\n"])),
        [
            ("pool.dns.nameservers[0]", f'"ns1": {NO_ADDRESS}'),
            ("pool.dns.nameservers[1]", f'"010.0.0.1": {LEADING_ZERO}'),
            ("pool.dns.searches[0]", REQUIRED),
            ("pool.dns.options[0]", unprintable(r"ndots:5\n")),
        ],
    ),
    "excluded ranges that are none, or elsewhere": (
        create(
            excluded_ranges=[
                *("10.0.0.1", "192.168.0.0/23", "192.168.0.9-192.168.0.1"),
                *("192.168.0.1-fd00::1", "192.168.0.1-", "192.168.0.0/28-192.168.0.20", LONG),
            ]
        ),
        [
            ("pool.excluded_ranges[0]", f'"10.0.0.1" {_INSIDE}'),
            ("pool.excluded_ranges[1]", f'"192.168.0.0/23" {_INSIDE}'),
            (
                "pool.excluded_ranges[2]",
                '"192.168.0.9-192.168.0.1": the range ends before it begins',
            ),
            (
                "pool.excluded_ranges[3]",
                '"192.168.0.1-fd00::1": both ends of a range must be of one family',
            ),
            ("pool.excluded_ranges[4]", f'"192.168.0.1-": {NO_ADDRESS}'),
            (
                "pool.excluded_ranges[5]",
                f'"192.168.0.0/28-192.168.0.20": {NO_PREFIX_WANTED}',
            ),
            ("pool.excluded_ranges[6]", too_long(100_000, 1024)),
        ],
    ),
    "labels that cannot be": (
        create(labels={"": "x", "k" * 64: "y", "tier": "a\x00"}),
        [
            ("pool.labels key", REQUIRED),
            ("pool.labels key", too_long(64, 63, "k")),
            ("pool.labels[tier]", unprintable(r"a\u0000")),
        ],
    ),
}

_NO_NAME = 'is not "vrfs/{vrf}/pools/{id}"'

OTHERS: dict[str, Malformed] = {
    "get without a name": (GetPoolRequest(), [("name", f'"" {_NO_NAME}')]),
    "get by an id": (GetPoolRequest(name="web"), [("name", f'"web" {_NO_NAME}')]),
    "get a node": (
        GetPoolRequest(name="vrfs/default/nodes/n1"),
        [("name", f'"vrfs/default/nodes/n1" {_NO_NAME}')],
    ),
    "get below a pool": (GetPoolRequest(name=f"{NAME}/x"), [("name", f'"web/x" {NO_SUBDOMAIN}')]),
    "get by 100 KB": (GetPoolRequest(name=LONG), [("name", f'"{"x" * 80}..." {_NO_NAME}')]),
    "delete without a name": (DeletePoolRequest(), [("name", f'"" {_NO_NAME}')]),
    "delete in capitals": (
        DeletePoolRequest(name="vrfs/default/pools/WEB"),
        [("name", f'"WEB" {NO_SUBDOMAIN}')],
    ),
    "list what cannot be": (
        ListPoolsRequest(parent="x", page_size=-5, labels={"": ""}),
        [
            ("parent", f'"x" {NO_VRF}'),
            ("page_size", "is -5; leave it out or give 1 to 1000"),
            ("labels key", REQUIRED),
        ],
    ),
    "list behind a token that was made up": (
        ListPoolsRequest(page_token=page_tokens.encode(ListPoolsRequest(), "A b")),
        [("page_token", f'"A b" {NO_SUBDOMAIN}')],
    ),
    "update without a name": (UpdatePoolRequest(), [("pool.name", f'"" {_NO_NAME}')]),
    "update what no pool has": (
        update("colour", "dns.colour", "labels.tier", "Disabled", "", "a\nb"),
        [
            ("update_mask", rf'"{path}" is no field of Pool; leave it out')
            for path in ("colour", "dns.colour", "labels.tier", "Disabled", "", r"a\nb")
        ],
    ),
    "update by 100 KB": (
        update(LONG),
        [("update_mask", f'"{"x" * 80}..." is no field of Pool; leave it out')],
    ),
    "update to what cannot be": (
        update("gateway", "priority", gateway="192.168.0.1", priority=5000),
        [
            ("pool.priority", "is 5000; give -1000 to 1000"),
            (
                "pool.gateway",
                '"192.168.0.1" is not inside 10.0.0.0/24; give what belongs to the pool',
            ),
        ],
    ),
}

_CHANGED = f"{NAME} was changed by somebody else; read it again, merge and retry"
_ABORTED = ("ABORTED", "ETAG_MISMATCH", {"resource": NAME})
_NO_POOL = ("NOT_FOUND", "POOL_NOT_FOUND", {"vrf": "default", "pool": "nowhere"})
_NO_POOL_NOWHERE = 'VRF "default" has no pool "nowhere"; give the id or the exact CIDR of a pool'
_NOWHERE = Pool(name="vrfs/default/pools/nowhere", disabled=True)

REFUSED: dict[str, Refused] = {
    "create in an unknown VRF": (
        CreatePoolRequest(parent="vrfs/nowhere", pool_id="new", pool=Pool(cidr="192.168.0.0/24")),
        ("NOT_FOUND", "VRF_NOT_FOUND", {"vrf": "nowhere"}),
        'there is no VRF "nowhere"; create it or correct the name',
    ),
    "create by an id that is taken": (
        create("web"),
        ("ALREADY_EXISTS", "POOL_ALREADY_EXISTS", {"vrf": "default", "pool": "web"}),
        'pool "web" exists already in VRF "default"; choose another id or update it',
    ),
    **{
        f"create {cidr}, which overlaps": (
            create(cidr=cidr),
            (
                "ALREADY_EXISTS",
                "POOL_OVERLAPS",
                {"vrf": "default", "pool": "new", "cidr": cidr, "conflicting_pool": other},
            ),
            f'{cidr} of pool "new" overlaps pool "{other}" of VRF "default";'
            " choose a CIDR outside of it",
        )
        for cidr, other in {"10.0.0.0/25": "web", "10.0.0.0/24": "web", "fd00::/64": "six"}.items()
    },
    "get what is not there": (GetPoolRequest(name=_NOWHERE.name), _NO_POOL, _NO_POOL_NOWHERE),
    "update what is not there": (UpdatePoolRequest(pool=_NOWHERE), _NO_POOL, _NO_POOL_NOWHERE),
    "delete what is not there": (
        DeletePoolRequest(name=_NOWHERE.name),
        _NO_POOL,
        _NO_POOL_NOWHERE,
    ),
    "update at another version": (update("disabled", disabled=True, etag="77"), _ABORTED, _CHANGED),
    "delete at a version that never was": (
        DeletePoolRequest(name=NAME, etag="a\x00"),
        _ABORTED,
        _CHANGED,
    ),
    "delete while addresses are assigned": (
        DeletePoolRequest(name=NAME),
        (
            "FAILED_PRECONDITION",
            "POOL_IN_USE",
            {"vrf": "default", "pool": "web", "allocation_count": "1"},
        ),
        'pool "web" still has 1 allocation; drain it and release what is assigned first',
    ),
    **{
        f"change {field}": (
            update(field, **{field: value}),
            ("FAILED_PRECONDITION", "FIELD_IMMUTABLE", {"resource": NAME, "field": field}),
            f"{field} of {NAME} cannot be changed; create a new one instead",
        )
        for field, value in {"cidr": "10.0.0.0/23", "block_size": 30}.items()
    },
    "list in an unknown VRF": (
        ListPoolsRequest(parent="vrfs/nowhere"),
        ("NOT_FOUND", "VRF_NOT_FOUND", {"vrf": "nowhere"}),
        'there is no VRF "nowhere"; create it or correct the name',
    ),
    "list behind a node": (
        ListPoolsRequest(page_token=page_tokens.encode(ListNodesRequest(), "n1")),
        ("INVALID_ARGUMENT", "PAGE_TOKEN_MISMATCH", {}),
        OTHER_TOKEN,
    ),
}


@tables.each(IDS | FIELDS)
def test_a_malformed_pool_is_refused_with_every_violation(ground: Ground, row: Malformed) -> None:
    tables.check_malformed(ground, row)


@pytest.mark.parametrize(("escaped", "said"), NO_RANGES)
def test_a_range_that_no_pool_can_have_is_told_why(ground: Ground, escaped: str, said: str) -> None:
    tables.check_malformed(ground, (create(cidr=escaped), [("pool.cidr", f'"{escaped}": {said}')]))


@tables.each(OTHERS)
def test_a_malformed_request_about_pools_is_refused_with_every_violation(
    ground: Ground, row: Malformed
) -> None:
    tables.check_malformed(ground, row)


@tables.each(REFUSED)
def test_what_cannot_be_done_to_a_pool_is_told_why(ground: Ground, row: Refused) -> None:
    tables.check_refused(ground, row)
