"""ExplainAssign: what would be assigned, or why not, and what each pool has to do with it."""

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
    namespace,
    node,
    play,
    pool,
    release,
    reservation,
    usage,
)
from moorage.v1 import allocation_service_pb2 as messages
from moorage.v1 import error_reason_pb2

A = pool("a", "10.0.0.0/28", blockSize=30)
B = pool("b", "10.0.1.0/28", blockSize=30)
SIX = pool("six", "fd00::/124", blockSize=126)
# Every rule that passes a pool over for a workload of node n1, and two pools that serve it.
EVERY_RULE = [
    node("n1", zone="east"),
    namespace("shop", team="blue"),
    pool("disabled", "10.0.0.0/28", disabled=True),
    pool("draining", "10.0.1.0/28"),
    drained("draining"),
    pool("manual", "10.0.2.0/28", assignmentMode="Manual"),
    pool("nodes", "10.0.3.0/28", nodeSelector="zone == 'west'"),
    pool("spaces", "10.0.4.0/28", namespaceSelector="team == 'red'"),
    pool("tunnel", "10.0.5.0/28", allowedUses=["Tunnel"]),
    pool("x", "10.0.6.0/28"),
    pool("y", "10.0.7.0/28", priority=1),
    SIX,
]
ASKED = assign("c1", node="n1", namespace="shop")

POOLS: Rows = {
    "every pool of the family with the rule that passes it over, those that serve first": [
        *EVERY_RULE,
        explain(ASKED).explains(
            y="",
            x="",
            disabled="DISABLED",
            draining="DRAINING",
            manual="MANUAL",
            nodes="NODE_SELECTOR",
            spaces="NAMESPACE_SELECTOR",
            tunnel="USE",
        ),
    ],
    "pools that are named serve in the order given, whatever their selectors and mode say": [
        *EVERY_RULE,
        explain(
            assign("c1", node="n1", namespace="shop", ipv4pools=["nodes", "manual", "x"])
        ).explains(
            nodes="",
            manual="",
            x="",
            disabled="NOT_NAMED",
            draining="NOT_NAMED",
            spaces="NOT_NAMED",
            tunnel="NOT_NAMED",
            y="NOT_NAMED",
        ),
    ],
    "for a fixed address its pool alone": [
        *EVERY_RULE,
        explain(fixed("c1", "10.0.2.9", node="n1")).explains(
            manual="",
            disabled="NOT_NAMED",
            draining="NOT_NAMED",
            nodes="NOT_NAMED",
            spaces="NOT_NAMED",
            tunnel="NOT_NAMED",
            x="NOT_NAMED",
            y="NOT_NAMED",
        ),
    ],
    "the rules are applied in their order, and the first is told": [
        pool(
            "a",
            "10.0.0.0/28",
            disabled=True,
            assignmentMode="Manual",
            nodeSelector="!all()",
            allowedUses=["Tunnel"],
        ),
        pool("b", "10.0.1.0/28", assignmentMode="Manual", nodeSelector="!all()"),
        pool("c", "10.0.2.0/28", nodeSelector="!all()", allowedUses=["Tunnel"]),
        explain(assign("c1")).explains(a="DISABLED", b="MANUAL", c="NODE_SELECTOR"),
    ],
    "pools of the other family are not listed": [
        A,
        SIX,
        explain(assign("c1", v4=0, v6=1)).explains(six=""),
    ],
    "without a pool none is listed": [explain(assign("c1")).explains()],
}

WOULD_BE: Rows = {
    "what would be assigned is told": [
        A,
        explain(assign("c1", node="n1")).gives("10.0.0.0").shows(generation=0),
    ],
    "and is not assigned": [
        A,
        explain(assign("c1", node="n1")).gives("10.0.0.0"),
        explain(assign("c1", node="n1")).gives("10.0.0.0"),
        allocations().gives(),
        blocks("a").lists(),
        usage("a").counts(assigned=0).open_blocks(0),
        assign("c2", node="n1").gives("10.0.0.0"),
    ],
    "it decides as the assign does": [
        A,
        B,
        SIX,
        assign("c0", node="n1", ipv4pools=["b"]),
        explain(assign("c1", node="n1", v4=2, v6=1)).gives("10.0.1.1", "10.0.1.2", "fd00::"),
        assign("c1", node="n1", v4=2, v6=1).gives("10.0.1.1", "10.0.1.2", "fd00::"),
    ],
    "of a fixed address, too": [
        A,
        fixed("c0", "10.0.0.9"),
        explain(fixed("c1", ["10.0.0.9", "10.0.0.2"])).gives("10.0.0.2"),
    ],
    "what an attachment holds is told as it is held": [
        A,
        assign("c1", node="n1").kept("held"),
        explain(assign("c1", node="n1")).same_as("held"),
    ],
    "a block that a release would free is not freed by asking": [
        A,
        assign("c1", node="n1"),
        release("c1"),
        explain(assign("c2", node="n2")).gives("10.0.0.4"),
        blocks("a").lists("10.0.0.0/30 n1"),
    ],
}


@each(POOLS)
def test_every_pool_is_listed_with_its_rule(stage: Stage, row: Row) -> None:
    play(stage, row)


@each(WOULD_BE)
def test_what_would_be_assigned_is_told(stage: Stage, row: Row) -> None:
    play(stage, row)


