"""Files that are replaced as a whole."""

import os
import pathlib


def replace(path: pathlib.Path, content: bytes) -> None:
    """Give a file this content; whatever happens meanwhile, it has all of it or is as it was.

    For one writer at a time: the new content is collected beside it, in `.NAME.new`.
    """
    fresh = path.with_name(f".{path.name}.new")
    with fresh.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    _sync(path.parent)


def _sync(folder: pathlib.Path) -> None:
    """Make what files a folder has outlive a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
