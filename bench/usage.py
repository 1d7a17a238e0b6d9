"""CPU time and memory that the processes under measurement have used, from /proc.

Beside other work on the machine a rate says little; CPU per call says nearly the same
as on an idle one.
"""

import dataclasses
import os
import pathlib
import time
from typing import Final

REST: Final = 0.1  # of a core: a server with many watches that have nothing to tell uses less
PATIENCE: Final = 60.0  # seconds until it rests

_TICK: Final = 1 / os.sysconf("SC_CLK_TCK")
_PROC: Final = pathlib.Path("/proc")
_LOOK: Final = 0.25  # seconds from one look to the next
_CPU_OF_A_PROCESS: Final = 2  # CPUCLOCK_SCHED


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Seconds of CPU: of both sides, and all that the machine's cores were busy, of what they have.

    A machine is busy with whatever runs on it, the load and strangers as well.
    """

    server: float
    postgres: float
    busy: float
    capacity: float

    def since(self, before: "Usage") -> "Usage":
        """What was used between two looks."""
        return Usage(
            server=self.server - before.server,
            postgres=self.postgres - before.postgres,
            busy=self.busy - before.busy,
            capacity=self.capacity - before.capacity,
        )


def look(server_pid: int, postgres_pid: int) -> Usage:
    """What the server and PostgreSQL, each with its children, have used so far."""
    used = _processes()
    if server_pid not in used:
        raise RuntimeError(f"the server, process {server_pid}, has ended")
    busy, capacity = _machine()
    return Usage(
        server=_seconds(used, server_pid),
        postgres=_seconds(used, postgres_pid),
        busy=busy,
        capacity=capacity,
    )


def await_rest(pid: int, *, share: float = REST, patience: float = PATIENCE) -> None:
    """Returns when a process and its children use less than such a share of one core.

    Raises RuntimeError where they do not come to that.
    """
    end = time.monotonic() + patience
    before = _seconds(_processes(), pid)
    while time.monotonic() < end:
        time.sleep(_LOOK)
        now = _seconds(_processes(), pid)
        if now - before < share * _LOOK:
            return
        before = now
    raise RuntimeError(f"process {pid} does not come to rest")


def exact(pid: int) -> float:
    """Seconds of CPU of a process alone, to the nanosecond: /proc counts in hundredths."""
    # What clock_getcpuclockid(3) makes of a process; Python has it for threads alone.
    return time.clock_gettime(~pid << 3 | _CPU_OF_A_PROCESS)


def threads(pid: int) -> dict[int, float]:
    """Seconds of CPU of each thread of one process without children, so far."""
    tasks = map(int, os.listdir(_PROC / str(pid) / "task"))
    found = {task: _used(pid, task) for task in tasks}
    return {task: used.seconds for task, used in found.items() if used}


def peak(server_pid: int) -> int:
    """The most memory that the server and each of its children have had, in MiB."""
    return _memory(server_pid, "VmHWM:")


def resident(server_pid: int) -> int:
    """What the server and its children have now."""
    return _memory(server_pid, "VmRSS:")


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


def _seconds(used: dict[int, _Used], head: int) -> float:
    return sum(used[pid].seconds for pid in _family(used, head))


def _machine() -> tuple[float, float]:
    """Seconds that all cores together were busy, and that they had."""
    line = (_PROC / "stat").read_text().splitlines()[0]
    user, nice, system, idle, waiting, *others = (int(each) * _TICK for each in line.split()[1:9])
    busy = user + nice + system + sum(others)
    return busy, busy + idle + waiting


def _memory(head: int, field: str) -> int:
    """In MiB."""
    return sum(_kib(pid, field) for pid in _family(_processes(), head)) // 1024


def _kib(pid: int, field: str) -> int:
    status = (_PROC / str(pid) / "status").read_text().splitlines()
    return sum(int(line.split()[1]) for line in status if line.startswith(field))
