"""What a server spends its time on: the parts of it, and which of them a stack is of."""

import collections
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

STATEMENTS: Final = "statements sent, their rows read"
# In the driver's part in C, which sends and receives, and waits in between.
DRIVER: Final = "in the driver, or waiting"
LOOP: Final = "the event loop, and gRPC's part in Python"
OTHER: Final = "anything else"
# What is done for these, by whichever module; the first that is found counts.
_ON_BEHALF: Final[Mapping[str, tuple[str, ...]]] = {
    "numbering for the feed": ("/api/numbering.py", "/api/tail.py"),
    "metrics": ("/api/measures.py", "/api/metrics.py"),
    "log": ("/structlog/", "/moorage_server/logs.py"),
    "the request read and every field checked": ("/api/decode", "/api/limits.py"),
    "the answer built and written": ("/api/encode",),
}
# The innermost of these says what a stack is of.
_PARTS: Final[Mapping[str, tuple[str, ...]]] = {
    STATEMENTS: ("/psycopg", "/sqlalchemy/", "/storage/statements.py"),
    "what is written put into array parameters": ("/storage/arrays.py",),
    "decisions: eligibility, tiers, blocks, order": ("/moorage_server/domain/",),
    "the rest of the batch": ("/moorage_server/storage/", "/moorage_server/usecases/"),
    "the queue, and its callers woken": (
        "/api/collector.py",
        "/api/tickets.py",
        "/api/admission.py",
        "/api/desk.py",
    ),
    "the server's boundary": ("/moorage_server/api/",),
    LOOP: ("/grpc/", "/asyncio/"),
}
# Who is there waits, whatever the sampler takes it for.
_WAITING: Final = ("/selectors.py", "/concurrent/futures/thread.py", "/threading.py", "/queue.py")
_THREAD: Final = re.compile(r"thread \((\d+)\)")


def counted(lines: Iterable[str]) -> dict[int, collections.Counter[str]]:
    """How often each part was seen in each thread; the lines are as `stacks` takes them."""
    found: dict[int, collections.Counter[str]] = {}
    for thread, frames, count in stacks(lines):
        if not any(place in frames[-1] for place in _WAITING):
            found.setdefault(thread, collections.Counter())[part(frames)] += count
    return found


def stacks(lines: Iterable[str]) -> Iterator[tuple[int, list[str], int]]:
    """A thread, by the number that Linux gives it, its frames, and how often they were seen.

    A line is a stack, its thread and outermost function first, and how often it was seen, as
    py-spy writes them: `thread (12): MainThread;function (path:line);function (path:line) 7`.
    """
    for line in lines:
        stack, _, count = line.rpartition(" ")
        thread, *frames = stack.split(";")
        told = _THREAD.match(thread)
        if told and frames:
            yield int(told[1]), frames, int(count)


def part(frames: list[str]) -> str:
    """What a stack is of."""
    if "/psycopg/connection.py" in frames[-1] and "wait" in frames[-1]:
        return DRIVER
    for name, places in _ON_BEHALF.items():
        if any(place in frame for frame in frames for place in places):
            return name
    for frame in reversed(frames):
        for name, places in _PARTS.items():
            if any(place in frame for place in places):
                return name
    return OTHER
