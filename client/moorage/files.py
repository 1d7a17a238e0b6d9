"""Files that are replaced as a whole."""

import os
import pathlib


def replace(path: pathlib.Path, content: bytes, *, mode: int = 0o666) -> None:
    """Give a file this content; whatever happens meanwhile, it has all of it or is as it was.

    For one writer at a time: the new content is collected beside it, in `.NAME.new`. `mode` is what
    a new file allows, before the umask.
    """
    fresh = beside(path)
    fresh.unlink(missing_ok=True)
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    _sync(path.parent)


def beside(path: pathlib.Path) -> pathlib.Path:
    """Where new content is collected, and stays if whoever does so is killed."""
    return path.with_name(f".{path.name}.new")


def _sync(folder: pathlib.Path) -> None:
    """Make what files a folder has outlive a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
