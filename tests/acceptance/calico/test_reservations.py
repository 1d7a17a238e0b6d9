"""What reservations hide and what they do not, as for Calico's IPReservation."""

import pytest

from acceptance.calico.ground import (
    Row,
    Rows,
    Stage,
    assign,
    blocks,
    each,
    fixed,
    holder,
    play,
    pool,
    release,
    reservation,
    reservation_changed,
    reservation_removed,
    reservation_shown,
    usage,
)

ALL_USES = {"Workload": ["Workload"], "Tunnel": ["Tunnel"], "LoadBalancer": ["LoadBalancer"]}

# One way of writing, and how it is stored.
ENTRIES: dict[str, tuple[str, str]] = {
    "a bare IPv4 address": ("10.0.0.0", "10.0.0.0/32"),
    "a bare IPv6 address": ("fd00::", "fd00::/128"),
    "an IPv4-mapped address": ("::ffff:10.0.0.0", "10.0.0.0/32"),
    "a CIDR": ("10.0.0.0/30", "10.0.0.0/30"),
    "a CIDR in another spelling": ("FD00:0::/120", "fd00::/120"),
    "everything": ("0.0.0.0/0", "0.0.0.0/0"),
}
MALFORMED: dict[str, tuple[str, str]] = {
    "garbage": ("garbage", "not an IPv4 or IPv6 address"),
    "a length beyond the family": ("10.0.1.0/33", "at most 32"),
    "nothing": ("", "not an IPv4 or IPv6 address"),
    "blanks around": (" 10.0.0.1 ", "not an IPv4 or IPv6 address"),
    "host bits": ("10.0.0.5/24", "did you mean 10.0.0.0/24?"),
    "a zone": ("fe80::1%eth0", "zones"),
    "leading zeros": ("010.0.0.1", "leading zeros"),
    "a netmask": ("10.0.0.0/255.255.255.0", "plain number"),
}

HIDDEN: Rows = {
    "a named pool hides them as well": [
        pool("a", "10.0.0.0/24"),
        reservation("r", "10.0.0.0/31"),
        assign("c1", ipv4pools=["a"]).gives("10.0.0.2"),
        assign("c2", ipv4pools=["10.0.0.0/24"]).gives("10.0.0.3"),
    ],
    "a fixed address is given all the same": [
        pool("a", "10.0.0.0/24"),
        reservation("r", "10.0.0.0/24"),
        fixed("c1", "10.0.0.7").gives("10.0.0.7"),
        assign("c2").refused("POOL_EXHAUSTED"),
    ],
    "an address already held stays held": [
        pool("a", "10.0.0.0/24"),
        assign("c1").gives("10.0.0.0").kept("held"),
        reservation("r", "10.0.0.0"),
        holder("10.0.0.0").same_as("held"),
        assign("c1").same_as("held"),
        assign("c2").gives("10.0.0.1"),
        release("c1").gives("10.0.0.0"),
        holder("10.0.0.0").refused("ALLOCATION_NOT_FOUND"),
    ],
    "one outside of every pool hides nothing": [
        pool("a", "10.0.0.0/24"),
        reservation("r", "192.168.0.0/16", "fd00::/8"),
        assign().gives("10.0.0.0"),
    ],
    "one of IPv6 hides nothing of IPv4": [
        pool("a", "10.0.0.0/24"),
        reservation("r", "::/0"),
        assign().gives("10.0.0.0"),
    ],
    "several reservations add up": [
        pool("a", "10.0.0.0/29"),
        reservation("r", "10.0.0.0", "10.0.0.2"),
        reservation("s", "10.0.0.1", "10.0.0.4/30"),
        assign("c1").gives("10.0.0.3"),
        assign("c2").refused("POOL_EXHAUSTED", size="8", assigned="1", reserved="7"),
    ],
    "what is held and reserved is counted as both": [
        pool("a", "10.0.0.0/30"),
        assign("c1", v4=2),
        reservation("r", "10.0.0.0/30"),
        assign("c2").refused("POOL_EXHAUSTED", size="4", assigned="2", reserved="4"),
        usage("a").counts(capacity=4, assigned=2, reserved=4, available=0),
        fixed("c3", "10.0.0.2"),
        assign("c4", v4=2).refused("POOL_EXHAUSTED", assigned="3", reserved="4"),
    ],
    "what a refused request had found is not assigned": [
        pool("a", "10.0.0.0/31"),
        assign("c1", v4=3).refused(
            "POOL_EXHAUSTED", "0 assigned, 2 found for this request", assigned="0", reserved="0"
        ),
        usage("a").counts(assigned=0, available=2),
        pool("b", "10.0.1.0/29"),
        reservation("r", "10.0.1.0/30"),
        assign("c2", ipv4pools=["b"]),
        assign("c3", v4=4, ipv4pools=["b"]).refused(
            "POOL_EXHAUSTED", size="8", assigned="1", reserved="4"
        ),
    ],
    "half of an IPv6 pool costs nothing to pass over": [
        pool("a", "fd00::/64"),
        reservation("r", "fd00::/65"),
        assign(v4=0, v6=1).gives("fd00::8000:0:0:0"),
    ],
    "all of an IPv6 pool": [
        pool("a", "fd00::/64"),
        reservation("r", "fd00::/32"),
        assign(v4=0, v6=1).refused("POOL_EXHAUSTED", family="IPV6", reserved=str(2**64)),
    ],
    "the next pool serves where one is reserved": [
        pool("a", "10.0.0.0/24"),
        pool("b", "10.0.1.0/24"),
        reservation("r", "10.0.0.0/24"),
        assign().inside("b"),
    ],
    "an update counts from the next request on": [
        pool("a", "10.0.0.0/24"),
        reservation("r", "10.0.0.0/31"),
        reservation_changed("r", cidrs=["10.0.0.1"]),
        assign("c1").gives("10.0.0.0"),
        assign("c2").gives("10.0.0.2"),
    ],
    "removal counts from the next request on": [
        pool("a", "10.0.0.0/24"),
        reservation("r", "10.0.0.0/31"),
        assign("c1").gives("10.0.0.2"),
        reservation_removed("r"),
        assign("c2").gives("10.0.0.0"),
    ],
}

