"""What a pool is and what it may not be, as for Calico's IPPool."""

import pytest

from acceptance.calico.ground import (
    Row,
    Rows,
    Stage,
    assign,
    each,
    fixed,
    play,
    pool,
    pool_shown,
)

# The longest name of a label, and the longest label that a selector of 1024 characters may have.
LONG_NAME = "x" * 253
WORDS_1024 = f"zone == '{'x' * 1014}'"

DEFAULTS: Rows = {
    "IPv4": [
        pool("a", "10.0.0.0/16").shows(
            cidr="10.0.0.0/16",
            blockSize=26,
            nodeSelector="all()",
            namespaceSelector="",
            allowedUses=["Workload", "Tunnel"],
            assignmentMode="Automatic",
            disabled=False,
            state="Active",
            blockAffinity="Node",
        ),
        assign().gives("10.0.0.0").in_blocks("10.0.0.0/26"),
    ],
    "IPv6": [
        pool("a", "fd00::/64").shows(blockSize=122),
        assign(v4=0, v6=1).gives("fd00::").in_blocks("fd00::/122"),
    ],
    "a block size of 0 is the default": [pool("a", "10.0.0.0/16", blockSize=0).shows(blockSize=26)],
    "an IPv6 block size of 0 is the default": [
        pool("a", "fd00::/64", blockSize=0).shows(blockSize=122)
    ],
    "a node selector of blanks is all()": [
        pool("a", "10.0.0.0/16", nodeSelector=" \t").shows(nodeSelector="all()")
    ],
    "a namespace selector without uses leaves tunnels out": [
        pool("a", "10.0.0.0/16", namespaceSelector="has(x)").shows(allowedUses=["Workload"])
    ],
    "what is stored is what is shown": [
        pool("a", "10.0.0.0/16", blockSize=30, assignmentMode="Manual").kept("made"),
        pool_shown("a").same_as("made").shows(blockSize=30, assignmentMode="Manual"),
    ],
}

# Where a pool without a block size is smaller than a block, it is one block of its own length.
SIZES: dict[str, tuple[str, int, str]] = {
    "the largest IPv4 block": ("10.0.0.0/20", 20, "10.0.0.0/20"),
    "the smallest IPv4 block": ("10.0.0.0/20", 32, "10.0.0.0/32"),
    "a pool of one block": ("10.0.0.0/26", 26, "10.0.0.0/26"),
    "a pool of one address": ("10.0.0.7/32", 32, "10.0.0.7/32"),
    "the largest IPv6 block": ("fd00::/116", 116, "fd00::/116"),
    "the smallest IPv6 block": ("fd00::/116", 128, "fd00::/128"),
    "an IPv6 pool of one block": ("fd00::/122", 122, "fd00::/122"),
    "an IPv6 pool of one address": ("fd00::7/128", 128, "fd00::7/128"),
    "every IPv4 address": ("0.0.0.0/1", 26, "0.0.0.0/26"),
    "a small IPv4 pool without a block size": ("10.0.0.0/28", 0, "10.0.0.0/28"),
    "a small IPv6 pool without a block size": ("fd00::/126", 0, "fd00::/126"),
}

