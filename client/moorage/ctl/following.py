"""What is held and then every change, in the formats of `moorctl get`.

Of what is told while it happens, prefix length, gateway, routes and DNS are not known.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from google.protobuf import json_format

from moorage.ctl import columns, exits, render, specs, times
from moorage.v1 import history_pb2

if TYPE_CHECKING:
    from moorage import watch  # which loads gRPC: help does without

FORMATS = ("table", "wide", "json", "yaml")

_HELD = "HELD"


def lines(updates: Iterable[watch.Update], output: str) -> Iterator[str]:
    """Yield lines as updates come: first what is held, then what happens."""
    match output:
        case "json":
            return map(_json, _events(updates))
        case "yaml":
            return map(_yaml, _events(updates))
        case _:
            return _table(updates, wide=output == "wide")


def _events(updates: Iterable[watch.Update]) -> Iterator[history_pb2.AllocationEvent]:
    """Yield every event; of what was held before, one that has the allocation alone."""
    for update in updates:
        for allocation in update.held or ():
            yield history_pb2.AllocationEvent(allocation=allocation)
        yield from update.events


def _json(event: history_pb2.AllocationEvent) -> str:
    return exits.json_text(json_format.MessageToDict(event), indent=None)


def _yaml(event: history_pb2.AllocationEvent) -> str:
    return f"---\n{render.yaml_text(json_format.MessageToDict(event)).rstrip()}"


def _table(updates: Iterable[watch.Update], *, wide: bool) -> Iterator[str]:
    return render.in_batches(_batches(updates, wide=wide))


def _batches(updates: Iterable[watch.Update], *, wide: bool) -> Iterator[list[list[str]]]:
    """Yield the header, and with it what is held; then the rows of every update."""
    header = [list(_row(history_pb2.AllocationEvent(), wide=wide))]
    for update in updates:
        yield header + [list(_row(each, wide=wide).values()) for each in _events([update])]
        header = []


def _row(event: history_pb2.AllocationEvent, *, wide: bool) -> columns.Cells:
    kinds = history_pb2.AllocationEventKind.DESCRIPTOR
    return {
        "EVENT": specs.short_name(kinds, event.kind) if event.kind else _HELD,
        "TIME": times.spelled(event.event_time) if event.kind else "",
        **columns.cells(event.allocation, wide=wide),
    }
