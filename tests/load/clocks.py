"""A wall clock that is set while programs go by it; what counts time since boot goes on as ever.

libfaketime stands between a program and the clock, and reads by how much it is off from a file.
"""

import dataclasses
import pathlib
import shutil
import stat
from typing import Final, Self

import pytest

from e2e import toolchain
from moorage_server.embedded import binaries

PACKAGE: Final = "libfaketime"
_LIBRARY: Final = "usr/lib/*/faketime/libfaketimeMT.so.1"


def library(*, fetch: bool) -> pathlib.Path:
    """libfaketime, of this machine or fetched; the test is skipped where it cannot be had."""
    here = [*pathlib.Path("/").glob(_LIBRARY), *_cached().glob(_LIBRARY)]
    if here:
        return here[0]
    if not fetch:
        pytest.skip(f"{PACKAGE} is not on this machine; `make overload` fetches it")
    try:
        return next(toolchain.package(PACKAGE).glob(_LIBRARY))
    except toolchain.UnavailableError as error:
        pytest.skip(f"{PACKAGE} cannot be had here: {error}")


def _cached() -> pathlib.Path:
    return toolchain.CACHE / "packages" / "offered" / PACKAGE


@dataclasses.dataclass(frozen=True, slots=True)
class Clock:
    """One that is off by what is written in a file; programs of any user may go by it."""

    folder: pathlib.Path

    @classmethod
    def of(cls, folder: pathlib.Path, library: pathlib.Path) -> Self:
        """Right, to begin with."""
        folder.mkdir()
        folder.chmod(0o755)
        shutil.copy(library, folder / "libfaketime.so")
        clock = cls(folder)
        clock.set(0)
        return clock

    def set(self, off: int) -> None:
        """So many seconds before the right time, or behind it where negative."""
        new = self.folder / "new"
        new.write_text(f"{off:+d}\n")
        new.chmod(0o644)
        new.rename(self.folder / "off")

    @property
    def environment(self) -> dict[str, str]:
        """What has a program go by it."""
        return {
            "LD_PRELOAD": str(self.folder / "libfaketime.so"),
            "FAKETIME_TIMESTAMP_FILE": str(self.folder / "off"),
            "FAKETIME_NO_CACHE": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }

    def installation(self) -> binaries.Installation:
        """A PostgreSQL whose server goes by it; what prepares its directory does not."""
        real = binaries.copy(binaries.find(), self.folder / "postgresql") or binaries.find()
        programs = self.folder / "programs"
        programs.mkdir()
        for each in real.programs.iterdir():
            (programs / each.name).symlink_to(each)
        (programs / "postgres").unlink()
        exported = "".join(f"export {name}={value}\n" for name, value in self.environment.items())
        server = programs / "postgres"
        server.write_text(f'#!/bin/sh\n{exported}exec {real.programs}/postgres "$@"\n')
        server.chmod(server.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
        return dataclasses.replace(real, programs=programs, base=None, parts=())
