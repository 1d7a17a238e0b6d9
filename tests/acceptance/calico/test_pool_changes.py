"""How pools are created beside others, changed, drained and deleted, as for Calico's IPPool."""

import pytest

from acceptance.calico.ground import (
    Row,
    Rows,
    Stage,
    activated,
    assign,
    blocks,
    configuration,
    drained,
    each,
    fixed,
    holder,
    play,
    pool,
    pool_changed,
    pool_removed,
    pool_shown,
    release,
)

# A pool that is there, and the CIDR of another.
OVERLAPPING: dict[str, tuple[str, str]] = {
    "identical": ("10.0.0.0/24", "10.0.0.0/24"),
    "larger": ("10.0.0.0/24", "10.0.0.0/16"),
    "smaller": ("10.0.0.0/24", "10.0.0.128/25"),
    "a /31 inside": ("10.0.0.0/24", "10.0.0.66/31"),
    "the first address": ("10.0.0.0/24", "10.0.0.0/32"),
    "the last address": ("10.0.0.0/24", "10.0.0.255/32"),
    "identical IPv6": ("fd00::/64", "fd00::/64"),
    "larger IPv6": ("fd00::/64", "fd00::/32"),
    "smaller IPv6": ("fd00::/64", "fd00::ff00/120"),
}

CREATION: Rows = {
    "a disabled pool still takes its range": [
        pool("old", "10.0.0.0/24", disabled=True),
        pool("new", "10.0.0.0/25").refused("POOL_OVERLAPS", '"old"', conflicting_pool="old"),
    ],
    "a new pool overlaps though it is disabled": [
        pool("old", "10.0.0.0/24"),
        pool("new", "10.0.0.0/25", disabled=True).refused("POOL_OVERLAPS"),
    ],
    "a draining pool still takes its range": [
        pool("old", "10.0.0.0/24"),
        drained("old"),
        pool("new", "10.0.0.0/25").refused("POOL_OVERLAPS", conflicting_pool="old"),
    ],
    "a deleted pool leaves its range": [
        pool("old", "10.0.0.0/24"),
        pool_removed("old"),
        pool("new", "10.0.0.0/25"),
    ],
    "neighbours do not overlap": [
        pool("b", "10.0.1.0/24"),
        pool("a", "10.0.0.0/24"),
        pool("c", "10.0.2.0/24"),
    ],
    "families do not overlap": [pool("a", "10.0.0.0/8"), pool("b", "a00::/8")],
    "a name is taken once": [
        pool("a", "10.0.0.0/24"),
        pool("a", "10.9.0.0/24").refused("POOL_ALREADY_EXISTS", '"a"', pool="a"),
    ],
    "a name is free again after its pool": [
        pool("a", "10.0.0.0/24"),
        pool_removed("a"),
        pool("a", "10.9.0.0/24"),
        assign().gives("10.9.0.0"),
    ],
}

