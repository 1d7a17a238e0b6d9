"""Which tokens are believed, and who that is."""

import base64
import hashlib
import hmac
import json
import pathlib
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import grpc
import pytest
from cryptography.hazmat.primitives import serialization

import moorage
from harness import calls, postgres, serving, tokens
from harness.certificates import Authority
from harness.tokens import Signer
from moorage import failures
from moorage.v1 import vrf_service_pb2, vrf_service_pb2_grpc
from moorage_server.api import issuer_keys
from moorage_server.api import tokens as reading
from moorage_server.domain import errors
from moorage_server.domain.callers import Accounts, Named

Connect = Callable[[str], moorage.Client]
PAST, FUTURE = 1_000_000_000, 4_000_000_000  # 2001, 2096


def denied(call: Callable[[], object]) -> tuple[str, dict[str, str]]:
    """How a call is refused that must be."""
    with pytest.raises(moorage.Denied) as raised:
        call()
    return raised.value.reason, raised.value.metadata


def cause_of(client: moorage.Client) -> str:
    reason, metadata = denied(lambda: client.get_vrf("default"))
    assert reason == "CREDENTIAL_REFUSED"
    return metadata["cause"]


def part(content: object) -> str:
    """One part of a token, made by hand."""
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


def forged(token: str, header: object, signature: Callable[[bytes], bytes]) -> str:
    """The same claims under another header and signature."""
    text = f"{part(header)}.{token.split('.')[1]}"
    return f"{text}.{part(signature(text.encode()))}"


@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
def test_a_token_of_the_issuer_is_believed(
    bearing: Connect, by_token: dict[str, str], algorithm: str
) -> None:
    signer = Signer("k2", algorithm)
    pathlib.Path(by_token["token_keys"]).write_bytes(tokens.key_set(signer))
    bearing(signer.sign("op")).create_vrf("mine")
    eye = bearing(signer.sign("eye"))
    assert eye.get_vrf("mine")
    assert denied(lambda: eye.create_vrf("more"))[0] == "METHOD_NOT_ALLOWED"
    assert cause_of(bearing(signer.sign("mallory"))) == "UNKNOWN"


