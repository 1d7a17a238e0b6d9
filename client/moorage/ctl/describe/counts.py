"""How full a range is, in a description."""

from __future__ import annotations

from collections.abc import Iterator

from moorage.ctl.describe import sheet
from moorage.v1 import resources_pb2

HEADER = ["TOTAL", "USED", "FREE", "COOLING", "STICKY", "RESERVED", "FULL"]


def cells(of: resources_pb2.AddressCounts) -> list[str]:
    """Return the figures; full is what is not free, in percent."""
    figures = (
        of.capacity_count,
        of.assigned_count,
        of.available_count,
        of.cooling_count,
        of.sticky_count,
        of.reserved_count,
    )
    return [*map(str, figures), f"{full(of):.1f}%"]


def full(of: resources_pb2.AddressCounts) -> float:
    """Return which share of its addresses is not free, in percent."""
    return 100 * (1 - of.available_count / of.capacity_count)


def section(of: resources_pb2.AddressCounts) -> Iterator[str]:
    """Yield the figures below their titles."""
    yield from sheet.table("Usage", HEADER, [cells(of)])
