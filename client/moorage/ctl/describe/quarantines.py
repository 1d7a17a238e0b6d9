"""What a description says of the quarantine of a VRF: why nothing new is assigned there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from moorage.ctl import times
from moorage.ctl.describe import sheet
from moorage.ctl.quarantine import causes
from moorage.v1 import resources_pb2


def section(quarantines: Iterable[resources_pb2.Quarantine]) -> Iterator[str]:
    """Yield every reason, each on a line."""
    told = (
        f"{causes.name(each)} since {times.spelled(each.begin_time)}: {each.message}"
        for each in quarantines
    )
    yield from sheet.fact("Quarantine", *told)
