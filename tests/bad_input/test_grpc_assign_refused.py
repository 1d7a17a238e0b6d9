"""AssignAddresses: what is asked rightly and cannot be granted, and why exactly it is not."""

import pytest

from bad_input import tables
from bad_input.assigning import IPV4, IPV6, assign, attached, drawn, fixed, stamped, want
from bad_input.ground import Ground
from bad_input.tables import Refused
from moorage.v1 import resources_pb2 as resources
from moorage.v1.resources_pb2 import Workload

pytestmark = pytest.mark.usefixtures("nothing_written")

REFUSED: dict[str, Refused] = {
    "an unknown VRF": (
        assign(parent="vrfs/nowhere"),
        ("NOT_FOUND", "VRF_NOT_FOUND", {"vrf": "nowhere"}),
        'there is no VRF "nowhere"; create it or correct the name',
    ),
    **{
        f"a pool {how}": (
            drawn("web", pool),
            ("NOT_FOUND", "POOL_NOT_FOUND", {"vrf": "default", "pool": pool}),
            f'VRF "default" has no pool "{pool}"; give the id or the exact CIDR of a pool',
        )
        for how, pool in {
            "that is not there": "nowhere",
            "in capitals": "WEB",
            "by half of its CIDR": "10.0.0.0/25",
            "by its CIDR with host bits": "10.0.0.5/24",
            "by its CIDR with a netmask": "10.0.0.0/255.255.255.0",
            "by its CIDR with a leading zero": "010.0.0.0/24",
            "by its CIDR, IPv4-mapped": "::ffff:10.0.0.0/120",
        }.items()
    },
    "a pool of the other family": (
        drawn("six"),
        (
            "FAILED_PRECONDITION",
            "POOL_FAMILY_MISMATCH",
            {"vrf": "default", "pool": "six", "family": "IPV4"},
        ),
        'pool "six" has no IPV4 addresses; name pools of that family',
    ),
    "a pool that is disabled": (
        drawn("10.0.1.0/24"),
        ("FAILED_PRECONDITION", "POOL_DISABLED", {"vrf": "default", "pool": "off"}),
        'pool "off" is disabled; enable it or use another',
    ),
    "an address of a pool that is disabled": (
        fixed("10.0.1.7"),
        ("FAILED_PRECONDITION", "POOL_DISABLED", {"vrf": "default", "pool": "off"}),
        'pool "off" is disabled; enable it or use another',
    ),
    "a pool for something else": (
        drawn("tunnels"),
        (
            "FAILED_PRECONDITION",
            "POOL_USE_NOT_ALLOWED",
            {"vrf": "default", "pool": "tunnels", "use": "WORKLOAD"},
        ),
        'pool "tunnels" does not allow use WORKLOAD; use another pool or add it to allowed_uses',
    ),
    "a pool that is full": (
        drawn("full"),
        (
            "RESOURCE_EXHAUSTED",
            "POOL_EXHAUSTED",
            {
                "vrf": "default",
                "family": "IPV4",
                "pools": "full",
                "size": "1",
                "assigned": "1",
                "reserved": "0",
                "kept": "0",
            },
        ),
        'no free IPV4 address in pool "full" (1 addresses): 1 assigned, 0 reserved or excluded;'
        " add a pool or release allocations",
    ),
    "a use that no pool serves": (
        assign(use=resources.USE_LOAD_BALANCER, workload=Workload(node="n1", namespace="shop")),
        (
            "FAILED_PRECONDITION",
            "NO_ELIGIBLE_POOL",
            {
                "vrf": "default",
                "family": "IPV4",
                "node": "n1",
                "namespace": "shop",
                "use": "LOAD_BALANCER",
            },
        ),
        'no pool of VRF "default" serves this workload with IPV4 (pool "full": its assignment mode'
        ' is MANUAL; pool "off": it is disabled; pool "tunnels": its assignment mode is MANUAL;'
        ' pool "web": it does not allow use LOAD_BALANCER);'
        " name a pool, or let a pool select the workload",
    ),
    **{
        f"{address} from nowhere": (
            fixed(spelling, family=family),
            ("FAILED_PRECONDITION", "ADDRESS_NOT_IN_POOL", {"vrf": "default", "address": address}),
            f'{address} is in no pool of VRF "default"; ask for an address of a pool',
        )
        for spelling, address, family in [
            ("192.0.2.7", "192.0.2.7", IPV4),
            ("::ffff:192.0.2.8", "192.0.2.8", IPV4),
            ("2001:DB8:0:0::7", "2001:db8::7", IPV6),
        ]
    },
    "an address that its pool excludes": (
        fixed("10.0.0.200"),
        (
            "FAILED_PRECONDITION",
            "ADDRESS_EXCLUDED",
            {"vrf": "default", "address": "10.0.0.200", "pool": "web"},
        ),
        '10.0.0.200 is the gateway or an excluded address of pool "web"; ask for another',
    ),
    "an address that somebody holds": (
        fixed("10.0.0.5"),
        (
            "ALREADY_EXISTS",
            "ADDRESS_IN_USE",
            {"vrf": "default", "address": "10.0.0.5", "pool": "web"},
        ),
        'held by another attachment: 10.0.0.5 (pool "web");'
        " ask for another address, or wait until it is released",
    ),
    "something else than it holds": (
        attached(container_id="holder"),
        (
            "FAILED_PRECONDITION",
            "ATTACHMENT_CHANGED",
            {"vrf": "default", "network": "pods", "container_id": "holder", "interface": "eth0"},
        ),
        "this attachment already holds 10.0.0.5, fd00::5, which contradicts the request;"
        " release it first",
    ),
    "too late": (
        stamped("boot-1", 8, "gone"),
        (
            "FAILED_PRECONDITION",
            "ATTACHMENT_RELEASED",
            {"vrf": "default", "network": "pods", "container_id": "gone", "interface": "eth0"},
        ),
        "this attachment was released after the attempt began; begin a new attempt",
    ),
    "one address that can be had and one that cannot": (
        assign(addresses=[want(), want(family=IPV6, candidate_addresses=["fd00::5"])]),
        (
            "ALREADY_EXISTS",
            "ADDRESS_IN_USE",
            {"vrf": "default", "address": "fd00::5", "pool": "six"},
        ),
        'held by another attachment: fd00::5 (pool "six");'
        " ask for another address, or wait until it is released",
    ),
}


@tables.each(REFUSED)
def test_a_request_that_cannot_be_granted_is_told_why(ground: Ground, row: Refused) -> None:
    tables.check_refused(ground, row)
