"""Requests about pools of the VRF "default", and pools that must be refused."""

from google.protobuf import field_mask_pb2

from moorage.v1 import pool_service_pb2 as messages
from moorage.v1 import pool_service_pb2_grpc, resources_pb2

Pool = resources_pb2.Pool
Route = resources_pb2.Route
Dns = resources_pb2.Dns
Stub = pool_service_pb2_grpc.PoolServiceStub


def creation(pool_id: str, pool: Pool, vrf: str = "default") -> messages.CreatePoolRequest:
    """The request that creates a pool."""
    return messages.CreatePoolRequest(parent=f"vrfs/{vrf}", pool_id=pool_id, pool=pool)


def create(pools: Stub, pool_id: str, cidr: str, **fields: object) -> Pool:
    """Creates a pool in the default VRF."""
    pool = Pool(cidr=cidr, **fields)  # type: ignore[arg-type]  # of the message's types
    return pools.CreatePool(creation(pool_id, pool)).pool


def update(pool: Pool, *paths: str) -> messages.UpdatePoolRequest:
    """The request that updates a pool with these paths, or without a mask."""
    mask = field_mask_pb2.FieldMask(paths=paths) if paths else None
    return messages.UpdatePoolRequest(pool=pool, update_mask=mask)


def name(pool_id: str, vrf: str = "default") -> str:
    """The full name of a pool."""
    return f"vrfs/{vrf}/pools/{pool_id}"


def _v4(**fields: object) -> Pool:
    return Pool(cidr="10.0.0.0/24", **fields)  # type: ignore[arg-type]  # of the message's types


def _v6(**fields: object) -> Pool:
    return Pool(cidr="fd00::/64", **fields)  # type: ignore[arg-type]  # of the message's types


_MANY_LABELS = {str(at): "" for at in range(33)}
_WORKLOAD, _TUNNEL = resources_pb2.USE_WORKLOAD, resources_pb2.USE_TUNNEL
_LOAD_BALANCER = resources_pb2.USE_LOAD_BALANCER

