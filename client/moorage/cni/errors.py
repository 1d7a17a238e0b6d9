"""CNI errors: their codes, their wording and the document a runtime reads.

Not the decision what is an error: whoever refuses raises CniError, and only the handler turns it
into the document.
"""

import enum
import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from moorage import errors as client_errors

LONGEST_VALUE_SHOWN = 80
LONGEST_TEXT_SHOWN = 2000

# containerd takes a failed DEL whose text contains one of these for a success, and the address
# would stay assigned for ever.
_SWALLOWED = (
    (re.compile(r"not found", re.IGNORECASE), "absent"),
    (re.compile(r"no such file or directory", re.IGNORECASE), "missing file"),
)


class Code(enum.IntEnum):
    """Error codes: below 100 the CNI specification's, from 100 on our own."""

    INCOMPATIBLE_VERSION = 1
    INVALID_ENVIRONMENT = 4
    IO_FAILURE = 5
    DECODING_FAILURE = 6
    INVALID_CONFIG = 7
    INVALID_NETNS = 8
    TRY_AGAIN_LATER = 11
    ANNOTATION_REFUSED = 100
    KUBERNETES_REFUSED = 101
    REQUEST_REFUSED = 102
    ADDRESS_IN_USE = 103
    POOL_EXHAUSTED = 104
    CHECK_FAILED = 105
    INTERNAL = 999


class CniError(Exception):
    """The call fails: `msg` says what, where and why; `details` what to do next.

    `request_id` is what a server knows the call by in its log, where one was asked.
    """

    def __init__(self, code: Code, msg: str, details: str = "", request_id: str = "") -> None:
        super().__init__(msg)
        self.code = code
        self.msg = msg
        self.details = details
        self.request_id = request_id


_TRY_AGAIN = {
    "CONTENTION",
    "DATABASE_UNAVAILABLE",
    "KUBERNETES_UNAVAILABLE",
    "OUTCOME_UNKNOWN",
    "DEADLINE_TOO_SHORT",
    "SERVER_BUSY",
    # Statuses that carry no reason come from the transport, before any server has spoken.
    "UNAVAILABLE",
    "DEADLINE_EXCEEDED",
    "CANCELLED",
    "ABORTED",
}
_OWN_CODES = {
    "ADDRESS_IN_USE": Code.ADDRESS_IN_USE,
    "POOL_EXHAUSTED": Code.POOL_EXHAUSTED,
    "BLOCK_LIMIT_REACHED": Code.POOL_EXHAUSTED,
    "QUOTA_EXCEEDED": Code.POOL_EXHAUSTED,
    "BLOCK_ALLOCATION_DISABLED": Code.POOL_EXHAUSTED,
    "INTERNAL": Code.INTERNAL,
    # The server is well, and time alone mends these.
    "POOL_COOLING": Code.TRY_AGAIN_LATER,
    "ADDRESS_COOLING": Code.TRY_AGAIN_LATER,
    "VRF_QUARANTINED": Code.TRY_AGAIN_LATER,
}


def from_rpc(failure: "client_errors.MoorageError", server: str, asked: str = "") -> CniError:
    """Words the failure of a call to `server`; `asked` says where the constraints came from."""
    status = failure.code.name
    reason = failure.reason or status
    if reason in _TRY_AGAIN:
        return _try_again(failure, server, reason)
    code = _OWN_CODES.get(reason, Code.REQUEST_REFUSED)
    msg = f"server {server} refused with {reason}: {failure.message or status}"
    facts = [f"{key}={value}" for key, value in sorted(failure.metadata.items())]
    facts += [f"{violation.field}: {violation.description}" for violation in failure.violations]
    if reason == "POOL_NOT_FOUND":
        facts.append(unresolved(failure.metadata.get("pool", "")))
    details = "; ".join(filter(None, [*facts, asked]))
    return CniError(code, msg, details, failure.request_id)


def unresolved(pool: str) -> str:
    """Says, in the words that users of Calico look for, that nothing is known by this name."""
    shown = visible(pool)
    return f'error parsing pool "{shown}": invalid CIDR address: {shown}'


def _try_again(failure: "client_errors.MoorageError", server: str, reason: str) -> CniError:
    # Transport text is not repeated: it is about sockets and resolvers, and says "not found".
    said = f": {failure.message}" if failure.reason else ""
    return CniError(
        Code.TRY_AGAIN_LATER,
        f"server {server} gave no answer in time or is busy ({reason}){said}",
        'the runtime tries again; if this stays, check that ipam "server" of the CNI config '
        "names a running moorage-server that this node can reach",
        failure.request_id,
    )


def no_certificates(server: str, why: ValueError) -> CniError:
    """Words that a server cannot be called with the certificates of this node."""
    return CniError(
        Code.TRY_AGAIN_LATER,
        f"server {server} cannot be called with the files of ipam.tls: {why}",
        "the runtime tries again; whoever renews the certificates of this node may be at it",
    )


def left_over(count: int, why: str, server: str) -> CniError:
    """Words that part of a collection was not done."""
    return CniError(
        Code.TRY_AGAIN_LATER,
        f"server {server} left {count} attachments of this node as they were: {why}",
        "everything else is done, and the next GC tries again",
    )


def quote(value: str) -> str:
    """Shows a value inside a message, in quotation marks."""
    return f"'{visible(value)}'"


def visible(value: str) -> str:
    """Makes a value fit to be shown: shortened, control characters escaped."""
    text = value if len(value) <= LONGEST_VALUE_SHOWN else value[:LONGEST_VALUE_SHOWN] + "..."
    return "".join(map(_visible, text))


def _visible(character: str) -> str:
    return character if character.isprintable() else ascii(character)[1:-1]


def document(error: CniError, cni_version: str) -> bytes:
    """Renders the error document of the CNI specification, section 5 "Error"."""
    fields: dict[str, str | int] = {"cniVersion": cni_version, "code": int(error.code)}
    fields["msg"] = harmless(error.msg)
    # Last, and whole however long the rest is: the server's log has it in these words.
    request = error.request_id and f"request_id={error.request_id}"
    if details := "; ".join(filter(None, [harmless(error.details), request])):
        fields["details"] = details
    return json.dumps(fields).encode() + b"\n"


def harmless(text: str) -> str:
    """Takes out of a text what a runtime would take for "already gone"; bounds its length."""
    for pattern, replacement in _SWALLOWED:
        text = pattern.sub(replacement, text)
    return text[:LONGEST_TEXT_SHOWN]
