"""moorctl ipam release: addresses by hand, and what reports have in common."""

import json
import pathlib
from collections.abc import Callable

import pytest

import moorage
from client import peer as peers
from ctl import holdings, program
from moorage.v1 import allocation_service_pb2, resources_pb2, vrf_service_pb2

Reporter = Callable[..., str]


@pytest.fixture
def pools(client: moorage.Client) -> moorage.Client:
    """A pool of each family."""
    client.create_pool("v4", resources_pb2.Pool(cidr="10.0.0.0/24"))
    client.create_pool("v6", resources_pb2.Pool(cidr="fd00::/120"))
    return client


@pytest.fixture
def report(moorctl: program.Moorctl, tmp_path: pathlib.Path) -> Reporter:
    """Write a report, given the addresses of the pods that are there; return its file."""

    def write(name: str, **pods: list[str]) -> str:
        file = tmp_path / f"{name}.json"
        found = holdings.pod_list({"other": ["10.9.9.9"], **pods})
        check = ("ipam", "check", "--pods", "-", "--grace", "0", "--report", str(file))
        moorctl(*check, stdin=found)
        return str(file)

    return write


def change(file: str, **fields: object) -> None:
    """Write other fields into a report."""
    path = pathlib.Path(file)
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def addresses(client: moorage.Client) -> list[str]:
    """What is assigned."""
    return [held.address for held in client.allocations()]


def test_addresses_are_released_whoever_holds_them(
    moorctl: program.Moorctl, pools: moorage.Client
) -> None:
    holdings.assign(pools, "10.0.0.5", "fd00::5", container="c1")
    holdings.assign(pools, "10.0.0.6", container="c2")
    out = moorctl.must("ipam", "release", "--ip", "10.0.0.5", "--ip", "10.0.0.6")
    assert out.splitlines() == [
        "Successfully released IP address 10.0.0.5",
        "Successfully released IP address 10.0.0.6",
    ]
    assert addresses(pools) == ["fd00::5"]


def test_an_address_that_is_not_assigned_keeps_no_other_from_its_release(
    moorctl: program.Moorctl, pools: moorage.Client
) -> None:
    holdings.assign(pools, "10.0.0.5")
    ended = moorctl("ipam", "release", "--ip", "10.0.0.4", "--ip", "10.0.0.5")
    assert ended.out.splitlines() == [
        "IP address 10.0.0.4 is not assigned",
        "Successfully released IP address 10.0.0.5",
    ]
    assert (ended.code, ended.err) == (0, "")
    ended = moorctl("ipam", "release", "--ip", "10.0.0.5", "-o", "json")
    assert ended.json() == {"addresses": [{"address": "10.0.0.5", "result": "not assigned"}]}
    assert ended.code == 0


def test_an_address_that_is_given_twice_counts_once(
    moorctl: program.Moorctl, pools: moorage.Client
) -> None:
    holdings.assign(pools, "10.0.0.5", "fd00::5")
    twice = ("--ip", "10.0.0.5", "--ip", "fd00::5", "--ip", "::ffff:10.0.0.5", "--ip", "fd00::0:5")
    assert moorctl.must("ipam", "release", *twice).splitlines() == [
        "Successfully released IP address 10.0.0.5",
        "Successfully released IP address fd00::5",
    ]


def test_an_address_that_changes_hands_meanwhile_is_not_touched(
    peer: peers.Peer, scripted: program.Moorctl
) -> None:
    holder = resources_pb2.Attachment(network="net", container_id="c1", interface="eth0")
    held = resources_pb2.Allocation(address="10.0.0.7", generation=5, attachment=holder)
    peer.will(
        peers.answer(allocation_service_pb2.GetAllocationResponse(allocation=held)),
        peers.answer(allocation_service_pb2.ReleaseAddressesResponse()),
    )
    ended = scripted("ipam", "release", "--ip", "10.0.0.7")
    line = "IP address 10.0.0.7 changed hands meanwhile; it is not released\n"
    assert (ended.code, ended.out, ended.err) == (4, line, "")
    request = allocation_service_pb2.ReleaseAddressesRequest.FromString(peer.calls[1].request)
    assert (request.attachment, list(request.generations)) == (holder, [5])


