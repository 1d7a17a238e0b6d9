"""Who makes a change, as it is written down with it."""

import dataclasses
import enum
import functools
import hashlib
import uuid
from typing import Final

MOST_KNOWN: Final = 20_000  # uids, of which a thousand take half a megabyte


class Proof(enum.StrEnum):
    """What somebody was known by."""

    NONE = "NONE"  # nobody was asked
    CERTIFICATE = "CERTIFICATE"
    TOKEN = "TOKEN"  # noqa: S105 - a kind of proof
    CERTIFICATE_AND_TOKEN = "CERTIFICATE_AND_TOKEN"  # noqa: S105 - as above
    SERVER = "SERVER"  # a part of the server, which nobody has called


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Somebody who makes changes; `credential` is what it would be denied by, `source` where it
    called from.

    In none but the name may there be a line's end.
    """

    name: str
    role: str
    proof: Proof
    credential: str = ""
    source: str = ""

    @property
    def uid(self) -> str:
        """All of it in a UUID, the same wherever it is computed."""
        return _uid(self)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """What somebody does in one call."""

    actor: Actor
    request_id: str = ""


def of_server(part: str) -> Act:
    """What a part of the server does by itself."""
    return Act(actor=Actor(name=part, role="server", proof=Proof.SERVER))


# Whoever works on the database beside the API.
NOBODY: Final = Act(actor=Actor(name="", role="", proof=Proof.NONE))


@functools.lru_cache(maxsize=MOST_KNOWN)
def _uid(actor: Actor) -> str:
    parts = (actor.role, actor.proof, actor.credential, actor.source, actor.name)
    return str(uuid.UUID(bytes=hashlib.sha256("\n".join(parts).encode()).digest()[:16]))
