"""The issuer's keys: from a file or from a web server, as they are now, or as they were."""

import contextlib
import json
import pathlib
import time
from collections.abc import Callable, Iterator
from concurrent import futures
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

import moorage
from harness import eventually, postgres, serving, tokens
from harness.certificates import Authority
from harness.tokens import Signer, Web
from moorage_server.api import callers, fetching, issuer_keys, rates, reloading

Connect = Callable[[str], moorage.Client]


def is_believed(client: moorage.Client) -> bool:
    try:
        client.get_vrf("default")
    except moorage.Denied as error:
        if error.metadata != {"cause": "UNTRUSTED"}:
            raise
        return False
    return True


def test_keys_of_a_file_change_and_broken_ones_do_not_count(
    bearing: Connect, signer: Signer, by_token: dict[str, str]
) -> None:
    keys, other = pathlib.Path(by_token["token_keys"]), Signer("k2", "RS256")
    old, new = bearing(signer.sign("op")), bearing(other.sign("op"))
    assert (is_believed(old), is_believed(new)) == (True, False)
    keys.write_bytes(tokens.key_set(signer, other))
    assert (is_believed(old), is_believed(new)) == (True, True)
    for broken in (b"", tokens.key_set(signer)[:40], b'{"keys": []}', b"[]"):
        keys.write_bytes(broken)
        assert (is_believed(old), is_believed(new)) == (True, True)
    keys.write_bytes(tokens.key_set(other))
    assert (is_believed(old), is_believed(new)) == (False, True)


def test_without_its_keys_a_server_does_not_start(
    database: postgres.Database, by_token: dict[str, str]
) -> None:
    absent = by_token | {"token_keys": "/nowhere/keys"}
    with (
        pytest.raises(reloading.Unreadable, match="keys of the issuer, /nowhere/keys: No such"),
        serving.in_process(database, access=absent),
    ):
        pass


@pytest.fixture
def web(authority: Authority, signer: Signer) -> Iterator[Web]:
    """Publishes the issuer's key."""
    with tokens.published(authority, signer) as running:
        yield running


@pytest.fixture
def from_web(by_token: dict[str, str], authority: Authority, web: Web) -> dict[str, str]:
    """Settings of a server that fetches its keys there."""
    return by_token | {"token_keys": web.url, "token_keys_ca": str(authority.ca)}


@pytest.fixture
def fetches(
    monkeypatch: pytest.MonkeyPatch, database: postgres.Database, from_web: dict[str, str]
) -> Iterator[Callable[..., serving.Serving]]:
    """Starts such a server, with pauses between its fetches of so many seconds."""
    with contextlib.ExitStack() as until:

        def start(*, every: float = 3600.0, least: float = 3600.0) -> serving.Serving:
            monkeypatch.setattr(fetching, "EVERY", every)
            monkeypatch.setattr(fetching, "LEAST", least)
            return until.enter_context(serving.in_process(database, access=from_web))

        yield start


@pytest.fixture
def bearer(authority: Authority, tmp_path: pathlib.Path) -> Iterator[Callable[..., moorage.Client]]:
    """A client of a server, with a token of this key for the operator."""
    with contextlib.ExitStack() as until:

        def connect(server: serving.Serving, signer: Signer) -> moorage.Client:
            path = tokens.write(tmp_path, signer.sign("op"), f"of-{signer.kid}")
            files = moorage.Tls(str(authority.ca), token=path)
            return until.enter_context(moorage.Client(server.target, tls=files))

        yield connect


Fetches = Callable[..., serving.Serving]
Bearer = Callable[[serving.Serving, Signer], moorage.Client]


def test_keys_are_fetched_before_the_first_call(
    fetches: Fetches, bearer: Bearer, web: Web, signer: Signer
) -> None:
    server = fetches()
    assert web.asked == 1
    assert is_believed(bearer(server, signer))
    assert web.asked == 1