REFUSED: dict[str, tuple[dict[str, object], str, str]] = {
    "no CIDR": ({"cidr": ""}, "cidr", "required"),
    "not a CIDR": ({"cidr": "pool/24"}, "cidr", "not an IPv4 or IPv6"),
    "no prefix length": ({"cidr": "10.0.0.0"}, "cidr", "prefix length is missing"),
    "host bits": ({"cidr": "10.0.0.5/24"}, "cidr", "did you mean 10.0.0.0/24?"),
    "IPv6 host bits": ({"cidr": "fd00::5/64"}, "cidr", "did you mean fd00::/64?"),
    "a netmask": ({"cidr": "10.0.0.0/255.255.255.0"}, "cidr", "plain number"),
    "a signed length": ({"cidr": "10.0.0.0/+24"}, "cidr", "plain number"),
    "a blank length": ({"cidr": "10.0.0.0/ 24"}, "cidr", "plain number"),
    "a length beyond the family": ({"cidr": "10.0.0.0/33"}, "cidr", "10.0.0.0/33"),
    "an IPv6 length beyond the family": ({"cidr": "fd00::/129"}, "cidr", "fd00::/129"),
    "leading zeros": ({"cidr": "010.0.0.0/24"}, "cidr", "leading zeros"),
    "a leading blank": ({"cidr": " 10.0.0.0/24"}, "cidr", "not an IPv4 or IPv6"),
    "a zone": ({"cidr": "fd00::%eth0/64"}, "cidr", "zones"),
    "49 characters": ({"cidr": f"fd00::/{'0' * 40}64"}, "cidr", "at most 48"),
    "link-local": ({"cidr": "169.254.0.0/16"}, "cidr", "169.254.0.0/16"),
    "inside link-local": ({"cidr": "169.254.7.0/24"}, "cidr", "169.254.0.0/16"),
    "around link-local": ({"cidr": "169.0.0.0/8"}, "cidr", "169.254.0.0/16"),
    "IPv6 link-local": ({"cidr": "fe80::/10"}, "cidr", "fe80::/10"),
    "inside IPv6 link-local": ({"cidr": "fe80:1::/64"}, "cidr", "fe80::/10"),
    "around IPv6 link-local": ({"cidr": "fe00::/8"}, "cidr", "fe80::/10"),
    "too large an IPv4 block": ({"blockSize": 19}, "block_size", "20 to 32 for IPV4"),
    "too small an IPv4 block": ({"blockSize": 33}, "block_size", "20 to 32 for IPV4"),
    "a negative block size": ({"blockSize": -1}, "block_size", "20 to 32 for IPV4"),
    "an IPv6 size on IPv4": ({"blockSize": 122}, "block_size", "20 to 32 for IPV4"),
    "too large an IPv6 block": (
        {"cidr": "fd00::/64", "blockSize": 115},
        "block_size",
        "116 to 128 for IPV6",
    ),
    "too small an IPv6 block": (
        {"cidr": "fd00::/64", "blockSize": 129},
        "block_size",
        "116 to 128 for IPV6",
    ),
    "an IPv4 size on IPv6": (
        {"cidr": "fd00::/64", "blockSize": 26},
        "block_size",
        "116 to 128 for IPV6",
    ),
    "a pool smaller than its block": (
        {"cidr": "10.0.0.0/27", "blockSize": 26},
        "block_size",
        "10.0.0.0/27 is smaller than one block",
    ),
    "an IPv6 pool smaller than its block": (
        {"cidr": "fd00::/123", "blockSize": 122},
        "block_size",
        "fd00::/123 is smaller than one block",
    ),
    "global() for nodes": ({"nodeSelector": "global()"}, "node_selector", "all()"),
    "global() somewhere for nodes": (
        {"nodeSelector": "has(a) || !global()"},
        "node_selector",
        "all()",
    ),
    "global() for namespaces": ({"namespaceSelector": "global()"}, "namespace_selector", "all()"),
    "a node selector that is none": ({"nodeSelector": "zone ="}, "node_selector", "an operator"),
    "a namespace selector that is none": ({"namespaceSelector": "has("}, "namespace_selector", "h"),
    "a node selector of 1025": ({"nodeSelector": WORDS_1024 + " "}, "node_selector", "most 1024"),
    "a namespace selector of 1025": (
        {"namespaceSelector": WORDS_1024 + " "},
        "namespace_selector",
        "at most 1024",
    ),
    "namespaces and tunnels": (
        {"namespaceSelector": "has(a)", "allowedUses": ["Workload", "Tunnel"]},
        "namespace_selector",
        "does not go with use TUNNEL",
    ),
    "namespaces and tunnels alone": (
        {"namespaceSelector": "all()", "allowedUses": ["Tunnel"]},
        "namespace_selector",
        "does not go with use TUNNEL",
    ),
    "load balancers and workloads": (
        {"allowedUses": ["LoadBalancer", "Workload"]},
        "allowed_uses",
        "goes with no other use",
    ),
    "load balancers and tunnels": (
        {"allowedUses": ["Tunnel", "LoadBalancer"]},
        "allowed_uses",
        "goes with no other use",
    ),
    "load balancers of some nodes": (
        {"allowedUses": ["LoadBalancer"], "nodeSelector": "has(a)"},
        "node_selector",
        "does not go with use LOAD_BALANCER",
    ),
    "a use that is none": ({"allowedUses": [7]}, "allowed_uses[0]", "7"),
    "a mode that is none": ({"assignmentMode": 7}, "assignment_mode", "7"),
}

BAD_NAMES = {
    "empty": "",
    "upper case": "Pool",
    "underscore": "a_b",
    "slash": "a/b",
    "hyphen first": "-a",
    "hyphen last": "a-",
    "dot first": ".a",
    "dot last": "a.",
    "two dots": "a..b",
    "254 characters": LONG_NAME + "x",
}
GOOD_NAMES = {
    "one letter": "a",
    "a digit": "0",
    "dots and hyphens": "a.b-c.0",
    "253 characters": LONG_NAME,
}

SPELLINGS: dict[str, tuple[str, str]] = {
    "zeros of a group": ("2001:cafe:42::00/56", "2001:cafe:42::/56"),
    "upper case": ("FD00:ABCD::/64", "fd00:abcd::/64"),
    "every group written out": (
        "fd00:0000:0000:0000:0000:0000:0000:0000/64",
        "fd00::/64",
    ),
    "IPv4 within IPv6": ("64:ff9b::10.0.0.0/120", "64:ff9b::a00:0/120"),
}

