"""What a failed call raises: one class for each thing that a caller can do about it.

    MoorageError              any failed call
    ├── InvalidRequest        the request is wrong: correct it; `violations` lists every field
    ├── NotFound              what the request names is not there
    ├── Conflict              the present state forbids it: taken, in use, changed, not eligible
    ├── Exhausted             no free address
    ├── CursorLost            what came after the cursor is not known: watch again without one
    ├── Denied                no credential, a bad one, or one that does not allow this
    ├── Unavailable           no answer, or "later": send the same call again
    │   ├── OutcomeUnknown    ... and the change may or may not have been made
    │   └── DeadlineExceeded  the time given was used up
    └── ServerFault           a fault of the server, or of something on the way to it: report it

Within a class, `reason` tells the cases apart: the name of a `moorage.v1.ErrorReason` without its
prefix. The message is for people and may change. Making these out of a failed RPC is the task of
`moorage.failures`; this module loads without gRPC.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import grpc


class Violation(NamedTuple):
    """One field of a request that the server refused, by its path, and what is wrong with it."""

    field: str
    description: str


class MoorageError(Exception):
    """A call failed.

    `code` is the gRPC status; `reason` the published reason, empty when the failure came from
    elsewhere than a Moorage server; `metadata` the values that the message speaks of.
    `retry_delay` is how many seconds the server asked to be left alone, if it did.
    `in_doubt` says that the call, or an earlier try of it, may have changed something all the same.
    `request_id` is what the call is known by in the server's log, and its changes in the history.
    """

    def __init__(
        self,
        code: "grpc.StatusCode",
        reason: str = "",
        message: str = "",
        metadata: Mapping[str, str] | None = None,
        violations: Sequence[Violation] = (),
    ) -> None:
        self.code = code
        self.reason = reason
        self.message = message
        self.metadata = dict(metadata or {})
        self.violations = tuple(violations)
        super().__init__(code, reason, message, self.metadata, self.violations)
        self.retry_delay: float | None = None
        self.in_doubt = False
        self.request_id = ""

    def __str__(self) -> str:
        """The message."""
        return self.message


class InvalidRequest(MoorageError):
    """The request is malformed or beyond a limit; the same call can never succeed."""


class NotFound(MoorageError):
    """What the request names is not there."""


class Conflict(MoorageError):
    """The present state forbids it; somebody has to change the state or the request first."""


class Exhausted(MoorageError):
    """No address is free for this request; retry slowly, add a pool, or raise what limits it."""


class CursorLost(MoorageError):
    """What came after the cursor is not known any more, or never was; watch again without one."""


class Denied(MoorageError):
    """The caller is not known, or may not do this."""


class Unavailable(MoorageError):
    """No answer in time, or the server asked to come back later; send the same call again."""


class OutcomeUnknown(Unavailable):
    """The server lost contact with its database while it committed; send the same call again."""


class DeadlineExceeded(Unavailable):
    """The time given to the call was used up before an answer came."""


class ServerFault(MoorageError):
    """The server, or something on the way to it, failed in a way that no caller can mend."""
