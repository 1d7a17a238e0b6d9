"""Fixed addresses that a runtime passes: through CNI_ARGS, the conventions' args, a capability."""

import json

import pytest

from moorage.cni import errors, invocation, netconf, runtime_ips


def read(cni_args: str = "", document: dict[str, object] | None = None) -> list[str] | None:
    conf = netconf.parse(json.dumps({"name": "pods", "ipam": {}} | (document or {})).encode())
    environment = {"CNI_COMMAND": "DEL", "CNI_CONTAINERID": "c", "CNI_IFNAME": "eth0"}
    call = invocation.parse(environment | {"CNI_ARGS": cni_args}, began=1)
    found = runtime_ips.read(conf, call)
    if found is None:
        return None
    return [str(address) for choice in found.choices for address in choice.candidates]


@pytest.mark.parametrize(
    ("cni_args", "expected"),
    [
        ("", None),
        ("IP=", None),
        ("IP=10.0.0.1", ["10.0.0.1"]),
        ("IP=10.0.0.1,fd00::1", ["10.0.0.1", "fd00::1"]),
        ("IP=10.0.0.1/24", ["10.0.0.1"]),
        ("IP=10.0.0.1/32,fd00::1/64", ["10.0.0.1", "fd00::1"]),
        ("IP=fd00::1,10.0.0.1", ["fd00::1", "10.0.0.1"]),
        ("IgnoreUnknown=1;IP=10.0.0.1;K8S_POD_NAME=a", ["10.0.0.1"]),
        ("K8S_POD_NAME=a;stray;IP=10.0.0.1", ["10.0.0.1"]),
        ("ip=10.0.0.1", None),
    ],
)
def test_cni_args_carry_one_address_of_a_family(cni_args: str, expected: list[str] | None) -> None:
    assert read(cni_args) == expected


@pytest.mark.parametrize(
    "cni_args",
    [
        *("IP=10.0.0.1,10.0.0.2", "IP=10.0.0.1/33", "IP=10.0.0.1/"),
        *("IP=x", "IP=10.0.0.1,", "IP= 10.0.0.1"),
    ],
)
def test_a_bad_address_in_cni_args_is_named(cni_args: str) -> None:
    with pytest.raises(errors.CniError) as refused:
        read(cni_args)
    assert refused.value.code == errors.Code.INVALID_ENVIRONMENT
    assert refused.value.msg.startswith('argument "IP" of CNI_ARGS with value ')


def test_the_conventions_args_win_over_cni_args_and_the_capability_over_both() -> None:
    args = {"cni": {"ips": ["10.0.0.2/24"]}}
    capability = {"ips": ["10.0.0.3/24", "fd00::3"]}
    assert read("IP=10.0.0.1", {"args": args}) == ["10.0.0.2"]
    assert read("IP=10.0.0.1", {"args": args, "runtimeConfig": capability}) == [
        "10.0.0.3",
        "fd00::3",
    ]


@pytest.mark.parametrize("nothing", [None, []])
def test_an_empty_list_leaves_the_word_to_the_next(nothing: object) -> None:
    capability = {"ips": nothing}
    document = {"args": {"cni": capability}, "runtimeConfig": capability}
    assert read("IP=10.0.0.1", document) == ["10.0.0.1"]


@pytest.mark.parametrize(
    "ips", ["10.0.0.1", ["x"], ["10.0.0.1/33"], ["10.0.0.1", "10.0.0.2"], [1], {"a": 1}]
)
@pytest.mark.parametrize("key", ["args.cni.ips", "runtimeConfig.ips"])
def test_a_bad_address_in_the_configuration_is_named(key: str, ips: dict[str, object]) -> None:
    for part in reversed(key.split(".")):
        ips = {part: ips}
    with pytest.raises(errors.CniError) as refused:
        read("", ips)
    assert refused.value.code == errors.Code.INVALID_CONFIG
    assert refused.value.msg.startswith(f'key "{key}" of the CNI config with value ')