def test_the_leaked_addresses_of_a_report_are_released(
    moorctl: program.Moorctl, pools: moorage.Client, report: Reporter
) -> None:
    holdings.assign(pools, "10.0.0.4", container="c4", node="n1", pod="blog")
    holdings.assign(pools, "10.0.0.5", "fd00::5", container="c5", node="n1", pod="cart")
    holdings.assign(pools, "10.0.0.6", container="c6")
    file = report("only", blog=["10.0.0.4"])
    assert moorctl.must("ipam", "release", "--from-report", file).splitlines() == [
        "Successfully released IP address 10.0.0.5",
        "Successfully released IP address fd00::5",
        "Released 2 IP addresses; 0 were gone or had changed",
    ]
    assert addresses(pools) == ["10.0.0.4", "10.0.0.6"]


def test_of_several_reports_only_what_is_in_all_of_them_is_released(
    moorctl: program.Moorctl, pools: moorage.Client, report: Reporter
) -> None:
    for number in (4, 5):
        address = f"10.0.0.{number}"
        holdings.assign(pools, address, container=f"c{number}", node="n1", pod=f"pod-{number}")
    first = report("first")
    second = report("second", **{"pod-4": ["10.0.0.4"]})
    out = moorctl.must("ipam", "release", "--from-report", first, "--from-report", second)
    assert out.splitlines()[0] == "Successfully released IP address 10.0.0.5"
    assert addresses(pools) == ["10.0.0.4"]


def test_the_same_report_given_twice_counts_once(
    moorctl: program.Moorctl, pools: moorage.Client, report: Reporter, tmp_path: pathlib.Path
) -> None:
    holdings.assign(pools, "10.0.0.5", container="c5", node="n1", pod="cart")
    file, copy = report("only"), tmp_path / "copy.json"
    copy.write_text(json.dumps(json.loads(pathlib.Path(file).read_text())))
    ended = moorctl("ipam", "release", "--from-report", file, "--from-report", str(copy))
    assert ended.err == f"{copy} is the same report as {file}, and counts once\n"
    assert ended.out.splitlines()[-1] == "Released 1 IP address; 0 were gone or had changed"


@pytest.mark.parametrize("command", [("ipam", "release"), ("release",)])
def test_a_mapped_address_is_that_of_ipv4(
    moorctl: program.Moorctl, pools: moorage.Client, command: tuple[str, ...]
) -> None:
    holdings.assign(pools, "10.0.0.5")
    assert moorctl.must(*command, "--ip", "::ffff:10.0.0.5").split()[-1] in ("10.0.0.5", "released")
    assert addresses(pools) == []
    ended = moorctl(*command, "--ip", "::ffff:10.0.0.5")
    assert ended.code == (3 if command == ("release",) else 0)
    assert "10.0.0.5" in ended.out + ended.err
    assert "ffff" not in ended.out + ended.err


def test_the_same_address_of_another_generation_is_not_in_common(
    moorctl: program.Moorctl, pools: moorage.Client, report: Reporter
) -> None:
    holdings.assign(pools, "10.0.0.5", container="c5", node="n1", pod="cart")
    first = report("first")
    moorctl.must("ipam", "release", "--ip", "10.0.0.5")
    holdings.assign(pools, "10.0.0.5", container="c6", node="n1", pod="cart")
    second = report("second")
    out = moorctl.must("ipam", "release", "--from-report", first, "--from-report", second)
    assert out == "No leaked IP address is in all the reports; nothing was released\n"
    assert addresses(pools) == ["10.0.0.5"]


def test_what_has_changed_since_the_report_is_counted_and_stays(
    moorctl: program.Moorctl, pools: moorage.Client, report: Reporter
) -> None:
    for number in (4, 5, 6):
        address = f"10.0.0.{number}"
        holdings.assign(pools, address, container=f"c{number}", node="n1", pod=f"pod-{number}")
    file = report("only")
    moorctl.must("ipam", "release", "--ip", "10.0.0.4", "--ip", "10.0.0.5")
    holdings.assign(pools, "10.0.0.5", container="late")
    assert moorctl("ipam", "release", "--from-report", file, "-o", "json").json() == {
        "released": ["10.0.0.6"],
        "stale": ["10.0.0.4", "10.0.0.5"],
    }
    assert addresses(pools) == ["10.0.0.5"]


def test_reports_that_are_all_stale_are_refused(
    moorctl: program.Moorctl, pools: moorage.Client, report: Reporter
) -> None:
    holdings.assign(pools, "10.0.0.5", container="c5", node="n1", pod="cart")
    file = report("only")
    moorctl.must("ipam", "release", "--from-report", file)
    ended = moorctl("ipam", "release", "--from-report", file, "-o", "json")
    assert (ended.code, ended.out) == (4, "")
    assert ended.error()["reason"] == "REPORTS_STALE"
    assert "the reports are all stale" in str(ended.error()["message"])


