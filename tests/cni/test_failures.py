"""What becomes of a failed call to the server: the code, the words, and what must not be said."""

import json

import grpc
import pytest

from cni import program, scripted
from moorage.cni import errors
from moorage.v1 import error_reason_pb2

SWALLOWED = ("not found", "no such file or directory")
# What a server, a proxy or a resolver may say; all of it in one.
TREACHEROUS = "Domain name NOT FOUND; dial: No such file or directory; Not Found"
REASONS = [
    name.removeprefix("ERROR_REASON_")
    for name in error_reason_pb2.ErrorReason.DESCRIPTOR.values_by_name
    if not name.endswith("UNSPECIFIED")
]
FAILING = [code for code in grpc.StatusCode if code is not grpc.StatusCode.OK]
TRY_AGAIN = {
    "CONTENTION": grpc.StatusCode.ABORTED,
    "DATABASE_UNAVAILABLE": grpc.StatusCode.UNAVAILABLE,
    "KUBERNETES_UNAVAILABLE": grpc.StatusCode.UNAVAILABLE,
    "OUTCOME_UNKNOWN": grpc.StatusCode.UNAVAILABLE,
    "DEADLINE_TOO_SHORT": grpc.StatusCode.DEADLINE_EXCEEDED,
    "SERVER_BUSY": grpc.StatusCode.RESOURCE_EXHAUSTED,
}
OWN_CODE = {
    "ADDRESS_IN_USE": 103,
    "ADDRESS_COOLING": 11,
    "POOL_COOLING": 11,
    "VRF_QUARANTINED": 11,
    "POOL_EXHAUSTED": 104,
    "BLOCK_LIMIT_REACHED": 104,
    "QUOTA_EXCEEDED": 104,
    "BLOCK_ALLOCATION_DISABLED": 104,
    "INTERNAL": 999,
}


def call(
    verb: str, script: scripted.Script, seconds: float = 20, *, installed: bool = True
) -> program.Outcome:
    previous = {"prevResult": {"ips": [{"address": "10.0.0.7/32"}]}}
    ipam = {"server": script.target, "timeout_seconds": seconds}
    return program.run(verb, program.config(ipam=ipam, rest=previous), installed=installed)


@pytest.mark.parametrize("code", FAILING, ids=lambda code: code.name)
def test_no_failed_release_says_what_a_runtime_takes_for_success(
    code: grpc.StatusCode, script: scripted.Script
) -> None:
    script.abort = scripted.refusal(code, TREACHEROUS)
    outcome = call("DEL", script, seconds=0.5)
    said = outcome.text.lower() + outcome.stderr.decode().lower()
    assert not [phrase for phrase in SWALLOWED if phrase in said]


def test_a_name_that_does_not_resolve_is_no_released_address() -> None:
    for server in ("dns:///absent.invalid:1", "absent.invalid", "unix:/absent.sock", "x:99999"):
        ipam = {"server": server, "timeout_seconds": 0.5}
        outcome = program.run("DEL", program.config(ipam=ipam))
        said = outcome.text.lower() + outcome.stderr.decode().lower()
        assert not [phrase for phrase in SWALLOWED if phrase in said]


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_has_its_cni_code(reason: str, script: scripted.Script) -> None:
    code = TRY_AGAIN.get(reason, grpc.StatusCode.FAILED_PRECONDITION)
    script.abort = scripted.refusal(code, f"the message; {TREACHEROUS}", reason, vrf="blue")
    outcome = call("ADD", script, installed=False)
    assert outcome.error["code"] == (11 if reason in TRY_AGAIN else OWN_CODE.get(reason, 102))
    assert reason in str(outcome.error["msg"])
    assert "the message" in str(outcome.error["msg"])
    assert not [phrase for phrase in SWALLOWED if phrase in outcome.text.lower()]


@pytest.mark.parametrize("verb", ["ADD", "DEL", "CHECK"])
def test_a_refusal_shows_what_the_server_said(verb: str, script: scripted.Script) -> None:
    script.abort = scripted.refusal(
        grpc.StatusCode.FAILED_PRECONDITION, "pool is off; enable it", "POOL_DISABLED", pool="web"
    )
    outcome = call(verb, script)
    assert outcome.error["code"] == 102
    assert outcome.error["msg"] == (
        f"server {script.target} refused with POOL_DISABLED: pool is off; enable it"
    )
    assert str(outcome.error["details"]).startswith("pool=web")
    assert outcome.stderr == b""


