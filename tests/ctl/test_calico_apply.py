"""Manifests of Calico against a server: apply, diff, delete, and get as they are printed there."""

import json

import pytest
import yaml

import moorage
from ctl import program
from moorage.ctl import calico, changes, specs
from moorage.v1 import resources_pb2

POOL = """
apiVersion: projectcalico.org/v3
kind: IPPool
metadata: {name: web, labels: {tier: front}}
spec:
  cidr: 10.0.0.0/24
  blockSize: 28
  nodeSelector: zone == 'east'
  natOutgoing: true
  vxlanMode: CrossSubnet
"""
PLAIN_POOL = """
apiVersion: crd.projectcalico.org/v1
kind: IPPool
metadata: {name: plain}
spec: {cidr: "2001:cafe:42::00/56", namespaceSelector: has(team)}
"""
RESERVATION = """
apiVersion: projectcalico.org/v3
kind: IPReservation
metadata: {name: printers}
spec: {reservedCIDRs: [10.0.0.16/28, 10.0.0.9]}
"""
CONFIGURATION = """
apiVersion: projectcalico.org/v3
kind: IPAMConfiguration
metadata: {name: default}
spec: {strictAffinity: true, maxBlocksPerHost: 4, ipCooldownSeconds: 30}
"""
EVERYTHING = "---".join((POOL, PLAIN_POOL, RESERVATION, CONFIGURATION))
OWN_VRF = """
apiVersion: moorage.dev/v1
kind: Vrf
metadata: {name: blue}
spec: {description: of the shop}
"""
OWN_POOL = """
apiVersion: moorage.dev/v1
kind: Pool
metadata: {name: own}
spec: {cidr: 10.0.9.0/24}
"""
NOTE = "pool/web: routing is left to the network plugin: vxlanMode, natOutgoing\n"


def test_apply_says_what_became_of_each(moorctl: program.Moorctl) -> None:
    first = moorctl("apply", "-f", "-", stdin=EVERYTHING)
    assert (first.code, first.err) == (0, NOTE)
    assert first.out.splitlines() == [
        "vrf/default configured",
        "pool/web created",
        "pool/plain created",
        "reservation/printers created",
    ]
    again = moorctl("apply", "-f", "-", stdin=EVERYTHING)
    assert {line.split()[1] for line in again.out.splitlines()} == {"unchanged"}
    changed = moorctl("apply", "-f", "-", stdin=POOL.replace("east", "west"))
    assert changed.out == "pool/web configured\n"


def test_json_says_it_as_of_our_own_kinds(moorctl: program.Moorctl) -> None:
    ended = moorctl("apply", "-o", "json", "-f", "-", stdin=POOL)
    assert ended.json() == {"kind": "Pool", "name": "vrfs/default/pools/web", "result": "created"}


def test_resources_are_stored_as_calico_means_them(
    moorctl: program.Moorctl, client: moorage.Client
) -> None:
    moorctl("apply", "-f", "-", stdin=EVERYTHING)
    web, plain = client.get_pool("web"), client.get_pool("plain")
    assert (web.cidr, web.block_size, web.node_selector) == ("10.0.0.0/24", 28, 'zone == "east"')
    assert list(web.allowed_uses) == [resources_pb2.USE_WORKLOAD, resources_pb2.USE_TUNNEL]
    assert (plain.cidr, plain.block_size) == ("2001:cafe:42::/56", 122)
    assert list(plain.allowed_uses) == [resources_pb2.USE_WORKLOAD]
    assert sorted(client.get_reservation("printers").cidrs) == ["10.0.0.16/28", "10.0.0.9/32"]
    stored = client.get_vrf("default").configuration
    assert (stored.strict_affinity, stored.max_blocks_per_node, stored.cooldown_seconds) == (
        True,
        4,
        30,
    )


def test_apply_leaves_alone_what_calico_does_not_know_of(
    moorctl: program.Moorctl, client: moorage.Client
) -> None:
    client.create_pool(
        "web",
        resources_pb2.Pool(
            cidr="10.0.0.0/24",
            block_size=28,
            disabled=True,
            block_affinity=resources_pb2.BLOCK_AFFINITY_NONE,
            priority=7,
            result_form=resources_pb2.RESULT_FORM_POOL,
            gateway="10.0.0.1",
            routes=[resources_pb2.Route(destination="0.0.0.0/0")],
            dns=resources_pb2.Dns(nameservers=["10.0.0.2"]),
            excluded_ranges=["10.0.0.3"],
            exclude_network_addresses=True,
        ),
    )
    before = client.get_pool("web")
    assert moorctl("apply", "-f", "-", stdin=POOL).out == "pool/web configured\n"
    after = client.get_pool("web")
    assert (after.disabled, dict(after.labels)) == (False, {"tier": "front"})
    for name in ("disabled", "node_selector", "labels", "etag", "update_time"):
        before.ClearField(name)
        after.ClearField(name)
    assert after == before


