"""moorctl history: who held addresses, and when."""

import datetime
import json

import pytest
import yaml

import moorage
from ctl import holdings, program
from moorage.ctl import times
from moorage.v1 import resources_pb2

NOW = datetime.datetime(2030, 1, 31, 12, tzinfo=datetime.UTC)


@pytest.fixture
def shop(client: moorage.Client) -> moorage.Client:
    """10.0.0.7 was cart-0's, and is cart-1's; 10.0.0.8 is nobody's pod's."""
    client.create_pool("v4", resources_pb2.Pool(cidr="10.0.0.0/24"))
    (first,) = holdings.assign(client, "10.0.0.7", container="c1", node="n1", pod="cart-0")
    client.release(first.attachment)
    holdings.assign(client, "10.0.0.7", container="c2", node="n1", pod="cart-1")
    holdings.assign(client, "10.0.0.8", container="c3", node="n1")
    return client


def moment(client: moorage.Client, at: int) -> str:
    """When the holding with this number began, as it can be given."""
    return times.spelled(list(client.history())[at].allocation.assign_time)


def test_one_line_says_who_held_an_address(moorctl: program.Moorctl, shop: moorage.Client) -> None:
    then, released = moment(shop, 0), next(shop.history()).release_time
    line = moorctl.must("history", "--ip", "10.0.0.7", "--at", then)
    assert line == (
        "10.0.0.7 was held by shop/cart-0 (container c1, eth0; node n1)"
        f" from {then} until {times.spelled(released)}\n"
    )
    line = moorctl.must("history", "--ip", "10.0.0.7", "--at", "-0s")
    assert line == (
        f"10.0.0.7 is held by shop/cart-1 (container c2, eth0; node n1) since {moment(shop, 1)}\n"
    )
    line = moorctl.must("history", "--ip", "10.0.0.8", "--at", "-0s")
    assert line.startswith("10.0.0.8 is held by no pod (container c3, eth0; node n1) since ")


def test_that_nobody_held_it_has_an_exit_code_of_its_own(
    moorctl: program.Moorctl, shop: moorage.Client
) -> None:
    ended = moorctl("history", "--ip", "10.0.0.9", "--at", "-0s")
    assert (ended.code, ended.out) == (3, "")
    assert ended.err.startswith("moorctl: nobody held 10.0.0.9 at 20")
    assert "next: see its whole history: moorctl history --ip 10.0.0.9" in ended.err
    ended = moorctl("history", "--ip", "10.0.0.9", "--at", "-0s", "-o", "json")
    assert (ended.code, ended.out) == (3, "")
    assert ended.error()["reason"] == "NOT_HELD"


def test_that_nobody_knows_is_not_that_nobody_held_it(
    moorctl: program.Moorctl, shop: moorage.Client
) -> None:
    known = times.spelled(shop.history_known_since())
    ended = moorctl("history", "--ip", "10.0.0.9", "--at", "2020-01-01T00:00:00Z")
    assert (ended.code, ended.out) == (3, "")
    assert ended.err.splitlines()[:2] == [
        "moorctl: it is not known who held 10.0.0.9 at 2020-01-01T00:00:00Z: "
        f"the history goes back to {known}",
        "  HISTORY_NOT_KEPT: address=10.0.0.9, vrf=default",
    ]


def test_a_table_has_a_line_for_each_holding(
    moorctl: program.Moorctl, shop: moorage.Client
) -> None:
    lines = [line.split() for line in moorctl.must("history").splitlines()]
    assert lines[0] == [
        *("ADDRESS", "POOL", "NODE", "NAMESPACE", "POD", "OWNER", "CONTAINER"),
        *("ASSIGNED", "RELEASED"),
    ]
    assert [line[0:1] + line[3:7] for line in lines[1:]] == [
        ["10.0.0.7", "shop", "cart-0", "-", "c1"],
        ["10.0.0.7", "shop", "cart-1", "-", "c2"],
        ["10.0.0.8", "-", "-", "-", "c3"],
    ]
    assert [line[8] == "-" for line in lines[1:]] == [False, True, True]


WHOSE = [
    (["--ip", "10.0.0.7"], ["c1", "c2"]),
    (["--cidr", "10.0.0.8/29"], ["c3"]),
    (["--pod", "shop/cart-0"], ["c1"]),
    (["--node", "n1"], ["c1", "c2", "c3"]),
    (["--owner", "cart"], []),
    (["--container-id", "c2"], ["c2"]),
    (["--node", "n1", "--ip", "10.0.0.8"], ["c3"]),
    (["--since", "-1h"], ["c1", "c2", "c3"]),
    (["--until", "-1h"], []),
    (["--since", "-2h", "--until", "-1h"], []),
    (["--at", "-0s"], ["c2", "c3"]),
]


def test_options_say_whose_and_when(moorctl: program.Moorctl, shop: moorage.Client) -> None:
    for arguments, expected in WHOSE:
        document = json.loads(moorctl.must("history", "-o", "json", *arguments))
        containers = [
            each["allocation"]["attachment"]["containerId"] for each in document["holdings"]
        ]
        assert containers == expected, arguments


def test_yaml_says_what_json_says(moorctl: program.Moorctl, shop: moorage.Client) -> None:
    shown = yaml.safe_load(moorctl.must("history", "-o", "yaml"))
    assert shown == json.loads(moorctl.must("history", "-o", "json"))
    assert yaml.safe_load(moorctl.must("history", "--owner", "x", "-o", "yaml")) == {"holdings": []}


def test_no_holdings_are_not_an_error(moorctl: program.Moorctl, shop: moorage.Client) -> None:
    ended = moorctl("history", "--owner", "nobody")
    assert (ended.code, ended.out) == (0, "")
    assert ended.err == "there are no holdings to show\n"


def test_another_vrf_is_another_history(moorctl: program.Moorctl, shop: moorage.Client) -> None:
    shop.create_vrf("blue")
    assert moorctl("history", "--vrf", "blue", "--ip", "10.0.0.7", "--at", "-0s").code == 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--at", "yesterday"], "'yesterday' is not a time with its zone; write it as 2030-01-31T"),
        (["--at", "2030-01-31"], "is not a time with its zone"),
        (["--at", "2030-01-31T12:00:00"], "is not a time with its zone"),
        (["--since", "-2y"], "is not a time with its zone"),
        (["--until", "-999999999w"], "is not a time with its zone"),
        (["--at", "-1h", "--since", "-2h"], "give --at, or --since and --until"),
        (["--ip", "10.0.0.7", "--cidr", "10.0.0.0/24"], "give either --ip or --cidr"),
        (["--pod", "cart-0"], "'cart-0' is not NAMESPACE/NAME"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_asked(
    offline: program.Moorctl, arguments: list[str], said: str
) -> None:
    ended = offline("history", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert said in " ".join(ended.err.replace("│", " ").split())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2030-01-31T12:00:00Z", NOW),
        ("2030-01-31T13:00:00.000001+01:00", NOW + datetime.timedelta(microseconds=1)),
        ("-0s", NOW),
        ("-90s", NOW - datetime.timedelta(seconds=90)),
        ("-5m", NOW - datetime.timedelta(minutes=5)),
        ("-36h", NOW - datetime.timedelta(hours=36)),
        ("-3d", NOW - datetime.timedelta(days=3)),
        ("-1w", NOW - datetime.timedelta(weeks=1)),
    ],
)
def test_times_are_read_and_written_again(text: str, expected: datetime.datetime) -> None:
    read = times.parse(text, NOW)
    assert read == expected
    assert times.parse(times.spelled(read), NOW) == read
