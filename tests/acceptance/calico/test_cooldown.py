"""For how long a released address is kept from other workloads, and from whom it is not."""

import datetime

from acceptance.calico.clock import later
from acceptance.calico.ground import (
    Row,
    Rows,
    Stage,
    allocations,
    assign,
    blocks,
    configuration,
    drained,
    each,
    explain,
    fixed,
    holder,
    node,
    node_removed,
    play,
    pool,
    pool_changed,
    pool_removed,
    release,
    reservation,
    usage,
)
from moorage.v1 import allocation_service_pb2 as messages

MINUTE = configuration(ipCooldownSeconds=60)
ONE = pool("a", "10.0.0.0/30", blockSize=30)
SINGLE = pool("a", "10.0.0.0/32")
COOLED = [MINUTE, SINGLE, assign("c1", namespace="shop", pod="web-0"), release("c1")]
OWNED = [MINUTE, SINGLE, assign("c1", pod="web-0", owner="web"), release("c1")]

KEPT: Rows = {
    "without a cool-down an address is given at once": [
        SINGLE,
        assign("c1"),
        release("c1"),
        assign("c2").gives("10.0.0.0"),
    ],
    "an address that cools is not given to another": [
        *COOLED,
        assign("c2").refused("POOL_COOLING", pools="a", cooling="1", family="IPV4"),
    ],
    "nor to another pod of the same namespace": [
        *COOLED,
        assign("c2", namespace="shop", pod="web-1").refused("POOL_COOLING"),
    ],
    "nor to a pod of the same name in another namespace": [
        *COOLED,
        assign("c2", namespace="bank", pod="web-0").refused("POOL_COOLING"),
    ],
    "nor to another by name": [
        *COOLED,
        fixed("c2", "10.0.0.0").refused("ADDRESS_COOLING", address="10.0.0.0", pool="a"),
    ],
    "nor to another who names the pool": [
        *COOLED,
        assign("c2", ipv4pools=["a"]).refused("POOL_COOLING", pools="a"),
    ],
    "others are given what is free": [
        MINUTE,
        ONE,
        assign("c1", node="n1").gives("10.0.0.0"),
        release("c1"),
        assign("c2", node="n1", v4=3).gives("10.0.0.1", "10.0.0.2", "10.0.0.3"),
        assign("c3", node="n1").refused("POOL_COOLING", cooling="1"),
    ],
    "another pool that has room is drawn from": [
        *COOLED,
        pool("b", "10.0.1.0/32"),
        assign("c2").inside("b"),
        assign("c3").refused("POOL_COOLING", pools="a,b"),
    ],
    "where all that is left is in use, the pool is exhausted, not cooling": [
        MINUTE,
        SINGLE,
        assign("c1"),
        assign("c2").refused("POOL_EXHAUSTED"),
    ],
    "an address that cools and is reserved is nothing to wait for": [
        *COOLED,
        reservation("quiet", "10.0.0.0"),
        assign("c2").refused("POOL_EXHAUSTED", reserved="1"),
    ],
    "of several candidates one that is free comes before one that cools": [
        MINUTE,
        ONE,
        assign("c1", node="n1"),
        release("c1"),
        fixed("c2", ["10.0.0.0", "10.0.0.3"], node="n1").gives("10.0.0.3"),
    ],
    "where one candidate is held and one cools, one is cooling": [
        MINUTE,
        ONE,
        fixed("c1", "10.0.0.1", node="n1"),
        fixed("c2", "10.0.0.2", node="n1"),
        release("c2"),
        fixed("c3", ["10.0.0.1", "10.0.0.2"], node="n1").refused(
            "ADDRESS_COOLING", address="10.0.0.2"
        ),
    ],
}

RETURNED: Rows = {
    "the same pod may have it back at once": [
        *COOLED,
        assign("c2", namespace="shop", pod="web-0").gives("10.0.0.0"),
    ],
    "the same pod may have it back by name": [
        *COOLED,
        fixed("c2", "10.0.0.0", namespace="shop", pod="web-0").gives("10.0.0.0"),
    ],
    "the same owner may have it back for another pod": [
        *OWNED,
        assign("c2", pod="web-1", owner="web").gives("10.0.0.0"),
    ],
    "the same owner may have it back by name": [
        *OWNED,
        fixed("c2", "10.0.0.0", pod="web-1", owner="web").gives("10.0.0.0"),
    ],
    "another owner may not": [
        *OWNED,
        assign("c2", pod="web-1", owner="mail").refused("POOL_COOLING"),
    ],
    "what was taken back cools no longer": [
        *COOLED,
        fixed("c2", "10.0.0.0", namespace="shop", pod="web-0"),
        usage("a").counts(assigned=1, cooling=0),
        holder("10.0.0.0").shows(address="10.0.0.0"),
    ],
    "when the time has passed, anybody may have it": [
        *COOLED,
        later(59),
        assign("c2").refused("POOL_COOLING"),
        later(2),
        assign("c2").gives("10.0.0.0"),
    ],
    "when the time has passed, anybody may have it by name": [
        *COOLED,
        later(61),
        fixed("c2", "10.0.0.0").gives("10.0.0.0"),
    ],
    "addresses that are ready join the queue in order": [
        MINUTE,
        ONE,
        assign("c1", node="n1").gives("10.0.0.0"),
        assign("c2", node="n1").gives("10.0.0.1"),
        release("c2"),
        release("c1"),
        later(61),
        assign("c3", node="n1", v4=4).gives("10.0.0.2", "10.0.0.3", "10.0.0.0", "10.0.0.1"),
    ],
    "a cool-down of 0 keeps nothing": [
        MINUTE,
        configuration(ipCooldownSeconds=0),
        SINGLE,
        assign("c1"),
        release("c1"),
        usage("a").counts(cooling=0, available=1),
        assign("c2").gives("10.0.0.0"),
    ],
    "a cool-down begins with releases after it is set": [
        SINGLE,
        assign("c1"),
        release("c1"),
        MINUTE,
        assign("c2").gives("10.0.0.0"),
    ],
}

