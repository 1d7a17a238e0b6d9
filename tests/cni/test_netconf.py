"""The network configuration: what is read, its defaults, and how a mistake in it is named."""

import json
import os
from pathlib import Path

import pytest

from cni import program
from moorage.cni import errors, netconf, settings


def parsed(ipam: dict[str, object] | None = None, **rest: object) -> netconf.NetConf:
    document = {"cniVersion": "1.0.0", "name": "pods", "ipam": {"type": "moorage"} | (ipam or {})}
    return netconf.parse(json.dumps(document | rest).encode())


def test_a_configuration_of_nothing_but_a_type_has_every_default() -> None:
    conf = parsed()
    chosen = settings.parse(conf)
    assert (conf.server, conf.vrf, conf.timeout_seconds) == ("127.0.0.1:7711", "default", 30)
    assert (chosen.families, chosen.pools) == ((4,), {4: (), 6: ()})
    assert (chosen.one_address_per_family, chosen.cluster) == (False, None)
    assert settings.node_name(chosen, "/nowhere") == os.uname().nodename.lower()


@pytest.mark.parametrize(
    ("switches", "families"),
    [
        ({}, (4,)),
        ({"assign_ipv6": "true"}, (4, 6)),
        ({"assign_ipv6": True}, (4, 6)),
        ({"assign_ipv4": "false", "assign_ipv6": "true"}, (6,)),
        ({"assign_ipv4": False, "assign_ipv6": True}, (6,)),
        ({"assign_ipv4": "", "assign_ipv6": ""}, (4,)),
        ({"assign_ipv4": None, "assign_ipv6": None}, (4,)),
        # Only the exact opposite of the default changes it.
        ({"assign_ipv4": "False", "assign_ipv6": "True"}, (4,)),
        ({"assign_ipv4": "no", "assign_ipv6": "yes"}, (4,)),
        ({"assign_ipv4": " false", "assign_ipv6": "true "}, (4,)),
        ({"assign_ipv4": "false"}, ()),
    ],
)
def test_families_are_switched_by_texts_or_booleans(
    switches: dict[str, object], families: tuple[int, ...]
) -> None:
    assert settings.parse(parsed(switches)).families == families


def test_a_cluster_is_a_text_of_at_most_128_characters() -> None:
    assert settings.parse(parsed()).cluster_uid == ""
    assert settings.parse(parsed({"cluster": "x" * 128})).cluster_uid == "x" * 128


def test_pools_are_names_and_ranges() -> None:
    ipam: dict[str, object] = {"ipv4_pools": ["web", "10.1.2.3/16"], "ipv6_pools": ["FD00::/64"]}
    assert settings.parse(parsed(ipam)).pools == {4: ("web", "10.1.0.0/16"), 6: ("fd00::/64",)}


@pytest.mark.parametrize("absent", [None, []])
def test_an_empty_list_of_pools_constrains_nothing(absent: object) -> None:
    assert settings.parse(parsed({"ipv4_pools": absent})).pools[4] == ()


BAD = [
    ("name", {"name": None}),
    ("name", {"name": ""}),
    ("name", {"name": "white space"}),
    ("name", {"name": "_leading"}),
    ("name", {"name": 7}),
    ("cniVersion", {"cniVersion": 1.0}),
    ("ipam", {"ipam": None}),
    ("ipam", {"ipam": []}),
    ("runtimeConfig", {"runtimeConfig": []}),
    ("nodename", {"nodename": ["n1"]}),
    ("kubernetes", {"kubernetes": "yes"}),
    ("kubernetes", {"kubernetes": {"token_file": "/t"}}),
    ("kubernetes.kubeconfig", {"kubernetes": {"kubeconfig": 1}}),
    ("prevResult", {"prevResult": 1}),
]
BAD_IPAM = [
    ("server", 1),
    ("server", "two words"),
    ("server", "new\nline"),
    ("server", "x" * 1025),
    ("vrf", "Blue"),
    ("vrf", "a/b"),
    ("vrf", "x" * 64),
    ("timeout_seconds", 0),
    ("timeout_seconds", -1),
    ("timeout_seconds", 90.5),
    ("timeout_seconds", "30"),
    ("timeout_seconds", True),
    ("assign_ipv4", []),
    ("assign_ipv6", 1),
    ("ipv4_pools", "web"),
    ("ipv4_pools", ["web", 1]),
    ("ipv4_pools", ["fd00::/64"]),
    ("ipv4_pools", ["10.0.0.0/33"]),
    ("ipv6_pools", ["10.0.0.0/8"]),
    ("ipv6_pools", [f"p{n}" for n in range(17)]),
    ("ip_addrs", "some"),
    ("nodename_file", 1),
    ("hostname", 1),
    ("cluster", 1),
    ("cluster", "x" * 129),
    ("cluster", "new\nline"),
    ("kubernetes", {"ca_file": "/ca"}),
]


