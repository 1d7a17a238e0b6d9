"""The rules that every test ends with can fail: what breaks one of them is found."""

import re
from collections.abc import Iterator

import pytest

import moorage
from harness import calls, invariants, postgres, serving
from moorage.v1 import resources_pb2

STRICTLY = "where affinity is strict"
WHO = "of each change it is known"


@pytest.fixture
def broken(cluster: postgres.Postgres) -> Iterator[postgres.Database]:
    """A database whose rules are broken in the end, where two nodes hold an address each."""
    with (
        cluster.database() as fresh,
        serving.in_process(fresh) as server,
        moorage.Client(server.target) as client,
    ):
        configuration = resources_pb2.VrfConfiguration(strict_affinity=True)
        vrf = resources_pb2.Vrf(name=moorage.names.vrf("default"), configuration=configuration)
        client.update_vrf(vrf, update_mask=["configuration.strict_affinity"])
        calls.create_pool(
            client,
            "a",
            "10.0.0.0/28",
            block_size=30,
            block_affinity=resources_pb2.BLOCK_AFFINITY_NODE,
        )
        for node in ("n1", "n2"):
            calls.assign(client, node, node=node)
        invariants.check(fresh)
        yield fresh


@pytest.mark.parametrize(
    ("statement", "rule"),
    [
        ("UPDATE blocks SET node = 'n2' WHERE node = 'n1'", STRICTLY),
        ("UPDATE events SET node = 'n2' WHERE node = 'n1'", STRICTLY),
        ("DELETE FROM actors", WHO),
        ("UPDATE events SET actor_uid = gen_random_uuid()", WHO),
        ("UPDATE events SET actor_uid = NULL", WHO),
        ("UPDATE changes SET actor_uid = gen_random_uuid()", WHO),
        (
            "WITH token AS (INSERT INTO actors (uid, month, name, role, proof, credential)"
            " SELECT CAST(encode(substring(sha256(convert_to(concat_ws(chr(10), 'node', 'TOKEN',"
            " 'jti', '', 'n1'), 'UTF8')) FOR 16), 'hex') AS uuid), now(), 'n1', 'node', 'TOKEN',"
            " 'jti' RETURNING uid) UPDATE changes SET actor_uid = (SELECT uid FROM token)",
            WHO,
        ),
    ],
    ids=lambda value: re.sub(r"\W+", " ", str(value))[:50],
)
def test_what_breaks_a_rule_is_found(broken: postgres.Database, statement: str, rule: str) -> None:
    broken.execute(statement)
    with pytest.raises(AssertionError, match=rule):
        invariants.check(broken)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE blocks SET node = NULL",
        "UPDATE blocks SET node = 'n2' WHERE node = 'n1';"
        " UPDATE events SET owner_key = 'web-0'; UPDATE attachments SET owner_key = 'web-0'",
        "UPDATE blocks SET node = 'n2' WHERE node = 'n1'; UPDATE vrfs SET strict_affinity = false",
        "UPDATE blocks SET node = 'n2' WHERE node = 'n1'; UPDATE events SET event_time = now();"
        " UPDATE changes SET change_time = now() + interval '1 s' WHERE kind = 'VRF'",
    ],
    ids=["nobody's", "an owner's", "not strict", "strict since"],
)
def test_what_breaks_none_is_not(broken: postgres.Database, statement: str) -> None:
    for each in statement.split(";"):
        broken.execute(each)
    invariants.check(broken)
