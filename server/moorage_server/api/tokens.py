"""What a caller's bearer token says: a JSON Web Token, of the one issuer that is believed.

Nothing of it is looked at but its header before its signature has been found to be the issuer's.
"""

import dataclasses
import re
from collections.abc import Mapping
from typing import Any, Final

import jwt

from moorage_server.api import issuer_keys, lists
from moorage_server.api.credentials import Credential
from moorage_server.api.desk import Context
from moorage_server.api.fetching import Fetched
from moorage_server.api.issuer_keys import Keys
from moorage_server.api.reloading import Reloaded
from moorage_server.domain import errors
from moorage_server.domain.actors import Proof
from moorage_server.domain.callers import Accounts

LONGEST: Final = 8192  # characters; those of Kubernetes have about 1,200
LEEWAY: Final = 10  # seconds that clocks may differ
# A header says which algorithm and which key; nothing in it has to be nested deeply.
_SHAPE: Final = re.compile(rb"([A-Za-z0-9_-]{1,1024})\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_REQUIRED: Final = ["exp", "nbf", "aud", "iss", "sub"]
# Where clocks and keys are at odds, whoever mends it has to know which of them; a stranger, who
# can sign nothing, is told one and the same whatever he tries.
_UNSIGNED: Final = "the token is not signed with a key of the issuer"
_REFUSALS: Final[Mapping[type[jwt.PyJWTError], tuple[str, str]]] = {
    jwt.ExpiredSignatureError: ("EXPIRED", "the token has expired"),
    jwt.ImmatureSignatureError: ("NOT_YET_VALID", "the token is not valid yet"),
    jwt.InvalidAudienceError: ("UNTRUSTED", "the token is for another audience"),
    jwt.InvalidIssuerError: ("UNTRUSTED", "the token is of another issuer"),
    jwt.InvalidSignatureError: ("UNTRUSTED", _UNSIGNED),
    jwt.InvalidAlgorithmError: ("UNTRUSTED", _UNSIGNED),
}
_MALFORMED: Final = ("MALFORMED", f"the token is no JSON Web Token with {', '.join(_REQUIRED)}")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """Whose tokens are believed, and what this server is called in them."""

    name: str
    audience: str


class Tokens:
    """Reads them; each is of the one issuer, signed with a key that it has now."""

    def __init__(
        self, issuer: Issuer, accounts: Accounts, keys: Reloaded[Keys] | Fetched[Keys]
    ) -> None:
        """Has read none."""
        self._issuer = issuer
        self._accounts = accounts
        self._keys = keys

    @property
    def by(self) -> Keys | None:
        """The issuer's keys."""
        return self._keys.get()

    def shown(self, context: Context) -> bytes | None:
        """The one that came with the call; raises CredentialRefused."""
        found = [
            value for key, value in context.invocation_metadata() or () if key == "authorization"
        ]
        if not found:
            return None
        if len(found) > 1:
            raise errors.CredentialRefused("AMBIGUOUS", f"the call came with {len(found)} tokens")
        scheme, _, token = str(found[0]).partition(" ")
        if scheme.lower() != "bearer" or len(token) > LONGEST:
            why = f"the authorization is no bearer token of at most {LONGEST} characters"
            raise errors.CredentialRefused("MALFORMED", why)
        return token.encode()

    async def read(self, shown: bytes) -> Credential:
        """Raises CredentialRefused."""
        name = key_of(shown)
        keys = self._keys.get()
        if isinstance(self._keys, Fetched) and (keys is None or name not in keys):
            await self._keys.renew()
            keys = self._keys.get()
        if keys is None:
            why = "the server has got no keys of the issuer yet"
            raise errors.CredentialRefused("UNTRUSTED", why)
        return read(shown, keys, self._issuer, self._accounts)


def key_of(shown: bytes) -> str:
    """The id of the key that it should be signed with; raises CredentialRefused."""
    matched = _SHAPE.fullmatch(shown)
    if matched is None or len(shown) > LONGEST:
        raise errors.CredentialRefused(*_MALFORMED)
    try:
        # The library looks at all three parts, and the others are not worth it yet.
        header = jwt.get_unverified_header(matched[1] + b"..")
    except jwt.PyJWTError as error:
        raise errors.CredentialRefused(*_MALFORMED) from error
    if header.get("alg") not in issuer_keys.ALGORITHMS or not header.get("kid"):
        raise errors.CredentialRefused("UNTRUSTED", _UNSIGNED)
    return str(header["kid"])


def read(shown: bytes, keys: Keys, issuer: Issuer, accounts: Accounts) -> Credential:
    """What it says, signed with one of these keys; raises CredentialRefused."""
    key = keys.get(key_of(shown))
    if key is None:
        raise errors.CredentialRefused("UNTRUSTED", _UNSIGNED)
    try:
        claims = jwt.decode(
            shown,
            key,
            algorithms=issuer_keys.ALGORITHMS,
            options={"require": _REQUIRED, "enforce_minimum_key_length": True},
            audience=issuer.audience,
            issuer=issuer.name,
            leeway=LEEWAY,
        )
    except jwt.PyJWTError as error:
        raise errors.CredentialRefused(*_REFUSALS.get(type(error), _MALFORMED)) from error
    return Credential(
        proof=Proof.TOKEN,
        named=accounts.named(claims["sub"], _node(claims)),
        begins=int(claims["nbf"]) - LEEWAY,
        ends=int(claims["exp"]) + LEEWAY,
        mark=lists.of_id(claims.get("jti") or ""),
        by=keys,
    )


def _node(claims: Mapping[str, Any]) -> str:
    """The node to whose pod Kubernetes has given it, empty where it does not say."""
    found: object = claims
    for key in ("kubernetes.io", "node", "name"):
        found = found.get(key) if isinstance(found, Mapping) else None
    return found if isinstance(found, str) else ""
