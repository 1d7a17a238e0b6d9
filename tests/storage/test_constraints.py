"""Every rule that must never break, tried with the service's own role: PostgreSQL refuses."""

import pytest
import sqlalchemy as sa

from harness import postgres

POOL = """INSERT INTO pools (vrf_id, name, cidr, block_size, node_selector, allowed_uses,
    assignment_mode, disabled, block_affinity, priority, result_form, excluded_ranges,
    exclude_network_addresses) VALUES (1, '{name}', '{cidr}', {size}, 'all()', '{{WORKLOAD}}',
    'AUTOMATIC', false, 'NONE', 0, 'HOST', '{{}}', false)"""
UID = """(SELECT CAST(encode(substring(sha256('1/pods/c1/eth0') FOR 16), 'hex') AS uuid))"""
ATTACHMENT = """INSERT INTO attachments (vrf_id, uid, network, container_id, interface, state, use)
    VALUES (1, {uid}, 'pods', '{container}', 'eth0', 'HELD', 'WORKLOAD')"""
BLOCK = """INSERT INTO blocks (vrf_id, cidr, pool_id, pool_cidr, free)
    SELECT 1, '{cidr}', pool_id, cidr, '{free}' FROM pools WHERE name = '{pool}'"""
ALLOCATION = f"""INSERT INTO allocations (vrf_id, address, block, attachment_uid, position,
    generation, assign_time)
    VALUES (1, '{{address}}', '{{block}}', {UID}, {{position}}, {{generation}}, now())"""

PREPARED = (
    POOL.format(name="a", cidr="10.0.0.0/24", size=26),
    POOL.format(name="six", cidr="::/64", size=122),
    BLOCK.format(cidr="10.0.0.0/26", pool="a", free="{1,2}"),
    BLOCK.format(cidr="::/122", pool="six", free="{1,2}"),
    ATTACHMENT.format(uid=UID, container="c1"),
    ALLOCATION.format(address="10.0.0.0", block="10.0.0.0/26", position=0, generation=1),
)


def allocation(address: str, block: str = "10.0.0.0/26", **other: int) -> str:
    """The statement that allocates an address to c1."""
    values = {"position": 1, "generation": 2} | other
    return ALLOCATION.format(address=address, block=block, **values)


REFUSED = {
    "an address has one holder": (allocation("10.0.0.0"), "allocations_pkey"),
    "an address with a mask is another spelling": (
        allocation("10.0.0.0/24"),
        "allocations_canonical",
    ),
    "an address of no block": (
        allocation("10.0.0.70", block="10.0.0.64/26"),
        "allocations_block_fkey",
    ),
    "an address outside of its block": (allocation("10.0.0.70"), "allocations_inside_block"),
    "an address of another family than its block": (
        allocation("::1"),
        "allocations_inside_block",
    ),
    "an IPv4-mapped address": (
        allocation("::ffff:10.0.0.1", block="::/122"),
        "allocations_(canonical|inside_block)",
    ),
    "two addresses at one position": (
        allocation("10.0.0.1", position=0),
        "allocations_attachment_uid_vrf_id_position_key",
    ),
    "a generation that was never drawn": (
        allocation("10.0.0.1", generation=0),
        "allocations_generation",
    ),
    "an address of nobody": (
        allocation("10.0.0.1").replace("pods/c1", "pods/c2"),
        "allocations_attachment_fkey",
    ),
    "pools that overlap": (
        POOL.format(name="b", cidr="10.0.0.128/25", size=26),
        "pools_no_overlap",
    ),
    "two pools of one name": (
        POOL.format(name="a", cidr="10.9.0.0/24", size=26),
        "pools_vrf_id_name_key",
    ),
    "blocks larger than the pool": (
        POOL.format(name="b", cidr="10.9.0.0/27", size=26),
        "pools_block_size",
    ),
    "blocks too small for IPv6": (
        POOL.format(name="b", cidr="fd00::/64", size=26),
        "pools_block_size",
    ),
    "blocks that overlap": (
        BLOCK.format(cidr="10.0.0.32/27", pool="a", free="{}"),
        "blocks_no_overlap",
    ),
    "a block outside of its pool": (
        BLOCK.format(cidr="10.0.1.0/26", pool="a", free="{}"),
        "blocks_inside_pool",
    ),
    "a block with more free addresses than it has": (
        BLOCK.format(cidr="10.0.0.64/31", pool="a", free="{0,1,2}"),
        "blocks_free",
    ),
    "a sticky address that is never ready": (
        'UPDATE blocks SET sticky = \'[[3, 9, "o", "n", "i", 0]]\'',
        "blocks_next_ready_tick",
    ),
    "a block to be looked at for nothing": (
        "UPDATE blocks SET next_ready_tick = 9",
        "blocks_next_ready_tick",
    ),
    "a second row for an attachment": (
        ATTACHMENT.format(uid="gen_random_uuid()", container="c1"),
        "attachments_uid",
    ),
    "a state that does not exist": (
        "UPDATE attachments SET state = 'LOST'",
        "attachments_state",
    ),
    "half a stamp": ("UPDATE attachments SET boot_id = 'b'", "attachments_attempt"),
    "a pool that still has blocks": ("DELETE FROM pools", "blocks_pool_fkey"),
    "a block that still has addresses": ("DELETE FROM blocks", "allocations_block_fkey"),
    "a holder that still has addresses": (
        "DELETE FROM attachments",
        "allocations_attachment_fkey",
    ),
    "a VRF that still has pools": ("DELETE FROM vrfs", "(pools|attachments)_vrf_fkey"),
    "a reservation of nothing": (
        "INSERT INTO reservations (vrf_id, name, cidrs) VALUES (1, 'r', '{}')",
        "reservations_cidrs",
    ),
    "an event that never happens": (
        "INSERT INTO events (vrf_id, kind, cause, address, block, pool, network, container_id,"
        " interface, use) VALUES (1, 'LOST', 'REQUESTED', '10.0.0.1', '10.0.0.0/26', 'a', 'n', 'c',"
        " 'i', 'WORKLOAD')",
        "events_kind",
    ),
}


@pytest.mark.parametrize(("statement", "constraint"), REFUSED.values(), ids=REFUSED)
def test_the_schema_refuses(cluster: postgres.Postgres, statement: str, constraint: str) -> None:
    with cluster.database() as database, database.connect(database.service_url) as connection:
        for prepared in PREPARED:
            connection.execute(sa.text(prepared))
        with pytest.raises(sa.exc.IntegrityError) as refusal:
            connection.execute(sa.text(statement))
        assert refusal.match(f'constraint "{constraint}"')


def test_two_vrfs_may_hold_one_address(cluster: postgres.Postgres) -> None:
    with cluster.database() as database, database.connect(database.service_url) as connection:
        connection.execute(sa.text("INSERT INTO vrfs (name) VALUES ('blue')"))
        for statement in PREPARED:
            connection.execute(sa.text(statement))
        for statement in PREPARED:
            there = statement.replace("(1, ", "(2, ").replace("SELECT 1,", "SELECT 2,")
            there = there.replace("'1/pods", "'2/pods").replace(
                "WHERE name", "WHERE vrf_id = 2 AND name"
            )
            connection.execute(sa.text(there))
        held = connection.scalar(sa.text("SELECT count(*) FROM allocations"))
        assert held == 2