def test_a_refusal_names_the_annotation_that_asked_for_it(script: scripted.Script) -> None:
    script.abort = scripted.refusal(
        grpc.StatusCode.NOT_FOUND, "there is no pool web", "POOL_NOT_FOUND", vrf="d", pool="web"
    )
    config = program.annotated(
        {"cni.projectcalico.org/ipv4pools": '["web"]'}, {"server": script.target}
    )
    outcome = program.run("ADD", config, environment={"CNI_ARGS": program.POD_ARGS})
    assert outcome.unnamed["details"] == (
        'pool=web; vrf=d; error parsing pool "web": invalid CIDR address: web; '
        "asked for by annotation "
        """"cni.projectcalico.org/ipv4pools" of pod shop/web-0 with value '["web"]'"""
    )


@pytest.mark.parametrize("reason", ["POOL_COOLING", "ADDRESS_COOLING"])
def test_to_wait_for_a_cooling_address_is_advised_with_its_annotation(
    reason: str, script: scripted.Script
) -> None:
    script.abort = scripted.refusal(
        grpc.StatusCode.RESOURCE_EXHAUSTED, "ask again", reason, ready_time="2026-01-01T00:00:00Z"
    )
    config = program.annotated(
        {"cni.projectcalico.org/ipv4pools": '["web"]'}, {"server": script.target}
    )
    outcome = program.run("ADD", config)
    assert outcome.error["code"] == 11
    assert outcome.error["msg"] == f"server {script.target} refused with {reason}: ask again"
    assert outcome.unnamed["details"] == (
        "ready_time=2026-01-01T00:00:00Z; asked for by annotation "
        """"cni.projectcalico.org/ipv4pools" of container c0ffee with value '["web"]'"""
    )


@pytest.mark.parametrize("verb", ["ADD", "DEL", "CHECK"])
def test_a_server_that_is_away_is_tried_again(verb: str, script: scripted.Script) -> None:
    script.abort = scripted.refusal(grpc.StatusCode.UNAVAILABLE, TREACHEROUS)
    outcome = call(verb, script, seconds=0.5)
    assert outcome.error["code"] == 11
    assert script.target in str(outcome.error["msg"])
    assert "Domain name" not in outcome.text


def test_a_vrf_that_is_not_there_holds_nothing_to_release(script: scripted.Script) -> None:
    script.abort = scripted.refusal(grpc.StatusCode.NOT_FOUND, "no vrf", "VRF_NOT_FOUND", vrf="d")
    outcome = call("DEL", script)
    assert (outcome.code, outcome.stdout, outcome.stderr) == (0, b"", b"")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("short", "'short'"),
        ("x" * 81, "'" + "x" * 80 + "...'"),
        ("a\x1b[31m\n\u2028\ud800", r"'a\x1b[31m\n\u2028\ud800'"),
        ("ä", "'ä'"),
    ],
)
def test_a_value_is_shown_short_and_without_control_characters(text: str, shown: str) -> None:
    assert errors.quote(text) == shown


def test_an_error_document_is_of_bounded_length_and_names_its_request() -> None:
    error = errors.CniError(errors.Code.INTERNAL, "m" * 100_000, "d" * 100_000, "0123456789abcdef")
    document = errors.document(error, "1.1.0")
    assert len(document) < 5000
    assert json.loads(document)["details"].endswith("d; request_id=0123456789abcdef")


@pytest.mark.parametrize("verb", ["ADD", "DEL", "CHECK", "GC"])
def test_what_failed_is_named_as_the_server_was_told(verb: str, script: scripted.Script) -> None:
    script.abort = scripted.refusal(grpc.StatusCode.FAILED_PRECONDITION, "off", "POOL_DISABLED")
    previous = {"prevResult": {"ips": [{"address": "10.0.0.7/32"}]}}
    rest: dict[str, object] = {"cni.dev/valid-attachments": []} if verb == "GC" else {**previous}
    ipam = {"server": script.target, "nodename": "n1"}
    outcome = program.run(verb, program.config("1.1.0", ipam=ipam, rest=rest))
    assert str(outcome.error["details"]).endswith(f"request_id={script.request_ids[0]}")
    assert len(script.request_ids) == 1