# A pool, the fields that are wrong with it, and words of what is said about the first.
REFUSED: list[tuple[Pool, list[str], str]] = [
    (Pool(), ["cidr"], "required"),
    (Pool(cidr="10.0.0.0"), ["cidr"], "prefix length is missing"),
    (Pool(cidr="10.0.0.1/24"), ["cidr"], "did you mean 10.0.0.0/24?"),
    (Pool(cidr="fd00::1/64"), ["cidr"], "did you mean fd00::/64?"),
    (Pool(cidr="10.0.0.0/33"), ["cidr"], '"10.0.0.0/33"'),
    (Pool(cidr="10.0.0.0/024"), ["cidr"], "plain number"),
    (Pool(cidr="10.0.0.0/255.255.255.0"), ["cidr"], "plain number"),
    (Pool(cidr="010.0.0.0/24"), ["cidr"], "not an IPv4"),
    (Pool(cidr=" 10.0.0.0/24"), ["cidr"], "not an IPv4"),
    (Pool(cidr="10.0.0.0/24\x00"), ["cidr", "cidr"], "control characters"),
    (Pool(cidr="fd00::%eth0/64"), ["cidr"], "zones"),
    (Pool(cidr="::ffff:10.0.0.0/120"), ["cidr"], "IPv4-mapped"),
    (Pool(cidr="f" * 49), ["cidr"], "at most 48"),
    (Pool(cidr="169.254.0.0/16"), ["cidr"], "169.254.0.0/16"),
    (Pool(cidr="169.254.9.0/24"), ["cidr"], "never assigned"),
    (Pool(cidr="169.0.0.0/8"), ["cidr"], "169.254.0.0/16"),
    (Pool(cidr="fe80::/64"), ["cidr"], "fe80::/10"),
    (Pool(cidr="::/64"), ["cidr"], "::ffff:0:0/96"),
    (_v4(block_size=19), ["block_size"], "20 to 32"),
    (_v4(block_size=33), ["block_size"], "20 to 32"),
    (_v4(block_size=-1), ["block_size"], "is -1"),
    (_v4(block_size=23), ["block_size"], "is smaller than one block; give 24 to 32"),
    (_v4(block_size=23, disabled=True), ["block_size"], "is smaller than one block"),
    (Pool(cidr="fd00::/120", block_size=119), ["block_size"], "give 120 to 128"),
    (_v6(block_size=115), ["block_size"], "116 to 128"),
    (_v6(block_size=129), ["block_size"], "116 to 128"),
    (_v6(block_size=26), ["block_size"], "116 to 128"),
    (_v4(node_selector="zone ="), ["node_selector"], "an operator"),
    (_v4(node_selector="global()"), ["node_selector"], "write all()"),
    (_v4(node_selector="!(a == 'b' && global())"), ["node_selector"], "write all()"),
    (_v4(node_selector="a == 'b\x00'"), ["node_selector"], "control characters"),
    (_v4(node_selector=f"has({'a' * 1020})"), ["node_selector"], "at most 1024"),
    (_v4(namespace_selector="has("), ["namespace_selector"], "a label name"),
    (_v4(namespace_selector="global()"), ["namespace_selector"], "write all()"),
    (
        _v4(namespace_selector="has(a)", allowed_uses=[_WORKLOAD, _TUNNEL]),
        ["namespace_selector"],
        '"has(a)" does not go with use TUNNEL',
    ),
    (_v4(allowed_uses=[9]), ["allowed_uses[0]"], "9 is not one of the known"),
    (_v4(allowed_uses=[_WORKLOAD, 0]), ["allowed_uses[1]"], "USE_TUNNEL"),
    (_v4(allowed_uses=[_WORKLOAD] * 4), ["allowed_uses"], "at most 3"),
    (_v4(allowed_uses=[_LOAD_BALANCER, _WORKLOAD]), ["allowed_uses"], "two pools"),
    (
        _v4(allowed_uses=[_LOAD_BALANCER], node_selector="has(a)"),
        ["node_selector"],
        '"has(a)" does not go with use LOAD_BALANCER',
    ),
    (_v4(assignment_mode=3), ["assignment_mode"], "ASSIGNMENT_MODE_MANUAL"),
    (_v4(assignment_mode=-1), ["assignment_mode"], "-1 is not"),
    (_v4(block_affinity=3), ["block_affinity"], "BLOCK_AFFINITY_NONE"),
    (_v4(result_form=4), ["result_form"], "RESULT_FORM_POOL"),
    (_v4(priority=1001), ["priority"], "-1000 to 1000"),
    (_v4(priority=-1001), ["priority"], "-1000 to 1000"),
    (_v4(gateway="10.0.1.1"), ["gateway"], '"10.0.1.1" is not inside 10.0.0.0/24'),
    (_v4(gateway="fd00::1"), ["gateway"], "not inside"),
    (_v4(gateway="10.0.0.1/24"), ["gateway"], "prefix length is not expected"),
    (_v4(routes=[Route()]), ["routes[0].destination"], "prefix length is missing"),
    (_v4(routes=[Route(destination="fd00::/8")]), ["routes[0].destination"], "in IPV4"),
    (
        _v6(routes=[Route(destination="::/0", gateway="10.0.0.1")]),
        ["routes[0].gateway"],
        "in IPV6",
    ),
    (_v4(routes=[Route(destination="0.0.0.0/0", gateway="me")]), ["routes[0].gateway"], '"me"'),
    (_v4(routes=[Route(destination="0.0.0.0/0")] * 33), ["routes"], "at most 32"),
    (_v4(dns=Dns(nameservers=["ns1"])), ["dns.nameservers[0]"], '"ns1"'),
    (_v4(dns=Dns(nameservers=["10.0.0.1"] * 9)), ["dns.nameservers"], "at most 8"),
    (_v4(dns=Dns(domain="x" * 254)), ["dns.domain"], "at most 253"),
    (_v4(dns=Dns(searches=[""])), ["dns.searches[0]"], "required"),
    (_v4(dns=Dns(searches=["a"] * 9)), ["dns.searches"], "at most 8"),
    (_v4(dns=Dns(options=["ndots:5\n"])), ["dns.options[0]"], "control characters"),
    (_v4(dns=Dns(options=["a"] * 9)), ["dns.options"], "at most 8"),
    (_v4(excluded_ranges=["10.0.1.0/24"]), ["excluded_ranges[0]"], "not inside"),
    (_v4(excluded_ranges=["10.0.0.0/23"]), ["excluded_ranges[0]"], "not inside"),
    (_v4(excluded_ranges=["10.0.0.9-10.0.0.1"]), ["excluded_ranges[0]"], "ends before"),
    (_v4(excluded_ranges=["10.0.0.9-fd00::1"]), ["excluded_ranges[0]"], "one family"),
    (_v4(excluded_ranges=["10.0.0.1", "x"]), ["excluded_ranges[1]"], '"x"'),
    (_v4(excluded_ranges=["10.0.0.1"] * 65), ["excluded_ranges"], "at most 64"),
    (_v4(labels={"": ""}), ["labels key"], "required"),
    (_v4(labels={"k" * 64: ""}), ["labels key"], "at most 63"),
    (_v4(labels={"k": "v" * 257}), ["labels[k]"], "at most 256"),
    (_v4(labels=_MANY_LABELS), ["labels"], "at most 32"),
    (
        Pool(
            cidr="x",
            block_size=5,
            node_selector="(",
            priority=5000,
            gateway="y",
            dns=Dns(options=[""]),
            excluded_ranges=["z"],
        ),
        ["cidr", "node_selector", "priority", "gateway", "dns.options[0]", "excluded_ranges[0]"],
        '"x"',
    ),
]
