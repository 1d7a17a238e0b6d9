"""The keys with which an issuer of tokens signs, as it publishes them: a JSON Web Key Set."""

import json
from collections.abc import Mapping
from typing import Any, Final

import jwt

# Nothing that is signed with a key which the server has too, and nothing that is not signed.
ALGORITHMS: Final = ("RS256", "ES256")
LONGEST: Final = 256 * 1024  # bytes
_TYPES: Final = ("RSA", "EC")
_LEAST_BITS: Final = 2048  # of RSA

Keys = Mapping[str, jwt.PyJWK]


def parse(content: bytes) -> Keys:
    """The keys that are for signatures of ours, by their ids; raises ValueError."""
    if len(content) > LONGEST:
        raise ValueError(f"the key set has more than {LONGEST} bytes; name one of an issuer")
    found: dict[str, jwt.PyJWK] = {}
    for each in filter(_is_ours, _listed(content)):
        name = each["kid"]
        if name in found:
            raise ValueError(f"two keys are called {name[:80]!r}; each needs a kid of its own")
        found[name] = _key(each)
    if not found:
        raise ValueError(f"the key set has no key with a kid for {' or '.join(ALGORITHMS)}")
    return found


def _listed(content: bytes) -> list[Any]:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ValueError("the key set is no JSON; write it as a whole") from error
    keys = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(keys, list):
        raise ValueError('the key set has no list "keys"; write a JSON Web Key Set')
    return keys


def _is_ours(key: Any) -> bool:  # noqa: ANN401 - whatever stands there
    return (
        isinstance(key, dict)
        and key.get("kty") in _TYPES
        and key.get("use", "sig") == "sig"
        and key.get("alg", ALGORITHMS[0]) in ALGORITHMS
        and key.get("crv", "P-256") == "P-256"
        and isinstance(key.get("kid"), str)
    )


def _key(written: dict[str, Any]) -> jwt.PyJWK:
    name = written["kid"][:80]
    if "d" in written:
        raise ValueError(f"key {name!r} is a private one; publish what belongs to it")
    try:
        key = jwt.PyJWK(written)
    except (jwt.PyJWTError, ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"key {name!r} cannot be read; write it as RFC 7518 says") from error
    if key.key_type == "RSA" and key.key.key_size < _LEAST_BITS:
        raise ValueError(f"key {name!r} is too short; take one of {_LEAST_BITS} bits")
    return key
