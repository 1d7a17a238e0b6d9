"""Programs with all that they start: killed, frozen and thawed as a whole.

A cell is a namespace of processes, so nothing in it outlives its first process, and none of them is
forgotten for having left its parent. Inside, nobody is root: PostgreSQL insists on that. Files are
still the caller's, and what the caller may read and run, a cell may.
"""

import contextlib
import os
import pathlib
import signal
import subprocess
from collections.abc import Sequence

from e2e.toolchain import UnavailableError

_NOBODY = 65534
# Whoever starts a cell takes it along, however that ends.
_CELL = (
    *("setpriv", "--pdeathsig", "KILL", "--"),
    *("unshare", "--user", f"--map-user={_NOBODY}", f"--map-group={_NOBODY}"),
    *("--pid", "--fork", "--kill-child", "--mount-proc", "--"),
)


def require() -> None:
    """Raises UnavailableError where this machine has no cells."""
    try:
        tried = subprocess.run([*_CELL, "true"], capture_output=True, text=True, check=False)
    except OSError as error:
        raise UnavailableError(f"no namespaces of processes here: {error}") from error
    if tried.returncode:
        raise UnavailableError(f"no namespaces of processes here: {tried.stderr.strip()}")


class Cell:
    """One program and its offspring, which write a log."""

    def __init__(self, command: Sequence[str | pathlib.Path], log: pathlib.Path) -> None:
        """Starts it; from the main thread, with which it would end."""
        inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        with log.open("ab") as output:
            self._keeper = subprocess.Popen(
                [*_CELL, *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=inherited | {"LC_ALL": "C.UTF-8"},
                start_new_session=True,
            )

    @property
    def runs(self) -> bool:
        """Whether it has not ended."""
        return self._keeper.poll() is None

    def kill(self) -> None:
        """Ends all of it at once; returns when nothing of it is left."""
        for pid in _children().get(self._keeper.pid, ()):
            # The kernel ends the others with it, and lets it go when they have gone.
            _send(pid, signal.SIGKILL)
        self._keeper.wait()

    def freeze(self, *, but: str = "") -> None:
        """Has all of it stand still, `but` the processes of one program."""
        seen: set[int] = set()
        while new := self._offspring() - seen:
            for pid in new:
                if not but or _name(pid) != but:
                    _send(pid, signal.SIGSTOP)
            seen |= new

    def thaw(self) -> None:
        """Has all of it go on."""
        for pid in self._offspring():
            _send(pid, signal.SIGCONT)

    def _offspring(self) -> set[int]:
        children = _children()
        found: set[int] = set()
        left = list(children.get(self._keeper.pid, ()))
        while left:
            pid = left.pop()
            found.add(pid)
            left += children.get(pid, ())
        return found


def _send(pid: int, what: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):  # it has just ended
        os.kill(pid, what)


def _name(pid: int) -> str:
    with contextlib.suppress(OSError):  # it has just ended
        return pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
    return ""


def _children() -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for each in pathlib.Path("/proc").iterdir():
        if not each.name.isdecimal():
            continue
        try:
            status = (each / "stat").read_text()
        except OSError:  # it has just ended
            continue
        found.setdefault(int(status.rpartition(")")[2].split()[1]), []).append(int(each.name))
    return found
