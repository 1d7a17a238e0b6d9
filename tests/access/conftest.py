"""Fixtures of the tests about who may call: an authority, and a server that asks who calls."""

import contextlib
import functools
import itertools
import pathlib
from collections.abc import Callable, Iterator

import pytest

import moorage
from harness import postgres, serving, tokens
from harness.certificates import Authority
from harness.tokens import Signer
from moorage import reconnecting
from moorage_server.api import reloading

ROLES = """
operator = ["op", "spiffe://example.org/ops/op"]
reader = ["eye"]
collector = ["broom"]

[tenant.shop]
namespaces = ["shop"]

[tenant.chain]
namespaces = ["east", "west"]
vrfs = ["default", "blue"]
"""


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process files are looked at with every call, so that nobody waits."""
    monkeypatch.setattr(reloading, "EVERY", 0.0)
    monkeypatch.setattr(reconnecting, "EVERY", 0.0)


@pytest.fixture
def authority(tmp_path: pathlib.Path) -> Authority:
    """One that server and callers trust."""
    return Authority(tmp_path)


@pytest.fixture
def settings(authority: Authority, tmp_path: pathlib.Path) -> dict[str, str]:
    """Of a server that asks who calls, and knows nodes by the names of Kubernetes."""
    paper = authority.server()
    roles, denied = tmp_path / "roles.toml", tmp_path / "denied"
    roles.write_text(ROLES)
    denied.write_text("# nobody\n")
    return {
        "tls_cert": str(paper.certificate),
        "tls_key": str(paper.key),
        "tls_client_ca": str(authority.ca),
        "node_identity": "node-certificate",
        "roles": str(roles),
        "denied": str(denied),
    }


@pytest.fixture
def secured(database: postgres.Database, settings: dict[str, str]) -> Iterator[serving.Serving]:
    """Such a server."""
    with serving.in_process(database, access=settings) as running:
        yield running


@pytest.fixture
def certified(authority: Authority) -> Iterator[Callable[..., moorage.Client]]:
    """A client of a server, with a certificate of these names."""
    with contextlib.ExitStack() as until:

        def connect(server: serving.Serving, file: str, **names: object) -> moorage.Client:
            paper = authority.sign(file, **names)  # type: ignore[arg-type]  # the test's own
            files = paper.trusting(authority.ca)
            return until.enter_context(moorage.Client(server.target, tls=files))

        yield connect


@pytest.fixture
def calling(
    certified: Callable[..., moorage.Client], secured: serving.Serving
) -> Callable[..., moorage.Client]:
    """A client of the server that asks who calls, with a certificate of these names."""
    return functools.partial(certified, secured)


@pytest.fixture
def signer() -> Signer:
    """A key of the issuer whose tokens are believed."""
    return Signer()


@pytest.fixture
def by_token(settings: dict[str, str], signer: Signer, tmp_path: pathlib.Path) -> dict[str, str]:
    """Settings of a server to which everybody shows tokens, and nobody a certificate."""
    keys = tmp_path / "keys.json"
    keys.write_bytes(tokens.key_set(signer))
    without = {"tls_client_ca", "node_identity"}
    return {name: value for name, value in settings.items() if name not in without} | {
        "token_issuer": tokens.ISSUER,
        "token_audience": tokens.AUDIENCE,
        "token_keys": str(keys),
        "token_node_account": tokens.ACCOUNT,
    }


@pytest.fixture
def both(settings: dict[str, str], by_token: dict[str, str]) -> dict[str, str]:
    """Settings of a server to which everybody shows a certificate, and may show a token."""
    return settings | by_token


@pytest.fixture
def tokened(database: postgres.Database, by_token: dict[str, str]) -> Iterator[serving.Serving]:
    """Such a server."""
    with serving.in_process(database, access=by_token) as running:
        yield running


@pytest.fixture
def bearing(
    authority: Authority, tokened: serving.Serving, tmp_path: pathlib.Path
) -> Iterator[Callable[[str], moorage.Client]]:
    """A client of it, with a token."""
    with contextlib.ExitStack() as until:
        numbers = itertools.count()

        def connect(token: str) -> moorage.Client:
            path = tokens.write(tmp_path, token, f"token-{next(numbers)}")
            files = moorage.Tls(str(authority.ca), token=path)
            return until.enter_context(moorage.Client(tokened.target, tls=files))

        yield connect
