"""CPU time that the processes under measurement have used, from /proc.

Beside other work on the machine a rate says little; CPU per call says nearly the same
as on an idle one.
"""

import dataclasses
import os
import pathlib
from typing import Final

_TICK: Final = 1 / os.sysconf("SC_CLK_TCK")
_PROC: Final = pathlib.Path("/proc")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Seconds of CPU."""

    server: float
    postgres: float

    def since(self, before: "Usage") -> "Usage":
        """What was used between two looks."""
        return Usage(server=self.server - before.server, postgres=self.postgres - before.postgres)


def look(server_pid: int, postgres_pid: int) -> Usage:
    """What the server and PostgreSQL, each with its children, have used so far."""
    used = {pid: _used(pid) for pid in map(int, filter(str.isdigit, os.listdir(_PROC)))}
    if used.get(server_pid) is None:
        raise RuntimeError(f"the server, process {server_pid}, has ended")

    def family(head: int) -> float:
        members = (each for pid, each in used.items() if each and head in (pid, each.parent))
        return sum(each.seconds for each in members)

    return Usage(server=family(server_pid), postgres=family(postgres_pid))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Used:
    parent: int
    seconds: float


def _used(pid: int) -> _Used | None:
    try:
        line = (_PROC / str(pid) / "stat").read_text()
    except OSError:
        return None  # it has ended since it was listed
    fields = line.rpartition(")")[2].split()  # the name before may contain anything
    # With that of children which have ended: what a backend used is not lost with it.
    return _Used(parent=int(fields[1]), seconds=sum(map(int, fields[11:15])) * _TICK)