COUNTED: Rows = {
    "an address that cools counts as neither assigned nor available": [
        MINUTE,
        ONE,
        assign("c1", node="n1", v4=2),
        release("c1"),
        usage("a").counts(capacity=4, assigned=0, cooling=2, available=2),
        blocks("a").block_counts("10.0.0.0/30", assigned=0, cooling=2, available=2),
    ],
    "nobody holds an address that cools": [
        *COOLED,
        holder("10.0.0.0").refused("ALLOCATION_NOT_FOUND"),
        allocations().gives(),
    ],
    "releasing again succeeds and changes nothing": [
        *COOLED,
        release("c1").gives(),
        usage("a").counts(cooling=1),
    ],
    "when the time has passed, it counts as available": [
        *COOLED,
        later(61),
        usage("a").counts(cooling=0, available=1),
    ],
    "a block of no node stays while an address of it cools": [
        MINUTE,
        ONE,
        node("n1"),
        assign("c1", node="n1"),
        node_removed("n1"),
        release("c1"),
        blocks("a").lists("10.0.0.0/30").block_counts("10.0.0.0/30", cooling=1),
        assign("c2").in_range("10.0.0.1/32"),
    ],
    "a pool with addresses that cool can be deleted": [
        *COOLED,
        pool_removed("a"),
    ],
}

# A block whose addresses have cooled down is as empty as one that never cooled.
COLD: Rows = {
    "it is taken over when it has long been idle": [
        configuration(strictAffinity=True, ipCooldownSeconds=60),
        ONE,
        assign("c1", node="n1"),
        release("c1"),
        later(61),
        assign("c2", node="n2").in_range("10.0.0.0/30"),
        blocks("a").lists("10.0.0.0/30 n2"),
    ],
    "it vanishes when its node is deleted": [
        MINUTE,
        ONE,
        node("n1"),
        assign("c1", node="n1"),
        release("c1"),
        later(61),
        node_removed("n1"),
        blocks("a").lists(),
    ],
    "it vanishes when its pool is drained": [
        MINUTE,
        ONE,
        assign("c1", node="n1"),
        release("c1"),
        later(61),
        drained("a"),
        blocks("a").lists(),
    ],
    "it vanishes when its node asks, and its pool selects it no longer": [
        MINUTE,
        ONE,
        pool("b", "10.0.1.0/30"),
        assign("c1", node="n1", ipv4pools=["a"]),
        release("c1"),
        later(61),
        pool_changed("a", nodeSelector="!all()"),
        assign("c2", node="n1").inside("b"),
        blocks("a").lists(),
    ],
}


@each(COLD)
def test_a_block_that_has_cooled_down_is_empty(stage: Stage, row: Row) -> None:
    play(stage, row)


@each(KEPT)
def test_a_released_address_is_kept_from_others(stage: Stage, row: Row) -> None:
    play(stage, row)


@each(RETURNED)
def test_a_released_address_comes_back(stage: Stage, row: Row) -> None:
    play(stage, row)


@each(COUNTED)
def test_an_address_that_cools_is_counted_as_such(stage: Stage, row: Row) -> None:
    play(stage, row)


def test_who_is_refused_is_told_when_to_ask_again(stage: Stage) -> None:
    before = datetime.datetime.now(datetime.UTC)
    play(stage, COOLED)
    for refused in (assign("c2"), fixed("c2", "10.0.0.0")):
        answer = play(stage, [explain(refused)])
        assert isinstance(answer, messages.ExplainAssignResponse)
        ready_time = datetime.datetime.fromisoformat(answer.refusal.metadata["ready_time"])
        after = datetime.datetime.now(datetime.UTC)
        # The time is told in whole seconds.
        least, most = datetime.timedelta(seconds=59), datetime.timedelta(seconds=61)
        assert before + least <= ready_time <= after + most
