"""What naming pools passes over, what it does not, and how pools are named."""

from acceptance.calico.clock import later
from acceptance.calico.ground import (
    Row,
    Rows,
    Stage,
    allocations,
    assign,
    configuration,
    drained,
    each,
    fixed,
    play,
    pool,
    release,
    reservation,
)

A = pool("a", "10.0.0.0/28", blockSize=30)
B = pool("b", "10.0.1.0/28", blockSize=30)
SIX = pool("six", "fd00::/124", blockSize=126)

BYPASSED: Rows = {
    "naming a pool passes over its node selector": [
        pool("a", "10.0.0.0/28", nodeSelector="!all()"),
        assign("c1", ipv4pools=["a"], node="n1").inside("a"),
    ],
    "naming a pool passes over its namespace selector": [
        pool("a", "10.0.0.0/28", namespaceSelector="has(team)"),
        assign("c1", ipv4pools=["a"]).inside("a"),
    ],
    "naming a pool passes over its mode": [
        pool("a", "10.0.0.0/28", assignmentMode="Manual"),
        assign("c1", ipv4pools=["a"]).inside("a"),
    ],
    "naming a pool does not pass over its uses": [
        pool("a", "10.0.0.0/28", allowedUses=["Tunnel"]),
        assign("c1", ipv4pools=["a"]).refused("POOL_USE_NOT_ALLOWED", pool="a", use="WORKLOAD"),
        assign("c1", ipv4pools=["a"], use="Tunnel").inside("a"),
    ],
    "naming a pool does not pass over that it is disabled": [
        pool("a", "10.0.0.0/28", disabled=True),
        assign("c1", ipv4pools=["a"]).refused("POOL_DISABLED", pool="a"),
    ],
    "naming a pool does not pass over that it is draining": [
        A,
        drained("a"),
        assign("c1", ipv4pools=["a"]).refused("POOL_DRAINING", pool="a"),
    ],
    "an IPv6 pool in the list for IPv4 is refused": [
        SIX,
        assign("c1", ipv4pools=["six"]).refused("POOL_FAMILY_MISMATCH", pool="six"),
    ],
    "an IPv4 pool in the list for IPv6 is refused": [
        A,
        assign("c1", v4=0, v6=1, ipv6pools=["a"]).refused("POOL_FAMILY_MISMATCH", pool="a"),
    ],
    "naming a pool does not pass over a reservation": [
        A,
        reservation("first", "10.0.0.0/31"),
        assign("c1", ipv4pools=["a"], node="n1").gives("10.0.0.2"),
        reservation("all", "10.0.0.0/24"),
        assign("c2", ipv4pools=["a"], node="n1").refused("POOL_EXHAUSTED", pools="a"),
    ],
    "naming a pool does not pass over the limit of blocks": [
        configuration(strictAffinity=True, maxBlocksPerHost=1),
        A,
        assign("c1", v4=4, ipv4pools=["a"], node="n1"),
        assign("c2", ipv4pools=["a"], node="n1").refused("BLOCK_LIMIT_REACHED", limit="1"),
    ],
    "naming a pool does not pass over that no blocks are opened": [
        configuration(strictAffinity=True, autoAllocateBlocks=False),
        A,
        assign("c1", ipv4pools=["a"], node="n1").refused("BLOCK_ALLOCATION_DISABLED", node="n1"),
    ],
    "naming a pool does not pass over strict affinity": [
        configuration(strictAffinity=True),
        pool("a", "10.0.0.0/30", blockSize=30),
        assign("c1", ipv4pools=["a"], node="n1").inside("a"),
        assign("c2", ipv4pools=["a"], node="n2").refused("POOL_EXHAUSTED"),
    ],
    "naming a pool does not pass over addresses in use": [
        pool("a", "10.0.0.0/32"),
        assign("c1", ipv4pools=["a"]).gives("10.0.0.0"),
        assign("c2", ipv4pools=["a"]).refused("POOL_EXHAUSTED", pools="a"),
    ],
    "naming a pool does not pass over addresses that are cooling": [
        configuration(ipCooldownSeconds=60),
        pool("a", "10.0.0.0/32"),
        assign("c1", ipv4pools=["a"]).gives("10.0.0.0"),
        release("c1"),
        assign("c2", ipv4pools=["a"]).refused("POOL_COOLING", pools="a"),
        later(61),
        assign("c2", ipv4pools=["a"]).gives("10.0.0.0"),
    ],
}

