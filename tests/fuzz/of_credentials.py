"""What a caller shows: bearer tokens, by strangers and by the issuer; and the issuer's own keys."""

import contextlib
import json

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

from fuzz.target import Target
from moorage_server.api import issuer_keys, tokens
from moorage_server.domain.callers import Accounts
from moorage_server.domain.errors import CredentialRefused

# The same in each run: what breaks a parser once has to break it again.
_KEY = ec.derive_private_key(7, ec.SECP256R1())
_ISSUER = tokens.Issuer(name="i", audience="a")
_ACCOUNTS = Accounts(of_nodes="system:serviceaccount:n:a")
_CAUSES = {"MALFORMED", "UNTRUSTED", "NOT_YET_VALID", "EXPIRED", "NAMELESS"}


def _published() -> issuer_keys.Keys:
    written = jwt.algorithms.ECAlgorithm.to_jwk(_KEY.public_key(), as_dict=True)
    return issuer_keys.parse(json.dumps({"keys": [written | {"kid": "k"}]}).encode())


_KEYS = _published()
_SIGNING = jwt.PyJWS()


def _bearers(data: bytes) -> None:
    """A stranger's token, or claims that the issuer has signed, as the first byte says."""
    if data[:1] != b"!":
        _read(data)
        return
    _read(_SIGNING.encode(data[1:], _KEY, "ES256", {"kid": "k"}).encode())


def _read(shown: bytes) -> None:
    try:
        found = tokens.read(shown, _KEYS, _ISSUER, _ACCOUNTS)
    except CredentialRefused as refusal:
        _tell(refusal)
        return
    assert found.named.name.isprintable()
    assert not found.named.node or found.named.name == _ACCOUNTS.of_nodes
    with contextlib.suppress(CredentialRefused):
        found.require_standing(frozenset())


def _tell(refusal: CredentialRefused) -> None:
    assert refusal.metadata["cause"] in _CAUSES
    assert refusal.message.isprintable()


def _key_sets(data: bytes) -> None:
    for name, key in issuer_keys.parse(data).items():
        assert key.key_id == name
        assert key.algorithm_name in issuer_keys.ALGORITHMS


TARGETS = (
    Target(name="bearers", feed=_bearers, declared=(), longest=10_000, seconds=0.05),
    Target(name="key-sets", feed=_key_sets, declared=(ValueError,), longest=8192, seconds=0.05),
)
