"""How moorctl is called and how it ends, without a server or with one that plays a part."""

import re

import grpc
import pytest
from google.rpc import error_details_pb2

import moorage
from client import peer as peers
from ctl import program
from moorage.ctl import exits
from moorage.v1 import (
    allocation_service_pb2,
    pool_service_pb2,
    reservation_service_pb2,
    resources_pb2,
)

COMMANDS = [
    *("activate", "apply", "assign", "audit", "completion", "config", "delete", "describe"),
    *("diff", "drain", "explain", "export", "get", "history", "import", "ipam", "man", "pki"),
    *("quarantine", "reconcile", "release", "show", "sticky", "top", "watch"),
]
NO_POOLS = peers.answer(pool_service_pb2.ListPoolsResponse())


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_lists_every_command_and_every_exit_code(offline: program.Moorctl, flag: str) -> None:
    text = offline.must(flag)
    listed = re.findall(r"^  (\w+) +[A-Z]", text.partition("Commands:")[2], re.MULTILINE)
    assert listed == COMMANDS
    codes = re.findall(r"^    (\d+) +\w", text, re.MULTILINE)
    assert codes == [str(int(code)) for code in exits.Exit]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_by_an_example(
    offline: program.Moorctl, command: str
) -> None:
    assert f"    moorctl {command} " in offline.must(command, "-h")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["gett", "pools"], "Did you mean 'get'?"),
        (["get", "poools"], "did you mean 'pools'?"),
        (["get"], "Missing argument 'KIND'"),
        (["get", "pools", "-o", "xml"], "'xml' is not one of"),
        (["get", "pools", "--nodes", "n1"], "No such option"),
        (["get", "pools", "--timeout", "0"], "'0' is not a number of seconds"),
        (["get", "pools", "--timeout", "nan"], "'nan' is not a number of seconds"),
        (["get", "pools", "--timeout", "soon"], "'soon' is not a number of seconds"),
        (["get", "pools", "--namespace", "shop"], "a listing of allocations"),
        (["get", "allocations", "10.0.0.7", "--pool", "web"], "a listing of allocations"),
        (["get", "pools", "-l", "tier"], "'tier' is not KEY=VALUE"),
        (["delete", "allocation", "10.0.0.7"], "'allocation' is none of"),
        (["delete", "pool"], "either a kind and names"),
        (["delete"], "either a kind and names"),
        (["apply"], "Missing option '-f'"),
        (["release"], "either --container-id or --ip"),
        (["release", "--container-id", "c1", "--ip", "10.0.0.7"], "either --container-id or --ip"),
        (["show", "--ip", "10.0.0.700"], "does not appear to be an IPv4 or IPv6 address"),
        (["assign", "--container-id", "c1", "-4", "--ip", "fd00::7"], "neither -4 nor -6"),
        (["assign", "--container-id", "c1", "--pool", "10.0.0.1/24"], "has host bits set"),
        (["assign"], "Missing option '--container-id'"),
    ],
)
def test_a_wrong_command_line_is_explained(
    offline: program.Moorctl, arguments: list[str], said: str
) -> None:
    ended = offline(*arguments)
    assert (ended.code, ended.out) == (2, "")
    assert said in " ".join(ended.err.split())
    assert "Traceback" not in ended.err


def test_a_wrong_command_line_is_explained_in_json_where_json_is_asked_for(
    offline: program.Moorctl,
) -> None:
    ended = offline("get", "poools", "-o", "json")
    assert ended.code == 2
    assert ended.error()["code"] == "INVALID_ARGUMENT"
    assert "did you mean 'pools'?" in str(ended.error()["message"])


@pytest.mark.parametrize(
    "spelling", [["-o", "json"], ["-ojson"], ["--output", "json"], ["--output=json"]]
)
def test_json_may_be_asked_for_in_every_spelling(
    offline: program.Moorctl, spelling: list[str]
) -> None:
    assert offline("get", "pools", *spelling).error()["code"] == "UNAVAILABLE"


def test_a_name_is_not_taken_for_an_option(offline: program.Moorctl) -> None:
    assert offline("get", "pool", "web-ojson").err.startswith("moorctl: cannot get pool/web-ojson")


