"""What an operator asks before serving, and on a bad night: is the database as it should be?"""

import time
from collections.abc import Sequence

from moorage_server.config import Settings
from moorage_server.domain import errors
from moorage_server.domain.diagnosis import Finding, Grade
from moorage_server.storage import database
from moorage_server.usecases import diagnose

TIME = 20.0  # seconds


class NotExamined(Exception):
    """The database could not be asked; the message says why."""


def examine(settings: Settings) -> list[Finding]:
    """Looks at a database as the processes of a server would. Raises NotExamined."""
    store = database.Database(settings.database_url, threads=1)
    try:
        limits = database.Limits.until(time.monotonic() + TIME)
        return diagnose.diagnose(
            store, limits, processes=settings.processes, threads=settings.threads
        )
    except (errors.IpamError, database.Fault) as error:
        raise NotExamined(f"the database cannot be asked: {_innermost(error)}") from error
    finally:
        store.close()


def _innermost(error: BaseException) -> str:
    """What the driver said, which knows most; in one line."""
    while error.__cause__ is not None:
        error = error.__cause__
    return " ".join(str(error).split())


def report(findings: Sequence[Finding]) -> str:
    """A line for each, and what to do below it."""
    wide = max(len(each.about) for each in findings)
    lines = []
    for each in findings:
        lines.append(f"{each.grade.value:5}  {each.about:{wide}}  {each.found}")
        if each.advice:
            lines.append(f"{'':5}  {'':{wide}}  → {each.advice}")
    return "\n".join(lines)


def is_fit(findings: Sequence[Finding]) -> bool:
    """Whether nothing is wrong."""
    return all(each.grade is not Grade.WRONG for each in findings)
