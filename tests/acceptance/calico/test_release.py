"""What a release frees, what guards keep from it, and what it leaves."""

from acceptance.calico.ground import (
    Row,
    Rows,
    Stage,
    allocations,
    assign,
    blocks,
    drained,
    each,
    fixed,
    holder,
    node,
    play,
    pool,
    pool_changed,
    release,
    usage,
)

A = pool("a", "10.0.0.0/28", blockSize=30)
ONE = pool("a", "10.0.0.0/30", blockSize=30)
SIX = pool("six", "fd00::/124", blockSize=126)

FREED: Rows = {
    "a release frees all that the attachment holds, in both families": [
        A,
        SIX,
        assign("c1", v4=2, v6=1, node="n1").kept("held"),
        release("c1").same_as("held"),
        allocations().gives(),
    ],
    "a release frees what lies in several blocks": [
        A,
        assign("c1", v4=8, node="n1"),
        release("c1").in_range("10.0.0.0/29"),
        usage("a").counts(assigned=0, available=16),
    ],
    "a release leaves what others hold": [
        A,
        assign("c1", node="n1"),
        assign("c2", node="n1"),
        release("c1").gives("10.0.0.0"),
        allocations().gives("10.0.0.1"),
    ],
    "releasing what was never held succeeds": [A, release("c1").gives()],
    "releasing without a pool succeeds": [release("c1").gives()],
    "releasing twice succeeds": [
        A,
        assign("c1"),
        release("c1").gives("10.0.0.0"),
        release("c1").gives(),
    ],
    "releasing twice frees an address once": [
        ONE,
        assign("c1", node="n1").gives("10.0.0.0"),
        release("c1"),
        release("c1"),
        assign("c2", v4=4, node="n1").gives("10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.0"),
        assign("c3", node="n1").refused("POOL_EXHAUSTED", assigned="4"),
    ],
    "a second release leaves the address's next holder alone": [
        pool("a", "10.0.0.0/32"),
        assign("c1"),
        release("c1").gives("10.0.0.0"),
        assign("c2").gives("10.0.0.0"),
        release("c1").gives(),
        allocations().gives("10.0.0.0"),
    ],
    "addresses of a disabled pool are released": [
        A,
        assign("c1"),
        pool_changed("a", disabled=True),
        release("c1").gives("10.0.0.0"),
    ],
    "addresses of a draining pool are released": [
        A,
        assign("c1"),
        drained("a"),
        release("c1").gives("10.0.0.0"),
        blocks("a").lists(),
    ],
    "a released address can be assigned at once": [
        pool("a", "10.0.0.0/32"),
        assign("c1"),
        release("c1"),
        assign("c2").gives("10.0.0.0"),
    ],
}

GUARDED: Rows = {
    "a release at the present generation frees": [
        A,
        assign("c1").kept("held"),
        release("c1", at="held").gives("10.0.0.0"),
    ],
    "a release at an earlier generation frees nothing": [
        pool("a", "10.0.0.0/32"),
        assign("c1").kept("before"),
        release("c1"),
        assign("c1").kept("now"),
        release("c1", at="before").gives(),
        allocations().same_as("now"),
        release("c1", at="now").gives("10.0.0.0"),
    ],
    "nor where the block was gone and opened again in between": [
        A,
        fixed("c1", "10.0.0.9").kept("before"),
        release("c1"),
        blocks("a").lists(),
        fixed("c1", "10.0.0.9").kept("now"),
        release("c1", at="before").gives(),
        allocations().same_as("now"),
    ],
    "nor where another holds the address now": [
        pool("a", "10.0.0.0/32"),
        assign("c1").kept("before"),
        release("c1"),
        assign("c2").kept("now"),
        release("c2", at="before").gives(),
        release("c1", at="before").gives(),
        allocations().same_as("now"),
    ],
    "the generation of another's address frees nothing": [
        A,
        assign("c1", node="n1"),
        assign("c2", node="n1").kept("other"),
        release("c1", at="other").gives(),
        allocations().gives("10.0.0.0", "10.0.0.1"),
    ],
    "one of several generations frees its address alone": [
        A,
        assign("c1", v4=3, node="n1"),
        holder("10.0.0.1").kept("second"),
        release("c1", at="second").gives("10.0.0.1"),
        allocations().gives("10.0.0.0", "10.0.0.2"),
        release("c1").gives("10.0.0.0", "10.0.0.2"),
    ],
    "one of several blocks' generations frees its address alone": [
        A,
        SIX,
        assign("c1", v4=1, v6=1, node="n1"),
        holder("fd00::").kept("six"),
        release("c1", at="six").gives("fd00::"),
        allocations().gives("10.0.0.0"),
    ],
    "a guarded release that frees nothing fences nothing": [
        pool("a", "10.0.0.0/32"),
        assign("c1", began=10).kept("before"),
        release("c1", began=20),
        assign("c1", began=30).kept("now"),
        release("c1", at="before", began=40).gives(),
        assign("c1", began=35).same_as("now"),
    ],
    "a repeated guarded release succeeds and frees nothing more": [
        A,
        assign("c1").kept("held"),
        release("c1", at="held").gives("10.0.0.0"),
        release("c1", at="held").gives(),
    ],
}

LEFT: Rows = {
    "an empty block stays its node's": [
        A,
        assign("c1", node="n1"),
        release("c1"),
        blocks("a").lists("10.0.0.0/30 n1").block_counts("10.0.0.0/30", assigned=0, available=4),
    ],
    "an empty block that belongs to no node vanishes": [
        A,
        assign("c1"),
        blocks("a").lists("10.0.0.0/30"),
        release("c1"),
        blocks("a").lists(),
        usage("a").counts(available=16).open_blocks(0),
    ],
    "a block that belongs to no node stays while an address of it is held": [
        A,
        assign("c1"),
        assign("c2"),
        release("c1"),
        blocks("a").lists("10.0.0.0/30"),
    ],
    "an empty block whose pool does not select its node any more vanishes": [
        node("n1", zone="east"),
        A,
        assign("c1", node="n1"),
        pool_changed("a", nodeSelector="zone == 'west'"),
        release("c1"),
        blocks("a").lists(),
    ],
    "a released address goes to the end of its block's queue": [
        ONE,
        assign("c1", node="n1").gives("10.0.0.0"),
        assign("c2", node="n1").gives("10.0.0.1"),
        release("c1"),
        assign("c3", node="n1", v4=3).gives("10.0.0.2", "10.0.0.3", "10.0.0.0"),
    ],
}


@each(FREED)
def test_a_release_frees_what_is_held(stage: Stage, row: Row) -> None:
    play(stage, row)


@each(GUARDED)
def test_a_guarded_release_never_frees_a_later_holder(stage: Stage, row: Row) -> None:
    play(stage, row)


@each(LEFT)
def test_what_a_release_leaves(stage: Stage, row: Row) -> None:
    play(stage, row)