def test_an_empty_name_is_not_taken_for_no_name(
    peer: peers.Peer, scripted: program.Moorctl
) -> None:
    peer.will(peers.refuse(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST"))
    assert scripted("get", "pool", "").code == 2
    assert [call.method for call in peer.calls] == ["/moorage.v1.PoolService/GetPool"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["get", "pools"],
        ["get", "allocations", "-o", "name"],
        ["delete", "pool", "web"],
        ["show", "--ip", "10.0.0.7"],
        ["assign", "--container-id", "c1"],
        ["release", "--container-id", "c1"],
    ],
)
def test_a_server_that_is_not_there_is_named(
    offline: program.Moorctl, arguments: list[str]
) -> None:
    ended = offline(*arguments)
    assert (ended.code, ended.out) == (7, "")
    assert ended.err.startswith("moorctl: cannot ")
    assert offline.variables["MOORAGE_SERVER"] in ended.err
    assert "Connection refused" in ended.err
    assert "--server or MOORAGE_SERVER" in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("kind", ["pools", "allocations"])
def test_a_failed_listing_leaves_no_half_of_an_object(offline: program.Moorctl, kind: str) -> None:
    ended = offline("get", kind, "-o", "json")
    assert (ended.code, ended.out) == (7, "")
    assert set(ended.error()) == {"code", "reason", "message", "metadata", "violations"}
    assert ended.error()["code"] == "UNAVAILABLE"


# One failure for each exit code that a server can cause.
CODES = [
    (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST", 2),
    (grpc.StatusCode.NOT_FOUND, "POOL_NOT_FOUND", 3),
    (grpc.StatusCode.ALREADY_EXISTS, "POOL_OVERLAPS", 4),
    (grpc.StatusCode.FAILED_PRECONDITION, "POOL_IN_USE", 4),
    (grpc.StatusCode.ABORTED, "ETAG_MISMATCH", 4),
    (grpc.StatusCode.RESOURCE_EXHAUSTED, "POOL_EXHAUSTED", 5),
    (grpc.StatusCode.UNAUTHENTICATED, "", 6),
    (grpc.StatusCode.PERMISSION_DENIED, "", 6),
    (grpc.StatusCode.UNAVAILABLE, "DATABASE_UNAVAILABLE", 7),
    (grpc.StatusCode.UNAVAILABLE, "OUTCOME_UNKNOWN", 7),
    (grpc.StatusCode.ABORTED, "CONTENTION", 7),
    (grpc.StatusCode.RESOURCE_EXHAUSTED, "SERVER_BUSY", 7),
    (grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_TOO_SHORT", 7),
    (grpc.StatusCode.INTERNAL, "INTERNAL", 8),
    (grpc.StatusCode.UNIMPLEMENTED, "", 8),
    (grpc.StatusCode.UNKNOWN, "", 8),
]


@pytest.mark.parametrize(("code", "reason", "expected"), CODES)
def test_a_failure_ends_with_the_exit_code_of_its_meaning(
    peer: peers.Peer,
    scripted: program.Moorctl,
    code: grpc.StatusCode,
    reason: str,
    expected: int,
) -> None:
    peer.will(peers.refuse(code, reason, retry_delay=60, pool="web"))
    ended = scripted("get", "pool", "web")
    assert (ended.code, ended.out) == (expected, "")
    assert ended.err.startswith("moorctl: cannot get pool/web: ")
    assert f"said {code.name}" in ended.err
    assert (f"{reason}: pool=web" in ended.err) is bool(reason)


def test_every_class_of_failure_has_an_exit_code() -> None:
    classes = {
        value
        for value in vars(moorage.errors).values()
        if isinstance(value, type) and issubclass(value, moorage.MoorageError)
    }
    assert set(exits.EXITS) == classes - {moorage.MoorageError}


def test_the_error_document_has_all_that_the_server_said(
    peer: peers.Peer, scripted: program.Moorctl
) -> None:
    request = error_details_pb2.BadRequest()
    request.field_violations.add(field="name", description="is malformed")
    peer.will(
        peers.refuse(
            grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST", details=[request], vrf="blue"
        )
    )
    ended = scripted("get", "pool", "web", "--output=json")
    assert ended.error() == {
        "code": "INVALID_ARGUMENT",
        "reason": "INVALID_REQUEST",
        "message": "cannot get pool/web: said INVALID_ARGUMENT",
        "metadata": {"vrf": "blue"},
        "violations": [{"field": "name", "description": "is malformed"}],
    }


def test_a_violation_is_shown_on_a_line_of_its_own(
    peer: peers.Peer, scripted: program.Moorctl
) -> None:
    request = error_details_pb2.BadRequest()
    request.field_violations.add(field="name", description="is malformed")
    peer.will(peers.refuse(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST", details=[request]))
    assert "\n  name: is malformed\n" in scripted("get", "pool", "web").err


@pytest.mark.parametrize(
    ("variables", "arguments", "vrf"),
    [
        ({}, ["get", "pools"], "default"),
        ({"MOORAGE_VRF": "environment"}, ["get", "pools"], "environment"),
        ({"MOORAGE_VRF": ""}, ["get", "pools"], "default"),
        ({"MOORAGE_VRF": "environment"}, ["--vrf", "before", "get", "pools"], "before"),
        ({}, ["--vrf", "before", "get", "pools", "--vrf", "after"], "after"),
    ],
)
def test_an_option_wins_over_the_environment(
    peer: peers.Peer, variables: dict[str, str], arguments: list[str], vrf: str
) -> None:
    peer.will(NO_POOLS)
    moorctl = program.Moorctl(variables={"MOORAGE_SERVER": peer.target, **variables})
    assert moorctl(*arguments).code == 0
    request = pool_service_pb2.ListPoolsRequest.FromString(peer.calls[0].request)
    assert request.parent == f"vrfs/{vrf}"


def test_the_timeout_is_the_one_that_was_given(peer: peers.Peer, scripted: program.Moorctl) -> None:
    peer.will(NO_POOLS)
    scripted("get", "pools", "--timeout", "77")
    assert 70 < peer.calls[0].time_remaining <= 78


def test_a_server_option_wins_over_the_environment(
    peer: peers.Peer, offline: program.Moorctl
) -> None:
    peer.will(NO_POOLS)
    assert offline("--timeout", "10", "get", "pools", "--server", peer.target).code == 0


def test_control_characters_of_a_stranger_do_not_reach_the_terminal(
    peer: peers.Peer, scripted: program.Moorctl
) -> None:
    reservation = resources_pb2.Reservation(
        name="vrfs/default/reservations/r", description="\x1b[2Jtwo\nlines\u202e"
    )
    peer.will(
        peers.answer(reservation_service_pb2.ListReservationsResponse(reservations=[reservation]))
    )
    out = scripted.must("get", "reservations")
    assert r"\x1b[2Jtwo\nlines\u202e" in out
    assert len(out.splitlines()) == 2


def test_a_value_that_a_later_server_invented_is_shown_by_number(
    peer: peers.Peer, scripted: program.Moorctl
) -> None:
    pool = resources_pb2.Pool(name="vrfs/default/pools/web")
    pool.MergeFromString(b"\x40\x63")  # assignment_mode: 99
    peer.will(*[peers.answer(pool_service_pb2.GetPoolResponse(pool=pool))] * 2)
    assert " 99 " in scripted.must("get", "pool", "web")
    assert "assignmentMode: '99'" in scripted.must("get", "pool", "web", "-o", "yaml")


def test_releasing_an_address_is_fenced_by_the_generation_that_was_read(
    peer: peers.Peer, scripted: program.Moorctl
) -> None:
    holder = resources_pb2.Attachment(network="net", container_id="c1", interface="eth0")
    held = resources_pb2.Allocation(address="10.0.0.7", generation=5, attachment=holder)
    peer.will(
        peers.answer(allocation_service_pb2.GetAllocationResponse(allocation=held)),
        peers.answer(allocation_service_pb2.ReleaseAddressesResponse()),
    )
    ended = scripted("release", "--ip", "10.0.0.7")
    assert (ended.code, ended.out) == (4, "")
    assert ended.err.startswith("moorctl: 10.0.0.7 changed hands while it was being released")
    request = allocation_service_pb2.ReleaseAddressesRequest.FromString(peer.calls[1].request)
    assert (request.attachment, list(request.generations)) == (holder, [5])


@pytest.mark.parametrize("server", ["", "127.0.0.1:99999", "two words"])
def test_what_is_no_server_is_a_mistake_of_usage(offline: program.Moorctl, server: str) -> None:
    ended = offline("get", "pools", "--server", server)
    assert (ended.code, ended.out) == (2, "")
    assert f"{server!r} is not a server; write host:port, or unix:///path." in ended.err
