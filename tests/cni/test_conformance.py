"""The error table of the CNI specification (SPEC.md, "Error"), row by row, through the program.

Where a row is about a whole document, the whole document is compared: it is an interface.
"""

import json
import os

import pytest

from cni import program

pytestmark = pytest.mark.usefixtures("host")

ALL = ", ".join(program.VERSIONS)


def test_version_answers_what_was_asked_in_and_all_that_is_spoken() -> None:
    for version in program.VERSIONS:
        outcome = program.run("VERSION", {"cniVersion": version})
        assert outcome.document == {
            "cniVersion": version,
            "supportedVersions": list(program.VERSIONS),
        }
        assert (outcome.code, outcome.stderr) == (0, b"")


@pytest.mark.parametrize("stdin", [b"", b"{", b"[]", b'{"cniVersion":"9.9.9"}', b"\xff"])
def test_version_needs_no_input_and_no_environment(stdin: bytes) -> None:
    outcome = program.run("VERSION", stdin, without=tuple(program.CONTAINER))
    assert outcome.document["cniVersion"] == "1.1.0"
    assert outcome.code == 0


def test_without_a_command_the_program_introduces_itself_on_stderr() -> None:
    outcome = program.run("", without=("CNI_COMMAND",))
    assert (outcome.code, outcome.stdout) == (0, b"")
    assert outcome.stderr.decode().splitlines() == [
        "moorage: CNI IPAM plugin that asks a Moorage server for addresses",
        f"CNI protocol versions supported: {ALL}",
    ]


@pytest.mark.parametrize(
    ("verb", "missing"),
    [
        ("ADD", ("CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME")),
        ("CHECK", ("CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME")),
        ("DEL", ("CNI_CONTAINERID", "CNI_IFNAME")),
        ("GC", ("CNI_PATH",)),
        ("ADD", ("CNI_NETNS",)),
        ("DEL", ("CNI_IFNAME",)),
    ],
)
def test_missing_variables_are_listed_together(verb: str, missing: tuple[str, ...]) -> None:
    outcome = program.run(verb, program.config("1.1.0"), without=missing)
    assert outcome.error == {
        "cniVersion": "1.1.0",
        "code": 4,
        "msg": f"required env variables [{','.join(missing)}] missing",
        "details": "a container runtime sets them; to try by hand, use cnitool",
    }
    assert outcome.stderr == b""


def test_an_empty_variable_is_a_missing_one() -> None:
    outcome = program.run("ADD", program.config(), environment={"CNI_NETNS": ""})
    assert outcome.error["msg"] == "required env variables [CNI_NETNS] missing"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("CNI_COMMAND", "UPDATE"),
        ("CNI_COMMAND", "add"),
        ("CNI_CONTAINERID", "-leading-dash"),
        ("CNI_CONTAINERID", "with/slash"),
        ("CNI_CONTAINERID", "newline\n"),
        ("CNI_CONTAINERID", "x" * 129),
        ("CNI_IFNAME", "sixteen-letters-"),
        ("CNI_IFNAME", "."),
        ("CNI_IFNAME", ".."),
        ("CNI_IFNAME", "a/b"),
        ("CNI_IFNAME", "a:b"),
        ("CNI_IFNAME", "a b"),
        ("CNI_IFNAME", "a\tb"),
        ("CNI_IFNAME", "\x1b[31m"),
        ("CNI_IFNAME", b"\xff".decode(errors="surrogateescape")),
    ],
)
def test_a_bad_variable_is_named_with_its_value(variable: str, value: str) -> None:
    outcome = program.run("DEL", program.config(), environment={variable: value})
    assert outcome.error["code"] == 4
    assert variable in str(outcome.error["msg"])
    assert ascii(value)[1:-1][:80] in str(outcome.error["msg"])
    assert outcome.stderr == b""


@pytest.mark.parametrize("verb", ["ADD", "DEL", "CHECK", "GC", "STATUS"])
@pytest.mark.parametrize("version", ["1.2.0", "9.9.9", "abc", "0.0.1"])
def test_an_unknown_version_is_refused_with_those_that_are_known(verb: str, version: str) -> None:
    outcome = program.run(verb, program.config(version))
    assert outcome.error["code"] == 1
    assert f"'{version}'" in str(outcome.error["msg"])
    assert "1.1.0" in str(outcome.error["details"])


@pytest.mark.parametrize(
    ("verb", "since"), [("CHECK", "0.4.0"), ("GC", "1.1.0"), ("STATUS", "1.1.0")]
)
def test_a_verb_is_refused_before_the_version_that_brought_it(verb: str, since: str) -> None:
    before = program.VERSIONS[: program.VERSIONS.index(since)]
    for version in before:
        outcome = program.run(verb, program.config(version))
        assert (outcome.error["code"], outcome.error["cniVersion"]) == (1, version)


def test_an_absent_version_is_the_first_one() -> None:
    for absent in ({}, {"cniVersion": ""}, {"cniVersion": None}):
        document = {k: v for k, v in program.config().items() if k != "cniVersion"} | absent
        outcome = program.run("CHECK", document)
        assert outcome.error["cniVersion"] == "0.1.0"
        assert outcome.error["code"] == 1


