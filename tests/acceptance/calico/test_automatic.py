"""Where in its pools an automatic address comes from: own blocks, a new one, another's."""

from acceptance.calico.clock import later
from acceptance.calico.ground import (
    Row,
    Rows,
    Stage,
    assign,
    blocks,
    configuration,
    each,
    play,
    pool,
    release,
    reservation,
)

A = pool("a", "10.0.0.0/28", blockSize=30)
ONE = pool("a", "10.0.0.0/30", blockSize=30)
TWO = pool("a", "10.0.0.0/29", blockSize=30)
STRICT = configuration(strictAffinity=True)

OWN: Rows = {
    "a node draws from its own block": [
        A,
        assign("c1", node="n1").gives("10.0.0.0"),
        assign("c2", node="n2").gives("10.0.0.4"),
        assign("c3", node="n1").gives("10.0.0.1"),
        blocks("a").lists("10.0.0.0/30 n1", "10.0.0.4/30 n2"),
    ],
    "an own block in the second pool comes before a new one in the first": [
        A,
        pool("b", "10.0.1.0/28", blockSize=30),
        assign("c1", ipv4pools=["b"], node="n1").inside("b"),
        assign("c2", node="n1").inside("b"),
    ],
    "also where both pools are named, the other first": [
        A,
        pool("b", "10.0.1.0/28", blockSize=30),
        assign("c1", ipv4pools=["b"], node="n1").inside("b"),
        assign("c2", ipv4pools=["a", "b"], node="n1").inside("b"),
    ],
    "own blocks are drawn from in order of address, not of pools": [
        pool("z", "10.0.0.0/28", blockSize=30),
        pool("b", "10.0.1.0/28", blockSize=30),
        assign("c1", ipv4pools=["b"], node="n1"),
        assign("c2", ipv4pools=["z"], node="n1", v4=4).in_range("10.0.0.0/30"),
        release("c2"),
        assign("c3", node="n1").in_range("10.0.0.0/30"),
    ],
    "an own block of a pool that is not named is not drawn from": [
        A,
        pool("b", "10.0.1.0/28", blockSize=30),
        assign("c1", ipv4pools=["b"], node="n1").inside("b"),
        assign("c2", ipv4pools=["a"], node="n1").inside("a"),
    ],
    "a pool of higher priority comes before an own block": [
        pool("a", "10.0.0.0/28", blockSize=30),
        pool("b", "10.0.1.0/28", blockSize=30, priority=5),
        assign("c1", ipv4pools=["a"], node="n1").inside("a"),
        assign("c2", node="n1").inside("b"),
    ],
    "an own block that is wholly reserved is passed over": [
        A,
        assign("c1", node="n1").gives("10.0.0.0"),
        reservation("quiet", "10.0.0.0/30"),
        assign("c2", node="n1").gives("10.0.0.4"),
    ],
    "an own block that is full is passed over": [
        A,
        assign("c1", node="n1", v4=4).in_range("10.0.0.0/30"),
        assign("c2", node="n1").gives("10.0.0.4"),
        blocks("a", node="n1").lists("10.0.0.0/30 n1", "10.0.0.4/30 n1"),
    ],
    "an empty own block is drawn from before a new one is opened": [
        A,
        assign("c1", node="n1").gives("10.0.0.0"),
        release("c1"),
        assign("c2", node="n1").in_range("10.0.0.0/30"),
        blocks("a").lists("10.0.0.0/30 n1"),
    ],
    "where blocks belong to no node, nodes share one": [
        pool("a", "10.0.0.0/28", blockSize=30, blockAffinity="None"),
        assign("c1", node="n1").gives("10.0.0.0"),
        assign("c2", node="n2").gives("10.0.0.1"),
        blocks("a").lists("10.0.0.0/30"),
    ],
    "strict affinity says nothing about blocks that belong to no node": [
        STRICT,
        pool("a", "10.0.0.0/30", blockSize=30, blockAffinity="None"),
        assign("c1", node="n1").gives("10.0.0.0"),
        assign("c2", node="n2").gives("10.0.0.1"),
    ],
    "a request without a node opens a block of no node": [
        A,
        assign("c1").gives("10.0.0.0"),
        assign("c2").gives("10.0.0.1"),
        blocks("a").lists("10.0.0.0/30"),
    ],
}

NEW: Rows = {
    "a block that is wholly reserved is never opened": [
        A,
        reservation("quiet", "10.0.0.0/30"),
        assign("c1", node="n1").gives("10.0.0.4"),
    ],
    "several reservations together cover a block": [
        A,
        reservation("half", "10.0.0.0/31"),
        reservation("other", "10.0.0.2/32", "10.0.0.3"),
        assign("c1", node="n1").gives("10.0.0.4"),
    ],
    "a new block of the second pool comes before another's in the first": [
        ONE,
        pool("b", "10.0.1.0/30", blockSize=30),
        assign("c1", node="n1").inside("a"),
        assign("c2", node="n2").inside("b"),
    ],
    "a block that is not open comes before an idle one of another node": [
        A,
        assign("c1", node="n1").gives("10.0.0.0"),
        release("c1"),
        later(120),
        assign("c2", node="n2").gives("10.0.0.4"),
        blocks("a").lists("10.0.0.0/30 n1", "10.0.0.4/30 n2"),
    ],
    "one request may open several blocks": [
        TWO,
        assign("c1", node="n1", v4=8).in_range("10.0.0.0/29"),
        blocks("a").lists("10.0.0.0/30 n1", "10.0.0.4/30 n1"),
    ],
}