QUEUE: Rows = {
    "a reserved address keeps its place among those never used": [
        pool("a", "10.0.0.0/30"),
        reservation("r", "10.0.0.0", "10.0.0.1"),
        assign("c1").gives("10.0.0.2"),
        reservation_removed("r"),
        assign("c2").gives("10.0.0.0"),
        assign("c3").gives("10.0.0.1"),
        assign("c4").gives("10.0.0.3"),
    ],
    "a reserved address keeps its place among those released": [
        pool("a", "10.0.0.0/30"),
        *(assign(f"c{at}") for at in range(4)),
        release("c2").gives("10.0.0.2"),
        release("c0").gives("10.0.0.0"),
        release("c1").gives("10.0.0.1"),
        reservation("r", "10.0.0.2"),
        assign("d1").gives("10.0.0.0"),
        reservation_removed("r"),
        assign("d2").gives("10.0.0.2"),
        assign("d3").gives("10.0.0.1"),
    ],
    "one that is released while reserved joins the end": [
        pool("a", "10.0.0.0/30"),
        assign("c1", node="n1").gives("10.0.0.0"),
        reservation("r", "10.0.0.0"),
        release("c1"),
        reservation_removed("r"),
        assign("d1", node="n1").gives("10.0.0.1"),
        assign("d2", node="n1").gives("10.0.0.2"),
        assign("d3", node="n1").gives("10.0.0.3"),
        assign("d4", node="n1").gives("10.0.0.0"),
    ],
}

WHOLE_BLOCKS: Rows = {
    "one that is covered is never opened": [
        pool("a", "10.0.0.0/24"),
        reservation("r", "10.0.0.0/26"),
        assign("c1", node="n1").gives("10.0.0.64"),
        blocks("a").lists("10.0.0.64/26 n1"),
    ],
    "one that two reservations cover together is never opened": [
        pool("a", "192.168.1.0/24", blockSize=25),
        reservation("r", "192.168.1.0/26"),
        reservation("s", "192.168.1.64/26"),
        assign("c1", node="n1").gives("192.168.1.128"),
        blocks("a").lists("192.168.1.128/25 n1"),
    ],
    "one that entries of every size cover together is never opened": [
        pool("a", "10.0.0.0/24", blockSize=29),
        reservation("r", "10.0.0.0/30", "10.0.0.4/31", "10.0.0.6", "10.0.0.7"),
        assign("c1", node="n1").gives("10.0.0.8"),
        blocks("a").lists("10.0.0.8/29 n1"),
    ],
    "a larger one is not covered by its half": [
        pool("a", "192.168.1.0/24", blockSize=24),
        reservation("r", "192.168.1.0/26", "192.168.1.64/26"),
        assign("c1", node="n1").gives("192.168.1.128").in_blocks("192.168.1.0/24"),
    ],
    "one that has a single address left is opened": [
        pool("a", "10.0.0.0/24", blockSize=30),
        reservation("r", "10.0.0.0/31", "10.0.0.3"),
        assign("c1", node="n1").gives("10.0.0.2"),
    ],
    "a node's own is not used once it is covered": [
        pool("a", "10.0.0.0/24"),
        assign("c1", node="n1").in_blocks("10.0.0.0/26"),
        reservation("r", "10.0.0.0/26"),
        assign("c2", node="n1").in_blocks("10.0.0.64/26"),
        reservation_removed("r"),
        assign("c3", node="n1").gives("10.0.0.1"),
    ],
    "another node's is not borrowed from once it is covered": [
        pool("a", "10.0.0.0/26"),
        assign("c1", node="n1"),
        assign("c2", node="n2").gives("10.0.0.1"),
        reservation("r", "10.0.0.0/26"),
        assign("c3", node="n2").refused("POOL_EXHAUSTED"),
    ],
    "a fixed address opens one that is covered": [
        pool("a", "10.0.0.0/24"),
        reservation("r", "10.0.0.0/24"),
        fixed("c1", "10.0.0.70", node="n1").in_blocks("10.0.0.64/26"),
        blocks("a").lists("10.0.0.64/26 n1"),
        assign("c2", node="n1").refused("POOL_EXHAUSTED"),
    ],
}