NAMED: Rows = {
    "a pool is named by its id": [A, B, assign("c1", ipv4pools=["b"]).inside("b")],
    "a pool is named by its CIDR": [A, B, assign("c1", ipv4pools=["10.0.1.0/28"]).inside("b")],
    "an IPv6 CIDR may be spelt as it likes": [
        SIX,
        assign("c1", v4=0, v6=1, ipv6pools=["FD00:0::0/124"]).inside("six"),
    ],
    "a part of a pool is not the pool": [
        A,
        assign("c1", ipv4pools=["10.0.0.0/29"]).refused("POOL_NOT_FOUND", pool="10.0.0.0/29"),
    ],
    "a range around a pool is not the pool": [
        A,
        assign("c1", ipv4pools=["10.0.0.0/24"]).refused("POOL_NOT_FOUND", pool="10.0.0.0/24"),
    ],
    "one unknown name fails the request": [
        A,
        assign("c1", ipv4pools=["a", "b"]).refused("POOL_NOT_FOUND", pool="b"),
        allocations().gives(),
    ],
    "one disabled pool fails the request": [
        A,
        pool("off", "10.0.1.0/28", disabled=True),
        assign("c1", ipv4pools=["a", "off"]).refused("POOL_DISABLED", pool="off"),
    ],
    "one draining pool fails the request": [
        A,
        B,
        drained("b"),
        assign("c1", ipv4pools=["a", "b"]).refused("POOL_DRAINING", pool="b"),
    ],
    "one pool of the other family fails the request": [
        A,
        SIX,
        assign("c1", ipv4pools=["a", "six"]).refused("POOL_FAMILY_MISMATCH", pool="six"),
    ],
    "new blocks are opened in the order given": [
        A,
        B,
        assign("c1", ipv4pools=["b", "a"], node="n1").inside("b"),
        assign("c2", ipv4pools=["a", "b"], node="n2").inside("a"),
    ],
    "the order given wins over priorities": [
        pool("a", "10.0.0.0/28", priority=9),
        B,
        assign("c1", ipv4pools=["b", "a"], node="n1").inside("b"),
    ],
    "the second pool is drawn from when the first is full": [
        pool("a", "10.0.0.0/32"),
        pool("b", "10.0.1.0/32"),
        assign("c1", ipv4pools=["b", "a"], node="n1").inside("b"),
        assign("c2", ipv4pools=["b", "a"], node="n1").inside("a"),
    ],
    "pools that are not named are never drawn from": [
        pool("a", "10.0.0.0/32"),
        B,
        assign("c1", ipv4pools=["a"]).inside("a"),
        assign("c2", ipv4pools=["a"]).refused("POOL_EXHAUSTED", pools="a"),
    ],
    "a pool named twice counts once": [
        pool("a", "10.0.0.0/32"),
        assign("c1", ipv4pools=["a", "10.0.0.0/32"]).inside("a"),
        assign("c2", ipv4pools=["a", "10.0.0.0/32"]).refused("POOL_EXHAUSTED", size="1"),
    ],
    "an empty list is no constraint": [A, assign("c1", ipv4pools=[]).inside("a")],
    "each family has its own list": [
        A,
        B,
        SIX,
        assign("c1", v4=1, v6=1, ipv4pools=["b"], ipv6pools=["six"]).inside("b", "six"),
    ],
    "a list constrains its family alone": [
        A,
        B,
        SIX,
        assign("c1", v4=1, v6=1, ipv4pools=["b"]).inside("b", "six"),
    ],
    "a fixed address needs no list": [A, fixed("c1", "10.0.0.9").inside("a")],
}


@each(BYPASSED)
def test_what_naming_a_pool_passes_over(stage: Stage, row: Row) -> None:
    play(stage, row)


@each(NAMED)
def test_pools_that_are_named(stage: Stage, row: Row) -> None:
    play(stage, row)
