"""How moorctl ends: the exit codes, and what is said on standard error.

Which failures there are is decided in `moorage.errors` and `moorage.ctl.documents`.
"""

import contextlib
import enum
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import moorage

# Controls beyond those of ASCII, and those that turn the direction of writing.
_STEERING = re.compile(r"[\x80-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")


class Exit(enum.IntEnum):
    """Exit codes, as documented in `moorctl --help`."""

    OK = 0
    DIFFERENT = 1
    USAGE = 2
    NOT_FOUND = 3
    CONFLICT = 4
    EXHAUSTED = 5
    DENIED = 6
    UNREACHABLE = 7
    FAULT = 8
    INTERRUPTED = 130
    BROKEN_PIPE = 141


MEANINGS = {
    Exit.OK: "done",
    Exit.DIFFERENT: "diff found a difference, ipam check a problem, reconcile left something",
    Exit.USAGE: "the command line, a manifest or a request is wrong",
    Exit.NOT_FOUND: "what was named is not there",
    Exit.CONFLICT: "conflict: taken, in use, changed meanwhile, or not eligible",
    Exit.EXHAUSTED: "no free address",
    Exit.DENIED: "not authenticated, or not allowed",
    Exit.UNREACHABLE: "no answer from the server in time",
    Exit.FAULT: "fault of the server",
    Exit.INTERRUPTED: "interrupted by Ctrl-C",
    Exit.BROKEN_PIPE: "whoever read the output stopped reading",
}

EXITS: dict[type[moorage.MoorageError], Exit] = {
    moorage.InvalidRequest: Exit.USAGE,
    moorage.NotFound: Exit.NOT_FOUND,
    moorage.Conflict: Exit.CONFLICT,
    moorage.Exhausted: Exit.EXHAUSTED,
    moorage.CursorLost: Exit.NOT_FOUND,
    moorage.Denied: Exit.DENIED,
    moorage.Unavailable: Exit.UNREACHABLE,
    moorage.OutcomeUnknown: Exit.UNREACHABLE,
    moorage.DeadlineExceeded: Exit.UNREACHABLE,
    moorage.ServerFault: Exit.FAULT,
}

# Said where the message comes from the transport and names no next step of its own.
NEXT_STEPS: dict[type[moorage.MoorageError], str] = {
    moorage.Unavailable: "start the server there, or name another: --server or MOORAGE_SERVER",
    moorage.DeadlineExceeded: "allow more time: --timeout or MOORAGE_TIMEOUT",
    moorage.Denied: "check the credentials that this server wants",
    moorage.ServerFault: "check that a Moorage server of this version listens there",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What is said about one failure; everything but the last two is the JSON error document."""

    code: str
    reason: str
    message: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    violations: Sequence[moorage.Violation] = ()
    next_step: str = ""
    exit: Exit


class Failed(Exception):
    """A command cannot go on, for a reason that its user is told; never a fault of moorctl."""

    def __init__(self, report: Report) -> None:
        super().__init__(report.message)
        self.report = report


def refused(message: str, violations: Sequence[moorage.Violation] = ()) -> Failed:
    """Return the failure for input that never reached the server."""
    return Failed(
        Report(
            code="INVALID_ARGUMENT",
            reason="INVALID_INPUT",
            message=message,
            violations=violations,
            exit=Exit.USAGE,
        )
    )


@contextlib.contextmanager
def doing(action: str, server: str, place_of: Callable[[str], str] | None = None) -> Iterator[None]:
    """Report a failed call as "cannot <action>: ..."; see `report_of`."""
    try:
        yield
    except moorage.MoorageError as error:
        raise Failed(acting(action, report_of(error, server, place_of))) from error


def acting(action: str, report: Report) -> Report:
    """Return a report that says what cannot be done."""
    return replace(report, message=f"cannot {action}: {report.message}")


def report_of(
    error: moorage.MoorageError, server: str, place_of: Callable[[str], str] | None = None
) -> Report:
    """Return what is said of a failed call; `place_of` a field is where its user has written it."""
    kind = type(error)
    spoken_by_server = bool(error.reason)
    violations, message = error.violations, error.message
    if place_of is not None and violations:
        violations = tuple(moorage.Violation(place_of(name), text) for name, text in violations)
        message = "; ".join(f"{name}: {text}" for name, text in violations)
    if place_of is not None and error.reason == "FIELD_IMMUTABLE":
        message = f"{place_of('.' + error.metadata['field'])}: {message}"
    return Report(
        code=error.code.name,
        reason=error.reason,
        message=message if spoken_by_server else f"{server}: {message}",
        metadata=error.metadata,
        violations=violations,
        next_step="" if spoken_by_server else NEXT_STEPS.get(kind, ""),
        exit=EXITS[kind],
    )


def tell(report: Report, *, as_json: bool) -> None:
    """Say on standard error what went wrong."""
    print(_document(report) if as_json else _text(report), file=sys.stderr)


def note(text: str) -> None:
    """Say on standard error what a person wants to know and a program does not."""
    print(printable(text), file=sys.stderr)


def printable(text: str) -> str:
    """Return `text` with control characters spelled out, so that no label can steer a terminal."""
    return re.sub(f"[\\x00-\\x1f\\x7f]|{_STEERING.pattern}", _spell, text)


def json_text(value: object, *, indent: int | None = 2) -> str:
    """Return a value as JSON that people can read, and that steers no terminal either."""
    return json_printable(json.dumps(value, indent=indent, ensure_ascii=False))


def json_printable(text: str) -> str:
    """Return JSON whose control characters are all escaped; those of ASCII always are."""
    return _STEERING.sub(lambda match: json.dumps(match[0])[1:-1], text.replace("\x7f", "\\u007f"))


def _spell(match: re.Match[str]) -> str:
    return match.group().encode("unicode_escape").decode()


def _text(report: Report) -> str:
    lines = [f"moorctl: {report.message}"]
    # What the message already says is not said again.
    lines += [f"  {name}: {text}" for name, text in report.violations if text not in report.message]
    if report.reason and report.metadata:
        facts = ", ".join(f"{key}={value}" for key, value in sorted(report.metadata.items()))
        lines.append(f"  {report.reason}: {facts}")
    if report.next_step:
        lines.append(f"  next: {report.next_step}")
    return "\n".join(map(printable, lines))


def _document(report: Report) -> str:
    document = {
        "code": report.code,
        "reason": report.reason,
        "message": report.message,
        "metadata": dict(report.metadata),
        "violations": [violation._asdict() for violation in report.violations],
    }
    return json_text(document)