@pytest.mark.parametrize(
    ("key", "broken"), BAD + [(f"ipam.{key}", {"ipam": {key: value}}) for key, value in BAD_IPAM]
)
def test_a_mistake_is_named_by_key_and_value(key: str, broken: dict[str, object]) -> None:
    ipam = broken.get("ipam", {})
    document = {"cniVersion": "1.1.0", "name": "pods", "ipam": {"type": "moorage"}} | broken
    if isinstance(ipam, dict):
        document["ipam"] = {"type": "moorage"} | ipam
    with pytest.raises(errors.CniError) as refused:
        _read_everything(json.dumps(document).encode())
    assert refused.value.code == errors.Code.INVALID_CONFIG
    named = key.removeprefix("ipam.") if "nodename" in key else key
    assert f'"{named}' in refused.value.msg or f'"ipam.{named}' in refused.value.msg
    assert "CNI config with value" in refused.value.msg
    assert refused.value.details


def _read_everything(stdin: bytes) -> None:
    conf = netconf.parse(stdin)
    netconf.pod_annotations(conf)
    netconf.section(conf.document, "prevResult")
    settings.parse(conf)


def test_the_program_answers_code_7_for_a_bad_configuration() -> None:
    outcome = program.run("ADD", program.config(ipam={"vrf": "Blue"}))
    assert outcome.error == {
        "cniVersion": "1.0.0",
        "code": 7,
        "msg": """key "ipam.vrf" of the CNI config with value '"Blue"': not a VRF id""",
        "details": "lower case letters, digits and '-'",
    }


def test_release_needs_nothing_of_what_only_assigning_reads() -> None:
    broken = {"ipv4_pools": 1, "assign_ipv4": "perhaps", "nodename_file": "/nowhere", "ip_addrs": 1}
    outcome = program.run("DEL", program.config(ipam=broken | {"timeout_seconds": 0.2}))
    assert outcome.error["code"] == 11


def test_the_node_is_named_by_key_then_file_then_host(tmp_path: Path) -> None:
    file = tmp_path / "nodename"
    file.write_text("from-file\n")
    default = tmp_path / "of-calico"
    default.write_text(" of-calico \n")
    for ipam, rest, expected in (
        ({"nodename": "a"}, {"nodename": "b"}, "a"),
        ({}, {"nodename": "b", "nodename_file": str(file)}, "b"),
        ({"nodename_file": str(file)}, {}, "from-file"),
        ({}, {"nodename_file": str(file)}, "from-file"),
        ({"nodename_file": str(file)}, {"hostname": "c"}, "from-file"),
        ({"nodename": "", "nodename_file": ""}, {"hostname": "c"}, "of-calico"),
    ):
        chosen = settings.parse(parsed(dict(ipam), **rest))
        assert settings.node_name(chosen, str(default)) == expected


def test_a_host_name_that_is_configured_wins_over_the_hosts_own() -> None:
    for chosen in (parsed({"hostname": "c"}, hostname="d"), parsed(hostname="c")):
        assert settings.node_name(settings.parse(chosen), "/nowhere") == "c"


@pytest.mark.parametrize("content", [None, b"", b"\n", b"a\nb", b"\xff"])
def test_a_node_name_file_that_says_nothing_is_refused(
    content: bytes | None, tmp_path: Path
) -> None:
    file = tmp_path / "nodename"
    if content is not None:
        file.write_bytes(content)
    # The default file is nobody's word: the next one counts.
    assert settings.node_name(settings.parse(parsed(hostname="next")), str(file)) == "next"
    outcome = program.run("ADD", program.config(rest={"nodename_file": str(file)}))
    assert outcome.error["code"] == 7
    assert 'key "nodename_file" of the CNI config' in outcome.text


def test_a_setting_of_ours_wins_over_one_of_the_network() -> None:
    inner, outer = {"kubeconfig": "/inner"}, {"kubeconfig": "/outer"}
    both = settings.parse(parsed({"kubernetes": inner}, kubernetes=outer)).cluster
    one = settings.parse(parsed({}, kubernetes=outer)).cluster
    none = settings.parse(parsed({"kubernetes": {}}, kubernetes=None)).cluster
    assert both is not None
    assert one is not None
    assert (both.kubeconfig, one.kubeconfig, none) == ("/inner", "/outer", None)


def test_the_api_root_has_the_name_calico_gives_it_too() -> None:
    cluster = settings.parse(parsed(kubernetes={"k8s_api_root": "https://k:6443"})).cluster
    assert cluster is not None
    assert cluster.api_root == "https://k:6443"
