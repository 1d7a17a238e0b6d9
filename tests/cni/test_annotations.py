"""What the annotations of a pod and its namespace ask for, and who wins where several speak."""

import ipaddress
import json
from collections.abc import Mapping

import pytest

from cni import program
from moorage.cni import annotations, constraints, errors, netconf, settings

V4 = annotations.IPV4_POOLS
V6 = annotations.IPV6_POOLS
FAMILIES = annotations.IP_FAMILIES
ADDRS = annotations.IP_ADDRS
NO_IPAM = annotations.IP_ADDRS_NO_IPAM
OWNER = annotations.OWNER


def resolve(
    pod: Mapping[str, str] | None = None,
    namespace: Mapping[str, str] | None = None,
    **ipam: object,
) -> constraints.Constraints:
    document = {"cniVersion": "1.0.0", "name": "pods", "ipam": ipam}
    conf = netconf.parse(json.dumps(document).encode())
    return annotations.resolve(
        annotations.Level(where="pod shop/web-0", annotations=pod or {}),
        annotations.Level(where="namespace shop", annotations=namespace or {}),
        settings.parse(conf),
    )


def pools(found: constraints.Constraints) -> dict[int, tuple[str, ...]]:
    return {choice.family: choice.pools for choice in found.choices}


def candidates(found: constraints.Constraints) -> list[list[str]]:
    return [[str(address) for address in choice.candidates] for choice in found.choices]


@pytest.mark.parametrize(
    ("pod", "namespace", "config", "winner"),
    [
        ('["p"]', '["n"]', ["c"], ("p",)),
        (None, '["n"]', ["c"], ("n",)),
        (None, None, ["c"], ("c",)),
        (None, None, None, ()),
        ("", '["n"]', ["c"], ("n",)),
        ("", "", ["c"], ("c",)),
        ("[]", '["n"]', ["c"], ()),
        ("null", '["n"]', ["c"], ()),
        (None, "[]", ["c"], ()),
        ('["p","10.9.8.7/16"]', None, None, ("p", "10.9.0.0/16")),
        ('[\n  "p"\n]', None, None, ("p",)),
        # What a winner replaces is not even looked at.
        ('["p"]', "no json", None, ("p",)),
    ],
)
def test_the_pod_wins_over_the_namespace_and_that_over_the_configuration(
    pod: str | None, namespace: str | None, config: list[str] | None, winner: tuple[str, ...]
) -> None:
    on_pod = {} if pod is None else {V4: pod}
    on_namespace = {} if namespace is None else {V4: namespace}
    assert pools(resolve(on_pod, on_namespace, ipv4_pools=config)) == {4: winner}


def test_each_key_is_decided_by_itself() -> None:
    found = resolve({V4: '["p4"]'}, {V4: '["n4"]', V6: '["n6"]', FAMILIES: '["IPv6","IPv4"]'})
    assert pools(found) == {4: ("p4",), 6: ("n6",)}


def test_naming_pools_of_a_family_does_not_switch_it_on() -> None:
    assert pools(resolve({V6: '["p6"]'})) == {4: ()}


def test_a_name_that_nothing_is_drawn_from_is_remembered_with_its_place() -> None:
    found = resolve({V6: '["p6","fd00::/64"]'}, ipv4_pools=["c4"])
    assert [(each.family, each.name) for each in found.idle] == [(6, "p6")]
    assert str(found.idle[0].source).startswith(f'annotation "{V6}" of pod shop/web-0')
    assert resolve({V6: '["p6"]', FAMILIES: '["IPv4","IPv6"]'}).idle == ()
    assert resolve({V6: '["p6"]', ADDRS: '["10.0.0.1"]'}).idle == ()


def test_addresses_with_and_without_ipam_exclude_each_other() -> None:
    rule = "can't have both annotations: 'ipAddrs' and 'ipAddrsNoIpam' in use at the same time"
    with pytest.raises(errors.CniError, match=rule):
        resolve({ADDRS: '["10.0.0.1"]', NO_IPAM: '["10.0.0.2"]'})
    with pytest.raises(errors.CniError, match="ip_addrs_no_ipam"):
        resolve({ADDRS: "", NO_IPAM: '["10.0.0.2"]'})
    assert candidates(resolve({ADDRS: '["10.0.0.1"]', NO_IPAM: ""})) == [["10.0.0.1"]]


def test_what_counts_on_pods_alone_does_no_harm_on_a_namespace() -> None:
    on_namespace = {NO_IPAM: '["10.0.0.1"]', annotations.FLOATING_IPS: '["10.0.0.1"]', OWNER: "o"}
    assert resolve({}, on_namespace) == resolve()


@pytest.mark.parametrize(
    ("value", "families"),
    [('["IPv4"]', [4]), ('["IPv6"]', [6]), ('["IPv6","IPv4"]', [4, 6]), ('["IPv4","IPv4"]', [4])],
)
def test_families_replace_the_switches_of_the_configuration(
    value: str, families: list[int]
) -> None:
    found = resolve({FAMILIES: value}, assign_ipv4="false")
    assert [choice.family for choice in found.choices] == families


