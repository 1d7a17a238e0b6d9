"""The words of the acceptance table of Calico's behaviour. A row is a list of steps:

    ROWS: Rows = {
        "a named pool passes over its selector": [
            node("n1", zone="east"),
            pool("west", "10.0.0.0/24", blockSize=28, nodeSelector="zone == 'west'"),
            assign("c1", node="n1").refused("NO_ELIGIBLE_POOL", 'does not match the labels'),
            assign("c1", node="n1", ipv4pools=["west"]).gives("10.0.0.0"),
            release("c1").gives("10.0.0.0"),
        ],
    }

    @each(ROWS)
    def test_pools_are_chosen(stage: Stage, row: Row) -> None:
        play(stage, row)

Every row has a VRF of its own, so the same ids and CIDRs may stand in every row. A step is one
call, and what must come of it; without a word about that it must succeed. Fields are spelt as in
Calico's manifests (`blockSize`, `allowedUses=["Workload"]`, `assignmentMode="Manual"`), those that
Calico has not as proto's JSON spells them (`excludedRanges`). "c1" is a container: the attachment
of the network "pods" with the interface "eth0"; its pod has the same name unless told otherwise.

    given   pool, reservation, node, namespace (kept here: its labels go with every assign that
            names it), configuration (the VRF's: strictAffinity, autoAllocateBlocks,
            maxBlocksPerHost, ipCooldownSeconds)
    when    assign (automatic), fixed (one address or list of candidates for each argument),
            release, pool_changed, pool_removed, drained, activated, reservation_changed,
            reservation_removed, node_removed
    asked   pool_shown, reservation_shown, configuration_shown, usage, blocks, allocations,
            holder, explain(assign(...))
    then    .gives("10.0.0.0"), .inside("pool"), .in_range("10.0.0.0/26"), .in_blocks(...),
            .refused("REASON", "part of the message", key="metadata"), .invalid("field", "part"),
            .shows(field=value), .counts(assigned=1), .lists("10.0.0.0/26 n1"), .explains(...)
    kept    .kept("first"), then .same_as("first"), .other_etag_than("first"),
            pool_changed(..., etag_of="first"), release("c1", at="first") for its generations

Conversations that no table can hold call `play(stage, [...])` between other statements; it returns
the last answer.
"""

from collections.abc import Mapping, Sequence

import pytest
from google.protobuf.message import Message

from acceptance.calico.administering import (
    activated,
    configuration,
    configuration_shown,
    drained,
    namespace,
    node,
    node_removed,
    pool,
    pool_changed,
    pool_removed,
    pool_shown,
    reservation,
    reservation_changed,
    reservation_removed,
    reservation_shown,
)
from acceptance.calico.allocating import (
    allocations,
    assign,
    attachment,
    blocks,
    explain,
    fixed,
    holder,
    release,
    usage,
)
from acceptance.calico.stage import Stage, Theatre
from acceptance.calico.step import Step

__all__ = [
    "Row",
    "Rows",
    "Stage",
    "Step",
    "Theatre",
    "activated",
    "allocations",
    "assign",
    "attachment",
    "blocks",
    "configuration",
    "configuration_shown",
    "drained",
    "each",
    "explain",
    "fixed",
    "holder",
    "namespace",
    "node",
    "node_removed",
    "play",
    "pool",
    "pool_changed",
    "pool_removed",
    "pool_shown",
    "release",
    "reservation",
    "reservation_changed",
    "reservation_removed",
    "reservation_shown",
    "usage",
]

Row = Sequence[Step]
Rows = Mapping[str, Row]


def each(rows: Rows) -> pytest.MarkDecorator:
    """Runs a test for every row, by its name."""
    return pytest.mark.parametrize("row", rows.values(), ids=list(rows))


def play(stage: Stage, row: Row) -> Message | None:
    """Runs the steps of a row one after the other; returns the last answer."""
    answer = None
    for number, step in enumerate(row, start=1):
        try:
            answer = step.run(stage)
        except BaseException as error:
            error.add_note(f"in step {number} of {len(row)}")
            raise
    return answer
