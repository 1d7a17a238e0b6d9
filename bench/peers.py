"""Other allocators' programs, built from their modules with `go` into the user's cache.

Nothing of them is in this repository.
"""

import dataclasses
import os
import pathlib
import shutil
import subprocess
import tempfile
from typing import Final

_BUILD_TIME: Final = 900.0  # seconds


class UnavailableError(Exception):
    """The peer cannot be had on this machine; the text says why, for a table."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A program of a Go module: `package` is where in the module its main function is."""

    name: str
    module: str
    package: str
    version: str


GO_IPAM: Final = Peer(
    name="go-ipam",
    module="github.com/metal-stack/go-ipam",
    package="cmd/server",
    version="v1.14.13",
)
HOST_LOCAL: Final = Peer(
    name="host-local",
    module="github.com/containernetworking/plugins",
    package="plugins/ipam/host-local",
    version="v1.10.0",
)


def program(peer: Peer, *, build: bool) -> pathlib.Path:
    """Where the peer's program is; raises UnavailableError."""
    found = _cache() / f"{peer.name}-{peer.version}"
    if found.exists():
        return found
    if not build:
        raise UnavailableError("it is not built yet, and a quick run does not build it")
    if shutil.which("go") is None:
        raise UnavailableError("no `go` on PATH to build it with")
    with tempfile.TemporaryDirectory() as folder:
        _build(peer, pathlib.Path(folder), found)
    return found


def _cache() -> pathlib.Path:
    home = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(home) / "moorage" / "peers"


def _build(peer: Peer, folder: pathlib.Path, target: pathlib.Path) -> None:
    # In a module that requires it, no other module is asked for that may contain the package.
    requires = f"module peers\n\ngo 1.25\n\nrequire {peer.module} {peer.version}\n"
    (folder / "go.mod").write_text(requires)
    target.parent.mkdir(parents=True, exist_ok=True)
    built = target.with_name(f"{target.name}.{os.getpid()}")
    command = ["go", "build", "-mod=mod", "-o", str(built), f"{peer.module}/{peer.package}"]
    try:
        subprocess.run(
            command, cwd=folder, check=True, capture_output=True, text=True, timeout=_BUILD_TIME
        )
    except subprocess.CalledProcessError as failure:
        last = failure.stderr.strip().splitlines()[-1:]
        raise UnavailableError(f"`go build` failed: {' '.join(last)}") from failure
    except (OSError, subprocess.TimeoutExpired) as failure:
        raise UnavailableError(f"`go build`: {failure}") from failure
    built.rename(target)
