"""moorctl pki: what it makes is good for a server and its callers, and is nobody else's to read."""

import pathlib

import pytest

import moorage
from ctl.program import Moorctl
from harness import calls, postgres, serving


@pytest.fixture
def moorctl() -> Moorctl:
    """The program."""
    return Moorctl(variables={})


def test_what_it_makes_works(
    moorctl: Moorctl, database: postgres.Database, tmp_path: pathlib.Path
) -> None:
    folder = tmp_path / "pki"
    made = str(folder)
    for words in (
        ("init", made),
        ("issue", made, "server", "ipam", "--host", "127.0.0.1", "--host", "localhost"),
        ("issue", made, "node", "n1", "--hours", "1"),
        ("issue", made, "caller", "op"),
    ):
        assert moorctl("pki", *words).code == 0
    assert {each.name for each in folder.iterdir()} == {
        f"{name}.{suffix}" for name in ("ca", "ipam", "n1", "op") for suffix in ("crt", "key")
    }
    assert {each.stat().st_mode & 0o777 for each in folder.iterdir()} == {0o600}
    assert folder.stat().st_mode & 0o777 == 0o700
    roles = tmp_path / "roles"
    roles.write_text('operator = ["op"]')
    access = {
        "tls_cert": f"{made}/ipam.crt",
        "tls_key": f"{made}/ipam.key",
        "tls_client_ca": f"{made}/ca.crt",
        "node_identity": "node-certificate",
        "roles": str(roles),
    }
    op, n1 = (
        moorage.Tls(f"{made}/ca.crt", f"{made}/{name}.crt", f"{made}/{name}.key")
        for name in ("op", "n1")
    )
    with serving.in_process(database, access=access) as server:
        with moorage.Client(server.target, tls=op) as client:
            calls.create_pool(client, "p", "10.0.0.0/24")
        with moorage.Client(server.target, tls=n1) as client:
            assert calls.assign(client, node="n1")


def test_it_overwrites_nothing(moorctl: Moorctl, tmp_path: pathlib.Path) -> None:
    made = str(tmp_path / "pki")
    again: tuple[tuple[str, ...], ...] = (
        ("init", made),
        ("issue", made, "node", "n1"),
        ("issue", made, "server", "n1", "--host", "h"),
    )
    for words in again[:2]:
        assert moorctl("pki", *words).code == 0
    before = {path: path.read_bytes() for path in (tmp_path / "pki").iterdir()}
    for words in again:
        refused = moorctl("pki", *words)
        assert refused.code == 2
        assert "is there already" in refused.err
    (tmp_path / "pki" / "n1.crt").unlink()  # the key alone is enough
    assert moorctl("pki", "issue", made, "node", "n1").code == 2
    assert {**before, **{p: p.read_bytes() for p in (tmp_path / "pki").iterdir()}} == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("node", "../n1"), "is no name"),
        (("caller", "ca"), "is no name"),
        (("server", "s"), "a server, and nobody else, is signed for hosts"),
        (("node", "n1", "--host", "h"), "a server, and nobody else, is signed for hosts"),
        (("node", "n1"), "ca.crt"),  # there is no authority
    ],
)
def test_it_says_what_is_wrong(
    moorctl: Moorctl, tmp_path: pathlib.Path, words: tuple[str, ...], said: str
) -> None:
    refused = moorctl("pki", "issue", str(tmp_path), *words)
    assert refused.code == 2
    assert said in refused.err
    assert not list(tmp_path.iterdir())