def test_a_field_that_is_left_out_goes_back_to_its_default(
    moorctl: program.Moorctl, client: moorage.Client
) -> None:
    moorctl("apply", "-f", "-", stdin=POOL.replace("blockSize", "disabled: true\n  blockSize"))
    bare = POOL.replace(", labels: {tier: front}", "").replace("  nodeSelector: zone == 'east'", "")
    assert moorctl("apply", "-f", "-", stdin=bare).out == "pool/web configured\n"
    pool = client.get_pool("web")
    assert (pool.disabled, pool.node_selector, len(pool.labels)) == (False, "all()", 0)


def test_a_reservation_keeps_its_description(
    moorctl: program.Moorctl, client: moorage.Client
) -> None:
    reservation = resources_pb2.Reservation(cidrs=["10.0.0.9"], description="second floor")
    client.create_reservation("printers", reservation)
    assert (
        moorctl.must("apply", "-f", "-", stdin=RESERVATION) == "reservation/printers configured\n"
    )
    stored = client.get_reservation("printers")
    assert (len(stored.cidrs), stored.description) == (2, "second floor")


def test_a_configuration_touches_nothing_else_of_its_vrf(
    moorctl: program.Moorctl, client: moorage.Client
) -> None:
    granted = [resources_pb2.FixedAddressGrant(namespace="shop", cidrs=["10.0.0.7/32"])]
    made = resources_pb2.Vrf(
        description="shop",
        labels={"tenant": "shop"},
        strict_namespaces=True,
        fixed_address_grants=granted,
    )
    client.create_vrf("blue", made)
    moorctl.must("apply", "-f", "-", "--vrf", "blue", stdin=CONFIGURATION)
    blue = client.get_vrf("blue")
    assert (blue.description, dict(blue.labels)) == ("shop", {"tenant": "shop"})
    assert blue.strict_namespaces
    assert list(blue.fixed_address_grants) == granted
    assert blue.configuration.strict_affinity
    assert not client.get_vrf("default").configuration.strict_affinity


def test_a_configuration_makes_no_vrf(moorctl: program.Moorctl, client: moorage.Client) -> None:
    ended = moorctl("apply", "-f", "-", "--vrf", "blue", stdin=CONFIGURATION)
    assert (ended.code, ended.out) == (3, "")
    assert "cannot apply vrf/blue (standard input, document 1 (line 2))" in ended.err
    assert [vrf.name for vrf in client.vrfs()] == ["vrfs/default"]


def test_both_worlds_go_into_one_file(moorctl: program.Moorctl, client: moorage.Client) -> None:
    mixed = "---".join((CONFIGURATION, RESERVATION, OWN_POOL, OWN_VRF, PLAIN_POOL))
    diff = moorctl("diff", "-f", "-", "--vrf", "blue", stdin=mixed)
    assert diff.out.splitlines() == [
        "vrf/blue created",
        "vrf/blue configured: configuration",
        "pool/own created",
        "pool/plain created",
        "reservation/printers created",
    ]
    applied = moorctl.must("apply", "-f", "-", "--vrf", "blue", stdin=mixed)
    assert [line.split()[1] for line in applied.splitlines()] == [
        "created",
        "configured",
        "created",
        "created",
        "created",
    ]
    assert client.get_vrf("blue").description == "of the shop"
    again = moorctl.must("apply", "-f", "-", "--vrf", "blue", stdin=mixed)
    assert {line.split()[1] for line in again.splitlines()} == {"unchanged"}
    assert moorctl.must("diff", "-f", "-", "--vrf", "blue", stdin=mixed) == ""


OWN_WEB = OWN_POOL.replace("name: own", "name: web")
CONFIGURED_VRF = OWN_VRF.replace("spec: {", "spec: {configuration: {strictAffinity: true}, ")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"{POOL}---{OWN_WEB}", "pool/web stands already in standard input, document 1"),
        (f"{POOL}---{POOL.replace('tier', 'rank')}", "pool/web stands already in"),
        (f"{CONFIGURATION}---{CONFIGURATION}", "vrf/blue stands already in"),
        (f"{CONFIGURED_VRF}---{CONFIGURATION}", "vrf/blue stands already in"),
        (POOL.replace("projectcalico.org/v3", "v1"), "apiVersion: must be moorage.dev/v1 or proj"),
        (
            POOL.replace("name: web", "name: web, deletionTimestamp: 2026-01-05T10:11:12Z"),
            "pool/web is being deleted in Calico and would be in service again; leave it out",
        ),
        (POOL.replace("cidr:", "cdir:"), 'spec.cdir: is not a field of an IPPool; did you mean "c'),
    ],
)
def test_nothing_is_sent_when_the_input_is_wrong(
    offline: program.Moorctl, text: str, said: str
) -> None:
    ended = offline("apply", "-f", "-", "--vrf", "blue", stdin=text)
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err


