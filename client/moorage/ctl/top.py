"""moorctl top: says how full the pools are, and when they will be."""

from __future__ import annotations

import dataclasses
import math

import click
from google.protobuf import json_format

import moorage
from moorage import names
from moorage.ctl import exits, options, render, settings
from moorage.v1 import pool_service_pb2, resources_pb2

_HEADER = [
    "POOL", "CIDR", "USED", "FREE", "COOLING", "STICKY", "RESERVED", "FULL", "GROWTH/DAY",
    "DAYS-LEFT",
]  # fmt: skip


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    pool: resources_pb2.Pool
    outlook: pool_service_pb2.ForecastPoolResponse

    @property
    def full(self) -> float:
        """The share of its addresses that are not free, in percent."""
        counts = self.outlook.counts
        return 100 * (1 - counts.available_count / counts.capacity_count)

    @property
    def days_left(self) -> float:
        known = self.outlook.HasField("days_to_exhaustion")
        return self.outlook.days_to_exhaustion if known else math.inf


@click.command("top")
@click.option(
    "--days", "window_days", default=0, metavar="N", help="Look at the last N days; default: 14."
)
@options.output(["table", "json"])
@settings.after_command
def command(where: settings.Settings, window_days: int, output: str) -> None:
    """Say how full the pools are, and when they will be full at the rate of the last days.

    \b
      moorctl top
      moorctl top --days 30

    The pool that is full first comes first; pools that do not fill up come last, by how full they
    are. FULL counts all that is not free: used, cooling, kept for owners and reserved.
    """
    with where.connected("show how full the pools are") as client:
        lines = [_line(client, pool, window_days) for pool in client.pools(vrf=where.vrf)]
    lines.sort(key=lambda line: (line.days_left, -line.full))
    if output == "json":
        render.listed("pools", map(_document, lines), output)
    elif not lines:
        exits.note("there are no pools to show")
    else:
        for text in render.aligned([_HEADER, *map(_row, lines)]):
            click.echo(text)


def _line(client: moorage.Client, pool: resources_pb2.Pool, window_days: int) -> _Line:
    outlook = client.forecast_pool(pool.name, window_days=window_days)
    return _Line(pool=pool, outlook=outlook)


def _row(line: _Line) -> list[str]:
    counts = line.outlook.counts
    figures = (
        counts.assigned_count,
        counts.available_count,
        counts.cooling_count,
        counts.sticky_count,
        counts.reserved_count,
    )
    return [
        names.id_of(line.pool.name),
        line.pool.cidr,
        *map(str, figures),
        f"{line.full:.1f}%",
        f"{line.outlook.daily_growth:+.1f}",
        "" if math.isinf(line.days_left) else f"{line.days_left:.1f}",
    ]


def _document(line: _Line) -> dict[str, object]:
    told = json_format.MessageToDict(line.outlook, always_print_fields_with_no_presence=True)
    return {"pool": line.pool.name, "cidr": line.pool.cidr, **told}
