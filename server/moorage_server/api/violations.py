"""Collects everything that is wrong with a request, so that it can be mended in one go."""

import datetime
import itertools
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from google.protobuf import timestamp_pb2

from moorage_server.api import limits
from moorage_server.domain import errors

T = TypeVar("T")

# Control characters, those that turn the direction of writing included, and lone surrogates: they
# end up in logs, terminals and files.
_UNPRINTABLE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]"
)
_SHOWN = 80
# Bytes. A refusal travels in trailers, violations twice and encoded, and many clients of
# gRPC drop a call's whole status, reason included, when its trailers exceed 8 KiB.
_TOLD = 1800


def shown(value: str) -> str:
    """A value as a message shows it: quoted, cut, escaped, also what only looks like ASCII."""
    cut = value if len(value) <= _SHOWN else f"{value[:_SHOWN]}..."
    return json.dumps(cut).replace("\x7f", "\\u007f")  # the one that JSON leaves as it is


class Violations:
    """What is wrong so far; `check` raises when there is anything."""

    def __init__(self) -> None:
        """Begins with nothing wrong."""
        self._found: list[tuple[str, str]] = []

    def add(self, field: str, text: str) -> None:
        """Notes what is wrong with a field and what to do about it."""
        self._found.append((field, text))

    def check(self) -> None:
        """Raises InvalidRequest with everything noted, or as much of it as can be told."""
        if self._found:
            raise errors.InvalidRequest(_told(self._found))

    def text(self, field: str, value: str, longest: int, *, required: bool = False) -> str:
        """A printable text of limited length."""
        if value and _is_plain(value, longest):
            return value
        if required and not value:
            self.add(field, "is required")
        if len(value) > longest:
            self._too_long(field, value, longest)
        elif _UNPRINTABLE.search(value):
            self.add(field, f"contains control characters: {shown(value)}; remove them")
        return value

    def matching(self, field: str, value: str, pattern: re.Pattern[str], expected: str) -> str:
        """A text of one shape; an empty one is for `text` to refuse."""
        if value and not pattern.fullmatch(value):
            self.add(field, f"{shown(value)} is not {expected}")
        return value

    def within(self, field: str, value: int, most: int) -> None:
        """Notes a number that is negative or too large."""
        if not 0 <= value <= most:
            self.add(field, f"is {value}; give 0 to {most}")

    def at_most(self, field: str, values: Sequence[object] | Mapping[str, str], most: int) -> bool:
        """Whether there are no more entries than allowed."""
        if len(values) <= most:
            return True
        self.add(field, f"has {len(values)} entries; at most {most} are allowed")
        return False

    def parsed(
        self,
        field: str,
        value: str,
        parse: Callable[[str], T],
        *,
        longest: int = limits.PARSED_LENGTH,
    ) -> T | None:
        """What `parse` makes of a text; None where it raises ValueError, which is noted."""
        if len(value) > longest:
            self._too_long(field, value, longest)
            return None
        try:
            return parse(value)
        except ValueError as error:
            self.add(field, f"{shown(value)}: {error}")
            return None

    def each(self, field: str, values: Sequence[str], parse: Callable[[str], T]) -> tuple[T, ...]:
        """What `parse` makes of every text, those that it refuses left out."""
        parsed = (self.parsed(f"{field}[{at}]", value, parse) for at, value in enumerate(values))
        return tuple(value for value in parsed if value is not None)

    def time(self, field: str, message: timestamp_pb2.Timestamp) -> datetime.datetime | None:
        """A moment, to the microsecond before it; None where it is none, which is noted."""
        try:
            return message.ToDatetime(tzinfo=datetime.UTC)
        except (ValueError, OverflowError):
            self.add(field, "is not a time of the years 1 to 9999; correct its seconds and nanos")
            return None

    def labels(
        self,
        field: str,
        labels: Mapping[str, str],
        *,
        most: int = limits.LABELS,
        longest_key: int = limits.LABEL_KEY_LENGTH,
    ) -> dict[str, str]:
        """Labels with printable keys and values of limited number and length."""
        known = dict(labels)
        if self.at_most(field, known, most):
            for key, value in sorted(known.items()):
                self.text(f"{field} key", key, longest_key, required=True)
                if not _is_plain(value, limits.LABEL_VALUE_LENGTH):
                    what = f"{field}[{shown(key[:_SHOWN])[1:-1]}]"
                    self.text(what, value, limits.LABEL_VALUE_LENGTH)
        return known

    def _too_long(self, field: str, value: str, longest: int) -> None:
        self.add(
            field, f"has {len(value)} characters: {shown(value)}; at most {longest} are allowed"
        )


def _is_plain(value: str, longest: int) -> bool:
    """Whether a text is beyond doubt, as nearly every one is: sooner seen than searched."""
    return len(value) <= longest and value.isascii() and value.isprintable()


def _told(found: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The first violations, as many as fit; the last of them says how many are left out."""
    sizes = itertools.accumulate(len(f"{field}: {text}; ".encode()) for field, text in found)
    fitting = sum(1 for size in sizes if size <= _TOLD)
    told = found[: max(fitting, 1)]
    if len(told) < len(found):
        field, text = told[-1]
        told[-1] = (field, f"{text}; and {len(found) - len(told)} more are wrong")
    return told
