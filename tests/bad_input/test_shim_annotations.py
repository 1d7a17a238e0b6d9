"""The CNI plugin for pods with wrong annotations: the whole error document of each."""

import json

import pytest

from bad_input import shimming, tables
from bad_input.ground import Ground
from bad_input.shimming import (
    ADDRS,
    CUT,
    FAMILIES,
    JSON_LIST,
    LONG,
    OWNER,
    PLAIN_ADDRESSES,
    V4,
    V6,
    Row,
    annotated,
    on_pod,
)

pytestmark = pytest.mark.usefixtures("nothing_written")

_POOL = (
    "write the pool's CIDR, such as 10.0.0.0/16, or its name"
    " (lower case letters, digits, '-' and '.')"
)
_NOT_OFFERED = "take the annotation away: Moorage does not offer this"
_DURATION = "write a whole number and one of s, m, h and d, such as 30s or 24h"
_FAMILY = 'list "IPv4", "IPv6" or both'


def refused(key: str, value: str, said: str, next_step: str, *, shown: str = "") -> Row:
    """What is refused by the plugin itself."""
    return annotated(key, value), 100, f"{on_pod(key, shown or value)}: {said}", next_step


def no_pool(text: str, shown: str = "") -> Row:
    """A list of one pool that is neither a name nor a CIDR."""
    shown = shown or text
    said = f'error parsing pool "{shown}": invalid CIDR address: {shown}'
    return refused(V4, f'["{text}"]', said, _POOL)


def no_address(text: str, shown: str = "") -> Row:
    """A list of one address that is none."""
    said = f"invalid IP format: '{shown or text}'"
    return refused(ADDRS, f'["{text}"]', said, PLAIN_ADDRESSES)


def by_server(key: str, value: str, code: int, said: str, facts: str) -> Row:
    """What is refused by the server; `said` begins with the reason."""
    details = f"{facts}; asked for by {on_pod(key, value)}"
    return annotated(key, value), code, f"server {{server}} refused with {said}", details


_NOWHERE = 'pool=nowhere; vrf=default; error parsing pool "nowhere": invalid CIDR address: nowhere'

