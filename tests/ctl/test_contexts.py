"""Where moorctl's settings come from: options, the environment, contexts of a file, defaults."""

import pathlib

import pytest

from ctl import program

_FILE = """\
[contexts.production]
server = "ipam.example:7711"
timeout = 20
vrf = "blue"
tls-ca = "ca.crt"
token-file = "alice.token"

[contexts.lab]
server = "unix:/run/moorage/lab.sock"
"""
_DEFAULT = "default"


@pytest.fixture
def file(tmp_path: pathlib.Path) -> pathlib.Path:
    """Two contexts, of which none is in use."""
    path = tmp_path / "config.toml"
    path.write_text(_FILE)
    return path


@pytest.fixture
def configured(file: pathlib.Path) -> program.Moorctl:
    """The program with that file, and nothing in its environment that says more."""
    return program.Moorctl(variables={"MOORAGE_CONFIG": str(file)})


def seen(moorctl: program.Moorctl, *arguments: str) -> dict[str, tuple[str, str]]:
    """What holds: value and origin of each setting."""
    told = program.Ended(code=0, out=moorctl.must(*arguments, "-o", "json"), err="").json()
    assert isinstance(told, dict)
    return {name: (each["value"], each["origin"]) for name, each in told.items()}


def test_without_a_file_the_defaults_hold(tmp_path: pathlib.Path) -> None:
    moorctl = program.Moorctl(variables={"MOORAGE_CONFIG": str(tmp_path / "none.toml")})
    told = seen(moorctl, "config", "view")
    assert {origin for _, origin in told.values()} == {_DEFAULT}
    assert told["server"][0] == "127.0.0.1:7711"


def test_a_context_may_be_named_before_the_command_and_after_it(
    configured: program.Moorctl, file: pathlib.Path
) -> None:
    origin = f"context production of {file}"
    for arguments in (
        ["--context", "production", "config", "view"],
        ["config", "view", "--context", "production"],
        ["--context", "lab", "config", "view", "--context=production"],
    ):
        told = seen(configured, *arguments)
        assert told["server"] == ("ipam.example:7711", origin)
        assert told["timeout"] == ("20.0", origin)
        assert told["tls_ca"] == (str(file.parent / "ca.crt"), origin)
        assert told["token_file"] == (str(file.parent / "alice.token"), origin)
        assert told["tls_key"] == ("", _DEFAULT)


def test_what_counts_more_wins_wherever_it_stands(configured: program.Moorctl) -> None:
    configured.must("--context", "lab", "config", "view")
    variables = {**configured.variables, "MOORAGE_VRF": "red", "MOORAGE_CONTEXT": "production"}
    moorctl = program.Moorctl(variables=variables)
    in_use = seen(moorctl, "config", "view")
    assert in_use["server"][0] == "ipam.example:7711"
    assert in_use["vrf"] == ("red", "environment, MOORAGE_VRF")
    named = seen(moorctl, "config", "view", "--context", "production")
    assert named["vrf"][0] == "blue"
    given = seen(moorctl, "--vrf", "green", "config", "view", "--context", "production")
    assert given["vrf"] == ("green", "option, --vrf")


def test_of_another_context_nothing_is_left(configured: program.Moorctl) -> None:
    configured.must("--context", "production", "config", "view")
    told = seen(configured, "--context", "production", "config", "view", "--context", "lab")
    assert told["server"][0] == "unix:/run/moorage/lab.sock"
    assert told["tls_ca"] == ("", _DEFAULT)


def test_a_context_is_in_use_until_another_is(
    configured: program.Moorctl, file: pathlib.Path
) -> None:
    said = configured("config", "use", "lab")
    assert (said.code, said.out) == (0, "")
    assert "context lab" in said.err
    assert seen(configured, "config", "view")["server"][0] == "unix:/run/moorage/lab.sock"
    assert configured.must("config", "contexts") == "  production\n* lab\n"
    configured("config", "use", "production")
    assert configured.must("config", "contexts") == "* production\n  lab\n"
    assert file.read_text() == _FILE


def test_a_context_that_is_not_there_changes_nothing(configured: program.Moorctl) -> None:
    for arguments in (["config", "use", "prod"], ["--context", "prod", "get", "pools"]):
        ended = configured(*arguments)
        assert (ended.code, ended.out) == (2, "")
        assert "there is no context 'prod'" in ended.err
        assert "it has production, lab" in ended.err
    assert configured.must("config", "contexts") == "  production\n  lab\n"


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("contexts = 3", "'contexts' is no table"),
        ("[contexts]\nlab = 3", "contexts.lab is no table"),
        ("[context.lab]\nserver = 'x'", "'context' is unknown; write [contexts.NAME]"),
        ("[contexts.lab]\nsrver = 'x'", "contexts.lab: 'srver' is none of server, "),
        ("[contexts.lab]\nserver = ['x']", "contexts.lab.server is neither a text nor a number"),
        ("[contexts.lab]\ntimeout = true", "contexts.lab.timeout is neither a text nor a number"),
        ("[contexts.lab]\ntimeout = 'soon'", "timeout: 'soon' is not a number of seconds"),
        ("[contexts.lab", "cannot read"),
        ("\x00", "cannot read"),
    ],
)
def test_a_file_that_is_wrong_is_refused_with_the_place(
    configured: program.Moorctl, file: pathlib.Path, written: str, said: str
) -> None:
    file.write_text(written)
    ended = configured("--context", "lab", "get", "pools")
    assert ended.code == 2
    assert said.replace("none of server, ", "none of ") in ended.err
    assert str(file) in ended.err
    assert "Traceback" not in ended.err