def test_an_unknown_key_is_asked_for_once_in_a_while(
    fetches: Fetches, bearer: Bearer, web: Web, signer: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(callers, "REFUSALS", rates.Rate(each_second=1000, at_once=1000))
    server = fetches()
    strangers = [bearer(server, Signer(f"k{number}")) for number in range(2, 12)]
    with futures.ThreadPoolExecutor(10) as many:
        for _ in range(10):
            assert not any(many.map(is_believed, strangers))
        assert web.asked == 1  # a moment ago, when it started
        monkeypatch.setattr(fetching, "LEAST", 0.5)
        asked_at = time.monotonic()
        while time.monotonic() < asked_at + 1.5:
            assert not any(many.map(is_believed, strangers))
    assert 2 <= web.asked <= 1 + 1 + (time.monotonic() - asked_at) / 0.5


def test_a_new_key_counts_with_the_first_token_of_it(
    fetches: Fetches, bearer: Bearer, web: Web, signer: Signer
) -> None:
    server, other = fetches(least=0.0), Signer("k2")
    web.content = tokens.key_set(signer, other)
    assert is_believed(bearer(server, other))
    assert is_believed(bearer(server, signer))
    assert web.asked == 2


def test_a_key_that_is_withdrawn_counts_no_more(
    fetches: Fetches, bearer: Bearer, web: Web, signer: Signer
) -> None:
    server = fetches(every=0.1, least=0.0)
    client = bearer(server, signer)
    assert is_believed(client)
    web.content = tokens.key_set(Signer("k2"))
    eventually.until(lambda: not is_believed(client))


@pytest.mark.parametrize(
    ("status", "content"),
    [
        (500, b""),
        (302, b""),
        (200, b"<html>"),
        (200, b'{"keys": []}'),
        (200, b" " * (issuer_keys.LONGEST + 1)),
    ],
    ids=["failing", "elsewhere", "no JSON", "none", "too many"],
)
def test_keys_of_before_count_while_they_cannot_be_fetched(
    fetches: Fetches, bearer: Bearer, web: Web, signer: Signer, status: int, content: bytes
) -> None:
    server = fetches(every=0.05, least=0.0)
    client = bearer(server, signer)
    assert is_believed(client)
    good = web.content
    web.status, web.content = status, content
    asked = web.asked
    eventually.until(lambda: web.asked > asked + 2)
    assert is_believed(client)
    web.status, web.content = 200, good
    other = Signer("k2")
    web.content = tokens.key_set(other)
    eventually.until(lambda: is_believed(bearer(server, other)))


def test_a_server_starts_before_its_issuer(
    fetches: Fetches, bearer: Bearer, web: Web, signer: Signer
) -> None:
    good, web.content = web.content, b""
    server = fetches(least=0.1)
    client = bearer(server, signer)
    assert not is_believed(client)
    web.content = good
    eventually.until(lambda: is_believed(client))


def test_a_web_server_that_is_not_the_issuers_is_not_believed(
    database: postgres.Database,
    from_web: dict[str, str],
    bearer: Bearer,
    web: Web,
    signer: Signer,
    tmp_path: pathlib.Path,
) -> None:
    (tmp_path / "other").mkdir()
    other = {"token_keys_ca": str(Authority(tmp_path / "other").ca)}
    with serving.in_process(database, access=from_web | other) as server:
        assert not is_believed(bearer(server, signer))
    assert web.asked == 0


EC, RSA = Signer("e"), Signer("r", "RS256")


def test_other_keys_of_a_set_are_left_out() -> None:
    others: list[Any] = [
        {"kty": "oct", "kid": "o", "k": "c2VjcmV0"},
        {"kty": "OKP", "kid": "d", "crv": "Ed25519", "x": "AA"},
        RSA.published | {"kid": "p", "alg": "PS256"},
        RSA.published | {"kid": "c", "use": "enc"},
        EC.published | {"kid": "big", "crv": "P-384"},
        {name: value for name, value in EC.published.items() if name != "kid"},
        "key",
        None,
    ]
    content = json.dumps({"keys": [*others, EC.published, RSA.published]}).encode()
    assert set(issuer_keys.parse(content)) == {"e", "r"}
    plain = {name: value for name, value in RSA.published.items() if name not in ("alg", "use")}
    assert set(issuer_keys.parse(json.dumps({"keys": [plain]}).encode())) == {"r"}


def short() -> dict[str, Any]:
    return Signer("s", "RS256", rsa.generate_private_key(65537, 1024)).published


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ([], "no key with a kid"),
        ([EC.published, RSA.published | {"kid": "e"}], "two keys are called 'e'"),
        ([EC.published | {"x": 7}], "key 'e' cannot be read"),
        ([EC.published | {"x": "AA"}], "key 'e' cannot be read"),
        ([RSA.published | {"n": None}], "key 'r' cannot be read"),
        ([RSA.published | {"d": "AA"}], "key 'r' is a private one"),
        ([short()], "key 's' is too short"),
        (7, 'no list "keys"'),
    ],
)
def test_a_set_with_a_key_that_is_no_use_is_refused(keys: object, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        issuer_keys.parse(json.dumps({"keys": keys}).encode())
