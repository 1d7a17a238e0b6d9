"""How far long work has come: a bar on standard error, where that is a terminal.

Nobody else is told, and nothing has colours. What is done is written to standard output once the
bar has come to its end: on one terminal the two would write over each other.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

import click

from moorage.v1 import admin_service_pb2

_T = TypeVar("_T")


def through(items: Sequence[_T], what: str) -> Iterator[_T]:
    """Yield the items, and show how many of them have been dealt with."""
    with click.progressbar(
        items, label=what, show_pos=True, hidden=not _is_seen(), file=sys.stderr
    ) as bar:
        yield from bar


def findings(
    responses: Iterable[admin_service_pb2.CheckConsistencyResponse],
) -> Iterator[admin_service_pb2.Finding]:
    """Yield what a check finds, and show how many of its rules it has checked."""
    # How many there are is told with the first.
    with click.progressbar(
        length=1, label="rules checked", show_pos=True, hidden=not _is_seen(), file=sys.stderr
    ) as bar:
        for response in responses:
            if response.HasField("finding"):
                yield response.finding
                continue
            bar.length = response.progress.rule_count
            bar.update(response.progress.checked_rule_count - bar.pos)


def exported(
    parts: Iterable[admin_service_pb2.ExportVrfResponse], what: str
) -> Iterator[admin_service_pb2.ExportVrfResponse]:
    """Yield the parts of an export, and show how many of its allocations have come."""
    # How many there are is told with the blocks, which come before.
    with click.progressbar(
        length=0, label=what, show_pos=True, hidden=not _is_seen(), file=sys.stderr
    ) as bar:
        for part in parts:
            bar.length = (bar.length or 0) + sum(each.counts.assigned_count for each in part.blocks)
            yield part
            bar.update(len(part.allocations))


def _is_seen() -> bool:
    """Whether a line can be written over and over; a dumb terminal is not told either."""
    return sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"
