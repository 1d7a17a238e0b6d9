"""CPU time and memory that the processes under measurement have used, from /proc.

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
    used = _processes()
    if server_pid not in used:
        raise RuntimeError(f"the server, process {server_pid}, has ended")

    def family(head: int) -> float:
        return sum(used[pid].seconds for pid in _family(used, head))

    return Usage(server=family(server_pid), postgres=family(postgres_pid))


def threads(pid: int) -> dict[int, float]:
    """Seconds of CPU of each thread of one process without children, so far."""
    tasks = map(int, os.listdir(_PROC / str(pid) / "task"))
    found = {task: _used(pid, task) for task in tasks}
    return {task: used.seconds for task, used in found.items() if used}


def peak(server_pid: int) -> int:
    """The most memory that the server and each of its children have had, in MiB."""
    return sum(map(_peak, _family(_processes(), server_pid))) // 1024


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Used:
    parent: int
    seconds: float


def _used(pid: int, task: int | None = None) -> _Used | None:
    of = _PROC / str(pid) if task is None else _PROC / str(pid) / "task" / str(task)
    try:
        line = (of / "stat").read_text()
    except OSError:
        return None  # it has ended since it was listed
    fields = line.rpartition(")")[2].split()  # the name before may contain anything
    # With that of children which have ended: what a backend used is not lost with it.
    return _Used(parent=int(fields[1]), seconds=sum(map(int, fields[11:15])) * _TICK)


def _processes() -> dict[int, _Used]:
    pids = map(int, filter(str.isdigit, os.listdir(_PROC)))
    return {pid: used for pid in pids if (used := _used(pid))}


def _family(used: dict[int, _Used], head: int) -> list[int]:
    return [pid for pid, each in used.items() if head in (pid, each.parent)]


def _peak(pid: int) -> int:
    """In KiB."""
    status = (_PROC / str(pid) / "status").read_text().splitlines()
    return sum(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))
