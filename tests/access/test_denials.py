"""Who may not do what it asks for is counted, and named in the log, but not each time."""

import json
import pathlib
import subprocess
from collections.abc import Callable

import pytest
import structlog

import moorage
from harness import calls, exposition, ports, postgres, serving
from harness.certificates import Authority
from moorage_server.api import denials
from moorage_server.domain import errors


def denied(call: Callable[[], object]) -> str:
    with pytest.raises(moorage.Denied) as raised:
        call()
    return raised.value.reason


def test_who_may_not_is_counted_by_reason(
    database: postgres.Database, settings: dict[str, str], authority: Authority
) -> None:
    node = authority.node("n1").trusting(authority.ca)
    with serving.in_process(database, access=settings, metrics_listen="127.0.0.1:0") as server:
        with moorage.Client(server.target, tls=node) as client:
            for _ in range(3):
                assert denied(lambda: client.create_vrf("blue")) == "METHOD_NOT_ALLOWED"
            assert denied(lambda: calls.assign(client, node="n2")) == "NOT_YOURS"
        counted = {
            (each.labels["method"], each.labels["outcome"]): each.value
            for each in exposition.samples(server.metrics)
            if each.name == "moorage_calls_total" and each.value
        }
    assert counted == {
        ("CreateVrf", "METHOD_NOT_ALLOWED"): 3,
        ("AssignAddresses", "NOT_YOURS"): 1,
    }


@pytest.mark.timeout(120)
def test_who_may_not_is_named_in_the_log_once_for_many_calls(
    program: str,
    database: postgres.Database,
    settings: dict[str, str],
    authority: Authority,
    tmp_path: pathlib.Path,
) -> None:
    paper = authority.node("n1")
    gone = authority.sign("op", common_name="op")
    pathlib.Path(settings["denied"]).write_text(f"serial={gone.serial:x}\n")
    log, port = tmp_path / "log", ports.free()
    options = [f"--{name.replace('_', '-')}={value}" for name, value in settings.items()]
    options += [f"--database-url={database.service_url}", f"--listen=127.0.0.1:{port}"]
    target = f"127.0.0.1:{port}"
    with log.open("wb") as to, subprocess.Popen([program, "serve", *options], stderr=to) as running:
        try:
            files = paper.trusting(authority.ca)
            with moorage.Client(target, timeout=30, tls=files) as node:
                for _ in range(5):
                    # Sent again until the server is there.
                    assert denied(lambda: node.get_vrf("default")) == "METHOD_NOT_ALLOWED"
            with moorage.Client(target, timeout=30, tls=gone.trusting(authority.ca)) as op:
                assert denied(lambda: op.get_vrf("default")) == "CREDENTIAL_REFUSED"
        finally:
            running.terminate()
    told = [json.loads(line) for line in log.read_text().splitlines()]
    (refused,) = (each for each in told if each["event"] == "not allowed")
    assert (refused["caller"], refused["cause"], refused["source"], refused["action"]) == (
        *("system:node:n1", "METHOD_NOT_ALLOWED", "ipv4:127.0.0.1", "GetVrf"),
    )
    assert refused["request_id"]
    (stranger,) = (each for each in told if each["event"] == "not let in")
    assert (stranger["caller"], stranger["cause"]) == ("op", "DENIED")


def test_each_caller_and_cause_has_a_line_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(denials, "_log", structlog.get_logger())
    now = [0.0]
    told = denials.Denials(lambda: now[0])
    with structlog.testing.capture_logs() as lines:
        for _ in range(50):
            told.tell("ipv4:10.0.0.1:7", "n1", errors.MethodNotAllowed("node", "CreatePool"))
            told.tell("ipv4:10.0.0.1:8", "n1", errors.NotYours(node="n1"))
            told.tell("ipv4:10.0.0.1:9", "n2", errors.NotYours(node="n2"))
        assert [(each["caller"], each["cause"]) for each in lines] == [
            ("n1", "METHOD_NOT_ALLOWED"),
            ("n1", "NOT_YOURS"),
            ("n2", "NOT_YOURS"),
        ]
        lines.clear()
        now[0] = denials.EVERY
        told.tell("unix:", "", errors.NotYours(node="n3"))
    assert [(each["event"], each["source"], each.get("calls")) for each in lines] == [
        *[("denied again", "ipv4:10.0.0.1", 49)] * 3,
        ("not allowed", "unix", None),
    ]
