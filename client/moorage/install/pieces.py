"""Files that are ours on a machine of others: put there as a whole, known again, taken away.

Beside each lies `.NAME.installed` with the SHA-256 of what was put there. What does not match has
been changed by somebody since, and is nobody's to overwrite or remove unasked.
"""

import contextlib
import enum
import fcntl
import hashlib
import os
import pathlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from moorage import files
from moorage.install import errors


class Outcome(enum.Enum):
    """What became of a file."""

    CREATED = "created"
    CONFIGURED = "configured"
    UNCHANGED = "unchanged"
    REMOVED = "removed"
    ABSENT = "absent"
    KEPT = "kept: somebody has changed it since it was installed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A file as it is to be."""

    path: pathlib.Path
    content: bytes = field(repr=False)
    mode: int


def put(piece: Piece, *, force: bool = False) -> Outcome:
    """Make the file what it is to be; whoever reads it meanwhile sees the old or the new one.

    Raises:
        InstallError: the directory cannot be written to, or the file is somebody else's and `force`
            is not given.
    """
    with _alone(piece.path):
        found = _read(piece.path)
        if found is not None and not force:
            _require_ours(piece.path, found, piece.content)
        if found == piece.content and _mode(piece.path) == piece.mode:
            _write_marks(piece.path, found)
            return Outcome.UNCHANGED
        # Both are ours until the new one is there: a crash in between is no change by others.
        _write_marks(piece.path, *(content for content in (found, piece.content) if content))
        files.replace(piece.path, piece.content, mode=piece.mode)
        _write_marks(piece.path, piece.content)
        return Outcome.CREATED if found is None else Outcome.CONFIGURED


def take_away(path: pathlib.Path) -> Outcome:
    """Remove the file if it is as it was put there, and what a killed installer left of it.

    Raises:
        InstallError: the directory cannot be written to.
    """
    if not path.parent.is_dir():
        return Outcome.ABSENT
    with _alone(path):
        for each in (path, _marks(path)):
            files.beside(each).unlink(missing_ok=True)
        found = _read(path)
        if found is not None and not _is_ours(path, found):
            return Outcome.KEPT
        path.unlink(missing_ok=True)
        _marks(path).unlink(missing_ok=True)
        return Outcome.ABSENT if found is None else Outcome.REMOVED


@contextlib.contextmanager
def _alone(path: pathlib.Path) -> Iterator[None]:
    """Hold the directory against another installer; says what is wrong with it where it is."""
    folder = path.parent
    advice = f"make it, or name the one in use, so that {path.name} can be put there"
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)
    except FileNotFoundError as error:
        raise errors.unusable(folder, "does not exist", advice) from error
    except NotADirectoryError as error:
        raise errors.unusable(folder, "is no directory", advice) from error
    except OSError as error:
        why = f"cannot be used: {(error.strerror or str(error)).lower()}"
        raise errors.unusable(folder, why, f"let this user write {path}, or run as root") from error


def _require_ours(path: pathlib.Path, found: bytes, wanted: bytes) -> None:
    if found != wanted and not _is_ours(path, found):
        raise errors.unusable(
            path,
            "is there, and is not what was installed",
            "remove it, or say --force to overwrite it",
        )


def _is_ours(path: pathlib.Path, content: bytes) -> bool:
    marks = _read(_marks(path)) or b""
    return _digest(content) in marks.decode(errors="replace").split()


def _write_marks(path: pathlib.Path, *contents: bytes) -> None:
    text = "".join(f"{digest}\n" for digest in dict.fromkeys(map(_digest, contents))).encode()
    if _read(_marks(path)) != text:
        files.replace(_marks(path), text, mode=0o644)


def _marks(path: pathlib.Path) -> pathlib.Path:
    return path.with_name(f".{path.name}.installed")


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _mode(path: pathlib.Path) -> int:
    return path.stat().st_mode & 0o7777


def _read(path: pathlib.Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
