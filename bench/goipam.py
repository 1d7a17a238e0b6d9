"""go-ipam, another allocator, on the same PostgreSQL: its own server, asked by our callers."""

import contextlib
import ipaddress
import json
import os
import pathlib
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import psycopg.conninfo

from bench import stage
from bench.peers import UnavailableError

EMPTY: Final = "10.0.0.0/16"
HELD: Final = "10.1.0.0/16"

_START_TIME: Final = 30.0  # seconds
_METHOD: Final = "http://{target}/api.v1.IpamService/{method}"


@contextlib.contextmanager
def serving(ground: stage.Ground, database: str, binary: pathlib.Path) -> Iterator[str]:
    """A server of it on a database of its own; yields what it listens on."""
    ground.create(database)
    target = f"127.0.0.1:{_free_port()}"
    with _running([binary, "postgres"], _settings(ground.conninfo(database), target), target):
        yield target


@contextlib.contextmanager
def in_memory(binary: pathlib.Path) -> Iterator[str]:
    """A server of it that keeps nothing; yields what it listens on."""
    target = f"127.0.0.1:{_free_port()}"
    with _running([binary, "memory"], _listening(target), target):
        yield target


@contextlib.contextmanager
def _running(
    command: Sequence[str | pathlib.Path], settings: dict[str, str], target: str
) -> Iterator[None]:
    quiet = subprocess.DEVNULL
    with subprocess.Popen(
        command, env=os.environ | settings, stdout=quiet, stderr=quiet
    ) as process:
        try:
            _await(target, process)
            yield
        finally:
            process.terminate()


def create(target: str, prefixes: Iterable[str], namespace: str = "") -> None:
    """Makes prefixes, one after the other, and the namespace where one is given."""
    if namespace:
        _call(target, "CreateNamespace", namespace=namespace)
    for prefix in prefixes:
        _call(target, "CreatePrefix", cidr=prefix, namespace=namespace)


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


def acquire(target: str, prefix: str) -> str:
    """Takes the next free address of a prefix; returns it."""
    found: object = json.loads(_asked(target, "AcquireIP", prefixCidr=prefix))["ip"]["ip"]
    return str(found)


def dump(target: str) -> str:
    """What its Dump answers, as it stands."""
    return _asked(target, "Dump").decode()


def _settings(conninfo: str, target: str) -> dict[str, str]:
    given = psycopg.conninfo.conninfo_to_dict(conninfo)
    # It has no setting for a socket, but puts the name of the database into a URL as it is; the
    # last parameter swallows what it adds behind.
    name = f"{given['dbname']}?host={given['host']}&sslmode=disable&application_name=peer"
    return {
        "GOIPAM_PG_DBNAME": name,
        "GOIPAM_PG_HOST": "",
        "GOIPAM_PG_PORT": str(given["port"]),
        "GOIPAM_PG_USER": str(given["user"]),
        **_listening(target),
    }


def _listening(target: str) -> dict[str, str]:
    return {
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
    said: dict[str, str] = json.loads(_asked(target, method, **fields))
    return said


def _asked(target: str, method: str, **fields: str) -> bytes:
    request = urllib.request.Request(
        _METHOD.format(target=target, method=method),
        data=json.dumps(fields).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=_START_TIME) as answer:
            said: bytes = answer.read()
            return said
    except urllib.error.HTTPError as refused:
        raise UnavailableError(f"its {method} said: {refused.read().decode()}") from refused
    except OSError as failure:
        raise UnavailableError(f"its {method}: {failure}") from failure