@pytest.mark.parametrize(
    ("claims", "cause"),
    [
        ({"iss": "https://other.example"}, "UNTRUSTED"),
        ({"iss": f"{tokens.ISSUER}/"}, "UNTRUSTED"),
        ({"aud": "https://kubernetes.default.svc"}, "UNTRUSTED"),
        ({"aud": ["a", "b"]}, "UNTRUSTED"),
        ({"aud": 7}, "UNTRUSTED"),
        ({"exp": PAST}, "EXPIRED"),
        ({"nbf": FUTURE}, "NOT_YET_VALID"),
        ({"iat": FUTURE}, "NOT_YET_VALID"),
        ({"exp": None}, "MALFORMED"),
        ({"nbf": None}, "MALFORMED"),
        ({"aud": None}, "MALFORMED"),
        ({"iss": None}, "MALFORMED"),
        ({"sub": None}, "MALFORMED"),
        ({"exp": "soon"}, "MALFORMED"),
        ({"exp": float("inf")}, "MALFORMED"),
        ({"nbf": []}, "MALFORMED"),
        ({"sub": 7}, "MALFORMED"),
        ({"jti": 7}, "MALFORMED"),
        ({"sub": ""}, "NAMELESS"),
        ({"sub": "o\np"}, "NAMELESS"),
        ({"sub": tokens.ACCOUNT}, "NAMELESS"),
        ({"sub": "system:node:n1"}, "UNKNOWN"),
        ({"sub": tokens.ACCOUNT + "2", "kubernetes.io": {"node": {"name": "n1"}}}, "UNKNOWN"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_what_the_issuer_did_not_mean_for_us_is_refused(
    bearing: Connect, signer: Signer, claims: dict[str, Any], cause: str
) -> None:
    assert cause_of(bearing(signer.sign("op", **claims))) == cause


def test_clocks_may_differ_a_little(bearing: Connect, signer: Signer) -> None:
    now = int(time.time())
    early = signer.sign("op", nbf=now + reading.LEEWAY - 3)
    assert bearing(early).get_vrf("default")
    assert bearing(signer.sign("op", exp=now - 1)).get_vrf("default")
    assert bearing(signer.sign("op", aud=["other", tokens.AUDIENCE])).get_vrf("default")


def test_what_is_not_signed_by_the_issuer_is_refused(bearing: Connect, signer: Signer) -> None:
    good = signer.sign("op")
    pem = signer.key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    header = {"kid": signer.kid, "typ": "JWT"}

    def by_hmac(key: bytes) -> Callable[[bytes], bytes]:
        return lambda text: hmac.new(key, text, hashlib.sha256).digest()

    own = json.dumps(signer.published).encode()
    for token in (
        Signer(signer.kid).sign("op"),  # of another key by this name
        Signer("k9").sign("op"),
        Signer(signer.kid, "RS256").sign("op"),
        forged(good, header | {"alg": "RS256"}, lambda _: b"x" * 256),
        forged(good, header | {"alg": "none"}, lambda _: b"x"),
        forged(good, header | {"alg": "HS256"}, by_hmac(pem)),
        forged(good, header | {"alg": "HS256"}, by_hmac(own)),
        forged(good, header | {"alg": "ES256"}, lambda _: bytes(64)),
        forged(good, header | {"alg": "es256"}, lambda _: bytes(64)),
        # A key that it brings along is nobody's.
        signer.sign("op", header={"kid": None, "jwk": signer.published}),
        Signer("k8").sign("op", header={"jku": "https://127.0.0.1:1/", "kid": "k8"}),
        f"{good[:-8]}AAAAAAAA",
        f"{part(header | {'alg': 'ES256'})}.{part({'sub': 'op'})}.{good.split('.')[2]}",
    ):
        assert cause_of(bearing(token)) == "UNTRUSTED", token
    assert bearing(good).get_vrf("default")


@pytest.mark.parametrize(
    "token",
    [
        "a",
        "a.b",
        "a.b.c.d",
        "..",
        f"{part({'alg': 'none'})}.{part({'sub': 'op'})}.",
        f"{part(b'[]')}.e30.AA",
        f"{part(b'{')}.e30.AA",
        f"{part(b'[' * 700)}.e30.AA",
        f"{part({'alg': 'ES256', 'kid': 7})}.e30.AA",
        f"{part({'alg': 'ES256', 'kid': 'k1', 'x': 'y' * 2000})}.e30.AA",
        f"{part({'alg': 'ES256', 'kid': 'k1', 'crit': ['exp']})}.e30.AA",
        f"{part({'alg': 'ES256', 'kid': 'k1', 'b64': False, 'crit': ['b64']})}.e30.AA",
        "a" * reading.LONGEST,
    ],
    ids=lambda token: token[:40],
)
def test_what_is_no_token_is_refused(bearing: Connect, token: str) -> None:
    assert cause_of(bearing(token)) == "MALFORMED"


def cause_as_it_stands(tokened: serving.Serving, authority: Authority, *shown: str) -> str:
    """How a call is refused whose authorizations stand in it like this."""
    credentials = grpc.ssl_channel_credentials(authority.ca.read_bytes())
    with grpc.secure_channel(tokened.target, credentials) as channel:
        call = vrf_service_pb2_grpc.VrfServiceStub(channel).GetVrf
        with pytest.raises(grpc.RpcError) as raised:
            call(
                vrf_service_pb2.GetVrfRequest(name="vrfs/default"),
                metadata=tuple(("authorization", each) for each in shown),
                timeout=10,
            )
    found = failures.from_rpc(raised.value)
    assert found.reason == "CREDENTIAL_REFUSED"
    return found.metadata["cause"]


def test_a_call_has_one_bearer_token(
    tokened: serving.Serving, authority: Authority, signer: Signer
) -> None:
    good = signer.sign("op")
    for shown, cause in (
        ((), "MISSING"),
        ((f"Basic {good}",), "MALFORMED"),
        ((good,), "MALFORMED"),
        (("Bearer",), "MALFORMED"),
        (("Bearer ",), "MALFORMED"),
        ((f"Bearer  {good}",), "MALFORMED"),
        ((f"Bearer {'a' * (reading.LONGEST + 1)}",), "MALFORMED"),
        ((f"Bearer {good}", f"Bearer {good}"), "AMBIGUOUS"),
        ((f"Bearer {good}", "Basic b3A6b3A="), "AMBIGUOUS"),
    ):
        assert cause_as_it_stands(tokened, authority, *shown) == cause, shown


def test_the_scheme_may_be_written_in_any_case(
    tokened: serving.Serving, authority: Authority, signer: Signer
) -> None:
    credentials = grpc.ssl_channel_credentials(authority.ca.read_bytes())
    with grpc.secure_channel(tokened.target, credentials) as channel:
        stub = vrf_service_pb2_grpc.VrfServiceStub(channel)
        request = vrf_service_pb2.GetVrfRequest(name="vrfs/default")
        shown = (("authorization", f"bearer {signer.sign('op')}"),)
        assert stub.GetVrf(request, metadata=shown, timeout=10)


def test_a_long_token_is_not_read(signer: Signer) -> None:
    long = signer.sign("op", more="x" * reading.LONGEST).encode()
    keys = issuer_keys.parse(tokens.key_set(signer))
    issuer = reading.Issuer(name=tokens.ISSUER, audience=tokens.AUDIENCE)
    with pytest.raises(errors.CredentialRefused) as raised:
        reading.read(long, keys, issuer, Accounts())
    assert raised.value.metadata == {"cause": "MALFORMED"}


def test_an_agents_token_is_of_its_node(bearing: Connect, signer: Signer) -> None:
    calls.create_pool(bearing(signer.sign("op")), "p", "10.0.0.0/24")
    one, two = bearing(signer.of_node("n1")), bearing(signer.of_node("n2"))
    held = calls.assign(one, "c1", node="n1")
    of_one = ("NOT_YOURS", {"node": "n1", "tenant": ""})
    assert denied(lambda: calls.assign(one, "c2", node="n2")) == of_one
    assert denied(lambda: calls.assign(two, "c1", node="n2"))[0] == "NOT_YOURS"
    assert calls.release(two, "c1") == []  # nothing of its own, and no word of what there is
    assert list(two.allocations()) == []
    assert [each.address for each in one.allocations()] == [held[0].address]
    assert denied(lambda: one.create_vrf("mine"))[0] == "METHOD_NOT_ALLOWED"
    assert calls.release(one, "c1") == [held[0].address]


@pytest.mark.parametrize(
    "bound",
    [None, 7, {}, {"node": None}, {"node": "n1"}, {"node": {}}, {"node": {"name": ["n1"]}}],
    ids=str,
)
def test_an_agents_token_without_a_node_is_refused(
    bearing: Connect, signer: Signer, bound: object
) -> None:
    client = bearing(signer.of_node("n1", **{"kubernetes.io": bound}))
    assert cause_of(client) == "NAMELESS"


@pytest.mark.parametrize(
    ("accounts", "found"),
    [
        (Accounts(), Named(name=tokens.ACCOUNT)),
        (Accounts(of_nodes=tokens.ACCOUNT), Named(name=tokens.ACCOUNT, node="n1")),
        (Accounts(of_nodes=f"{tokens.ACCOUNT}2"), Named(name=tokens.ACCOUNT)),
    ],
)
def test_only_tokens_of_the_chosen_account_are_nodes(accounts: Accounts, found: Named) -> None:
    assert accounts.named(tokens.ACCOUNT, "n1") == found


@pytest.mark.parametrize(
    ("name", "subject", "cause"),
    [("op", "op", ""), ("eye", "op", "AMBIGUOUS"), ("op", "mallory", "UNKNOWN")],
)
def test_a_certificate_and_a_token_are_of_one_caller(
    database: postgres.Database,
    both: dict[str, str],
    authority: Authority,
    signer: Signer,
    tmp_path: pathlib.Path,
    name: str,
    subject: str,
    cause: str,
) -> None:
    files = authority.sign("me", common_name=name).trusting(authority.ca)
    files = files._replace(token=tokens.write(tmp_path, signer.sign(subject)))
    with (
        serving.in_process(database, access=both) as server,
        moorage.Client(server.target, tls=files) as client,
    ):
        if cause:
            assert cause_of(client) == cause
        else:
            client.create_vrf("mine")


def test_a_node_may_show_both_its_names(
    database: postgres.Database,
    both: dict[str, str],
    authority: Authority,
    signer: Signer,
    tmp_path: pathlib.Path,
) -> None:
    paper = authority.node("n1").trusting(authority.ca)
    own = paper._replace(token=tokens.write(tmp_path, signer.of_node("n1"), "own"))
    other = paper._replace(token=tokens.write(tmp_path, signer.of_node("n2"), "other"))
    with serving.in_process(database, access=both) as server:
        with moorage.Client(server.target, tls=own) as client:
            assert list(client.allocations()) == []
        with moorage.Client(server.target, tls=other) as client:
            assert denied(lambda: list(client.allocations()))[1] == {"cause": "AMBIGUOUS"}


def test_where_nodes_have_certificates_others_may_have_tokens(
    database: postgres.Database,
    both: dict[str, str],
    authority: Authority,
    signer: Signer,
    tmp_path: pathlib.Path,
) -> None:
    node = authority.node("n1").trusting(authority.ca)
    eye = moorage.Tls(str(authority.ca), token=tokens.write(tmp_path, signer.sign("eye")))
    access = both | {"token_listen": "127.0.0.1:0"}
    with serving.in_process(database, access=access) as server:
        with moorage.Client(server.target, tls=node) as client:
            assert list(client.allocations()) == []
        with moorage.Client(server.tokens, tls=eye) as client:
            assert client.get_vrf("default")
        with moorage.Client(server.tokens, tls=node) as client:  # nobody sees its certificate there
            assert denied(lambda: list(client.allocations()))[1] == {"cause": "MISSING"}
        with moorage.Client(server.target, tls=eye) as client, pytest.raises(moorage.Unavailable):
            client.get_vrf("default", timeout=2)


@pytest.mark.parametrize("kind", ["nobody", "certificates", "tokens"])
def test_what_is_not_asked_for_is_not_loaded(
    settings: dict[str, str], by_token: dict[str, str], kind: str
) -> None:
    given = {"nobody": {}, "certificates": settings, "tokens": by_token}[kind]
    code = (
        "import sys; from moorage_server import config; from moorage_server.api import server; "
        f"server.Server(config.Settings(database_url='postgresql+psycopg://', **{given!r})); "
        "print('jwt' in sys.modules, 'moorage_server.api.certificates' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(kind == "tokens"), str(kind == "certificates")]
