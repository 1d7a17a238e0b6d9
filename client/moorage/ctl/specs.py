"""Turns the `spec` of a manifest into a message and back.

A spec is the protobuf JSON mapping of a resource's own fields, strict where that mapping is lenient
(unknown fields, numbers as text) and shorter in one thing: enumeration values are written without
their prefix. Which message a spec belongs to is known to `moorage.ctl.manifests`.
"""

import datetime
import difflib
from dataclasses import dataclass, field, replace
from typing import TypeAlias, TypeGuard

from google.protobuf import descriptor, json_format, timestamp_pb2

import moorage
from moorage.ctl import kinds
from moorage.v1 import admin_service_pb2, reconciliation_pb2, resources_pb2

Readable: TypeAlias = (
    kinds.Resource
    | resources_pb2.Block
    | reconciliation_pb2.StickyAddress
    | admin_service_pb2.AdoptedAddress
)

# Chosen by the server, or written in the metadata of a manifest.
NOT_IN_SPEC = frozenset(
    {"name", "uid", "etag", "createTime", "updateTime", "state", "labels", "quarantines"}
)

# What is longer resembles no name; to look for one takes time.
_LONGEST_WORD = 64

_Field = descriptor.FieldDescriptor
_SCALARS: dict[int, tuple[type, str]] = {
    _Field.CPPTYPE_INT32: (int, "a whole number"),
    _Field.CPPTYPE_INT64: (int, "a whole number"),
    _Field.CPPTYPE_BOOL: (bool, "true or false"),
    _Field.CPPTYPE_STRING: (str, "text in quotes"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A path inside a document, and the list that everything wrong is written on."""

    where: str
    path: str = ""
    problems: list[moorage.Violation] = field(default_factory=list)

    def child(self, name: str) -> "Place":
        """Return the place of a field."""
        return replace(self, path=f"{self.path}.{name}" if self.path else name)

    def item(self, index: int) -> "Place":
        """Return the place of an element of a list."""
        return replace(self, path=f"{self.path}[{index}]")

    def refuse(self, description: str) -> None:
        """Record that something is wrong here."""
        place = f"{self.where}: {self.path}" if self.path else self.where
        self.problems.append(moorage.Violation(place, description))


def mapping(value: object, known: list[str], place: Place, owner: str) -> dict[str, object]:
    """Return what `value` gives for these fields of `owner`; a field without a value is absent.

    Unknown fields, and anything but a mapping, are refused.
    """
    if not isinstance(value, dict):
        place.refuse(f"must be a mapping of the fields of {owner}")
        return {}
    for key in value:
        if key not in known:
            hint = near(key, known) or f"; its fields are {', '.join(known) or 'none'}"
            place.child(str(key)).refuse(f"is not a field of {owner}{hint}")
    return {key: value[key] for key in known if value.get(key) is not None}


def near(word: object, known: list[str]) -> str:
    """Return the end of a sentence about an unknown word: what may have been meant."""
    if not isinstance(word, str) or len(word) > _LONGEST_WORD:
        return ""
    matches = difflib.get_close_matches(word, known, n=1)
    return f'; did you mean "{matches[0]}"?' if matches else ""


def is_text(value: object) -> TypeGuard[str]:
    """Whether a value is text that UTF-8 can carry; YAML can spell halves of characters."""
    return isinstance(value, str) and value.encode(errors="replace").decode() == value


def shown(value: object) -> str:
    """Return a value cut short; never a whole structure, which may contain itself."""
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    return f"{value!r:.60}"


def fill(resource: Readable, spec: object, place: Place) -> bool:
    """Set the fields of `resource` that `spec` gives; return whether all of them were right."""
    known_problems = len(place.problems)
    values = _message(resource.DESCRIPTOR, spec, place, NOT_IN_SPEC)
    if len(place.problems) == known_problems:
        try:
            json_format.ParseDict(values, resource)
        except json_format.ParseError as error:
            place.refuse(str(error))
    return len(place.problems) == known_problems


def spec_of(resource: kinds.Resource) -> dict[str, object]:
    """Return the spec that stands for a resource; `fill` reads it back."""
    return short(resource.DESCRIPTOR, json_format.MessageToDict(resource), NOT_IN_SPEC)


def short_name(kind: descriptor.EnumDescriptor, number: int) -> str:
    """Return the name of an enumeration value without its prefix; a number if it has none here."""
    known = kind.values_by_number.get(number)
    return known.name.removeprefix(_prefix(kind)) if known else str(number)


def _message(
    kind: descriptor.Descriptor, value: object, place: Place, hidden: frozenset[str] = frozenset()
) -> dict[str, object]:
    fields = {known.json_name: known for known in kind.fields if known.json_name not in hidden}
    given = mapping(value, list(fields), place, kind.name)
    return {name: _field(fields[name], given[name], place.child(name)) for name in given}


def _field(known: _Field, value: object, place: Place) -> object:
    if not known.is_repeated:
        return _single(known, value, place)
    if not isinstance(value, list):
        place.refuse("must be a list")
        return []
    return [_single(known, item, place.item(index)) for index, item in enumerate(value)]


def _single(known: _Field, value: object, place: Place) -> object:
    if known.message_type is timestamp_pb2.Timestamp.DESCRIPTOR:
        return _time(value, place)
    if known.message_type:
        return _message(known.message_type, value, place)
    if known.enum_type:
        return _enumerated(known.enum_type, value, place)
    expected, words = _SCALARS[known.cpp_type]
    # A boolean is a number in Python, and must not pass for one here.
    if type(value) is not expected or (expected is str and not is_text(value)):
        place.refuse(f"must be {words}, not {shown(value)}")
    return value


def _time(value: object, place: Place) -> object:
    """Return a time as text; YAML reads one that is not in quotes by itself."""
    text = value.isoformat() if isinstance(value, datetime.datetime) else value
    try:
        timestamp_pb2.Timestamp().FromJsonString(text if isinstance(text, str) else "")
    except (ValueError, OverflowError):
        place.refuse(f"must be a time such as 2026-12-24T18:00:00Z, not {shown(value)}")
    return text


def _enumerated(kind: descriptor.EnumDescriptor, value: object, place: Place) -> str:
    prefix = _prefix(kind)
    known = [entry.name.removeprefix(prefix) for entry in kind.values if entry.number != 0]
    word = value.upper().removeprefix(prefix) if isinstance(value, str) else ""
    if word not in known:
        place.refuse(f"must be one of {', '.join(known)}, not {shown(value)}{near(word, known)}")
    return prefix + word


def _prefix(kind: descriptor.EnumDescriptor) -> str:
    return kind.values_by_number[0].name.removesuffix("UNSPECIFIED")


def short(
    kind: descriptor.Descriptor, values: dict[str, object], hidden: frozenset[str] = frozenset()
) -> dict[str, object]:
    """Return the JSON form of a message without its hidden fields, enumerations shortened."""
    fields = {known.json_name: known for known in kind.fields if known.json_name not in hidden}
    return {name: _shortened(fields[name], values[name]) for name in values if name in fields}


def _shortened(known: _Field, value: object) -> object:
    if isinstance(value, list):
        return [_shortened(known, item) for item in value]
    if known.message_type and isinstance(value, dict):
        return short(known.message_type, value)
    return str(value).removeprefix(_prefix(known.enum_type)) if known.enum_type else value