REFUSED_BY_THE_SERVER = [
    (POOL.replace("28", "19"), "pool.block_size"),
    (POOL.replace("28", "33"), "pool.block_size"),
    (POOL.replace("10.0.0.0/24", "169.254.0.0/24"), "pool.cidr"),
    (POOL.replace("zone == 'east'", "zone =="), "pool.node_selector"),
    (POOL.replace("zone == 'east'", "global()"), "pool.node_selector"),
    (
        PLAIN_POOL.replace("has(team)", "has(team), allowedUses: [Tunnel]"),
        "pool.namespace_selector",
    ),
    (CONFIGURATION.replace("30", "1201"), "vrf.configuration.cooldown_seconds"),
    (CONFIGURATION.replace("4", "1000001"), "vrf.configuration.max_blocks_per_node"),
]


@pytest.mark.parametrize(("text", "field"), REFUSED_BY_THE_SERVER)
def test_limits_are_those_of_the_server(client: moorage.Client, text: str, field: str) -> None:
    place = specs.Place(where="test")
    manifest = calico.read(yaml.safe_load(text), "default", place)
    assert manifest is not None
    assert place.problems == []
    with pytest.raises(moorage.InvalidRequest) as refused:
        changes.make(client, changes.find(client, manifest))
    assert field in [violation.field for violation in refused.value.violations]


LISTS = [
    {"kind": "List", "apiVersion": "v1", "items": [yaml.safe_load(POOL)]},
    {
        "kind": "IPPoolList",
        "apiVersion": "projectcalico.org/v3",
        "metadata": {"resourceVersion": "12"},
        "items": [yaml.safe_load(POOL)],
    },
    {
        "kind": "IPPoolList",
        "apiVersion": "crd.projectcalico.org/v1",
        "items": [{"metadata": {"name": "web"}, "spec": {"cidr": "10.0.0.0/24"}}],
    },
]


@pytest.mark.parametrize("listed", LISTS)
def test_lists_are_read_as_their_items(moorctl: program.Moorctl, listed: dict[str, object]) -> None:
    assert moorctl("apply", "-f", "-", stdin=json.dumps(listed)).out == "pool/web created\n"


def test_diff_names_the_fields_of_calico_alone(
    moorctl: program.Moorctl, client: moorage.Client
) -> None:
    pool = resources_pb2.Pool(cidr="10.0.0.0/24", block_size=28, priority=7, gateway="10.0.0.1")
    client.create_pool("web", pool)
    ended = moorctl("diff", "-f", "-", stdin="---".join((POOL, CONFIGURATION)))
    assert (ended.code, ended.err) == (1, "")
    assert ended.out.splitlines() == [
        "vrf/default configured: configuration",
        "pool/web configured: node_selector, labels",
    ]
    assert client.get_pool("web").node_selector == "all()"


def test_delete_of_manifests_resets_the_configuration(
    moorctl: program.Moorctl, client: moorage.Client
) -> None:
    moorctl("apply", "-f", "-", stdin=EVERYTHING)
    assert moorctl.must("delete", "-f", "-", stdin=EVERYTHING).splitlines() == [
        "reservation/printers deleted",
        "pool/plain deleted",
        "pool/web deleted",
        "vrf/default configured",
    ]
    assert (list(client.pools()), list(client.reservations())) == ([], [])
    stored = client.get_vrf("default").configuration
    assert (stored.strict_affinity, stored.auto_allocate_blocks) == (False, True)
    assert (stored.max_blocks_per_node, stored.cooldown_seconds) == (0, 0)
    assert moorctl.must("delete", "-f", "-", stdin=CONFIGURATION) == "vrf/default unchanged\n"
    ended = moorctl("delete", "-f", "-", "--vrf", "blue", stdin=CONFIGURATION)
    assert (ended.code, ended.out) == (3, "")


def test_delete_takes_the_names_that_calicoctl_has(moorctl: program.Moorctl) -> None:
    moorctl("apply", "-f", "-", stdin=EVERYTHING)
    assert moorctl.must("delete", "ippool", "web", "plain") == (
        "pool/web deleted\npool/plain deleted\n"
    )
    assert moorctl.must("delete", "ipreservations", "printers") == "reservation/printers deleted\n"
    assert moorctl.must("delete", "ipamconfig", "default") == "vrf/default configured\n"
    ended = moorctl("delete", "ipamconfig", "blue")
    assert (ended.code, ended.out) == (2, "")
    assert "the IPAMConfiguration of a VRF is named 'default'; see --vrf" in ended.err


