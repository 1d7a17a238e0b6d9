"""What the benchmark program reads of processes under measurement."""

import contextlib
import os
import select
import subprocess
import sys
from collections.abc import Iterator

import pytest

from bench import usage

ANY = 0.01  # of a core: less than any tick of the clock that CPU is counted by
WORKS = """\
import sys, time
end = time.process_time() + float(sys.argv[1])
while time.process_time() < end:
    pass
print("done", flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def works(seconds: float) -> Iterator["subprocess.Popen[bytes]"]:
    """A process that uses so much CPU, says so, and waits."""
    command = [sys.executable, "-c", WORKS, str(seconds)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe) as process:
        try:
            yield process
        finally:
            process.kill()


def has_spoken(process: "subprocess.Popen[bytes]") -> bool:
    assert process.stdout is not None
    return bool(select.select([process.stdout], [], [], 0)[0])


def test_who_works_is_waited_for() -> None:
    with works(0.5) as process:
        usage.await_rest(process.pid, share=ANY)
        assert has_spoken(process)


def test_who_never_rests_is_told_of() -> None:
    with (
        works(3600) as process,
        pytest.raises(RuntimeError, match=f"process {process.pid} does not come to rest"),
    ):
        usage.await_rest(process.pid, share=ANY, patience=1)


def test_what_a_process_uses_is_in_its_own_clock_and_the_machine_is_busy_with_it() -> None:
    with works(0.5) as process:
        before = usage.look(process.pid, os.getpid())
        assert process.stdout is not None
        process.stdout.readline()
        used = usage.look(process.pid, os.getpid()).since(before)
        assert usage.exact(process.pid) >= 0.5
    assert 0.2 < used.busy <= used.capacity


def test_memory_is_what_it_is_now_beside_the_most_it_was() -> None:
    with works(0) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert 1 <= usage.resident(process.pid) <= usage.peak(process.pid)
