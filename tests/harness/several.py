"""The installed server with several processes on one port, and connections to each of them."""

import contextlib
import json
import os
import select
import subprocess
import threading
from collections.abc import Iterator
from typing import IO, Any, cast

import grpc

from harness import exposition, serving
from harness.postgres import Database
from moorage.v1 import allocation_service_pb2_grpc as stubs
from moorage.v1 import history_pb2 as messages

# A connection of its own for each channel.
OPTIONS = [("grpc.use_local_subchannel_pool", 1)]


class Command:
    """One that serves, what it said when it did, and a handle on each of its processes."""

    def __init__(self, *options: str) -> None:
        """Returns when all of its processes serve. The command leads a group of its own."""
        self.process = subprocess.Popen(
            [serving.PROGRAM, "serve", "--listen", "127.0.0.1:0", *options],
            stderr=subprocess.PIPE,
            text=True,
            process_group=0,
        )
        self._log = cast("IO[str]", self.process.stderr)
        said = self._until_serving()
        self.target: str = said["address"]
        self.metrics: list[str] = said["metrics"]
        self.pids: list[int] = said["processes"]
        self._handles = [os.pidfd_open(pid) for pid in self.pids]
        # Whoever does not read what they say has them wait for it.
        self._rest: list[str] = []
        self._reader = threading.Thread(target=self._rest.extend, args=(self._log,))
        self._reader.start()

    def end(self, seconds: float = 60) -> tuple[int, list[str]]:
        """Its exit status and the rest of its log, which ends when nobody writes it any more."""
        status = self.process.wait(timeout=seconds)
        self._reader.join(timeout=seconds)
        return status, [line.rstrip("\n") for line in self._rest]

    def left(self, seconds: float = 60) -> int:
        """How many of its processes have not ended after so long."""
        poll = select.poll()
        for each in self._handles:
            poll.register(each, select.POLLIN)
        left = len(self._handles)
        while left and (ended := poll.poll(seconds * 1000)):
            for each, _ in ended:
                poll.unregister(each)
            left -= len(ended)
        return left

    def close(self) -> None:
        """Ends it, if it has not."""
        self.process.kill()
        self.end()
        self._log.close()
        for each in self._handles:
            os.close(each)

    def watches(self, metrics: str) -> int:
        """How many watches the process has that serves its metrics there."""
        return int(exposition.number(metrics, "moorage_watches"))

    def _until_serving(self) -> dict[str, Any]:
        for line in self._log:
            said: dict[str, Any] = json.loads(line)
            if said["event"] == "serving":
                return said
        raise AssertionError("it never served")


@contextlib.contextmanager
def running(database: Database, *options: str, processes: int = 2) -> Iterator[Command]:
    """A command on a database of a test."""
    command = Command(
        "--database-url",
        database.service_url,
        "--metrics-listen",
        "127.0.0.1:0",
        "--processes",
        str(processes),
        *options,
    )
    try:
        yield command
    finally:
        command.close()


@contextlib.contextmanager
def watching(target: str) -> Iterator[grpc.Channel]:
    """A connection of its own, on which a watch lasts: by that its process is known."""
    with grpc.insecure_channel(target, options=OPTIONS) as channel:
        request = messages.WatchAllocationsRequest(parent="vrfs/default")
        call = stubs.AllocationServiceStub(channel).WatchAllocations(request, timeout=60)
        next(call)
        try:
            yield channel
        finally:
            call.cancel()


def one_to_each(command: Command, until: contextlib.ExitStack) -> list[grpc.Channel]:
    """A connection to each of its processes, in their order."""
    found: dict[str, grpc.Channel] = {}
    while len(found) < len(command.metrics):
        before = {each: command.watches(each) for each in command.metrics}
        channel = until.enter_context(watching(command.target))
        (its,) = (each for each in command.metrics if command.watches(each) > before[each])
        found[its] = channel
    return [found[each] for each in command.metrics]