# Reservations of a /24 with 10.0.0.5 in use; then assigned, reserved and available addresses of
# the pool, and the same of its first /26.
COUNTED: dict[str, tuple[list[str], tuple[int, int, int], tuple[int, int, int]]] = {
    "none": ([], (1, 0, 255), (1, 0, 63)),
    "inside the block": (["10.0.0.32/30"], (1, 4, 251), (1, 4, 59)),
    "beside the block": (["10.0.0.128/25"], (1, 128, 127), (1, 0, 63)),
    "the address in use": (["10.0.0.5/32"], (1, 1, 255), (1, 1, 63)),
    "overlapping ones": (
        ["10.0.0.0/25", "10.0.0.5/32", "10.0.0.64/26"],
        (1, 128, 128),
        (1, 64, 0),
    ),
    "one within another": (["10.0.0.128/28", "10.0.0.128/29"], (1, 16, 239), (1, 0, 63)),
    "more than the pool": (["10.0.0.0/8"], (1, 256, 0), (1, 64, 0)),
    "outside of the pool": (["10.1.0.0/16", "fd00::/8"], (1, 0, 255), (1, 0, 63)),
}


@pytest.mark.parametrize("use", ALL_USES.values(), ids=list(ALL_USES))
def test_automatic_assignment_passes_over_them_for_every_use(stage: Stage, use: list[str]) -> None:
    row = [
        pool("a", "10.0.0.0/24", allowedUses=use),
        reservation("r", "10.0.0.0/30"),
        assign(use=use[0]).gives("10.0.0.4"),
    ]
    play(stage, row)


@pytest.mark.parametrize(("written", "stored"), ENTRIES.values(), ids=list(ENTRIES))
def test_an_entry_hides_what_it_covers(stage: Stage, written: str, stored: str) -> None:
    six = ":" in stored
    alone = "fd00::" if six else "10.0.0.0"
    asked = assign(v4=int(not six), v6=int(six))
    row = [
        pool("a", f"{alone}/{128 if six else 32}"),
        reservation("r", written).shows(cidrs=[stored]),
        asked.refused("POOL_EXHAUSTED"),
        usage("a").counts(reserved=1, available=0).open_blocks(0),
        reservation_removed("r"),
        asked.gives(alone),
    ]
    play(stage, row)


@pytest.mark.parametrize(("written", "part"), MALFORMED.values(), ids=list(MALFORMED))
def test_an_entry_that_cannot_be_is_refused(stage: Stage, written: str, part: str) -> None:
    step = reservation("r", "10.0.0.0/30", written).invalid("reservation.cidrs[1]", part)
    play(stage, [step, reservation_shown("r").refused("RESERVATION_NOT_FOUND")])


@each(HIDDEN)
def test_a_reservation_hides_from_automatic_assignment(stage: Stage, row: Row) -> None:
    play(stage, row)


@each(QUEUE)
def test_a_reserved_address_keeps_its_place(stage: Stage, row: Row) -> None:
    play(stage, row)


@each(WHOLE_BLOCKS)
def test_a_covered_block_is_not_used(stage: Stage, row: Row) -> None:
    play(stage, row)


@pytest.mark.parametrize(("reserved", "of_pool", "of_block"), COUNTED.values(), ids=list(COUNTED))
def test_a_reserved_address_is_counted_once(
    stage: Stage, reserved: list[str], of_pool: tuple[int, ...], of_block: tuple[int, ...]
) -> None:
    keys = ("assigned", "reserved", "available")
    row = [
        pool("a", "10.0.0.0/24"),
        fixed("c1", "10.0.0.5"),
        *(reservation(f"r{at}", cidr) for at, cidr in enumerate(reserved)),
        usage("a").counts(capacity=256, cooling=0, **dict(zip(keys, of_pool, strict=True))),
        blocks("a").block_counts(
            "10.0.0.0/26", capacity=64, cooling=0, **dict(zip(keys, of_block, strict=True))
        ),
    ]
    play(stage, row)