UPDATES: Rows = {
    "the CIDR is what it is": [
        pool("a", "10.0.0.0/24"),
        pool_changed("a", cidr="10.0.1.0/24").refused("FIELD_IMMUTABLE", "cidr", field="cidr"),
        pool_changed("a", cidr="10.0.0.0/23").refused("FIELD_IMMUTABLE", field="cidr"),
    ],
    "the same CIDR may be sent": [
        pool("a", "10.0.0.0/24").kept("made"),
        pool_changed("a", cidr="10.0.0.0/24").same_as("made"),
    ],
    "the same CIDR may be spelt otherwise": [
        pool("a", "2001:cafe:42::/56").kept("made"),
        pool_changed("a", cidr="2001:cafe:42::00/56").same_as("made"),
    ],
    "the block size is what it is": [
        pool("a", "10.0.0.0/24"),
        pool_changed("a", blockSize=28).refused("FIELD_IMMUTABLE", "block_size"),
    ],
    "a block size of 0 changes nothing": [
        pool("a", "10.0.0.0/24", blockSize=28).kept("made"),
        pool_changed("a", blockSize=0).same_as("made"),
    ],
    "load balancers are not turned into workloads": [
        pool("a", "10.0.0.0/24", allowedUses=["LoadBalancer"]),
        pool_changed("a", allowedUses=["Workload"]).invalid("pool.allowed_uses", "LOAD_BALANCER"),
        pool_changed("a", allowedUses=["Tunnel"]).invalid("pool.allowed_uses", "another pool"),
        pool_shown("a").shows(allowedUses=["LoadBalancer"]),
    ],
    "a stale etag is a conflict": [
        pool("a", "10.0.0.0/24").kept("old"),
        pool_changed("a", disabled=True, etag_of="old").other_etag_than("old").kept("new"),
        pool_changed("a", disabled=False, etag_of="old").refused("ETAG_MISMATCH", "pools/a"),
        pool_shown("a").shows(disabled=True),
        pool_changed("a", disabled=False, etag_of="new"),
    ],
    "without an etag the last one wins": [
        pool("a", "10.0.0.0/24").kept("old"),
        pool_changed("a", disabled=True),
        pool_changed("a", disabled=False).other_etag_than("old").shows(disabled=False),
    ],
    "an update that changes nothing keeps the etag": [
        pool("a", "10.0.0.0/24", nodeSelector="has(x)").kept("made"),
        pool_changed("a", nodeSelector="has( x )", disabled=False).same_as("made"),
    ],
    "a pool beside others is changed freely": [
        pool("a", "10.0.0.0/24", disabled=True),
        pool("b", "10.0.1.0/24"),
        pool_changed("a", disabled=False, cidr="10.0.0.0/24").shows(disabled=False),
    ],
    "a change is checked as creation is": [
        pool("a", "10.0.0.0/24"),
        pool_changed("a", namespaceSelector="has(x)").invalid("pool.namespace_selector", "TUNNEL"),
        pool_changed("a", namespaceSelector="has(x)", allowedUses=["Workload"]),
        pool_changed("a", nodeSelector="global()").invalid("pool.node_selector"),
    ],
    "selectors and mode act on the next request": [
        pool("a", "10.0.0.0/24"),
        assign("c1").gives("10.0.0.0").kept("held"),
        pool_changed("a", nodeSelector="has(x)"),
        assign("c2").refused("NO_ELIGIBLE_POOL", "node selector"),
        pool_changed("a", nodeSelector="all()", assignmentMode="Manual"),
        assign("c2").refused("NO_ELIGIBLE_POOL", "MANUAL"),
        pool_changed("a", assignmentMode="Automatic"),
        assign("c2").gives("10.0.0.1"),
        holder("10.0.0.0").same_as("held"),
    ],
    "what is not there is not changed": [
        pool_changed("a", disabled=True).refused("POOL_NOT_FOUND", pool="a")
    ],
}

DELETION: Rows = {
    "refused while an address is assigned": [
        pool("a", "10.0.0.0/24"),
        assign("c1").kept("held"),
        fixed("c2", "10.0.0.200"),
        pool_removed("a").refused(
            "POOL_IN_USE", "release what is assigned first", allocation_count="2"
        ),
        holder("10.0.0.0").same_as("held"),
        release("c1").gives("10.0.0.0"),
        release("c2").gives("10.0.0.200"),
        pool_removed("a"),
        pool_shown("a").refused("POOL_NOT_FOUND"),
    ],
    "refused though the pool is disabled": [
        pool("a", "10.0.0.0/24"),
        assign(),
        pool_changed("a", disabled=True),
        pool_removed("a").refused("POOL_IN_USE", allocation_count="1"),
    ],
    "empty blocks go with their pool": [
        pool("a", "10.0.0.0/24"),
        assign("c1", node="n1"),
        release("c1"),
        blocks().lists("10.0.0.0/26 n1"),
        pool_removed("a"),
        blocks().lists(),
    ],
    "cooling addresses do not stand in the way": [
        configuration(ipCooldownSeconds=1200),
        pool("a", "10.0.0.0/24"),
        assign("c1"),
        release("c1"),
        pool_removed("a"),
        blocks().lists(),
    ],
    "with a stale etag it is a conflict": [
        pool("a", "10.0.0.0/24").kept("old"),
        pool_changed("a", disabled=True),
        pool_removed("a", etag_of="old").refused("ETAG_MISMATCH"),
        pool_shown("a").shows(disabled=True),
    ],
    "another block size once it is empty": [
        pool("a", "10.0.0.0/24", blockSize=26),
        assign("c1").in_blocks("10.0.0.0/26"),
        pool_removed("a").refused("POOL_IN_USE"),
        release("c1"),
        pool_removed("a"),
        pool("a", "10.0.0.0/24", blockSize=28),
        assign("c1").in_blocks("10.0.0.0/28"),
    ],
    "what is not there is not deleted": [pool_removed("a").refused("POOL_NOT_FOUND", pool="a")],
}