FULL = [pool("a", "10.0.0.0/32"), assign("c0")]
REFUSALS: dict[str, tuple[Row, dict[str, str]]] = {
    "NO_ELIGIBLE_POOL": ([explain(assign("c1", node="n1"))], {"family": "IPV4", "node": "n1"}),
    "POOL_NOT_FOUND": ([A, explain(assign("c1", ipv4pools=["b"]))], {"pool": "b"}),
    "POOL_DISABLED": (
        [pool("a", "10.0.0.0/28", disabled=True), explain(assign("c1", ipv4pools=["a"]))],
        {"pool": "a"},
    ),
    "POOL_DRAINING": ([A, drained("a"), explain(fixed("c1", "10.0.0.0"))], {"pool": "a"}),
    "POOL_FAMILY_MISMATCH": ([SIX, explain(assign("c1", ipv4pools=["six"]))], {"pool": "six"}),
    "POOL_USE_NOT_ALLOWED": (
        [A, explain(assign("c1", ipv4pools=["a"], use="LoadBalancer"))],
        {"pool": "a", "use": "LOAD_BALANCER"},
    ),
    "ADDRESS_NOT_IN_POOL": ([A, explain(fixed("c1", "10.9.9.9"))], {"address": "10.9.9.9"}),
    "ADDRESS_EXCLUDED": (
        [pool("a", "10.0.0.0/28", gateway="10.0.0.1"), explain(fixed("c1", "10.0.0.1"))],
        {"address": "10.0.0.1"},
    ),
    "ADDRESS_IN_USE": ([*FULL, explain(fixed("c1", "10.0.0.0"))], {"address": "10.0.0.0"}),
    "POOL_EXHAUSTED": ([*FULL, explain(assign("c1"))], {"pools": "a", "size": "1"}),
    "POOL_COOLING": (
        [configuration(ipCooldownSeconds=60), *FULL, release("c0"), explain(assign("c1"))],
        {"pools": "a", "cooling": "1"},
    ),
    "ADDRESS_COOLING": (
        [
            configuration(ipCooldownSeconds=60),
            *FULL,
            release("c0"),
            explain(fixed("c1", "10.0.0.0")),
        ],
        {"address": "10.0.0.0"},
    ),
    "BLOCK_LIMIT_REACHED": (
        [
            configuration(strictAffinity=True, maxBlocksPerHost=1),
            A,
            assign("c0", node="n1", v4=4),
            explain(assign("c1", node="n1")),
        ],
        {"node": "n1", "limit": "1"},
    ),
    "BLOCK_ALLOCATION_DISABLED": (
        [
            configuration(strictAffinity=True, autoAllocateBlocks=False),
            A,
            explain(assign("c1", node="n1")),
        ],
        {"node": "n1"},
    ),
    "BLOCK_AFFINITY_MISMATCH": (
        [
            configuration(strictAffinity=True),
            A,
            assign("c0", node="n1"),
            explain(fixed("c1", "10.0.0.1", node="n2")),
        ],
        {"owner": "n1", "node": "n2"},
    ),
    "ATTACHMENT_CHANGED": (
        [A, assign("c1"), explain(assign("c1", v4=2))],
        {"container_id": "c1"},
    ),
    "ATTACHMENT_RELEASED": (
        [A, release("c1", began=20), explain(assign("c1", began=10))],
        {"container_id": "c1"},
    ),
}


@each({reason: row for reason, (row, _) in REFUSALS.items()})
def test_a_refusal_is_part_of_the_answer(stage: Stage, row: Row) -> None:
    answer = play(stage, row)
    assert isinstance(answer, messages.ExplainAssignResponse)
    reason = error_reason_pb2.ErrorReason.Name(answer.refusal.reason).partition("REASON_")[2]
    expected_row, metadata = REFUSALS[reason]
    assert expected_row is row, answer.refusal
    assert metadata.items() <= dict(answer.refusal.metadata).items()
    assert answer.refusal.message
    assert not answer.allocations


def test_a_pool_that_is_passed_over_says_why_and_what_would_help(stage: Stage) -> None:
    play(stage, [*EVERY_RULE, reservation("quiet", "10.0.6.0/30")])
    answer = play(stage, [explain(ASKED)])
    assert isinstance(answer, messages.ExplainAssignResponse)
    for each_pool in answer.addresses[0].pools:
        serves = each_pool.passed_over == messages.PASSED_OVER_UNSPECIFIED
        assert bool(each_pool.explanation) is bool(each_pool.next_step) is not serves
    by_id = {each.pool.rpartition("/")[2]: each for each in answer.addresses[0].pools}
    assert 'zone == "west"' in by_id["nodes"].explanation
    assert 'team == "red"' in by_id["spaces"].explanation
    assert by_id["x"].cidr == "10.0.6.0/28"
    assert by_id["x"].counts.reserved_count == 4
    assert by_id["x"].counts.available_count == 12


def test_every_address_asked_for_is_explained_in_order(stage: Stage) -> None:
    play(stage, [A, SIX])
    answer = play(stage, [explain(assign("c1", v4=2, v6=1))])
    assert isinstance(answer, messages.ExplainAssignResponse)
    cidrs = [[each.cidr for each in address.pools] for address in answer.addresses]
    assert cidrs == [["10.0.0.0/28"], ["10.0.0.0/28"], ["fd00::/124"]]
