"""Releases that are still to be sent, one file each, which outlive the agent and the machine.

A release is taken on when its file and the name of it are on the disk, and not before. The file is
written beside its place and renamed into it, so a reader sees a whole one or none. When and how
they are sent is `moorage.agent.sender`'s part.
"""

import contextlib
import hashlib
import json
import logging
import pathlib
import threading
from collections.abc import Iterable, Iterator

from moorage import attempts, files
from moorage.agent import logs
from moorage.cni import jsontext
from moorage.cni.release import Release

MOST = 10_000

_LOG = logging.getLogger(__name__)
_UNREAD = "cannot read a release; tries again"
_NUMBERS = {"boot_time_ns"}
_REQUIRED = set(Release._fields) - Release._field_defaults.keys()


class Full(Exception):
    """As many releases as are kept wait already."""


class Journal:
    """The releases of one folder, which nobody else works on; safe to share between threads."""

    def __init__(self, folder: pathlib.Path, *, most: int = MOST) -> None:
        """Reads what is there; what is no release is set aside, and holds nothing else up."""
        self._folder = folder
        self._most = most
        self._lock = threading.Lock()
        # By attachment: of two releases of the same one, the later says all. Oldest first.
        self._waiting: dict[tuple[str, ...], Release] = {}
        self._unread: set[pathlib.Path] = set()
        for each in folder.glob(".*.new"):
            with _tolerant():
                each.unlink()  # it was never in its place, so nobody was told that it is kept
        self._take_in(sorted(folder.glob("*.json"), key=_written))

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def has_unread(self) -> bool:
        """Whether there are files of which it is not known what they say."""
        return bool(self._unread)

    def read_again(self) -> None:
        """Read what could not be read before."""
        with self._lock:
            self._take_in(sorted(self._unread))

    def oldest_first(self) -> list[Release]:
        """Everything that waits now."""
        with self._lock:
            return list(self._waiting.values())

    def of(self, attachment: Release) -> Release | None:
        """What waits for the same attachment."""
        return self._waiting.get(attachment.attachment)

    def add(self, release: Release) -> None:
        """Take a release on, for good when this returns.

        Raises Full, or OSError: then it is not taken on.
        """
        with self._lock:
            known = self._waiting.get(release.attachment)
            if known and _is_later(known, release):
                return
            if not known and len(self._waiting) >= self._most:
                raise Full(f"{self._most} releases wait already")
            content = json.dumps(release._asdict()).encode()
            files.replace(self._path(release), content, mode=0o600)
            self._waiting.pop(release.attachment, None)
            self._waiting[release.attachment] = release

    def remove(self, release: Release) -> None:
        """Forget a release that is done; a later one of the same attachment stays.

        That its file is gone need not outlive a loss of power, and need not come true: sent again,
        it changes nothing.
        """
        with self._lock:
            if self._waiting.get(release.attachment) != release:
                return
            del self._waiting[release.attachment]
            try:
                self._path(release).unlink(missing_ok=True)
            except OSError as error:
                kind = type(error).__name__
                logs.tell(_LOG, logging.WARNING, "left the file of a sent release", error=kind)

    def _take_in(self, paths: Iterable[pathlib.Path]) -> None:
        """Read files, of which each attachment's latest release comes to its own place."""
        found = {path: read for path in paths if (read := self._read(path))}
        for read in found.values():
            known = self._waiting.get(read.attachment)
            if not (known and _is_later(known, read)):
                self._waiting.pop(read.attachment, None)
                self._waiting[read.attachment] = read
        for path, read in found.items():
            with _tolerant():
                self._put_right(path, read)

    def _put_right(self, path: pathlib.Path, read: Release) -> None:
        if path == self._path(read):
            return
        if self._waiting[read.attachment] == read:
            path.replace(self._path(read))
        else:
            path.unlink()

    def _read(self, path: pathlib.Path) -> Release | None:
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            content = None
        except OSError as error:  # the disk's or the process's, and no fault of what it says
            if path not in self._unread:
                kind = type(error).__name__
                logs.tell(_LOG, logging.WARNING, _UNREAD, file=str(path), error=kind)
            self._unread.add(path)
            return None
        self._unread.discard(path)
        return None if content is None else _parsed(path, content)

    def _path(self, release: Release) -> pathlib.Path:
        named = hashlib.sha256("\0".join(release.attachment).encode()).hexdigest()
        return self._folder / f"{named}.json"


def _is_later(known: Release, than: Release) -> bool:
    if known.boot_id == than.boot_id:
        return known.boot_time_ns >= than.boot_time_ns
    # Nothing is later than this boot. Of two that are over, whichever comes last says as much.
    now = attempts.stamp()
    return now is not None and known.boot_id == now.boot_id


def _written(path: pathlib.Path) -> int:
    try:
        return path.lstat().st_mtime_ns
    except OSError:  # of the disk; what the file says is asked for next, and may have to wait
        return 0


def _parsed(path: pathlib.Path, content: bytes) -> Release | None:
    try:
        return _parse(content)
    except ValueError as error:
        aside = path.with_suffix(".unreadable")
        logs.tell(
            _LOG,
            logging.WARNING,
            "set aside a release that cannot be read",
            file=str(path),
            kept_as=str(aside),
            error=type(error).__name__,
        )
    with _tolerant():
        path.rename(aside)
    return None


@contextlib.contextmanager
def _tolerant() -> Iterator[None]:
    """Do something to a file that may as well not be done."""
    try:
        yield
    except OSError as error:
        logs.tell(_LOG, logging.WARNING, "left it where it is", error=type(error).__name__)


def _is_number(value: object) -> bool:
    return type(value) is int and 0 <= value < 1 << 63


def _is_text(value: object) -> bool:
    # JSON can spell halves of characters, which no message and no name of a file can carry.
    return isinstance(value, str) and value.encode(errors="replace").decode() == value


def _parse(content: bytes) -> Release:
    document = jsontext.decode(content)
    if not isinstance(document, dict) or not _REQUIRED <= document.keys() <= set(Release._fields):
        raise ValueError("not the fields of a release")
    for name, value in document.items():
        if not (_is_number(value) if name in _NUMBERS else _is_text(value)):
            raise ValueError(f"{name} is of another type")
    return Release(**document)
