"""How a description is laid out: titles on the left, what they say beside or below them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from moorage import names
from moorage.ctl import exits, kinds, render, specs, times
from moorage.v1 import resources_pb2

MOST_ROWS = 10  # of a table: it is one of several on a screen
NONE = "<none>"

_WIDTH = 24
_CAPITALS = re.compile(r"(?<=[a-z])(?=[A-Z])")
_ABBREVIATIONS = {"Cidr": "CIDR", "Cidrs": "CIDRs", "Dns": "DNS"}


def fact(title: str, *values: str) -> Iterator[str]:
    """Yield a line for each value, the first one with the title."""
    shown = [exits.printable(value) for value in values if value] or [NONE]
    head = f"{title}:"
    for value in shown:
        yield f"{head:<{_WIDTH}}{value}"
        head = ""


def table(
    title: str, header: Sequence[str], rows: Sequence[Sequence[str]], *, rest: str = ""
) -> Iterator[str]:
    """Yield a table below its title; where it is long its begin alone, and where the `rest` is."""
    if not rows:
        yield from fact(title)
        return
    yield f"{title}:"
    lines = render.aligned([header, *rows[:MOST_ROWS]])
    yield from (f"  {line}" for line in lines)
    left = len(rows) - MOST_ROWS
    if left > 0:
        yield f"  and {left} more; see {rest}"


def head(resource: kinds.Resource) -> Iterator[str]:
    """Yield what resources of every kind have."""
    yield from fact("Name", names.id_of(resource.name))
    if not isinstance(resource, resources_pb2.Vrf):
        yield from fact("VRF", names.vrf_of(resource.name))
    yield from labels(resource)
    if not isinstance(resource, resources_pb2.Node):
        yield from fact("UID", resource.uid)
    yield from fact("Etag", resource.etag)
    yield from fact("Created", times.spelled(resource.create_time))
    yield from fact("Updated", times.spelled(resource.update_time))


def labels(resource: kinds.Resource | resources_pb2.Allocation) -> Iterator[str]:
    """Yield the labels, each on a line."""
    told = (f"{key}={value}" for key, value in sorted(resource.labels.items()))
    yield from fact("Labels", *told)


def fields(values: dict[str, object]) -> Iterator[str]:
    """Yield the fields of a message, given its JSON form; those of messages in it below them."""
    for key, value in values.items():
        if isinstance(value, dict):
            yield from fields(value)
        elif isinstance(value, list):
            yield from fact(_title(key), *map(_text, value))
        else:
            yield from fact(_title(key), _text(value))


def spec(resource: kinds.Resource) -> Iterator[str]:
    """Yield what a manifest would say of a resource."""
    yield from fields(specs.spec_of(resource))


def _title(key: str) -> str:
    words = _CAPITALS.sub(" ", key[:1].upper() + key[1:])
    return _ABBREVIATIONS.get(words, words)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{key} {_text(each)}" for key, each in value.items())
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