@pytest.mark.parametrize(
    "stdin",
    [
        b"",
        b"{",
        b"not json",
        b"[]",
        b"null",
        b'"text"',
        b"\xff\xfe",
        b'{"name":"pods"} {"name":"pods"}',
        b'{"name": NaN}',
        b'{"name": ' + b"9" * 5000 + b"}",
        b"[" * 100_000,
        b'{"name":"pods","x":' + b'{"x":' * 5_000 + b"1" + b"}" * 5_001,
        b'{"name":"' + b'\\"' * 500_000,
    ],
    ids=lambda stdin: repr(stdin[:20]),
)
def test_what_cannot_be_decoded_is_a_decoding_failure(stdin: bytes) -> None:
    outcome = program.run("ADD", stdin)
    assert outcome.error["code"] == 6
    assert outcome.error["cniVersion"] == "1.1.0"
    assert outcome.stderr == b""


@pytest.mark.parametrize("verb", ["ADD", "DEL"])
def test_the_plugins_own_network_namespace_is_refused(verb: str) -> None:
    own = {"CNI_NETNS": f"/proc/{os.getpid()}/ns/net"}
    outcome = program.run(verb, program.config(), environment=own)
    assert outcome.error["code"] == 8
    assert own["CNI_NETNS"] in str(outcome.error["msg"])


@pytest.mark.parametrize("override", ["true", "TRUE", "1"])
def test_the_plugins_own_network_namespace_can_be_allowed(override: str) -> None:
    environment = {"CNI_NETNS": "/proc/self/ns/net", "CNI_NETNS_OVERRIDE": override}
    outcome = program.run("ADD", program.config(), environment=environment)
    assert outcome.error["code"] == 11


@pytest.mark.parametrize("verb", ["GC", "STATUS"])
def test_what_the_plugin_has_no_part_in_succeeds_in_silence(verb: str) -> None:
    outcome = program.run(verb, program.config("1.1.0"), without=("CNI_CONTAINERID", "CNI_IFNAME"))
    assert (outcome.code, outcome.stdout, outcome.stderr) == (0, b"", b"")


@pytest.mark.parametrize("rest", [{}, {"cni.dev/valid-attachments": None}])
def test_gc_without_a_list_asks_nobody_and_succeeds(rest: dict[str, object]) -> None:
    outcome = program.run("GC", program.config("1.1.0", rest=rest))
    assert (outcome.code, outcome.stdout, outcome.stderr) == (0, b"", b"")


def test_gc_without_a_server_is_try_again_later() -> None:
    rest: dict[str, object] = {"cni.dev/valid-attachments": []}
    outcome = program.run("GC", program.config("1.1.0", rest=rest))
    assert outcome.error["code"] == 11


@pytest.mark.parametrize(
    ("valid", "key"),
    [
        ("all", ""),
        ({}, ""),
        (["c1"], "[0]"),
        ([{"ifname": "eth0"}], "[0].containerID"),
        ([{"containerID": "c1"}], "[0].ifname"),
        ([{"containerID": "c1", "ifname": "eth0"}, {"containerID": "/", "ifname": "eth0"}], "[1]"),
    ],
)
def test_gc_with_a_list_that_cannot_be_read_is_refused(valid: object, key: str) -> None:
    config = program.config("1.1.0", rest={"cni.dev/valid-attachments": valid})
    outcome = program.run("GC", config)
    assert outcome.error["code"] == 7
    assert f'"cni.dev/valid-attachments{key}' in outcome.text


def test_status_finds_a_mistake_in_the_configuration() -> None:
    outcome = program.run("STATUS", program.config("1.1.0", {"assign_ipv6": 1}))
    assert outcome.error["code"] == 7
    assert "assign_ipv6" in outcome.text


def test_check_wants_the_result_of_add() -> None:
    outcome = program.run("CHECK", program.config())
    assert outcome.error["code"] == 7
    assert "prevResult" in str(outcome.error["msg"])


@pytest.mark.parametrize("version", program.VERSIONS)
@pytest.mark.parametrize("verb", ["ADD", "DEL"])
def test_an_error_answers_in_the_version_of_the_configuration(
    verb: str, version: str, host: str
) -> None:
    outcome = program.run(verb, program.config(version, {"timeout_seconds": 0.2}))
    if (verb, host) == ("DEL", "agent"):
        # It is kept until the server is back.
        assert (outcome.code, outcome.stdout, outcome.stderr) == (0, b"", b"")
        return
    assert outcome.error["cniVersion"] == version
    assert outcome.error["code"] == 11
    assert outcome.stderr == b""


def test_unknown_keys_of_the_configuration_are_passed_over() -> None:
    config = program.config("1.1.0", {"colour": "blue"}, {"colour": {"deep": [1, 2]}})
    assert program.run("STATUS", config).code == 0


def test_a_document_with_a_byte_order_of_its_own_is_no_utf_8() -> None:
    outcome = program.run("DEL", json.dumps(program.config()).encode("utf-16"))
    assert outcome.error["code"] == 6
