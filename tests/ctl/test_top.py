"""moorctl top: how full the pools are, and when they will be."""

import json

import moorage
from client import peer as peers
from ctl import program
from harness import calls
from moorage.v1 import pool_service_pb2, resources_pb2

Pool = resources_pb2.Pool
Outlook = pool_service_pb2.ForecastPoolResponse

HEADER = "POOL CIDR USED FREE COOLING STICKY RESERVED FULL GROWTH/DAY DAYS-LEFT"


def counts(available: int, **others: int) -> resources_pb2.AddressCounts:
    return resources_pb2.AddressCounts(capacity_count=100, available_count=available, **others)


def test_the_pool_that_is_full_first_comes_first(
    scripted: program.Moorctl, peer: peers.Peer
) -> None:
    listed = [Pool(name=f"vrfs/default/pools/{name}", cidr="10.0.0.0/24") for name in "abcd"]
    peer.will(
        peers.answer(pool_service_pb2.ListPoolsResponse(pools=listed)),
        peers.answer(Outlook(counts=counts(50, assigned_count=50))),
        peers.answer(
            Outlook(
                counts=counts(20, assigned_count=70, cooling_count=5, reserved_count=3),
                daily_growth=2,
                days_to_exhaustion=10,
            )
        ),
        peers.answer(Outlook(counts=counts(10, assigned_count=90), daily_growth=-1.25)),
        peers.answer(
            Outlook(
                counts=counts(90, assigned_count=8, sticky_count=2),
                daily_growth=45,
                days_to_exhaustion=2,
            )
        ),
    )
    lines = [line.split() for line in scripted.must("top").splitlines()]
    assert lines == [
        HEADER.split(),
        ["d", "10.0.0.0/24", "8", "90", "0", "2", "0", "10.0%", "+45.0", "2.0"],
        ["b", "10.0.0.0/24", "70", "20", "5", "0", "3", "80.0%", "+2.0", "10.0"],
        ["c", "10.0.0.0/24", "90", "10", "0", "0", "0", "90.0%", "-1.2", "-"],
        ["a", "10.0.0.0/24", "50", "50", "0", "0", "0", "50.0%", "+0.0", "-"],
    ]


def test_json_has_every_number(moorctl: program.Moorctl, client: moorage.Client) -> None:
    calls.create_pool(client, "full", "10.0.0.0/31")
    calls.create_pool(client, "six", "fd00::/48")
    calls.assign(client, "c1", calls.want(), calls.want())
    (full, six) = json.loads(moorctl.must("top", "-o", "json", "--days", "3"))["pools"]
    assert (full["pool"], full["cidr"]) == ("vrfs/default/pools/full", "10.0.0.0/31")
    assert full["daysToExhaustion"] == 0
    assert full["counts"]["assignedCount"] == "2"
    assert [day["assignedCount"] for day in full["days"]] == ["2"]
    assert "daysToExhaustion" not in six
    assert six["dailyGrowth"] == 0


def test_the_days_to_look_at_are_the_servers_to_judge(
    moorctl: program.Moorctl, client: moorage.Client
) -> None:
    calls.create_pool(client, "a", "10.0.0.0/24")
    ended = moorctl("top", "--days", "91")
    assert (ended.code, ended.out) == (2, "")
    assert "window_days" in ended.err


def test_no_pools_are_not_an_error(moorctl: program.Moorctl) -> None:
    ended = moorctl("top")
    assert (ended.code, ended.out, ended.err) == (0, "", "there are no pools to show\n")
