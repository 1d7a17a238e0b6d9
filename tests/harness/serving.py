"""Servers for tests: on a loop of their own in this process, or as the installed program."""

import asyncio
import contextlib
import functools
import os
import pathlib
import signal
import subprocess
import sys
import threading
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from harness.postgres import Database
from moorage_server.api.server import RULES, Server
from moorage_server.api.watching import Rules
from moorage_server.config import Settings

PROGRAM = pathlib.Path(sys.executable).parent / "moorage-server"


class Serving:
    """A server that is up, and the database it works on."""

    def __init__(
        self,
        target: str,
        database: Database,
        stop: Callable[[], None],
        metrics: str = "",
        tokens: str = "",
    ) -> None:
        """Bound to `target`, and for metrics, and tokens alone, to others, if at all."""
        self.target = target
        self.metrics = metrics
        self.tokens = tokens
        self.database = database
        self.stop = stop


@contextlib.contextmanager
def in_process(
    database: Database,
    *,
    threads: int = 4,
    rules: Rules = RULES,
    metrics_listen: str = "",
    verify_part_seconds: int = 0,
    listen: str = "127.0.0.1:0",
    unsafe_database: bool = True,
    access: Mapping[str, Any] = types.MappingProxyType({}),
) -> Iterator[Serving]:
    """A server on an event loop in a thread; fast to start. It may be stopped before the end.

    It verifies nothing unless told to: what a test breaks it looks for by itself. `access` has
    settings about its callers. The tests' own database is on no disk.
    """
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="server")
    thread.start()
    settings = Settings(
        database_url=database.service_url,
        listen=listen,
        metrics_listen=metrics_listen,
        threads=threads,
        verify_part_seconds=verify_part_seconds,
        verify_whole_seconds=0,
        unsafe_database=unsafe_database,
        **access,
    )

    async def start() -> tuple[Server, str]:
        server = Server(settings, rules)
        return server, await server.start()

    try:
        server, target = asyncio.run_coroutine_threadsafe(start(), loop).result(30)

        @functools.cache
        def stop() -> None:
            asyncio.run_coroutine_threadsafe(server.stop(grace=1.0), loop).result(30)

        try:
            yield Serving(target, database, stop, server.metrics_address, server.token_address)
        finally:
            stop()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


class Process:
    """The installed program, to be killed at any moment."""

    def __init__(
        self,
        database: Database,
        port: int,
        log: pathlib.Path,
        *,
        url: str = "",
        source: pathlib.Path | None = None,
        program: Sequence[str] = (str(PROGRAM),),
    ) -> None:
        """Starts serving on a loopback port.

        `url` leads to the database by another way, `source` has another server's modules, and
        `program` starts it otherwise.
        """
        modules = {} if source is None else {"PYTHONPATH": str(source)}
        self.target = f"127.0.0.1:{port}"
        self._log = log.open("ab")
        self.process = subprocess.Popen(
            [
                *program,
                "serve",
                f"--database-url={url or database.service_url}",
                f"--listen={self.target}",
            ],
            stderr=self._log,
            env=os.environ | modules,
        )

    def wait_ready(self, seconds: float = 30) -> None:
        """Returns when the server says that it can do its work."""
        with grpc.insecure_channel(self.target) as channel:
            grpc.channel_ready_future(channel).result(timeout=seconds)
            health = health_pb2_grpc.HealthStub(channel)
            request = health_pb2.HealthCheckRequest()
            serving = health_pb2.HealthCheckResponse.SERVING
            statuses = health.Watch(request, timeout=seconds)  # type: ignore[attr-defined]  # not in the stubs
            assert any(status.status == serving for status in statuses)

    def kill(self) -> None:
        """Ends it as a crash would."""
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        """Ends it as an operator would."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(timeout=40)
        self._log.close()