TAKEOVER: Rows = {
    "an empty block that was claimed a minute ago is taken over": [
        TWO,
        assign("c1", node="n1").gives("10.0.0.0"),
        assign("c2", node="n2").gives("10.0.0.4"),
        release("c1"),
        later(61),
        assign("c3", node="n3").in_range("10.0.0.0/30"),
        blocks("a").lists("10.0.0.0/30 n3", "10.0.0.4/30 n2"),
    ],
    "not before a minute: it is borrowed from": [
        ONE,
        assign("c1", node="n1"),
        release("c1"),
        assign("c2", node="n2").in_range("10.0.0.0/30"),
        blocks("a").lists("10.0.0.0/30 n1"),
    ],
    "nor under strict affinity": [
        STRICT,
        ONE,
        assign("c1", node="n1"),
        release("c1"),
        later(30),
        assign("c2", node="n2").refused("POOL_EXHAUSTED", pools="a"),
        later(31),
        assign("c2", node="n2").in_range("10.0.0.0/30"),
        blocks("a").lists("10.0.0.0/30 n2"),
    ],
    "a block with an address in use is never taken over": [
        ONE,
        assign("c1", node="n1"),
        later(3600),
        assign("c2", node="n2").in_range("10.0.0.0/30"),
        blocks("a").lists("10.0.0.0/30 n1"),
    ],
    "a block with an address that cools is never taken over": [
        configuration(ipCooldownSeconds=1200),
        ONE,
        assign("c1", node="n1"),
        release("c1"),
        later(600),
        assign("c2", node="n2").in_range("10.0.0.0/30"),
        blocks("a").lists("10.0.0.0/30 n1"),
    ],
    "taking over comes before borrowing": [
        TWO,
        assign("c1", node="n1").gives("10.0.0.0"),
        assign("c2", node="n2").gives("10.0.0.4"),
        release("c2"),
        later(61),
        assign("c3", node="n3").in_range("10.0.0.4/30"),
        blocks("a").lists("10.0.0.0/30 n1", "10.0.0.4/30 n3"),
    ],
    "the minute begins again with the new owner": [
        STRICT,
        ONE,
        assign("c1", node="n1"),
        release("c1"),
        later(61),
        assign("c2", node="n2"),
        release("c2"),
        assign("c3", node="n3").refused("POOL_EXHAUSTED"),
    ],
    "an idle block that is wholly reserved is not taken over": [
        STRICT,
        ONE,
        assign("c1", node="n1"),
        release("c1"),
        reservation("quiet", "10.0.0.0/30"),
        later(61),
        assign("c2", node="n2").refused("POOL_EXHAUSTED", reserved="4"),
        blocks("a").lists("10.0.0.0/30 n1"),
    ],
    "the new owner's queue goes on where the old one's stood": [
        ONE,
        assign("c1", node="n1").gives("10.0.0.0"),
        release("c1"),
        later(61),
        assign("c2", node="n2").gives("10.0.0.1"),
    ],
}

BORROWED: Rows = {
    "when every block is another's, one is borrowed from": [
        ONE,
        assign("c1", node="n1").gives("10.0.0.0"),
        assign("c2", node="n2").gives("10.0.0.1"),
    ],
    "borrowing changes no owner": [
        ONE,
        assign("c1", node="n1"),
        assign("c2", node="n2"),
        release("c1"),
        blocks("a").lists("10.0.0.0/30 n1"),
    ],
    "a borrower may fill the block of another": [
        ONE,
        assign("c1", node="n1"),
        assign("c2", node="n2", v4=3).in_range("10.0.0.0/30"),
        assign("c3", node="n1").refused("POOL_EXHAUSTED", pools="a", size="4", assigned="4"),
    ],
    "under strict affinity nothing is borrowed": [
        STRICT,
        ONE,
        assign("c1", node="n1").gives("10.0.0.0"),
        assign("c2", node="n2").refused("POOL_EXHAUSTED", pools="a"),
        assign("c3", node="n1").gives("10.0.0.1"),
    ],
    "strict affinity takes effect on the next request": [
        ONE,
        assign("c1", node="n1"),
        assign("c2", node="n2").gives("10.0.0.1"),
        STRICT,
        assign("c3", node="n2").refused("POOL_EXHAUSTED"),
        configuration(strictAffinity=False),
        assign("c3", node="n2").gives("10.0.0.2"),
    ],
    "what was borrowed stays when affinity becomes strict": [
        ONE,
        assign("c1", node="n1"),
        assign("c2", node="n2").gives("10.0.0.1").kept("borrowed"),
        STRICT,
        assign("c2", node="n2").same_as("borrowed"),
    ],
}


@each({**OWN, **NEW})
def test_own_blocks_come_first_then_a_new_one(stage: Stage, row: Row) -> None:
    play(stage, row)


@each(TAKEOVER)
def test_idle_blocks_of_others_are_taken_over(stage: Stage, row: Row) -> None:
    play(stage, row)


@each(BORROWED)
def test_blocks_of_others_are_borrowed_from(stage: Stage, row: Row) -> None:
    play(stage, row)
