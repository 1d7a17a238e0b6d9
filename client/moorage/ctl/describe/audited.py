"""The last changes in a description: who has made what is administered as it is."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import moorage
from moorage.ctl import audit
from moorage.ctl.describe import sheet
from moorage.v1 import audit_pb2


def section(
    client: moorage.Client,
    vrf: str,
    kind: audit_pb2.ChangeKind.ValueType = audit_pb2.CHANGE_KIND_UNSPECIFIED,
    own_id: str = "",
) -> Iterator[str]:
    """Yield the last changes of one thing, or of everything in a VRF, the newest last."""
    found = client.changes(kind, own_id, vrf=vrf, page_size=sheet.MOST_ROWS)
    rows = [audit.row(each) for each in itertools.islice(found, sheet.MOST_ROWS)]
    yield from sheet.table("Last Changes", audit.HEADER, rows[::-1])
