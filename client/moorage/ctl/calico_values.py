"""The fields of a Calico spec, by their types; case counts, as it does in Calico."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from moorage.ctl import specs

Fields: TypeAlias = dict[str, type]

_T = TypeVar("_T")

_LARGEST = 2**31 - 1
_WORDS = {
    bool: "true or false",
    dict: "a mapping",
    int: f"a whole number from 0 to {_LARGEST}",
    list: "a list",
    str: "text in quotes",
}


@dataclass(frozen=True, slots=True)
class Values:
    """What a spec gives, each value of the type of its field; what is absent has none."""

    given: Mapping[str, object]

    def __contains__(self, name: str) -> bool:
        """Whether a field has a value."""
        return name in self.given

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Return a boolean."""
        value = self.given.get(name, default)
        return value if isinstance(value, bool) else default

    def number(self, name: str) -> int:
        """Return a number, 0 if it is absent."""
        value = self.given.get(name)
        return value if isinstance(value, int) else 0

    def text(self, name: str) -> str:
        """Return a text, empty if it is absent."""
        value = self.given.get(name)
        return value if isinstance(value, str) else ""

    def items(self, name: str) -> list[object]:
        """Return the elements of a list, none if it is absent."""
        value = self.given.get(name)
        return value if isinstance(value, list) else []


def typed(value: object, fields: Fields, place: specs.Place, owner: str) -> Values:
    """Return the fields of `owner` that `value` gives; what is unknown or mistyped is refused."""
    given = specs.mapping(value, list(fields), place, owner)
    good: dict[str, object] = {}
    for name, text in given.items():
        if _fits(text, fields[name]):
            good[name] = text
        else:
            place.child(name).refuse(f"must be {_WORDS[fields[name]]}, not {specs.shown(text)}")
    return Values(good)


def choice(value: object, known: Mapping[str, _T], place: specs.Place) -> _T | None:
    """Return what one of a few words stands for; None, refused, if it is none of them."""
    if isinstance(value, str) and value in known:
        return known[value]
    hint = specs.near(value.capitalize(), list(known)) if isinstance(value, str) else ""
    place.refuse(f"must be one of {', '.join(known)}, not {specs.shown(value)}{hint}")
    return None


def _fits(value: object, expected: type) -> bool:
    # A boolean is a number in Python, and must not pass for one here.
    if type(value) is not expected:
        return False
    if isinstance(value, int):
        return 0 <= value <= _LARGEST
    return not isinstance(value, str) or specs.is_text(value)
