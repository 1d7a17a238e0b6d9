"""Messages about changes -> domain; refuses what is malformed, all at once."""

import dataclasses

from moorage.v1 import audit_pb2 as messages
from moorage_server.api import enums, limits, names, page_tokens
from moorage_server.api.violations import Violations
from moorage_server.domain import audit


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """One page: `size` changes from the one that was noted before the number `before`."""

    wanted: audit.Filter
    before: int
    size: int


def listing(request: messages.ListChangesRequest) -> Listing:
    """What ListChanges asks for."""
    found = Violations()
    size = page_tokens.page_size(found, request.page_size)
    wanted = _filter(found, request)
    found.check()
    last_key = page_tokens.decode(request, request.page_token)
    # Whoever makes a token up may put anything in it.
    greatest = str(page_tokens.GREATEST)
    before = found.parsed("page_token", last_key or greatest, page_tokens.number)
    found.check()
    return Listing(wanted=wanted, before=before or 0, size=size)


def _filter(found: Violations, request: messages.ListChangesRequest) -> audit.Filter:
    start, end = (
        found.time(field, getattr(request, field)) if request.HasField(field) else None
        for field in ("start_time", "end_time")
    )
    if start is not None and end is not None and end <= start:
        found.add("end_time", "is not after start_time; exchange them")
    kind = enums.CHANGE_KINDS.require(found, "kind", request.kind) if request.kind else None
    return audit.Filter(
        vrf=names.parent(found, request.parent),
        kind=kind,
        name=found.text("resource_id", request.resource_id, limits.NAME_LENGTH),
        start=start,
        end=end,
    )
