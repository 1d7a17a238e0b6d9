"""The page of the documentation about every reason that a call can fail for."""

import re
from collections.abc import Iterable, Iterator
from typing import Final

import api_reference

PATH: Final = f"{api_reference.FOLDER}/errors.md"
_PREFIX: Final = "ERROR_REASON_"
_NEVER_SENT: Final = 0
_REASON: Final = re.compile(r"\b[A-Z]+(?:_[A-Z]+)+\b")


def page(protos: Iterable[api_reference.Proto]) -> str:
    """The reasons, each with its status, what to do about it, and the methods that have it."""
    (enum,) = (
        each
        for proto in protos
        for each in api_reference.types(proto)
        if isinstance(each, api_reference.Enum) and each.name == api_reference.ERRORS
    )
    users = _users(protos)
    parts = ["# Errors", api_reference.prose(enum.proto.summary)]
    for value, comment in api_reference.values(enum):
        if value.number != _NEVER_SENT:
            parts += _entry(value.name.removeprefix(_PREFIX), comment, users)
    return "\n\n".join(parts) + "\n"


def _entry(reason: str, comment: str, users: dict[str, list[str]]) -> Iterator[str]:
    yield f"## {reason} {{ #{reason} }}"
    status, _, told = " ".join(comment.split()).partition(". ")
    yield f"**{status}.** {told}"
    if reason in users:
        yield f"Of {', '.join(users[reason])}."


def _users(protos: Iterable[api_reference.Proto]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for proto in protos:
        for _, method, comment in api_reference.methods(proto):
            for reason in dict.fromkeys(_REASON.findall(comment)):
                link = f"[{method.name}]({proto.name}.md#{method.name})"
                found.setdefault(reason, []).append(link)
    return found
