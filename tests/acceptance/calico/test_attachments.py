"""The attachment is the key of what is held: repeats, contradictions, late calls, queries."""

from acceptance.calico.ground import (
    Row,
    Rows,
    Stage,
    allocations,
    assign,
    drained,
    each,
    fixed,
    holder,
    play,
    pool,
    pool_changed,
    release,
)

A = pool("a", "10.0.0.0/28", blockSize=30)
B = pool("b", "10.0.1.0/28", blockSize=30)
SIX = pool("six", "fd00::/124", blockSize=126)

REPEATED: Rows = {
    "a repeat returns what is held, with the same generations": [
        A,
        SIX,
        assign("c1", v4=2, v6=1, node="n1").kept("first"),
        assign("c1", v4=2, v6=1, node="n1").same_as("first"),
        allocations().same_as("first"),
    ],
    "a repeat from elsewhere returns what is held": [
        A,
        assign("c1", node="n1").kept("first"),
        assign("c1", node="n2").same_as("first"),
    ],
    "a repeat is answered although the pool is disabled now": [
        A,
        assign("c1", node="n1").kept("first"),
        pool_changed("a", disabled=True),
        assign("c1", node="n1").same_as("first"),
    ],
    "a repeat is answered although the pool is draining now": [
        A,
        assign("c1", node="n1").kept("first"),
        drained("a"),
        assign("c1", node="n1").same_as("first"),
    ],
    "a repeat is answered although the pool is full now": [
        pool("a", "10.0.0.0/32"),
        assign("c1").kept("first"),
        assign("c2").refused("POOL_EXHAUSTED"),
        assign("c1").same_as("first"),
    ],
    "another container of the same pod holds an address of its own": [
        A,
        assign("c1", node="n1", pod="web-0").gives("10.0.0.0"),
        assign("c2", node="n1", pod="web-0").gives("10.0.0.1"),
        release("c1").gives("10.0.0.0"),
        allocations().gives("10.0.0.1"),
    ],
    "names are matched exactly": [
        A,
        assign("c1", node="n1").gives("10.0.0.0"),
        assign("C1", node="n1").gives("10.0.0.1"),
        assign("c1.", node="n1").gives("10.0.0.2"),
    ],
    "a later call that fails releases nothing": [
        A,
        assign("c1", node="n1").kept("first"),
        assign("c2", v4=7, v6=1, node="n1").refused("NO_ELIGIBLE_POOL"),
        assign("c1", node="n1").same_as("first"),
        allocations().same_as("first"),
    ],
}

CONTRADICTED: Rows = {
    "more addresses than are held": [
        A,
        assign("c1").kept("first"),
        assign("c1", v4=2).refused("ATTACHMENT_CHANGED", network="pods", interface="eth0"),
        assign("c1").same_as("first"),
    ],
    "fewer addresses than are held": [
        A,
        assign("c1", v4=2),
        assign("c1").refused("ATTACHMENT_CHANGED", container_id="c1"),
    ],
    "the other family": [
        A,
        SIX,
        assign("c1"),
        assign("c1", v4=0, v6=1).refused("ATTACHMENT_CHANGED"),
    ],
    "another pool": [
        A,
        B,
        assign("c1", ipv4pools=["a"]).kept("first"),
        assign("c1", ipv4pools=["b"]).refused("ATTACHMENT_CHANGED"),
        assign("c1", ipv4pools=["b", "a"]).same_as("first"),
    ],
    "another address": [
        A,
        fixed("c1", "10.0.0.9").kept("first"),
        fixed("c1", "10.0.0.8").refused("ATTACHMENT_CHANGED"),
        fixed("c1", ["10.0.0.8", "10.0.0.9"]).same_as("first"),
        assign("c1").same_as("first"),
    ],
}

STAMPED: Rows = {
    "an assign that began before the release is refused": [
        A,
        assign("c1", began=10),
        release("c1", began=20).gives("10.0.0.0"),
        assign("c1", began=15).refused("ATTACHMENT_RELEASED", container_id="c1"),
        allocations().gives(),
    ],
    "a release that overtakes its assign still wins": [
        A,
        release("c1", began=20).gives(),
        assign("c1", began=10).refused("ATTACHMENT_RELEASED"),
    ],
    "an assign that began after the release is served": [
        A,
        assign("c1", began=10),
        release("c1", began=20),
        assign("c1", began=30).in_range("10.0.0.0/28"),
    ],
    "a release that began before the assign frees nothing": [
        A,
        assign("c1", began=20).kept("first"),
        release("c1", began=10).gives(),
        allocations().same_as("first"),
    ],
    "a release that began before a repeat frees nothing": [
        A,
        assign("c1", began=10).kept("first"),
        assign("c1", began=30).same_as("first"),
        release("c1", began=20).gives(),
        allocations().same_as("first"),
    ],
}

ASKED: Rows = {
    "who holds an address is told with all that was said": [
        A,
        assign("c1", node="n1", namespace="shop", owner="shop/web-0", labels={"tier": "front"}),
        holder("10.0.0.0").shows(
            ownerKey="shop/web-0", labels={"tier": "front"}, use="USE_WORKLOAD"
        ),
    ],
    "nobody holds an address that is free": [
        A,
        holder("10.0.0.0").refused("ALLOCATION_NOT_FOUND", address="10.0.0.0"),
    ],
    "nobody holds an address that is in no pool": [
        holder("10.0.0.0").refused("ALLOCATION_NOT_FOUND", address="10.0.0.0"),
    ],
    "an attachment that is not known holds nothing, which is no error": [
        A,
        allocations(attachment={"containerId": "c1"}).gives(),
    ],
    "what an attachment holds is listed by it": [
        A,
        SIX,
        assign("c1", v4=1, v6=1, node="n1"),
        assign("c2", node="n1"),
        allocations(attachment={"containerId": "c1"}).gives("10.0.0.0", "fd00::"),
    ],
    "what an owner holds is listed by it": [
        A,
        assign("c1", owner="shop/web-0", node="n1"),
        assign("c2", owner="shop/web-1", node="n1"),
        allocations(ownerKey="shop/web-1").gives("10.0.0.1"),
    ],
    "what a node's pods hold is listed by it": [
        A,
        assign("c1", node="n1"),
        assign("c2", node="n2"),
        allocations(workload={"node": "n2"}).gives("10.0.0.4"),
    ],
}


@each(REPEATED)
def test_the_same_attachment_again(stage: Stage, row: Row) -> None:
    play(stage, row)


@each(CONTRADICTED)
def test_an_attachment_is_not_given_something_else(stage: Stage, row: Row) -> None:
    play(stage, row)


@each(STAMPED)
def test_late_calls_change_nothing(stage: Stage, row: Row) -> None:
    play(stage, row)


@each(ASKED)
def test_who_holds_what(stage: Stage, row: Row) -> None:
    play(stage, row)
