"""In which order the addresses of a block are given, and which of them never are."""

from acceptance.calico.ground import (
    Row,
    Rows,
    Stage,
    assign,
    each,
    fixed,
    play,
    pool,
    release,
    reservation,
    reservation_removed,
)

ONE = pool("a", "10.0.0.0/30", blockSize=30)

QUEUE: Rows = {
    "addresses come back first in, first out": [
        ONE,
        *(
            step
            for number in (0, 1, 2, 3, 0)
            for step in (assign(node="n1").gives(f"10.0.0.{number}"), release())
        ),
    ],
    "a reserved address keeps its place in the queue": [
        ONE,
        reservation("first", "10.0.0.0"),
        assign("c1", node="n1").gives("10.0.0.1"),
        reservation_removed("first"),
        assign("c2", node="n1").gives("10.0.0.0"),
    ],
    "a fixed address leaves the order of the others": [
        ONE,
        fixed("c1", "10.0.0.1", node="n1"),
        assign("c2", node="n1", v4=3).gives("10.0.0.0", "10.0.0.2", "10.0.0.3"),
    ],
    ".0 and .255 are addresses like others": [
        pool("low", "10.0.1.0/31", blockSize=31, priority=1),
        pool("high", "10.0.0.254/31", blockSize=31),
        assign("c1", node="n1", v4=2, ipv4pools=["low"]).gives("10.0.1.0", "10.0.1.1"),
        assign("c2", node="n1", v4=2, ipv4pools=["high"]).gives("10.0.0.254", "10.0.0.255"),
    ],
    "the first and the last of an IPv6 pool are, too": [
        pool("six", "fd00::/127", blockSize=127),
        assign("c1", node="n1", v4=0, v6=2).gives("fd00::", "fd00::1"),
    ],
    "excluded ranges are not": [
        pool("a", "10.0.0.0/30", blockSize=30, excludedRanges=["10.0.0.0-10.0.0.1"]),
        assign("c1", node="n1", v4=2).gives("10.0.0.2", "10.0.0.3"),
        assign("c2", node="n1").refused("POOL_EXHAUSTED", reserved="2"),
    ],
    "nor network addresses, where the pool is one link": [
        pool("a", "10.0.0.0/30", blockSize=30, excludeNetworkAddresses=True),
        assign("c1", node="n1", v4=2).gives("10.0.0.1", "10.0.0.2"),
        assign("c2", node="n1").refused("POOL_EXHAUSTED"),
    ],
    "nor the gateway": [
        pool("a", "10.0.0.0/31", blockSize=31, gateway="10.0.0.0"),
        assign("c1", node="n1").gives("10.0.0.1"),
        assign("c2", node="n1").refused("POOL_EXHAUSTED"),
    ],
}


@each(QUEUE)
def test_addresses_of_a_block_come_in_order(stage: Stage, row: Row) -> None:
    play(stage, row)
