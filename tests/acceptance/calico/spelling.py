"""Calico's field names and values -> messages of the API, and fields by either's names."""

import re
from collections.abc import Iterable, Mapping
from typing import TypeVar

from google.protobuf import json_format
from google.protobuf.message import Message

M = TypeVar("M", bound=Message)

# Where Calico has another word than the camel case of ours.
_OURS = {"maxBlocksPerHost": "maxBlocksPerNode", "ipCooldownSeconds": "cooldownSeconds"}
# Fields whose values are names of an enum, and the prefix of those names.
_ENUMS = {
    "allowedUses": "USE",
    "assignmentMode": "ASSIGNMENT_MODE",
    "blockAffinity": "BLOCK_AFFINITY",
    "resultForm": "RESULT_FORM",
    "state": "POOL_STATE",
}


def message(kind: type[M], fields: Mapping[str, object]) -> M:
    """A message with these fields, in Calico's spelling where it has one, else in proto's JSON."""
    spelt = {_OURS.get(key, key): _value(key, value) for key, value in fields.items()}
    return json_format.ParseDict(spelt, kind())


def paths(fields: Iterable[str]) -> list[str]:
    """The paths of a field mask, in proto's spelling."""
    return [snake(_OURS.get(field, field)) for field in fields]


def snake(camel: str) -> str:
    """A name in lower case, with underscores."""
    return re.sub(r"(?<!^)([A-Z])", r"_\1", camel).lower()


def enum_name(prefix: str, word: str) -> str:
    """The name of an enum's value, from Calico's word for it: LoadBalancer -> USE_LOAD_BALANCER."""
    return f"{prefix}_{snake(word) if not word.isupper() else word}".upper()


def _value(key: str, value: object) -> object:
    prefix = _ENUMS.get(key)
    if prefix is None:
        return list(value) if isinstance(value, tuple) else value
    if isinstance(value, str):
        return enum_name(prefix, value)
    if isinstance(value, list | tuple):
        return [enum_name(prefix, each) if isinstance(each, str) else each for each in value]
    return value