SHOWN_POOL = {
    "apiVersion": "projectcalico.org/v3",
    "kind": "IPPool",
    "metadata": {"name": "web", "labels": {"tier": "front"}},
    "spec": {
        "cidr": "10.0.0.0/24",
        "blockSize": 28,
        "nodeSelector": 'zone == "east"',
        "allowedUses": ["Workload", "Tunnel"],
        "assignmentMode": "Automatic",
    },
}
SHOWN_RESERVATION = {
    "apiVersion": "projectcalico.org/v3",
    "kind": "IPReservation",
    "metadata": {"name": "printers"},
    "spec": {"reservedCIDRs": ["10.0.0.16/28", "10.0.0.9/32"]},
}
SHOWN_CONFIGURATION = {
    "apiVersion": "projectcalico.org/v3",
    "kind": "IPAMConfiguration",
    "metadata": {"name": "default"},
    "spec": {
        "strictAffinity": True,
        "autoAllocateBlocks": True,
        "maxBlocksPerHost": 4,
        "ipCooldownSeconds": 30,
    },
}


SHOWN = [
    (("ippool", "web"), SHOWN_POOL),
    (("ipp", "web"), SHOWN_POOL),
    (("ippools", "-l", "tier=front"), SHOWN_POOL),
    (("IPReservations",), SHOWN_RESERVATION),
    (("ipreservation", "printers"), SHOWN_RESERVATION),
    (("ipamconfig",), SHOWN_CONFIGURATION),
    (("ipamconfigurations", "default"), SHOWN_CONFIGURATION),
]


def test_get_shows_manifests_of_calico(moorctl: program.Moorctl) -> None:
    moorctl("apply", "-f", "-", stdin=EVERYTHING)
    for arguments, shown in SHOWN:
        assert yaml.safe_load(moorctl.must("get", *arguments, "-o", "yaml")) == shown


@pytest.mark.parametrize("output", ["yaml", "json"])
def test_what_get_shows_can_be_applied_as_it_is(moorctl: program.Moorctl, output: str) -> None:
    moorctl("apply", "-f", "-", stdin=EVERYTHING)
    for kind in ("ippools", "ipreservations", "ipamconfigurations"):
        text = moorctl.must("get", kind, "-o", output)
        applied = moorctl.must("apply", "-f", "-", stdin=text)
        assert {line.split()[1] for line in applied.splitlines()} == {"unchanged"}
        assert moorctl.must("get", kind, "-o", output) == text


def test_json_lists_are_named_as_calico_names_them(moorctl: program.Moorctl) -> None:
    moorctl("apply", "-f", "-", stdin=POOL)
    listed = json.loads(moorctl.must("get", "ippools", "-o", "json"))
    assert listed == {
        "apiVersion": "projectcalico.org/v3",
        "kind": "IPPoolList",
        "items": [SHOWN_POOL],
    }


def test_get_names_what_calico_has_no_word_for(
    moorctl: program.Moorctl, client: moorage.Client
) -> None:
    client.create_pool(
        "web", resources_pb2.Pool(cidr="10.0.0.0/24", priority=7, gateway="10.0.0.1")
    )
    ended = moorctl("get", "ippools", "-o", "yaml")
    assert ended.err == (
        "pool/web: Calico has no word for priority, gateway, which is left out here\n"
    )
    assert "priority" not in ended.out
    assert moorctl.must("apply", "-f", "-", stdin=ended.out) == "pool/web unchanged\n"
    assert "priority: 7" in moorctl.must("get", "pools", "-o", "yaml")


def test_tables_and_names_are_those_of_our_own_kinds(moorctl: program.Moorctl) -> None:
    moorctl("apply", "-f", "-", stdin=EVERYTHING)
    assert moorctl.must("get", "ippools") == moorctl.must("get", "pools")
    assert moorctl.must("get", "ipreservations", "-o", "name") == "reservation/printers\n"
    assert moorctl.must("get", "ipamconfig", "-o", "name") == "vrf/default\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("ipamconfig", "blue"), "the IPAMConfiguration of a VRF is named 'default'; see --vrf"),
        (("ipamconfig", "-l", "a=b"), "an IPAMConfiguration has no labels"),
        (("ippol",), "did you mean 'ippool'?"),
        (("ippool", "--pod", "a"), "these filters are for a listing of allocations"),
    ],
)
def test_a_wrong_question_is_refused(
    offline: program.Moorctl, arguments: tuple[str, ...], said: str
) -> None:
    ended = offline("get", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err
