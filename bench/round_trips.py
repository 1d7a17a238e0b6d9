"""What one caller's transaction waits for: its round trips, told apart by who makes them."""

import collections
import re
from collections.abc import Iterable, Mapping
from typing import Final

from bench import server_parts

DRIVER: Final = "psycopg and SQLAlchemy in Python, of all of them"
PYTHON: Final = "all other Python between them"
# By the innermost function of the storage that waits, in the order in which they come; one that
# is not here is shown by its own name.
NAMES: Final[Mapping[str, str]] = {
    "database.Database._begin": "BEGIN, with its settings",
    "locks.take_each": "locks of VRF, pod and attachment",
    "catalogs.Catalogs.scopes": "the catalog's version, the node, where the feed is",
    "attachments.records": "what is known of the attachment",
    "sandboxes._found": "the pod's other sandboxes",
    "blocks.Inquiry._look": "a block with free addresses, locked",
    "blocks.Inquiry._more_room": "where none has any, room for another",
    "blocks._advance": "the room that is taken of it",
    "blocks.write": "its new state",
    "holdings.assign": "attachment, address and event",
    "database.Database._commit": "COMMIT",
}

_TRANSACTION: Final = "/moorage_server/usecases/batch.py"
_FRAME: Final = re.compile(r"(.+) \(.*/moorage_server/storage/(\w+)\.py:\d+\)")
_SENDS: Final = "statements"  # for whoever calls it


def counted(lines: Iterable[str]) -> Mapping[str, int]:
    """How often a batch was seen waiting for each round trip, in their order, and at anything else.

    The lines are stacks as `server_parts.stacks` takes them, of threads that wait as well.
    """
    found: collections.Counter[str] = collections.Counter()
    for _, frames, count in server_parts.stacks(lines):
        if any(_TRANSACTION in frame for frame in frames):
            found[_trip(frames)] += count
    known = (*NAMES.values(), DRIVER, PYTHON)
    others = (each for each in found if each not in known)
    order = (*NAMES.values(), *others, DRIVER, PYTHON)
    return {each: found[each] for each in order if each in found}


def _trip(frames: list[str]) -> str:
    part = server_parts.part(frames)
    if part != server_parts.DRIVER:
        return DRIVER if part == server_parts.STATEMENTS else PYTHON
    made = (_FRAME.fullmatch(frame) for frame in reversed(frames))
    name = next(f"{each[2]}.{each[1]}" for each in made if each and each[2] != _SENDS)
    return NAMES.get(name, name)