KINDS_OF_POOLS: Rows = {
    "load balancers alone": [
        pool("a", "10.0.0.0/24", allowedUses=["LoadBalancer"]).shows(
            allowedUses=["LoadBalancer"], nodeSelector="all()"
        ),
        assign("c1", use="LoadBalancer").gives("10.0.0.0"),
        assign("c2", use="Workload").refused("NO_ELIGIBLE_POOL", "does not allow use WORKLOAD"),
    ],
    "load balancers with all() written out": [
        pool("a", "10.0.0.0/24", allowedUses=["LoadBalancer"], nodeSelector="all()"),
        assign(use="LoadBalancer").gives("10.0.0.0"),
    ],
    "load balancers of some namespaces": [
        pool("a", "10.0.0.0/24", allowedUses=["LoadBalancer"], namespaceSelector="has(a)"),
        assign(use="LoadBalancer").refused("NO_ELIGIBLE_POOL", "namespace selector"),
    ],
    "tunnels alone": [
        pool("a", "10.0.0.0/24", allowedUses=["Tunnel"]),
        assign("c1", use="Tunnel").gives("10.0.0.0"),
        assign("c2").refused("NO_ELIGIBLE_POOL", "does not allow use WORKLOAD", use="WORKLOAD"),
    ],
    "namespaces with workloads alone": [
        pool("a", "10.0.0.0/24", namespaceSelector="all()", allowedUses=["Workload"]),
        assign().gives("10.0.0.0"),
    ],
    "a selector of 1024 characters": [pool("a", "10.0.0.0/24", nodeSelector=WORDS_1024)],
    "a disabled pool smaller than Calico's block": [
        pool("a", "10.0.0.0/30", disabled=True).shows(blockSize=30, disabled=True)
    ],
    "an etag on creation is not looked at": [
        pool("a", "10.0.0.0/24", etag="7").kept("made"),
        pool_shown("a").same_as("made"),
    ],
    "network and broadcast addresses are ordinary ones": [
        pool("a", "10.0.0.0/30"),
        assign("c1").gives("10.0.0.0"),
        fixed("c2", "10.0.0.3").gives("10.0.0.3"),
    ],
}


@each(DEFAULTS)
def test_what_is_left_out_is_filled_in(stage: Stage, row: Row) -> None:
    play(stage, row)


@pytest.mark.parametrize(("cidr", "size", "block"), SIZES.values(), ids=list(SIZES))
def test_a_pool_is_cut_into_blocks_of_its_size(
    stage: Stage, cidr: str, size: int, block: str
) -> None:
    six = ":" in cidr
    length = int(block.partition("/")[2])
    row = [
        pool("a", cidr, blockSize=size).shows(blockSize=length),
        assign(v4=int(not six), v6=int(six)).in_blocks(block),
    ]
    play(stage, row)


@pytest.mark.parametrize(("fields", "field", "part"), REFUSED.values(), ids=list(REFUSED))
def test_a_pool_that_cannot_be_is_refused_with_its_field(
    stage: Stage, fields: dict[str, object], field: str, part: str
) -> None:
    made = {"cidr": "10.0.0.0/24"} | fields
    cidr = str(made.pop("cidr"))
    play(stage, [pool("a", cidr, **made).invalid(f"pool.{field}", part)])


@pytest.mark.parametrize("name", BAD_NAMES.values(), ids=list(BAD_NAMES))
def test_a_name_is_a_dns_subdomain_or_refused(stage: Stage, name: str) -> None:
    play(stage, [pool(name, "10.0.0.0/24").invalid("pool_id")])


@pytest.mark.parametrize("name", GOOD_NAMES.values(), ids=list(GOOD_NAMES))
def test_a_name_may_be_any_dns_subdomain(stage: Stage, name: str) -> None:
    play(stage, [pool(name, "10.0.0.0/24"), assign(ipv4pools=[name]).inside(name)])


@pytest.mark.parametrize(("written", "canonical"), SPELLINGS.values(), ids=list(SPELLINGS))
def test_a_cidr_is_returned_in_its_canonical_spelling(
    stage: Stage, written: str, canonical: str
) -> None:
    row = [
        pool("a", written).shows(cidr=canonical),
        pool("b", canonical).refused("POOL_OVERLAPS", canonical, conflicting_pool="a"),
        assign(v4=0, v6=1, ipv6pools=[written]).in_range(canonical),
    ]
    play(stage, row)


@each(KINDS_OF_POOLS)
def test_a_pool_serves_what_it_is_for(stage: Stage, row: Row) -> None:
    play(stage, row)
