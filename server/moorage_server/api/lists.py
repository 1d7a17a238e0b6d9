"""The two files an operator keeps about callers: who is what, and whose certificates count no more.

# roles.toml
operator = ["alice", "spiffe://example.org/ops/bob"]
collector = ["moorage-controller"]

# denied, one serial number a line, as openssl x509 -serial prints it
serial=4F0C11A0
"""

import tomllib
from collections.abc import Mapping

from moorage_server.domain.callers import Role

_GIVEN = {role.value: role for role in Role if role is not Role.NODE}


def roles(content: bytes = b"") -> Mapping[str, Role]:
    """The role of each name; raises ValueError."""
    found: dict[str, Role] = {}
    for key, names in tomllib.loads(content.decode()).items():
        if key not in _GIVEN:
            raise ValueError(f"{key!r} is no role; write {', '.join(_GIVEN)}")
        for name in _names(key, names):
            if found.setdefault(name, _GIVEN[key]) is not _GIVEN[key]:
                raise ValueError(f"{name!r} is {found[name]} and {key}; write it once")
    return found


def _names(role: str, names: object) -> list[str]:
    if not isinstance(names, list) or not all(isinstance(each, str) and each for each in names):
        raise ValueError(f'{role} is not a list of names; write {role} = ["NAME"]')
    return names


def serials(content: bytes = b"") -> frozenset[int]:
    """The numbers; raises ValueError."""
    lines = (line.partition("#")[0].strip() for line in content.decode().splitlines())
    return frozenset(_serial(line) for line in lines if line)


def _serial(line: str) -> int:
    digits = line.removeprefix("serial=").replace(":", "")
    try:
        return int(digits, 16)
    except ValueError:
        raise ValueError(f"{line[:80]!r} is no serial number; write it in hexadecimal") from None
