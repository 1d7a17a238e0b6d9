"""The programs of a node and of people call with tokens."""

import json
import pathlib
from collections.abc import Callable

import pytest
from click.testing import CliRunner

import moorage
from cni import agents, program
from ctl.program import Moorctl
from harness import calls, eventually, serving, tokens
from harness.certificates import Authority
from harness.tokens import Signer
from moorage.controller import program as controller

Connect = Callable[[str], moorage.Client]


@pytest.fixture
def operator(bearing: Connect, signer: Signer) -> moorage.Client:
    """The client of an operator, who has made a pool."""
    client = bearing(signer.sign("op"))
    calls.create_pool(client, "p", "10.0.0.0/24")
    return client


def ipam(target: str, authority: Authority, token: str, node: str = "n1") -> dict[str, object]:
    """A node's configuration."""
    return {
        "server": target,
        "timeout_seconds": 20,
        "nodename": node,
        "tls": {"ca": str(authority.ca), "token": token},
    }


def run(verb: str, own: dict[str, object], container: str = "c1") -> program.Outcome:
    """One call of the plugin."""
    environment = {"CNI_CONTAINERID": container, "CNI_ARGS": program.POD_ARGS}
    return program.run(verb, program.config(ipam=own), environment=environment)


def test_the_plugin_is_its_node(
    tokened: serving.Serving,
    authority: Authority,
    operator: moorage.Client,
    signer: Signer,
    tmp_path: pathlib.Path,
) -> None:
    path = tokens.write(tmp_path, signer.of_node("n1"))
    own = ipam(tokened.target, authority, path)
    assert run("ADD", own).code == 0
    (held,) = operator.allocations()
    assert held.workload.node == "n1"
    refused = run("ADD", own | {"nodename": "n2"}, "c2").error
    assert "refused with NOT_YOURS: node n1 acts for itself alone" in str(refused["msg"])
    assert run("DEL", own).code == 0
    assert not list(operator.allocations())
    pathlib.Path(path).unlink()
    absent = run("ADD", own).error
    assert absent["code"] == 11
    assert f"with the files of ipam.tls: {path}: missing file; put" in str(absent["msg"])


def test_the_agent_goes_on_with_a_new_token(
    tokened: serving.Serving,
    authority: Authority,
    operator: moorage.Client,
    signer: Signer,
    tmp_path: pathlib.Path,
) -> None:
    path = tokens.write(tmp_path, signer.of_node("n2"))
    stdin = json.dumps(program.config(ipam=ipam(tokened.target, authority, path))).encode()

    def call(verb: str) -> int:
        variables = {"CNI_COMMAND": verb, "CNI_CONTAINERID": "c1", "CNI_ARGS": program.POD_ARGS}
        return agent.call(program.CONTAINER | variables, stdin)[0]

    (tmp_path / "agent").mkdir()
    with agents.running(tmp_path / "agent") as agent:
        assert call("ADD") == 1  # it shows that it is another node
        tokens.write(tmp_path, signer.of_node("n1"))
        # A second at most, until the agent looks at it again.
        eventually.until(lambda: call("ADD") == 0)
        pathlib.Path(path).unlink()
        assert call("DEL") == 0
        assert not list(operator.allocations())


def test_moorctl_shows_a_token(
    tokened: serving.Serving,
    authority: Authority,
    operator: moorage.Client,
    signer: Signer,
    tmp_path: pathlib.Path,
) -> None:
    eye = tokens.write(tmp_path, signer.sign("eye"), "eye")
    op = tokens.write(tmp_path, signer.sign("op"), "op")
    variables = {
        "MOORAGE_SERVER": tokened.target,
        "MOORAGE_TLS_CA": str(authority.ca),
        "MOORAGE_TOKEN_FILE": eye,
    }
    moorctl = Moorctl(variables=variables)
    assert moorctl("get", "pools").code == 0
    denied = moorctl("drain", "p")
    assert (denied.code, "METHOD_NOT_ALLOWED" in denied.err) == (6, True)
    assert moorctl("drain", "p", "--token-file", op).code == 0
    lost = moorctl("get", "pools", "--token-file", "/nowhere/token")
    assert (lost.code, "/nowhere/token" in lost.err) == (2, True)
    clear = Moorctl(variables={"MOORAGE_TOKEN_FILE": eye})("get", "pools")
    assert (clear.code, "who shows a token also has to know the server" in clear.err) == (2, True)


def test_the_controller_says_what_is_wrong_with_its_token(authority: Authority) -> None:
    for given, said in (
        (["--token-file", "/nowhere/token"], "who shows a token also has to know the server"),
        (["--tls-ca", str(authority.ca), "--token-file", "/nowhere/token"], "/nowhere/token: No"),
        (["--tls-ca", str(authority.ca), "--token-file", str(authority.ca)], "no bearer token"),
    ):
        result = CliRunner().invoke(controller.command, ["--cluster-name", "east", *given])
        assert result.exit_code == 2
        assert said in result.output
