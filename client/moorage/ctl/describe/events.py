"""The last events in a description: who was assigned what, and what was released, and why."""

from __future__ import annotations

import datetime
import heapq
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import moorage
from moorage.ctl import actors, specs, times
from moorage.ctl.describe import sheet
from moorage.v1 import filter_pb2, history_pb2

# The history begins with what was assigned first: the last events are known once all is read.
MOST_READ = 10_000
_PAGE = 1000

_HEADER = ["TIME", "EVENT", "ADDRESS", "NAMESPACE", "POD", "NODE", "CONTAINER", "BY", "CAUSE"]


def section(
    client: moorage.Client,
    vrf: str,
    wanted: Sequence[filter_pb2.AllocationFilter],
    since: datetime.datetime,
    *,
    held: int = 0,
    ask: str,
) -> Iterator[str]:
    """Yield the last events of these allocations.

    `held` is how many are held as far as is known: what is too much is not begun to be read. `ask`
    are the options of `moorctl history` for all of it.
    """
    more = f"moorctl history {ask} --since {times.spelled(since)}".replace("  ", " ")
    title = "Last Events"
    found = [] if held > MOST_READ else _read(client, vrf, wanted, since)
    if held > MOST_READ or len(found) > MOST_READ:
        yield from sheet.fact(title, f"more than {MOST_READ} holdings to read; see {more}")
        return
    events = itertools.chain.from_iterable(map(_of, found))
    last = heapq.nlargest(
        sheet.MOST_ROWS, (each for each in events if each.time >= since), key=_turn
    )
    if not last:
        yield from sheet.fact(title, f"none since {times.spelled(since)}")
        return
    yield from sheet.table(title, _HEADER, [_row(each) for each in reversed(last)])


def _read(
    client: moorage.Client,
    vrf: str,
    wanted: Iterable[filter_pb2.AllocationFilter],
    since: datetime.datetime,
) -> list[history_pb2.Holding]:
    found = itertools.chain.from_iterable(
        client.history(each, start=since, vrf=vrf, page_size=_PAGE) for each in wanted
    )
    return list(itertools.islice(found, MOST_READ + 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Event:
    time: datetime.datetime
    generation: int
    kind: history_pb2.AllocationEventKind.ValueType
    holding: history_pb2.Holding


def _turn(event: _Event) -> tuple[datetime.datetime, int]:
    return event.time, event.generation


def _of(holding: history_pb2.Holding) -> Iterator[_Event]:
    """Yield begin and end of a holding."""
    held = holding.allocation
    yield _Event(
        time=held.assign_time.ToDatetime(tzinfo=datetime.UTC),
        generation=held.generation,
        kind=history_pb2.ALLOCATION_EVENT_KIND_ASSIGNED,
        holding=holding,
    )
    if holding.HasField("release_time"):
        yield _Event(
            time=holding.release_time.ToDatetime(tzinfo=datetime.UTC),
            generation=holding.release_generation,
            kind=history_pb2.ALLOCATION_EVENT_KIND_RELEASED,
            holding=holding,
        )


def _row(event: _Event) -> list[str]:
    holding, held = event.holding, event.holding.allocation
    workload = held.workload
    ended = event.kind == history_pb2.ALLOCATION_EVENT_KIND_RELEASED
    # Why it began is not in the history.
    causes = history_pb2.AllocationEventCause.DESCRIPTOR
    cause = specs.short_name(causes, holding.release_cause) if ended else ""
    return [
        times.spelled(event.time),
        specs.short_name(history_pb2.AllocationEventKind.DESCRIPTOR, event.kind),
        held.address,
        workload.namespace,
        workload.pod,
        workload.node,
        held.attachment.container_id,
        actors.shown(holding.release_actor if ended else holding.assign_actor),
        cause,
    ]
