"""What is told of a transaction where a call is traced: its statements, and where it may wait.

Of a statement what it does and to which table; never its text or a value.
"""

import contextlib
import functools
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any, Final, Literal

import psycopg
import sqlalchemy as sa

from moorage_server import traces

_WRITES: Final = re.compile(r"(?<!FOR )(?<!DO )\b(INSERT|UPDATE|DELETE)\b")
_TABLE: Final = {
    "INSERT": re.compile(r"\bINSERT INTO ([a-z_]+)"),
    "UPDATE": re.compile(r"\bUPDATE ([a-z_]+)"),
    "DELETE": re.compile(r"\bDELETE FROM ([a-z_]+)"),
    # What is not a function.
    "SELECT": re.compile(r"\bFROM\s+([a-z_]+)\b(?!\s*\()"),
}
_LOCK: Final = re.compile(r"\b(pg_(?:try_)?advisory_xact_lock)")
# Who skips what is locked waits for nobody.
_WAITS: Final = re.compile(
    r"\bpg_advisory_xact_lock|\bFOR (?:NO KEY UPDATE|UPDATE|SHARE|KEY SHARE)\b(?!.*SKIP LOCKED)",
    re.DOTALL,
)
_SYSTEM: Final = {"db.system.name": "postgresql"}


class Outline:
    """What is told of one statement."""

    def __init__(self, text: str) -> None:
        """Read from its text."""
        operation = text.split(maxsplit=1)[0]
        if operation == "WITH":
            writes = _WRITES.search(text)
            operation = writes[1] if writes else "SELECT"
        found = _LOCK.search(text) or _TABLE.get(operation, _LOCK).search(text)
        self.target = found[1] if found else ""
        self.summary = f"{operation} {self.target}".rstrip()
        self.waits = bool(_WAITS.search(text))
        self._about = {
            **_SYSTEM,
            "db.operation.name": operation,
            "db.query.summary": self.summary,
        }

    def around(self) -> AbstractContextManager[None]:
        """The time that it takes; also as a wait, where it may have to wait for a lock."""
        if traces.spans is None:
            return traces.UNTRACED
        if self.waits:
            return self._waiting()
        return traces.step(self.summary, self._about)

    @contextlib.contextmanager
    def _waiting(self) -> Iterator[None]:
        with (
            traces.step("lock wait", {"moorage.locks": self.target}),
            traces.step(self.summary, self._about),
        ):
            yield


_outline = functools.lru_cache(1024)(Outline)


def around(text: str) -> AbstractContextManager[None]:
    """The time that a statement takes; where nothing is traced, its text is not read."""
    return traces.UNTRACED if traces.spans is None else _outline(text).around()


BEGIN: Final = Outline("BEGIN")
COMMIT: Final = Outline("COMMIT")


def transaction(*, only_reads: bool) -> AbstractContextManager[None]:
    """One try of a transaction, from having a connection to giving it back."""
    if traces.spans is None:
        return traces.UNTRACED
    return traces.step("transaction", {**_SYSTEM, "moorage.only_reads": only_reads})


def listen(engine: sa.Engine) -> None:
    """Has the statements told of that SQLAlchemy sends, where traces are switched on by now."""
    if traces.spans is not None:
        sa.event.listen(engine, "do_execute", _execute)


def _execute(
    cursor: "psycopg.Cursor[Any]",
    statement: str,
    parameters: Any,  # noqa: ANN401  # whatever it is, the driver takes it
    _: object,
) -> Literal[True]:
    """Sends a statement in SQLAlchemy's place."""
    with around(statement):
        cursor.execute(statement, parameters)
    return True
