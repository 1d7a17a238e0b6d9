"""moorctl ipam configure: how blocks of a VRF are dealt out."""

import pytest

import moorage
from ctl import program

CONFIGURE = ("ipam", "configure")


def configuration(client: moorage.Client) -> tuple[bool, bool, int, int]:
    """What is stored, absent values by their default."""
    stored = client.get_vrf("default").configuration
    opened = stored.auto_allocate_blocks if stored.HasField("auto_allocate_blocks") else True
    return stored.strict_affinity, opened, stored.max_blocks_per_node, stored.cooldown_seconds


@pytest.mark.parametrize("option", ["--strictaffinity", "--strict-affinity"])
@pytest.mark.parametrize("value", ["true", "True", "1", "T"])
def test_strict_affinity_is_set_in_every_spelling(
    moorctl: program.Moorctl, client: moorage.Client, option: str, value: str
) -> None:
    out = moorctl.must(*CONFIGURE, option, value)
    assert out == "Successfully set StrictAffinity to: true\n"
    assert configuration(client) == (True, True, 0, 0)


def test_all_that_is_given_is_set_at_once(moorctl: program.Moorctl, client: moorage.Client) -> None:
    options = ("--strictaffinity=true", "--auto-allocate-blocks=false", "--maxblocksperhost=3")
    assert moorctl.must(*CONFIGURE, *options, "--ip-cooldown-seconds=30").splitlines() == [
        "Successfully set StrictAffinity to: true",
        "Successfully set AutoAllocateBlocks to: false",
        "Successfully set MaxBlocksPerHost to: 3",
        "Successfully set IPCooldownSeconds to: 30",
    ]
    assert configuration(client) == (True, False, 3, 30)


def test_what_is_not_given_stays(moorctl: program.Moorctl, client: moorage.Client) -> None:
    moorctl.must(*CONFIGURE, "--strictaffinity", "true", "--max-blocks-per-host", "3")
    assert moorctl(*CONFIGURE, "--ip-cooldown-seconds", "9", "-o", "json").json() == {
        "strictAffinity": True,
        "autoAllocateBlocks": True,
        "maxBlocksPerHost": 3,
        "ipCooldownSeconds": 9,
    }
    assert configuration(client) == (True, True, 3, 9)


def test_values_go_back_to_their_defaults(moorctl: program.Moorctl, client: moorage.Client) -> None:
    moorctl.must(*CONFIGURE, "--strictaffinity", "true", "--ip-cooldown-seconds", "30")
    out = moorctl.must(*CONFIGURE, "--strictaffinity", "false", "--ip-cooldown-seconds", "0")
    assert out.splitlines() == [
        "Successfully set StrictAffinity to: false",
        "Successfully set IPCooldownSeconds to: 0",
    ]
    assert configuration(client) == (False, True, 0, 0)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--max-blocks-per-host", "3"),
        ("--auto-allocate-blocks", "false"),
        ("--ip-cooldown-seconds", "-1"),
        ("--ip-cooldown-seconds", "1201"),
        ("--strictaffinity", "true", "--max-blocks-per-host", "1000001"),
    ],
)
def test_what_the_server_forbids_is_not_set(
    moorctl: program.Moorctl, client: moorage.Client, arguments: tuple[str, ...]
) -> None:
    ended = moorctl(*CONFIGURE, *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("moorctl: cannot configure vrf/default: ")
    assert configuration(client) == (False, True, 0, 0)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "moorctl: at least one configuration option must be specified\n"),
        (
            ("--strictaffinity", "yes"),
            "moorctl: invalid value. Use true or false to set strictaffinity\n",
        ),
        (
            ("--auto-allocate-blocks", ""),
            "moorctl: invalid value. Use true or false to set autoallocateblocks\n",
        ),
    ],
)
def test_a_value_that_cannot_be_one_is_refused(
    offline: program.Moorctl, arguments: tuple[str, ...], said: str
) -> None:
    ended = offline(*CONFIGURE, *arguments)
    assert (ended.code, ended.out, ended.err) == (2, "", said)


def test_a_number_that_is_none_is_refused(offline: program.Moorctl) -> None:
    ended = offline(*CONFIGURE, "--max-blocks-per-host", "many")
    assert (ended.code, ended.out) == (2, "")
    assert "'many' is not a valid integer" in ended.err
