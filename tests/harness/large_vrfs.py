"""A VRF that holds very much: written at once, as nobody would wait for so many calls."""

from harness.postgres import Database

COUNT = 100_000
# Of every VRF that has a pool 10.0.0.0/8 with blocks of /22.
_FILL = """
SET session_replication_role = replica;
INSERT INTO attachments (uid, vrf_id, network, container_id, interface, state, node, namespace,
    pod, pod_uid, use)
SELECT CAST(encode(substring(sha256(convert_to(p.vrf_id || '/pods/' || at || '/eth0', 'UTF8'))
    FOR 16), 'hex') AS uuid), p.vrf_id, 'pods', at, 'eth0', 'HELD', 'n1', 'ns', at, at, 'WORKLOAD'
FROM pools p CROSS JOIN generate_series(0, {count} - 1) AS at;
INSERT INTO blocks (vrf_id, cidr, pool_id, pool_cidr, node, claim_time, free)
SELECT p.vrf_id, network(set_masklen('10.0.0.0'::inet + at * 1024, 22)), p.pool_id, p.cidr, 'n1',
    clock_timestamp(), '{{}}' FROM pools p CROSS JOIN generate_series(0, {count} / 1024) AS at;
INSERT INTO allocations (vrf_id, address, block, attachment_uid, position, generation, assign_time)
SELECT vrf_id, '10.0.0.0'::inet + CAST(container_id AS int),
    network(set_masklen('10.0.0.0'::inet + CAST(container_id AS int), 22)), uid, 0,
    CAST(container_id AS int) + 1, clock_timestamp()
FROM attachments;
SET session_replication_role = DEFAULT
"""


def fill(database: Database) -> None:
    """Has as many addresses held, of which no event tells."""
    database.execute(_FILL.format(count=COUNT).replace(":", "\\:"))
