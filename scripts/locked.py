"""Whether the lock file says exactly what is installed: from where, and with which hash."""

import pathlib
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

INDEX = "https://pypi.org/simple"
_HASH = "sha256:"
_OWN = ("moorage", "moorage-server")


def problems(lock: pathlib.Path) -> list[str]:
    """Everything that is not as it should be."""
    return [each for package in tomllib.loads(lock.read_text())["package"] for each in _of(package)]


def _of(package: Mapping[str, Any]) -> Iterator[str]:
    name, source = package["name"], package["source"]
    if name in _OWN:
        return
    if source != {"registry": INDEX}:
        yield f"{name} comes from {source}, and not from {INDEX}"
    files = [*package.get("wheels", ()), *([package["sdist"]] if "sdist" in package else [])]
    if not files:
        yield f"{name} has no file"
    for each in files:
        if not each.get("hash", "").startswith(_HASH):
            yield f"{name} has a file without a hash: {each.get('url')}"
