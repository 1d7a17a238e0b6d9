"""A disk of a database's own, which is full as soon as it is made no larger than what is on it."""

import contextlib
import os
import pathlib
import subprocess
from collections.abc import Iterator

_LARGE = 16 << 30
_TRIES = 100


class Disk:
    """A file system in memory; only root can have one."""

    def __init__(self, place: pathlib.Path) -> None:
        """Is empty, and large."""
        place.mkdir()
        self._place = place
        _run("mount", "-t", "tmpfs", "-o", f"size={_LARGE},mode=755", "chaos", str(place))

    def fill(self, room: int) -> None:
        """No more than so many bytes find room from now on."""
        for _ in range(_TRIES):
            # It is not made smaller than what is on it, and more may have been written meanwhile.
            with contextlib.suppress(subprocess.CalledProcessError):
                self._resize(self._used() + room)
                return
        self._resize(self._used() + room)

    def clear(self) -> None:
        """There is room again."""
        self._resize(_LARGE)

    def close(self) -> None:
        """Takes it away."""
        _run("umount", "--lazy", str(self._place))

    def _used(self) -> int:
        found = os.statvfs(self._place)
        return (found.f_blocks - found.f_bfree) * found.f_frsize

    def _resize(self, size: int) -> None:
        _run("mount", "-o", f"remount,size={size}", str(self._place))


@contextlib.contextmanager
def mounted(place: pathlib.Path) -> Iterator[Disk | None]:
    """A disk at a place that is not there yet; None where this user may have none."""
    try:
        disk = Disk(place)
    except (OSError, subprocess.CalledProcessError):
        yield None
        return
    with contextlib.closing(disk):
        yield disk


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
