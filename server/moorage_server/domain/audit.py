"""Changes of what is administered: what became another, and who made it so."""

import dataclasses
import datetime
import enum
from collections.abc import Mapping
from typing import Any, Final

from moorage_server.domain import addresses, resources
from moorage_server.domain.actors import Act


class Kind(enum.StrEnum):
    """What a change is of."""

    VRF = "VRF"
    POOL = "POOL"
    RESERVATION = "RESERVATION"
    NODE = "NODE"
    BLOCK = "BLOCK"
    STICKY_ADDRESS = "STICKY_ADDRESS"
    QUARANTINE = "QUARANTINE"


Fields = Mapping[str, Any]  # of JSON

# By the names that are published.
_PUBLISHED: Final = {
    "cooldown": "cooldown_seconds",
    "excluded": "excluded_ranges",
    "history_retention": "history_retention_days",
}
# What is said beside the fields, or changes by itself.
_BESIDE: Final = {"vrf", "name", "version", "create_time", "update_time", "quarantines"}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What is told of a change: what was called, of what, and what that was and is from then on.

    Without `before` it is new, without `after` it is gone.
    """

    method: str
    kind: Kind
    vrf: str
    name: str
    before: Fields = dataclasses.field(default_factory=dict)
    after: Fields = dataclasses.field(default_factory=dict)
    reason: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One as it was written down: of what there was and is, what differs."""

    number: int
    time: datetime.datetime
    note: Note
    by: Act


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which changes of a VRF are meant; whatever is set must match."""

    vrf: str
    kind: Kind | None = None
    name: str = ""
    start: datetime.datetime | None = None
    end: datetime.datetime | None = None


def differing(before: Fields, after: Fields) -> tuple[dict[str, Any], dict[str, Any]]:
    """What of both is not the same in the other."""
    names = {name for name in (*before, *after) if before.get(name) != after.get(name)}
    return _among(before, names), _among(after, names)


def _among(fields: Fields, names: set[str]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name in names}


def fields(resource: resources.Stored) -> dict[str, Any]:
    """What somebody can change of a resource, and which one it is, as JSON has it."""
    return {name: value for name, value in _named(resource).items() if name not in _BESIDE}


def _json(value: object) -> Any:  # noqa: ANN401 - any value of JSON
    match value:
        case None | bool() | int():
            return value
        case addresses.Span():
            return "-".join(str(value.family.address(each)) for each in (value.first, value.last))
        case dict():
            return {str(key): _json(each) for key, each in value.items()}
        case frozenset() | tuple():
            listed = [_json(each) for each in value]
            return sorted(listed) if isinstance(value, frozenset) else listed
    if dataclasses.is_dataclass(value):
        return _named(value)
    return str(value)


def _named(value: Any) -> dict[str, Any]:  # noqa: ANN401 - any dataclass
    names = [each.name for each in dataclasses.fields(value)]
    return {_PUBLISHED.get(name, name): _json(getattr(value, name)) for name in names}
