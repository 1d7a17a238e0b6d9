"""Which pools serve a request that names none."""

from acceptance.calico.ground import (
    Row,
    Rows,
    Stage,
    activated,
    assign,
    drained,
    each,
    namespace,
    node,
    play,
    pool,
    pool_changed,
)

A = pool("a", "10.0.0.0/28", blockSize=30)
B = pool("b", "10.0.1.0/28", blockSize=30)
SIX = pool("six", "fd00::/124", blockSize=126)

ELIGIBLE: Rows = {
    "without a pool nothing is assigned": [
        assign().refused("NO_ELIGIBLE_POOL", family="IPV4"),
    ],
    "a pool without selectors serves everybody": [
        A,
        assign("c1").inside("a"),
        assign("c2", node="n1", namespace="shop").inside("a"),
    ],
    "a disabled pool is passed over": [
        pool("a", "10.0.0.0/28", disabled=True),
        B,
        assign("c1", node="n1").inside("b"),
    ],
    "a pool that is disabled serves no longer": [
        A,
        assign("c1", node="n1").inside("a"),
        pool_changed("a", disabled=True),
        assign("c2", node="n1").refused("NO_ELIGIBLE_POOL", '"a"', "disabled"),
        pool_changed("a", disabled=False),
        assign("c2", node="n1").inside("a"),
    ],
    "a draining pool is passed over, until it is activated again": [
        A,
        drained("a"),
        assign("c1", node="n1").refused("NO_ELIGIBLE_POOL", '"a"', "draining"),
        activated("a"),
        assign("c1", node="n1").inside("a"),
    ],
    "a pool of the other family is not looked at": [
        SIX,
        assign("c1", v4=1).refused("NO_ELIGIBLE_POOL", family="IPV4"),
        assign("c1", v4=0, v6=1).inside("six"),
    ],
    "the node selector must match": [
        node("n1", zone="east"),
        pool("west", "10.0.0.0/28", nodeSelector="zone == 'west'"),
        assign("c1", node="n1").refused("NO_ELIGIBLE_POOL", 'zone == "west"', node="n1"),
        node("n1", zone="west"),
        assign("c1", node="n1").inside("west"),
    ],
    "a node that nobody recorded has no labels": [
        pool("zoned", "10.0.0.0/28", nodeSelector="has(zone)"),
        assign("c1", node="n1").refused("NO_ELIGIBLE_POOL"),
    ],
    "a missing label satisfies != and not in": [
        pool("a", "10.0.0.0/28", nodeSelector="zone != 'west' && zone not in {'north'}"),
        assign("c1", node="n1").inside("a"),
    ],
    "a missing label satisfies none of ==, in, contains": [
        pool("a", "10.0.0.0/28", nodeSelector="zone == ''"),
        pool("b", "10.0.1.0/28", nodeSelector="zone in {'', 'east'}"),
        pool("c", "10.0.2.0/28", nodeSelector="zone contains ''"),
        assign("c1", node="n1").refused("NO_ELIGIBLE_POOL", '"a"', '"b"', '"c"'),
    ],
    "the namespace selector must match": [
        namespace("shop", team="red"),
        pool("blue", "10.0.0.0/28", namespaceSelector="team == 'blue'"),
        assign("c1", namespace="shop").refused("NO_ELIGIBLE_POOL", namespace="shop"),
        namespace("shop", team="blue"),
        assign("c1", namespace="shop").inside("blue"),
    ],
    "a namespace that is not told of has no labels": [
        pool("blue", "10.0.0.0/28", namespaceSelector="has(team)"),
        assign("c1", namespace="shop").refused("NO_ELIGIBLE_POOL"),
    ],
    "both selectors must match": [
        node("n1", zone="east"),
        namespace("shop", team="blue"),
        pool(
            "both",
            "10.0.0.0/28",
            nodeSelector="zone == 'east'",
            namespaceSelector="team == 'blue'",
        ),
        assign("c1", node="n1").refused("NO_ELIGIBLE_POOL", "namespace"),
        assign("c1", namespace="shop").refused("NO_ELIGIBLE_POOL", "node"),
        assign("c1", node="n1", namespace="shop").inside("both"),
    ],
    "a manual pool serves no request that does not name it": [
        pool("a", "10.0.0.0/28", assignmentMode="Manual"),
        assign("c1").refused("NO_ELIGIBLE_POOL", '"a"', "MANUAL"),
        B,
        assign("c1").inside("b"),
    ],
    "the use must be allowed": [
        pool("tunnels", "10.0.0.0/28", allowedUses=["Tunnel"]),
        assign("c1").refused("NO_ELIGIBLE_POOL", "WORKLOAD", use="WORKLOAD"),
        assign("c1", use="Tunnel").inside("tunnels"),
    ],
    "a pool without uses allows workloads and tunnels": [
        A,
        assign("c1", use="Workload").inside("a"),
        assign("c2", use="Tunnel").inside("a"),
        assign("c3", use="LoadBalancer").refused("NO_ELIGIBLE_POOL", use="LOAD_BALANCER"),
    ],
    "a pool for load balancers serves nobody else": [
        pool("public", "10.0.0.0/28", allowedUses=["LoadBalancer"]),
        assign("c1", use="LoadBalancer").inside("public"),
        assign("c2").refused("NO_ELIGIBLE_POOL"),
    ],
    "pools are tried in order of name, whichever came first": [
        B,
        A,
        assign("c1", node="n1").inside("a"),
    ],
    "a pool of higher priority is tried before a name": [
        A,
        pool("b", "10.0.1.0/28", priority=1),
        assign("c1", node="n1").inside("b"),
    ],
}


@each(ELIGIBLE)
def test_pools_that_serve_a_request(stage: Stage, row: Row) -> None:
    play(stage, row)