def test_switching_every_family_off_leaves_nothing_to_assign() -> None:
    with pytest.raises(errors.CniError, match="no address to assign") as refused:
        resolve(assign_ipv4="false")
    assert refused.value.code == errors.Code.INVALID_CONFIG


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ('["10.0.0.1"]', [["10.0.0.1"]]),
        ('["fd00::1"]', [["fd00::1"]]),
        ('["fd00::1","10.0.0.1"]', [["10.0.0.1"], ["fd00::1"]]),
        ('["10.0.0.2","10.0.0.1"]', [["10.0.0.2", "10.0.0.1"]]),
        ('["10.0.0.1","::ffff:10.0.0.1"]', [["10.0.0.1"]]),
    ],
)
def test_listed_addresses_are_any_of_which_one_per_family_is_wanted(
    value: str, expected: list[list[str]]
) -> None:
    # Whatever the pools and families are said to be, only what is listed is assigned.
    found = resolve({ADDRS: value, V4: '["p"]', FAMILIES: '["IPv6"]'}, assign_ipv4="false")
    assert candidates(found) == expected
    assert set(pools(found).values()) == {()}


def test_listed_addresses_count_on_the_pod_alone() -> None:
    assert candidates(resolve({}, {ADDRS: '["10.0.0.1"]'})) == [[]]


@pytest.mark.parametrize(
    ("value", "family"),
    [('["10.0.0.1","10.0.0.2"]', "IPv4"), ('["fd00::1","10.0.0.1","fd00::2"]', "IPv6")],
)
def test_strict_wants_at_most_one_address_of_a_family(value: str, family: str) -> None:
    with pytest.raises(errors.CniError) as refused:
        resolve({ADDRS: value}, ip_addrs="strict")
    assert f'cannot have more than one {family} address for "{ADDRS}" annotation' in (
        refused.value.msg
    )


def test_strict_has_nothing_against_one_address_of_each_family() -> None:
    found = resolve({ADDRS: '["10.0.0.1","fd00::1"]'}, ip_addrs="strict")
    assert candidates(found) == [["10.0.0.1"], ["fd00::1"]]


def test_what_the_runtime_fixed_wins_over_listed_addresses() -> None:
    fixed = constraints.Constraints(
        choices=(constraints.Choice(family=4, candidates=(ipaddress.ip_address("10.0.0.9"),)),)
    )
    level = annotations.Level(where="pod shop/web-0", annotations={ADDRS: "bad", OWNER: "web"})
    nobody = annotations.Level(where="namespace shop", annotations={})
    chosen = settings.parse(netconf.parse(b'{"name":"pods","ipam":{}}'))
    found = annotations.resolve(level, nobody, chosen, fixed)
    assert candidates(found) == [["10.0.0.9"]]
    assert found.owner == "web"


def test_the_owner_is_the_pods_own_word() -> None:
    assert resolve({OWNER: "web-0"}, {OWNER: "other"}).owner == "web-0"
    assert resolve({}, {OWNER: "other"}).owner == ""


BROKEN = [
    (V4, "no json", "not JSON"),
    (V4, '"web"', "not a JSON list"),
    (V4, "{}", "not a JSON list"),
    (V4, "[1]", "not a string"),
    (V4, '["a", null]', "not a string"),
    (V4, '["a",]', "not JSON"),
    (V4, '["fd00::/64"]', "isn't a IPv4"),
    (V4, '["10.0.0.0/33"]', "invalid CIDR"),
    (V4, '["Web"]', 'error parsing pool "Web": invalid CIDR address: Web'),
    (V4, '["fd00::1:0/112"]', """"fd00::1:0" isn't a IPv4 address"""),
    (V4, json.dumps(["a"] * 17), "at most 16"),
    (V4, json.dumps(["a" * 250] * 17), "longer than 4096 bytes"),
    (V4, "[" * 4000, "nested deeper"),
    (V4, '{"a":' * 600, "nested deeper"),
    (V4, '["' + "é" * 2100 + '"]', "longer than 4096 bytes"),
    (V4, "[NaN]", "NaN is not JSON"),
    # A mistake is one even in the list of a family that is not assigned.
    (V6, '["10.0.0.0/8"]', "isn't a IPv6"),
    (FAMILIES, "[]", "names no family"),
    (FAMILIES, "null", "names no family"),
    (FAMILIES, '["ipv4"]', "error parsing ipFamilies: 'ipv4'"),
    (FAMILIES, '["IPv5"]', "error parsing ipFamilies"),
    (ADDRS, "[]", "specified but empty"),
    (ADDRS, "null", "specified but empty"),
    (ADDRS, "10.0.0.1", "not JSON"),
    (ADDRS, '["10.0.0.1/24"]', "invalid IP format"),
    (ADDRS, '["010.0.0.1"]', "invalid IP format"),
    (ADDRS, '["fe80::1%eth0"]', "invalid IP format"),
    (ADDRS, '[" 10.0.0.1"]', "invalid IP format"),
    (ADDRS, '["10.0.0.1\\u0000"]', "invalid IP format"),
    (ADDRS, json.dumps([f"10.0.0.{n}" for n in range(17)]), "at most 16"),
    (OWNER, "x" * 190, "189 printable characters"),
    (OWNER, "web\n0", "189 printable characters"),
    (OWNER, "web\ud800", "189 printable characters"),
    (NO_IPAM, '["10.0.0.1"]', "requested feature is not enabled: ip_addrs_no_ipam"),
    (annotations.FLOATING_IPS, '["10.0.0.1"]', "requested feature is not enabled: floating_ips"),
    (annotations.STICKY, "1h", f'the pod has no annotation "{OWNER}"'),
    (annotations.STICKY, "91d", "not a duration of at most 90d"),
    (annotations.WAIT, "61s", "not a duration of at most 60s"),
    (annotations.WAIT, "2m", "not a duration of at most 60s"),
    (annotations.WAIT, "30", "not a duration of at most 60s"),
    (annotations.WAIT, "-1s", "not a duration of at most 60s"),
    (annotations.WAIT, "1.5s", "not a duration of at most 60s"),
    (annotations.WAIT, "1m30s", "not a duration of at most 60s"),
    (annotations.WAIT, " 1s", "not a duration of at most 60s"),
    (annotations.WAIT, "1s\n", "not a duration of at most 60s"),
    (annotations.WAIT, "\u0661s", "not a duration of at most 60s"),
    (annotations.WAIT, "1S", "not a duration of at most 60s"),
]


