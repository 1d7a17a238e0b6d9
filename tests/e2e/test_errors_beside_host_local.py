"""The errors that every plugin makes alike, row by row beside the reference plugin.

What they are called in words is each plugin's own; what each says in full, `cni/test_conformance`.
"""

import dataclasses
import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from cni import program
from e2e import toolchain

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]  # the first test may build the programs

OWN_NETNS = {"CNI_NETNS": f"/proc/{os.getpid()}/ns/net"}
# Code 8 and the verbs GC and STATUS came with version 1.1.0, which not every package speaks.
speaks_newest = pytest.mark.parametrize("host_local", ["upstream"], indirect=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call as a runtime makes it, but for the mistake in it; `keys` replaces keys on stdin."""

    verb: str
    version: str = "1.0.0"
    keys: Mapping[str, object] = field(default_factory=dict)
    stdin: bytes | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    without: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a runtime goes by; `missing` are the variables that the message lists as such."""

    exit_code: int
    code: int | None
    keys: frozenset[str]
    missing: str
    says_on_stderr: bool


@pytest.fixture(scope="module", params=["debian", "upstream"])
def host_local(request: pytest.FixtureRequest) -> Path:
    """The reference plugin: Debian's, and the release that speaks the newest specification."""
    try:
        if request.param == "debian":
            return toolchain.debian_plugins() / "host-local"
        return toolchain.go_program(toolchain.HOST_LOCAL)
    except toolchain.UnavailableError as reason:
        pytest.skip(f"the reference plugin cannot be had here: {reason}")


@pytest.fixture(params=["direct", "agent"], autouse=True)
def host(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours is called as on a node without an agent, and as on one that has it."""
    if request.param == "agent":
        monkeypatch.setattr(program, "AGENT", request.getfixturevalue("agent"))


ALIKE = {
    "unknown-version": Call(verb="ADD", version="1.2.0"),
    "unknown-version-del": Call(verb="DEL", version="9.9.9"),
    "no-version-at-all": Call(verb="ADD", version="abc"),
    "check-of-an-unknown-version": Call(verb="CHECK", version="1.2.0"),
    "check-before-0.4.0": Call(verb="CHECK", version="0.3.1"),
    "nothing-of-an-add": Call(verb="ADD", without=("CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME")),
    "nothing-of-a-del": Call(verb="DEL", without=("CNI_CONTAINERID", "CNI_IFNAME")),
    "nothing-of-a-check": Call(
        verb="CHECK", without=("CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME")
    ),
    "no-netns": Call(verb="ADD", without=("CNI_NETNS",)),
    "empty-netns": Call(verb="ADD", environment={"CNI_NETNS": ""}),
    "unknown-command": Call(verb="UPDATE"),
    "command-in-small-letters": Call(verb="add"),
    "container-with-a-slash": Call(verb="DEL", environment={"CNI_CONTAINERID": "with/slash"}),
    "container-with-a-dash-first": Call(verb="DEL", environment={"CNI_CONTAINERID": "-x"}),
    "interface-too-long": Call(verb="DEL", environment={"CNI_IFNAME": "sixteen-letters-"}),
    "interface-dot": Call(verb="DEL", environment={"CNI_IFNAME": "."}),
    "interface-dots": Call(verb="ADD", environment={"CNI_IFNAME": ".."}),
    "interface-with-a-slash": Call(verb="ADD", environment={"CNI_IFNAME": "a/b"}),
    "interface-with-a-colon": Call(verb="ADD", environment={"CNI_IFNAME": "a:b"}),
    "interface-with-a-blank": Call(verb="ADD", environment={"CNI_IFNAME": "a b"}),
    "empty-stdin": Call(verb="ADD", stdin=b""),
    "broken-stdin": Call(verb="DEL", stdin=b"{"),
    "no-object": Call(verb="ADD", stdin=b"[]"),
    "no-name": Call(verb="ADD", keys={"name": ""}),
    "bad-name": Call(verb="DEL", keys={"name": "a/b"}),
}
ALIKE_SINCE_1_1 = {
    "netns-is-the-plugin's-own": Call(verb="ADD", environment=OWN_NETNS),
    "netns-of-a-del-is-the-plugin's-own": Call(verb="DEL", environment=OWN_NETNS),
    "gc-of-an-unknown-version": Call(verb="GC", version="9.9.9"),
    "gc-before-1.1.0": Call(verb="GC", version="1.0.0"),
    "status-of-an-unknown-version": Call(verb="STATUS", version="9.9.9"),
    "status-before-1.1.0": Call(verb="STATUS", version="1.0.0"),
    "gc-without-a-path": Call(verb="GC", version="1.1.0", without=("CNI_PATH",)),
}
# The reference plugin has one code for all that is not the specification's, 999.
OWN_CODE = {
    "no-ipam": Call(verb="ADD", keys={"ipam": None}),
    "check-without-a-result": Call(verb="CHECK"),
}
# No mistakes: what must succeed although it looks like one.
GOOD = {
    "version": Call(verb="VERSION"),
    "version-without-stdin": Call(verb="VERSION", stdin=b"", without=tuple(program.CONTAINER)),
    "no-command": Call(verb="", without=("CNI_COMMAND",)),
}


@pytest.mark.parametrize("name", ALIKE)
def test_a_mistake_is_answered_as_the_reference_plugin_does(
    name: str, host_local: Path, tmp_path: Path
) -> None:
    theirs, ours = _both(ALIKE[name], host_local, tmp_path)
    assert theirs.code is not None
    assert ours == theirs


@speaks_newest
@pytest.mark.parametrize("name", ALIKE_SINCE_1_1)
def test_a_mistake_that_version_1_1_knows_is_answered_as_the_reference_plugin_does(
    name: str, host_local: Path, tmp_path: Path
) -> None:
    theirs, ours = _both(ALIKE_SINCE_1_1[name], host_local, tmp_path)
    assert theirs.code is not None
    assert ours == theirs


@pytest.mark.parametrize("name", OWN_CODE)
def test_a_mistake_with_a_code_of_its_own_fails_in_the_same_form(
    name: str, host_local: Path, tmp_path: Path
) -> None:
    theirs, ours = _both(OWN_CODE[name], host_local, tmp_path)
    assert (theirs.code, ours.code) == (999, 7)
    assert ours == dataclasses.replace(theirs, code=7)


@pytest.mark.parametrize("name", GOOD)
def test_what_is_no_mistake_succeeds_in_the_same_form(
    name: str, host_local: Path, tmp_path: Path
) -> None:
    theirs, ours = _both(GOOD[name], host_local, tmp_path)
    assert (theirs.exit_code, theirs.code) == (0, None)
    assert ours == theirs


def _both(call: Call, host_local: Path, place: Path) -> tuple[Answer, Answer]:
    """What the reference plugin says, and what ours does, which no server answers."""
    ranges = [[{"subnet": "10.98.0.0/24"}]]
    local = {"type": "host-local", "dataDir": str(place / "record"), "ranges": ranges}
    stdin, variables = _stdin(call, local), _variables(call)
    done = subprocess.run(
        [host_local], input=stdin, env=variables, capture_output=True, timeout=60, check=False
    )
    theirs = program.Outcome(code=done.returncode, stdout=done.stdout, stderr=done.stderr)
    own = {"type": "moorage", "server": program.NOWHERE, "timeout_seconds": 1}
    ours = program.run(
        call.verb, _stdin(call, own), environment=call.environment, without=call.without
    )
    return _answer(theirs), _answer(ours)


def _stdin(call: Call, ipam: Mapping[str, object]) -> bytes:
    config = {"cniVersion": call.version, "name": "lab", "type": "bridge", "ipam": ipam}
    return json.dumps(config | dict(call.keys)).encode() if call.stdin is None else call.stdin


def _variables(call: Call) -> dict[str, str]:
    every = {"CNI_COMMAND": call.verb} | program.CONTAINER | dict(call.environment)
    return {name: value for name, value in every.items() if name not in call.without}


def _answer(outcome: program.Outcome) -> Answer:
    document = _last_document(outcome.stdout)
    # Ours says the version, as the specification asks, and has advice for every error.
    optional = {"cniVersion", "details"} if outcome.code else set()
    return Answer(
        exit_code=outcome.code,
        code=document.get("code"),
        keys=frozenset(document) - optional,
        missing=str(document.get("msg", "")).partition("required env variables ")[2],
        says_on_stderr=bool(outcome.stderr),
    )


def _last_document(stdout: bytes) -> dict[str, Any]:
    """What was printed; the reference plugin finds its own netns out after it has answered."""
    text = stdout.decode().strip()
    found: dict[str, Any] = {}
    while text:
        found, end = json.JSONDecoder().raw_decode(text)
        text = text[end:].strip()
    return found