ROWS: dict[str, Row] = {
    "pools that are no JSON": refused(
        V4, "web", "not JSON: Expecting value: line 1 column 1 (char 0)", JSON_LIST
    ),
    "pools that break off": refused(
        V4, '["web"', "not JSON: Expecting ',' delimiter: line 1 column 7 (char 6)", JSON_LIST
    ),
    "a pool that is no list": refused(V4, '"web"', "not a JSON list", JSON_LIST),
    "pools as an object": refused(V4, '{"web":1}', "not a JSON list", JSON_LIST),
    "a pool that is a number": refused(
        V4, '["web",1]', "an item of the list is not a string", JSON_LIST
    ),
    "a pool without name": no_pool(""),
    "a pool in capitals": no_pool("WEB"),
    "a pool with NUL": no_pool(r"we\u0000b", r"we\x00b"),
    "pools with a newline": refused(
        V4,
        '["web\n"]',
        "not JSON: Invalid control character at: line 1 column 6 (char 5)",
        JSON_LIST,
        shown=r'["web\n"]',
    ),
    "pools of 100 KB": refused(V4, LONG, "longer than 4096 bytes", "shorten it", shown=CUT),
    "17 pools": refused(
        V4,
        json.dumps(["p"] * 17),
        "17 items; at most 16 are allowed",
        "shorten the list",
        shown=json.dumps(["p"] * 17)[:80] + "...",
    ),
    "a netmask": no_pool("10.0.0.0/255.255.255.0"),
    "a prefix length with a leading zero": no_pool("10.0.0.0/024"),
    "a CIDR with a leading zero": no_pool("010.0.0.0/24"),
    "a CIDR with a zone": no_pool("fe80::%eth0/64"),
    "an IPv4-mapped CIDR": no_pool("::ffff:10.0.0.0/120"),
    "a CIDR of the other family": refused(
        V4, '["fd00::/120"]', '"fd00::" isn\'t a IPv4 address', "list only IPv4 pools here"
    ),
    "a CIDR of the other family, the other way round": refused(
        V6, '["10.0.0.0/24"]', '"10.0.0.0" isn\'t a IPv6 address', "list only IPv6 pools here"
    ),
    "no families": refused(
        FAMILIES, "[]", "names no family, so there is no address to assign", _FAMILY
    ),
    "a family that is none": refused(
        FAMILIES, '["IPv4","ipv6"]', "error parsing ipFamilies: 'ipv6'", _FAMILY
    ),
    "no addresses": refused(
        ADDRS, "[]", "specified but empty", "list an address, or take the annotation away"
    ),
    "addresses that are no JSON": refused(
        ADDRS, "10.0.0.7", "not JSON: Extra data: line 1 column 5 (char 4)", JSON_LIST
    ),
    "an address out of range": no_address("10.0.0.300"),
    "an address with a leading zero": no_address("010.0.0.7"),
    "an address with a prefix length": no_address("10.0.0.7/32"),
    "an address with a zone": no_address("fe80::1%eth0"),
    "an address with NUL": no_address(r"10.0.0.7\u0000", r"10.0.0.7\x00"),
    "an owner with a newline": refused(
        OWNER,
        "a\nb",
        "not at most 189 printable characters",
        "write a name that outlives the pod, such as web-0",
        shown=r"a\nb",
    ),
    "an owner of 100 KB": refused(OWNER, LONG, "longer than 4096 bytes", "shorten it", shown=CUT),
    "a wait that is no duration": refused(
        "moorage.dev/wait", "1m30s", "not a duration of at most 60s", _DURATION
    ),
    "a wait that is too long": refused(
        "moorage.dev/wait", "2m", "not a duration of at most 60s", _DURATION
    ),
    "a retention that is too long": refused(
        "moorage.dev/sticky", "91d", "not a duration of at most 90d", _DURATION
    ),
    "a retention for nobody": refused(
        "moorage.dev/sticky",
        "24h",
        'nobody to keep addresses for: the pod has no annotation "moorage.dev/owner"',
        'annotate the pod with moorage.dev/owner, or with moorage.dev/sticky: "0s"',
    ),
    "an address without IPAM": refused(
        "cni.projectcalico.org/ipAddrsNoIpam",
        '["192.0.2.7"]',
        "requested feature is not enabled: ip_addrs_no_ipam",
        _NOT_OFFERED,
    ),
    "a floating address": refused(
        "cni.projectcalico.org/floatingIPs",
        '["192.0.2.7"]',
        "requested feature is not enabled: floating_ips",
        _NOT_OFFERED,
    ),
    "an unknown pool": by_server(
        V4,
        '["nowhere"]',
        102,
        'POOL_NOT_FOUND: VRF "default" has no pool "nowhere";'
        " give the id or the exact CIDR of a pool",
        _NOWHERE,
    ),
    "an unknown pool of a family nobody asks for": by_server(
        V6,
        '["nowhere"]',
        102,
        'POOL_NOT_FOUND: VRF "default" has no pool "nowhere";'
        " give the id or the exact CIDR of a pool",
        _NOWHERE,
    ),
    "a pool of the other family, of a family nobody asks for": refused(
        V6, '["web"]', '"10.0.0.0" isn\'t a IPv6 address', "list only IPv6 pools here"
    ),
    "a pool of the other family": by_server(
        V4,
        '["six"]',
        102,
        'POOL_FAMILY_MISMATCH: pool "six" has no IPV4 addresses; name pools of that family',
        "family=IPV4; pool=six; vrf=default",
    ),
    "a pool that is disabled": by_server(
        V4,
        '["off"]',
        102,
        'POOL_DISABLED: pool "off" is disabled; enable it or use another',
        "pool=off; vrf=default",
    ),
    "a pool that is full": by_server(
        V4,
        '["full"]',
        104,
        'POOL_EXHAUSTED: no free IPV4 address in pool "full" (1 addresses): 1 assigned,'
        " 0 reserved or excluded; add a pool or release allocations",
        "assigned=1; family=IPV4; kept=0; pools=full; reserved=0; size=1; vrf=default",
    ),
    "an address that somebody holds": by_server(
        ADDRS,
        '["10.0.0.5"]',
        103,
        'ADDRESS_IN_USE: held by another attachment: 10.0.0.5 (pool "web");'
        " ask for another address, or wait until it is released",
        "address=10.0.0.5; pool=web; vrf=default",
    ),
    "an IPv4-mapped address from nowhere": by_server(
        ADDRS,
        '["::ffff:192.0.2.7"]',
        102,
        'ADDRESS_NOT_IN_POOL: 192.0.2.7 is in no pool of VRF "default";'
        " ask for an address of a pool",
        "address=192.0.2.7; vrf=default",
    ),
}


@tables.each(ROWS)
def test_a_wrong_annotation_is_named_with_its_pod_its_value_and_the_next_step(
    ground: Ground, row: Row
) -> None:
    shimming.check(ground, row)
