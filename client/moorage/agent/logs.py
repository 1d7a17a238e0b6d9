"""What the agent says on standard error: one JSON object a line.

Fields are names, numbers and kinds of errors; never a text that a runtime, a user or a server
wrote, since any of them may hold a secret.
"""

import json
import logging
import sys
import time

from moorage.cni import errors


class _Lines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        when = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line = {
            "timestamp": f"{when}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "event": record.getMessage(),
        }
        return json.dumps(line | getattr(record, "fields", {}))


def configure(level: int = logging.INFO) -> None:
    """Set up what the whole process says; call once, first."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines())
    # Ours alone: a library's own lines have no fields, and may quote what it was given.
    own = logging.getLogger("moorage.agent")
    own.addHandler(handler)
    own.setLevel(level)
    own.propagate = False


def tell(log: logging.Logger, level: int, event: str, **fields: object) -> None:
    """Say that something happened, with what tells it from others of its kind."""
    log.log(level, "%s", event, extra={"fields": fields})


def request(failure: errors.CniError | None) -> dict[str, object]:
    """What a failure is to be found by in the log of the server that was asked, if one was."""
    known = failure.request_id if failure else ""
    return {"request_id": known} if known else {}


class Tally(logging.Handler):
    """Counts what is said of a kind, and says nothing."""

    def __init__(self, name: str) -> None:
        """Begins to count what the logger of this name is told."""
        super().__init__()
        self.count = 0
        counted = logging.getLogger(name)
        counted.addHandler(self)
        counted.setLevel(logging.INFO)

    def emit(self, record: logging.LogRecord) -> None:  # noqa: ARG002 - that it is said is enough
        """One more."""
        self.count += 1