@pytest.mark.parametrize(("key", "value", "rule"), BROKEN, ids=[b[0] + b[2] for b in BROKEN])
def test_a_bad_annotation_is_named_with_its_pod_its_value_and_the_rule(
    key: str, value: str, rule: str
) -> None:
    with pytest.raises(errors.CniError) as refused:
        resolve({key: value})
    assert refused.value.code == errors.Code.ANNOTATION_REFUSED
    place = f'annotation "{key}" of pod shop/web-0 with value '
    assert refused.value.msg.startswith(place + errors.quote(value) + ": ")
    assert rule in refused.value.msg
    assert refused.value.details
    assert refused.value.msg.isprintable()
    assert len(refused.value.msg) < 500


@pytest.mark.parametrize("key", [V4, V6, FAMILIES, annotations.STICKY, annotations.WAIT])
def test_a_bad_annotation_of_the_namespace_says_so(key: str) -> None:
    with pytest.raises(errors.CniError) as refused:
        resolve({}, {key: "no json"})
    assert f'annotation "{key}" of namespace shop with value ' in refused.value.msg


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("0s", 0), ("30s", 30), ("060s", 60), ("10m", 600), ("24h", 86400), ("90d", 7776000)],
)
def test_a_duration_is_a_number_and_its_unit(value: str, seconds: int) -> None:
    found = resolve({annotations.STICKY: value, OWNER: "web-0"})
    assert (found.sticky_seconds, found.wait_seconds) == (seconds, 0)


def test_patience_and_retention_of_the_namespace_are_every_pods() -> None:
    said = {annotations.WAIT: "30s", annotations.STICKY: "24h"}
    found = resolve({OWNER: "web-0"}, said)
    assert (found.wait_seconds, found.sticky_seconds) == (30, 86400)
    own = {annotations.WAIT: "5s", annotations.STICKY: "0s"}
    found = resolve(own, said)
    assert (found.wait_seconds, found.sticky_seconds) == (5, 0)


def test_what_is_asked_for_remembers_who_said_it() -> None:
    found = resolve({FAMILIES: '["IPv4","IPv6"]'}, {V4: '["n4"]'}, ipv6_pools=["c6"])
    assert found.said_by == (
        f"""annotation "{FAMILIES}" of pod shop/web-0 with value '["IPv4","IPv6"]'""",
        f"""annotation "{V4}" of namespace shop with value '["n4"]'""",
        """key "ipam.ipv6_pools" of the CNI config with value '["c6"]'""",
    )


def test_the_program_refuses_a_bad_annotation_with_a_whole_explanation() -> None:
    outcome = program.run(
        "ADD",
        program.annotated({ADDRS: '["10.0.0.1/24"]'}),
        environment={"CNI_ARGS": program.POD_ARGS},
    )
    assert outcome.error == {
        "cniVersion": "1.0.0",
        "code": 100,
        "msg": f'annotation "{ADDRS}" of pod shop/web-0 with value '
        """'["10.0.0.1/24"]': invalid IP format: '10.0.0.1/24'""",
        "details": "list plain addresses, without prefix length",
    }
    assert outcome.stderr == b""


def test_without_a_pod_the_container_is_named() -> None:
    outcome = program.run("ADD", program.annotated({V4: "bad"}))
    assert "of container c0ffee with value 'bad'" in outcome.text


@pytest.mark.parametrize("passed", [[], "text", {"key": 1}, {"key": None}])
def test_annotations_that_are_no_texts_are_a_mistake_of_the_runtime(passed: object) -> None:
    runtime = {"io.kubernetes.cri.pod-annotations": passed}
    outcome = program.run("ADD", program.config(rest={"runtimeConfig": runtime}))
    assert outcome.error["code"] == 7
    assert "runtimeConfig.io.kubernetes.cri.pod-annotations" in outcome.text
