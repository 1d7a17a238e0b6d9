"""The programs of a node and of people call a server that asks who they are."""

import datetime
import json
import pathlib
from collections.abc import Callable

import pytest
from click.testing import CliRunner

import moorage
from cni import agents, program
from ctl.program import Moorctl
from harness import calls, eventually, serving
from harness.certificates import Authority, Paper
from moorage.agent.journal import Journal
from moorage.controller import program as controller

_NEVER = datetime.datetime.max


@pytest.fixture
def operator(calling: Callable[..., moorage.Client]) -> moorage.Client:
    """The client of an operator, who has made a pool."""
    client = calling("op", common_name="op")
    calls.create_pool(client, "p", "10.0.0.0/24")
    return client


def ipam(target: str, authority: Authority, paper: Paper, node: str = "n1") -> dict[str, object]:
    """A node's configuration."""
    files = paper.trusting(authority.ca)
    return {
        "server": target,
        "timeout_seconds": 20,
        "nodename": node,
        "tls": {"ca": files.ca, "certificate": files.certificate, "key": files.key},
    }


def run(
    verb: str,
    own: dict[str, object],
    container: str = "c1",
    rest: dict[str, object] | None = None,
) -> program.Outcome:
    """One call of the plugin."""
    environment = {"CNI_CONTAINERID": container, "CNI_ARGS": program.POD_ARGS}
    return program.run(verb, program.config(ipam=own, rest=rest), environment=environment)


def test_the_plugin_is_its_node(
    secured: serving.Serving, authority: Authority, operator: moorage.Client
) -> None:
    own = ipam(secured.target, authority, authority.node("n1"))
    added = run("ADD", own)
    assert added.code == 0
    assert run("CHECK", own, rest={"prevResult": added.document}).code == 0
    (held,) = operator.allocations()
    assert held.workload.node == "n1"
    refused = run("ADD", own | {"nodename": "n2"}, "c2").error
    assert "refused with NOT_YOURS: node n1 acts for itself alone" in str(refused["msg"])
    assert run("DEL", own).code == 0
    assert not list(operator.allocations())


@pytest.mark.parametrize(
    ("written", "code", "said"),
    [
        ({"ca": "/a", "certificate": "/c"}, 7, "a certificate and its key go together"),
        ({"certificate": "/c", "key": "/k"}, 7, "who shows a certificate also has to know"),
        ({"ca": 3}, 7, "ipam.tls.ca"),
        ({"token": "/t"}, 7, "who shows a token also has to know"),
        ({"ca": "/nowhere/ca"}, 11, "cannot be called with the files of ipam.tls: /nowhere/ca"),
    ],
)
def test_the_plugin_says_what_is_wrong_with_its_files(
    written: dict[str, object], code: int, said: str
) -> None:
    outcome = program.run(
        "ADD",
        program.config(ipam={"server": program.NOWHERE, "nodename": "n1", "tls": written}),
        installed=False,
    )
    assert outcome.error["code"] == code
    assert said in outcome.text


def test_the_agent_goes_on_with_new_files(
    secured: serving.Serving,
    authority: Authority,
    operator: moorage.Client,
    tmp_path: pathlib.Path,
) -> None:
    place = tmp_path / "live"
    place.mkdir()
    authority.node("n2", "first").put(place, "me")
    live = Paper(certificate=place / "me.crt", key=place / "me.key", serial=0, ends=_NEVER)
    stdin = json.dumps(program.config(ipam=ipam(secured.target, authority, live))).encode()

    def call(verb: str, container: str = "c1") -> int:
        variables = {"CNI_COMMAND": verb, "CNI_CONTAINERID": container}
        variables |= {"CNI_ARGS": program.POD_ARGS}
        return agent.call(program.CONTAINER | variables, stdin)[0]

    (tmp_path / "agent").mkdir()
    with agents.running(tmp_path / "agent") as agent:
        assert call("ADD") == 1  # it shows that it is another node
        authority.node("n1", "second").put(place, "me")
        # A second at most, until the agent looks at them again.
        eventually.until(lambda: call("ADD") == 0)
        live.key.unlink()
        # It goes on with what it has.
        assert call("DEL") == 0
        assert not list(operator.allocations())


def test_a_release_that_waits_knows_its_certificates(tmp_path: pathlib.Path) -> None:
    old = {"server": "s", "vrf": "v", "network": "n", "container_id": "c", "interface": "e"}
    stamped = old | {"boot_id": "b", "boot_time_ns": 1}
    (tmp_path / "old.json").write_text(json.dumps(stamped))
    journal = Journal(tmp_path)
    (plain,) = journal.oldest_first()
    assert plain.files is None
    journal.add(plain._replace(container_id="d", tls_ca="a", tls_certificate="c", tls_key="k"))
    journal.add(plain._replace(container_id="e", tls_ca="a", tls_token="t"))
    again = {each.container_id: each.files for each in Journal(tmp_path).oldest_first()}
    assert again == {
        "c": None,
        "d": moorage.Tls("a", "c", "k"),
        "e": moorage.Tls("a", token="t"),
    }


def test_moorctl_shows_who_it_is(
    secured: serving.Serving, authority: Authority, operator: moorage.Client
) -> None:
    eye = authority.sign("eye", common_name="eye").trusting(authority.ca)
    op = authority.sign("op3", common_name="op").trusting(authority.ca)
    variables = {
        "MOORAGE_SERVER": secured.target,
        "MOORAGE_TLS_CA": eye.ca,
        "MOORAGE_TLS_CLIENT_CERT": eye.certificate,
        "MOORAGE_TLS_CLIENT_KEY": eye.key,
    }
    moorctl = Moorctl(variables=variables)
    assert moorctl("get", "pools").code == 0
    denied = moorctl("drain", "p")
    assert denied.code == 6
    assert "METHOD_NOT_ALLOWED" in denied.err
    done = moorctl("drain", "p", "--tls-cert", op.certificate, "--tls-key", op.key)
    assert done.code == 0, done
    lost = moorctl("get", "pools", "--tls-key", "/nowhere/key")
    assert (lost.code, "/nowhere/key" in lost.err) == (2, True)
    half = Moorctl(variables={"MOORAGE_TLS_CLIENT_CERT": "c"})("get", "pools")
    assert (half.code, "a certificate and its key go together" in half.err) == (2, True)


def test_the_controller_says_what_is_wrong_with_its_files(authority: Authority) -> None:
    arguments = ["--cluster-name", "east", "--tls-ca", str(authority.ca), "--tls-cert", "c"]
    result = CliRunner().invoke(controller.command, arguments)
    assert result.exit_code == 2
    assert "a certificate and its key go together" in result.output
