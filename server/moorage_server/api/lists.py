"""The two files an operator keeps about callers: who is what, and what is let in no more.

# roles.toml
operator = ["alice", "spiffe://example.org/ops/bob"]
collector = ["moorage-controller"]

[tenant.shop]
namespaces = ["shop", "shop-test"]
vrfs = ["default"]  # which is what is meant where there is no such line

# denied, a line each: a certificate as openssl x509 -serial prints it, a token by its jti
serial=4F0C11A0
jti=0a4b9f1e-5b0c-4a43-9d2c-8e1f0c6b7a55
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Final, NoReturn

from moorage_server.domain import model
from moorage_server.domain.callers import Role, Standing

_ID: Final = "jti="
_COMMENT: Final = re.compile(r"(^|\s)#.*")
_GIVEN: Final = {role.value: role for role in Role if role is not Role.NODE}
_NAMESPACES, _VRFS = "namespaces", "vrfs"


def roles(content: bytes = b"") -> Mapping[str, Standing]:
    """The standing of each name; raises ValueError."""
    found: dict[str, Standing] = {}
    for key, names in tomllib.loads(content.decode()).items():
        if key not in _GIVEN:
            raise ValueError(f"{key!r} is no role; write {', '.join(_GIVEN)}")
        for name, standing in _standings(key, names):
            if found.setdefault(name, standing).role is not standing.role:
                raise ValueError(f"{name!r} is {found[name].role} and {key}; write it once")
    return found


def _standings(role: str, names: object) -> Iterator[tuple[str, Standing]]:
    if role == Role.TENANT:
        yield from _tenants(names)
        return
    for name in _names(role, names):
        yield name, Standing(role=_GIVEN[role])


def _tenants(tables: object) -> Iterator[tuple[str, Standing]]:
    if not isinstance(tables, dict):
        raise ValueError(
            f'tenant says nothing of namespaces; write [tenant.NAME], {_NAMESPACES} = ["NAME"]'
        )
    for name, table in tables.items():
        known = table if isinstance(table, dict) else {}
        if not name or set(known) - {_VRFS} != {_NAMESPACES}:
            raise ValueError(
                f"tenant {name!r} is to have {_NAMESPACES}, and {_VRFS} where it is not the "
                "default one alone"
            )
        yield name, _tenant(known)


def _tenant(table: Mapping[str, object]) -> Standing:
    namespaces = _names(_NAMESPACES, table[_NAMESPACES])
    vrfs = _names(_VRFS, table.get(_VRFS, [model.DEFAULT_VRF]))
    if not namespaces or not vrfs:
        raise ValueError(f"a tenant without {_NAMESPACES} or {_VRFS} has nothing; leave it out")
    return Standing(role=Role.TENANT, namespaces=frozenset(namespaces), vrfs=frozenset(vrfs))


def _names(what: str, names: object) -> list[str]:
    if not isinstance(names, list) or not all(isinstance(each, str) and each for each in names):
        raise ValueError(f'{what} is not a list of names; write {what} = ["NAME"]')
    return names


def denied(content: bytes = b"") -> frozenset[str]:
    """The marks of what is denied; raises ValueError."""
    lines = (_COMMENT.sub("", line).strip() for line in content.decode().splitlines())
    return frozenset(_mark(line) for line in lines if line)


def of_serial(number: int) -> str:
    """The mark of a certificate."""
    return f"serial={number:x}"


def of_id(jti: str) -> str:
    """The mark of a token, none of one without an id."""
    return f"{_ID}{jti}" if jti else ""


def _mark(line: str) -> str:
    if line.startswith(_ID):
        return of_id(line.removeprefix(_ID).strip()) or _refuse(line)
    digits = line.removeprefix("serial=").replace(":", "")
    try:
        return of_serial(int(digits, 16))
    except ValueError:
        return _refuse(line)


def _refuse(line: str) -> NoReturn:
    raise ValueError(
        f"{line[:80]!r} names nothing; write serial= and a certificate's number in hexadecimal, "
        "or jti= and a token's id"
    )
