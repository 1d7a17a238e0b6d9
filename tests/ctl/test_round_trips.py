"""What get writes, apply reads back: nothing is changed by it, and nothing is lost."""

import pytest

import moorage
from ctl import program
from moorage.v1 import resources_pb2

CONFIGURED = """
apiVersion: moorage.dev/v1
kind: Vrf
metadata: {name: blue}
spec:
  configuration: {strictAffinity: true, maxBlocksPerNode: 4, cooldownSeconds: 30}
---
apiVersion: moorage.dev/v1
kind: Pool
metadata: {name: web, vrf: blue}
spec: {cidr: 10.0.0.0/24}
---
apiVersion: moorage.dev/v1
kind: Reservation
metadata: {name: printers, vrf: blue}
spec: {cidrs: [10.0.0.9], expireTime: EXPIRY}
"""
EXPIRY = "2026-12-24T18:00:00.000001Z"
LABELS = ("vrf/blue", "pool/web", "reservation/printers")


@pytest.mark.parametrize(
    "spelling",
    [
        EXPIRY,
        f'"{EXPIRY}"',
        '"2026-12-24T19:00:00.000001+01:00"',
        '"2026-12-24T18:00:00.000001999Z"',
    ],
)
def test_new_fields_are_stored_and_the_same_manifest_changes_nothing(
    moorctl: program.Moorctl, client: moorage.Client, spelling: str
) -> None:
    manifest = CONFIGURED.replace("EXPIRY", spelling)
    assert moorctl.must("apply", "-f", "-", stdin=manifest).count(" created") == 3
    assert client.get_vrf("blue").configuration == resources_pb2.VrfConfiguration(
        strict_affinity=True,
        auto_allocate_blocks=True,
        max_blocks_per_node=4,
        cooldown_seconds=30,
        history_retention_days=400,
    )
    expire_time = client.get_reservation("printers", vrf="blue").expire_time
    assert expire_time.ToJsonString() == EXPIRY
    again = moorctl.must("apply", "-f", "-", stdin=manifest)
    assert again.splitlines() == [f"{label} unchanged" for label in LABELS]


@pytest.mark.parametrize("output", ["yaml", "json"])
def test_what_get_writes_is_unchanged_when_it_is_applied(
    moorctl: program.Moorctl, client: moorage.Client, output: str
) -> None:
    moorctl.must("apply", "-f", "-", stdin=CONFIGURED.replace("EXPIRY", EXPIRY))
    client.drain_pool("web", vrf="blue")
    for kind, label in zip(("vrf", "pool", "reservation"), LABELS, strict=True):
        own_id = label.partition("/")[2]
        shown = moorctl.must("get", kind, own_id, "--vrf", "blue", "-o", output)
        applied = moorctl.must("apply", "-f", "-", stdin=shown)
        assert applied == f"{label} unchanged\n"
    assert client.get_pool("web", vrf="blue").state == resources_pb2.POOL_STATE_DRAINING


def test_what_a_manifest_leaves_out_goes_back_to_its_default(
    moorctl: program.Moorctl, client: moorage.Client
) -> None:
    moorctl.must("apply", "-f", "-", stdin=CONFIGURED.replace("EXPIRY", EXPIRY))
    bare = CONFIGURED.replace(", expireTime: EXPIRY", "").replace(
        "{strictAffinity: true, maxBlocksPerNode: 4, cooldownSeconds: 30}", "{}"
    )
    assert moorctl.must("apply", "-f", "-", stdin=bare).splitlines() == [
        "vrf/blue configured",
        "pool/web unchanged",
        "reservation/printers configured",
    ]
    assert client.get_vrf("blue").configuration == resources_pb2.VrfConfiguration(
        auto_allocate_blocks=True, history_retention_days=400
    )
    assert not client.get_reservation("printers", vrf="blue").HasField("expire_time")


def test_a_table_says_which_pools_are_draining(
    moorctl: program.Moorctl, client: moorage.Client
) -> None:
    for at, pool in enumerate(("a", "b", "c")):
        cidr = f"10.0.{at}.0/24"
        client.create_pool(pool, resources_pb2.Pool(cidr=cidr, disabled=pool == "c"))
    client.drain_pool("b")
    client.drain_pool("c")
    lines = moorctl.must("get", "pools").splitlines()[1:]
    assert [line.split()[4] for line in lines] == ["ENABLED", "DRAINING", "DISABLED"]


