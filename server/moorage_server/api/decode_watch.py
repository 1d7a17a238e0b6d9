"""WatchAllocations -> what to tell of, and from where on."""

from moorage.v1 import history_pb2 as messages
from moorage_server.api import decode, limits, names
from moorage_server.api.violations import Violations
from moorage_server.domain import feed, model


def watch(
    message: messages.WatchAllocationsRequest,
) -> tuple[model.AllocationFilter, feed.Cursor | None]:
    """The filter, and the cursor to go on behind."""
    found = Violations()
    wanted = decode.allocation_filter(found, names.parent(found, message.parent), message.filter)
    cursor = _cursor(found, message.cursor) if message.HasField("cursor") else None
    found.check()
    return wanted, cursor


def _cursor(found: Violations, message: messages.Cursor) -> feed.Cursor:
    if message.revision < 0:
        found.add("cursor.revision", f"is {message.revision}; send the cursor as it was told")
    epoch = found.text("cursor.epoch", message.epoch, limits.EPOCH_LENGTH, required=True)
    return feed.Cursor(epoch=epoch, revision=message.revision)