@pytest.mark.parametrize("force", [[], ["--force"]])
def test_a_report_of_another_vrf_is_refused_whatever_is_said(
    moorctl: program.Moorctl, pools: moorage.Client, report: Reporter, force: list[str]
) -> None:
    holdings.assign(pools, "10.0.0.5", container="c5", node="n1", pod="cart")
    file = report("only")
    pools.create_vrf("blue")
    ended = moorctl("ipam", "release", "--from-report", file, "--vrf", "blue", *force)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(f"moorctl: {file} is about another VRF than vrfs/blue ")
    assert addresses(pools) == ["10.0.0.5"]


def test_a_report_of_another_version_is_refused_unless_forced(
    moorctl: program.Moorctl, pools: moorage.Client, report: Reporter
) -> None:
    holdings.assign(pools, "10.0.0.5", container="c5", node="n1", pod="cart")
    file = report("only")
    change(file, version="0.0.9")
    ended = moorctl("ipam", "release", "--from-report", file)
    assert (ended.code, ended.out) == (2, "")
    assert f"{file} was written by version '0.0.9'" in ended.err
    assert addresses(pools) == ["10.0.0.5"]
    ended = moorctl("ipam", "release", "--from-report", file, "--force")
    assert ended.code == 0
    assert "accepted because of --force" in ended.err
    assert addresses(pools) == []


def test_no_more_generations_are_sent_at_once_than_a_release_takes(
    peer: peers.Peer, scripted: program.Moorctl, tmp_path: pathlib.Path
) -> None:
    held = [
        resources_pb2.Allocation(address=f"10.0.0.{number}", generation=number)
        for number in range(1, 19)
    ]
    problems = [
        {
            "rule": "leaked",
            "address": allocation.address,
            "attachment": {"network": "net", "containerId": "c1", "interface": "eth0"},
            "generation": allocation.generation,
        }
        for allocation in held
    ]
    document = {"version": moorage.__version__, "vrfUid": "u1", "problems": problems}
    file = tmp_path / "report.json"
    file.write_text(json.dumps(document))
    peer.will(
        peers.answer(vrf_service_pb2.GetVrfResponse(vrf=resources_pb2.Vrf(uid="u1"))),
        peers.answer(allocation_service_pb2.ReleaseAddressesResponse(allocations=held[:16])),
        peers.answer(allocation_service_pb2.ReleaseAddressesResponse(allocations=held[16:])),
    )
    out = scripted.must("ipam", "release", "--from-report", str(file))
    assert out.splitlines()[-1] == "Released 18 IP addresses; 0 were gone or had changed"
    requests = [
        allocation_service_pb2.ReleaseAddressesRequest.FromString(call.request)
        for call in peer.calls[1:]
    ]
    assert [list(request.generations) for request in requests] == [
        list(range(1, 17)),
        [17, 18],
    ]


LEAKED = {
    "rule": "leaked",
    "address": "10.0.0.5",
    "attachment": {"network": "net", "containerId": "c1", "interface": "eth0"},
    "generation": 5,
}


@pytest.mark.parametrize(
    "document",
    [
        [],
        {},
        {"version": "1", "vrfUid": "u"},
        {"version": "1", "vrfUid": "u", "problems": 7},
        {"version": "1", "vrfUid": "u", "problems": [7]},
        {"version": "1", "vrfUid": "u", "problems": [{**LEAKED, "generation": 0}]},
        {"version": "1", "vrfUid": "u", "problems": [{**LEAKED, "generation": "5"}]},
        {"version": "1", "vrfUid": "u", "problems": [{**LEAKED, "generation": None}]},
        {"version": "1", "vrfUid": "u", "problems": [{**LEAKED, "attachment": None}]},
        {"version": "1", "vrfUid": "u", "problems": [{**LEAKED, "attachment": {"network": "n"}}]},
    ],
)
def test_what_is_no_report_is_refused(
    offline: program.Moorctl, tmp_path: pathlib.Path, document: object
) -> None:
    file = tmp_path / "report.json"
    file.write_text(json.dumps(document))
    ended = offline("ipam", "release", "--from-report", str(file), "--force")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(f"moorctl: {file} is not a report (")


@pytest.mark.parametrize("arguments", [[], ["--ip", "10.0.0.5", "--from-report", "r.json"]])
def test_either_addresses_or_reports_are_given(
    offline: program.Moorctl, arguments: list[str]
) -> None:
    ended = offline("ipam", "release", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert "give either --ip or --from-report" in ended.err