GRANTS = """
apiVersion: moorage.dev/v1
kind: Vrf
metadata: {name: blue}
spec:
  strictNamespaces: true
  fixedAddressGrants:
  - {namespace: web, cidrs: [10.0.0.16/28, "FD00::7"]}
  - {namespace: shop, cidrs: [10.0.0.9]}
---
apiVersion: moorage.dev/v1
kind: Pool
metadata: {name: web, vrf: blue}
spec: {cidr: 10.0.0.0/24, allowedNamespaces: [web, shop, web], fixedAddresses: GRANTED}
"""


def test_grants_are_applied_compared_and_taken_back(
    moorctl: program.Moorctl, client: moorage.Client
) -> None:
    created = moorctl.must("apply", "-f", "-", stdin=GRANTS)
    assert created.splitlines() == ["vrf/blue created", "pool/web created"]
    again = moorctl.must("apply", "-f", "-", stdin=GRANTS)
    assert again.splitlines() == ["vrf/blue unchanged", "pool/web unchanged"]
    written = moorctl.must("get", "vrf", "blue", "-o", "yaml")
    assert "fixedAddressGrants" in written
    assert moorctl.must("apply", "-f", "-", stdin=written) == "vrf/blue unchanged\n"
    assert "STRICT" in moorctl.must("get", "vrf", "blue", "-o", "wide")
    shown = moorctl.must("get", "pool", "web", "--vrf", "blue", "-o", "wide")
    assert "shop,web" in shown
    assert "GRANTED" in shown
    fewer = GRANTS.replace("web, shop, web", "web").replace("[10.0.0.9]", "[10.0.0.10]")
    told = moorctl("diff", "-f", "-", stdin=fewer)
    assert told.code == 1
    assert told.out.splitlines() == [
        "vrf/blue configured: fixed_address_grants",
        "pool/web configured: allowed_namespaces",
    ]
    moorctl.must("apply", "-f", "-", stdin=fewer)
    assert list(client.get_pool("web", vrf="blue").allowed_namespaces) == ["web"]
    plain = "apiVersion: moorage.dev/v1\nkind: Vrf\nmetadata: {name: blue}"
    moorctl.must("apply", "-f", "-", stdin=plain)
    assert not client.get_vrf("blue").fixed_address_grants


def test_grants_that_cannot_be_are_told_where_they_stand(moorctl: program.Moorctl) -> None:
    ended = moorctl("apply", "-f", "-", stdin=GRANTS.replace("10.0.0.9", "10.0.0.9/8"))
    assert ended.code != 0
    assert "spec.fixedAddressGrants[1].cidrs[0]: must be a CIDR" in ended.err


QUOTAS = """
apiVersion: moorage.dev/v1
kind: Vrf
metadata: {name: blue}
spec:
  quotas:
    addressesPerNode: 220
    namespaces: [{namespace: web, addresses: 3}, {namespace: shop, addresses: 0}]
"""


def test_quotas_are_applied_compared_and_taken_back(
    moorctl: program.Moorctl, client: moorage.Client
) -> None:
    assert moorctl.must("apply", "-f", "-", stdin=QUOTAS) == "vrf/blue created\n"
    assert moorctl.must("apply", "-f", "-", stdin=QUOTAS) == "vrf/blue unchanged\n"
    written = moorctl.must("get", "vrf", "blue", "-o", "yaml")
    assert moorctl.must("apply", "-f", "-", stdin=written) == "vrf/blue unchanged\n"
    shown = moorctl.must("get", "vrf", "blue", "-o", "wide")
    assert "220" in shown
    assert "shop=0,web=3" in shown
    fewer = QUOTAS.replace("220", "110")
    told = moorctl("diff", "-f", "-", stdin=fewer)
    assert (told.code, told.out) == (1, "vrf/blue configured: quotas\n")
    plain = "apiVersion: moorage.dev/v1\nkind: Vrf\nmetadata: {name: blue}"
    moorctl.must("apply", "-f", "-", stdin=plain)
    assert not client.get_vrf("blue").HasField("quotas")
