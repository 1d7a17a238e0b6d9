"""go-ipam, another allocator, on the same PostgreSQL: its own server program, asked by our callers.

The program is built from its module, into the user's cache; nothing of it is in this repository.
"""

import contextlib
import ipaddress
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Final

import psycopg.conninfo

from bench import stage

VERSION: Final = "v1.14.13"
EMPTY: Final = "10.0.0.0/16"
HELD: Final = "10.1.0.0/16"
DATABASE: Final = "goipam"

_MODULE: Final = "github.com/metal-stack/go-ipam"
_BUILD_TIME: Final = 900.0  # seconds
_START_TIME: Final = 30.0
_METHOD: Final = "http://{target}/api.v1.IpamService/{method}"


class UnavailableError(Exception):
    """The peer cannot be had on this machine; the text says why, for a table."""


def program(*, build: bool) -> pathlib.Path:
    """Where the server program is; raises UnavailableError."""
    found = _cache() / f"go-ipam-{VERSION}"
    if found.exists():
        return found
    if not build:
        raise UnavailableError("it is not built yet, and a quick run does not build it")
    if shutil.which("go") is None:
        raise UnavailableError("no `go` on PATH to build it with")
    with tempfile.TemporaryDirectory() as folder:
        _build(pathlib.Path(folder), found)
    return found


@contextlib.contextmanager
def serving(ground: stage.Ground, binary: pathlib.Path) -> Iterator[str]:
    """A server of it on a database of its own; yields what it listens on."""
    ground.create(DATABASE)
    target = f"127.0.0.1:{_free_port()}"
    environment = os.environ | _settings(ground.conninfo(DATABASE), target)
    quiet = subprocess.DEVNULL
    with subprocess.Popen(
        [binary, "postgres"], env=environment, stdout=quiet, stderr=quiet
    ) as process:
        try:
            _await(target, process)
            yield target
        finally:
            process.terminate()


def fill(target: str, held: int) -> None:
    """Makes both prefixes, one empty and one with so many addresses held.

    Its Load takes what its Dump gives: to acquire ten thousand one by one takes minutes.
    """
    _call(target, "CreatePrefix", cidr=EMPTY)
    [empty] = json.loads(_call(target, "Dump")["dump"])
    _call(target, "DeletePrefix", cidr=EMPTY)
    # The first and the last of a prefix are never given, and count as taken.
    network = ipaddress.ip_network(HELD)
    taken = [*(network[at] for at in range(held + 1)), network[-1]]
    filled = empty | {"Cidr": HELD, "IPs": dict.fromkeys(map(str, taken), True)}
    _call(target, "Load", dump=json.dumps([empty, filled]))


def _cache() -> pathlib.Path:
    home = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(home) / "moorage" / "peers"


def _build(folder: pathlib.Path, target: pathlib.Path) -> None:
    # In a module that requires it, no other module is asked for that may contain the package.
    requires = f"module peers\n\ngo 1.25\n\nrequire {_MODULE} {VERSION}\n"
    (folder / "go.mod").write_text(requires)
    target.parent.mkdir(parents=True, exist_ok=True)
    built = target.with_name(f"{target.name}.{os.getpid()}")
    command = ["go", "build", "-mod=mod", "-o", str(built), f"{_MODULE}/cmd/server"]
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


def _settings(conninfo: str, target: str) -> dict[str, str]:
    given = psycopg.conninfo.conninfo_to_dict(conninfo)
    # It has no setting for a socket, but puts the name of the database into a URL as it is; the
    # last parameter swallows what it adds behind.
    name = f"{DATABASE}?host={given['host']}&sslmode=disable&application_name=peer"
    return {
        "GOIPAM_PG_DBNAME": name,
        "GOIPAM_PG_HOST": "",
        "GOIPAM_PG_PORT": str(given["port"]),
        "GOIPAM_PG_USER": str(given["user"]),
        "GOIPAM_GRPC_SERVER_ENDPOINT": target,
        "GOIPAM_METRICS_ENDPOINT": "127.0.0.1:0",
        "GOIPAM_LOG_LEVEL": "error",
    }


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


def _await(target: str, process: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + _START_TIME
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(UnavailableError):
            _call(target, "Version")
            return
        time.sleep(0.1)
    raise UnavailableError("its server did not start")


def _call(target: str, method: str, **fields: str) -> dict[str, str]:
    request = urllib.request.Request(
        _METHOD.format(target=target, method=method),
        data=json.dumps(fields).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=_START_TIME) as answer:
            said: dict[str, str] = json.load(answer)
            return said
    except urllib.error.HTTPError as refused:
        raise UnavailableError(f"its {method} said: {refused.read().decode()}") from refused
    except OSError as failure:
        raise UnavailableError(f"its {method}: {failure}") from failure