DRAINING: Rows = {
    "nothing is assigned any more": [
        pool("a", "10.0.0.0/24"),
        drained("a").shows(state="Draining"),
        assign("c1").refused("NO_ELIGIBLE_POOL", "drain"),
        assign("c1", ipv4pools=["a"]).refused("POOL_DRAINING", "activate it", pool="a"),
        assign("c1", ipv4pools=["10.0.0.0/24"]).refused("POOL_DRAINING"),
        assign("c1", ipv4pools=["a"], use="Tunnel").refused("POOL_DRAINING"),
        fixed("c1", "10.0.0.7").refused("POOL_DRAINING", pool="a"),
    ],
    "one draining pool fails a list": [
        pool("a", "10.0.0.0/24"),
        pool("b", "10.0.1.0/24"),
        drained("a"),
        assign("c1", ipv4pools=["b", "a"]).refused("POOL_DRAINING"),
        assign("c1").inside("b"),
    ],
    "what is held stays held": [
        pool("a", "10.0.0.0/24"),
        assign("c1").kept("held"),
        drained("a"),
        holder("10.0.0.0").same_as("held"),
        assign("c1").same_as("held"),
        pool_removed("a").refused("POOL_IN_USE", allocation_count="1"),
        release("c1").gives("10.0.0.0"),
        pool_removed("a"),
    ],
    "empty blocks vanish and others belong to no node": [
        pool("a", "10.0.0.0/24"),
        assign("c1", node="n1"),
        assign("c2", node="n2"),
        release("c2"),
        blocks("a").lists("10.0.0.0/26 n1", "10.0.0.64/26 n2"),
        drained("a"),
        blocks("a").lists("10.0.0.0/26"),
        release("c1"),
        blocks("a").lists(),
    ],
    "draining again changes nothing": [
        pool("a", "10.0.0.0/24"),
        drained("a").kept("drained"),
        drained("a").same_as("drained"),
    ],
    "activated, it serves again": [
        pool("a", "10.0.0.0/24").kept("made"),
        assign("c1", node="n1").gives("10.0.0.0"),
        drained("a").other_etag_than("made"),
        activated("a").shows(state="Active").kept("active"),
        activated("a").same_as("active"),
        assign("c2", node="n1").inside("a"),
        release("c1").gives("10.0.0.0"),
    ],
    "an update neither drains nor activates": [
        pool("a", "10.0.0.0/24"),
        drained("a"),
        pool_changed("a", disabled=False, priority=5).shows(state="Draining", priority=5),
    ],
    "what is not there is not drained": [
        drained("a").refused("POOL_NOT_FOUND"),
        activated("a").refused("POOL_NOT_FOUND"),
    ],
}


@pytest.mark.parametrize(("old", "new"), OVERLAPPING.values(), ids=list(OVERLAPPING))
def test_two_pools_do_not_overlap(stage: Stage, old: str, new: str) -> None:
    row = [
        pool("old", old),
        pool("new", new).refused(
            "POOL_OVERLAPS", '"new"', '"old"', new, pool="new", cidr=new, conflicting_pool="old"
        ),
        pool_shown("new").refused("POOL_NOT_FOUND"),
    ]
    play(stage, row)


@each(CREATION)
def test_a_pool_is_created_beside_others(stage: Stage, row: Row) -> None:
    play(stage, row)


@each(UPDATES)
def test_a_pool_is_changed(stage: Stage, row: Row) -> None:
    play(stage, row)


@each(DELETION)
def test_a_pool_is_deleted(stage: Stage, row: Row) -> None:
    play(stage, row)


@each(DRAINING)
def test_a_pool_is_drained(stage: Stage, row: Row) -> None:
    play(stage, row)
