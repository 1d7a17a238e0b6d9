"""The examples as processes: begun, watched, killed."""

import pathlib
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable

from moorage import kept

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "examples"
PATIENCE = 40.0  # seconds; the machine may be busy


class Program:
    """One of the examples, which may be killed and begun again."""

    def __init__(self, file: pathlib.Path, script: str, *options: str) -> None:
        """Begins it."""
        self.file, self.log = file, file.with_name(f"{file.name}.log")
        self._command: list[str | pathlib.Path] = [
            sys.executable,
            "-W",
            "error",
            EXAMPLES / script,
            file,
            *options,
        ]
        self.begin()

    def begin(self) -> None:
        """Begins it, with an empty log."""
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(self._command, stdout=log, stderr=log)

    def kill(self) -> None:
        """Kills it as soon as it has begun to do something, and a random moment."""
        self.wait_for("resuming", "snapshot")
        try:
            self.process.wait(timeout=random.uniform(0, 0.3))
        except subprocess.TimeoutExpired:
            self.process.kill()
        assert self.process.wait() == -signal.SIGKILL, self.said()

    def end(self) -> int:
        """Ends it as an operator would; returns its exit code."""
        self.process.terminate()
        return self.process.wait(timeout=PATIENCE)

    def said(self) -> str:
        """Its log since it was begun last."""
        return self.log.read_text()

    def wait_for(self, *words: str) -> None:
        """Returns when one of these is in the log."""
        self.until(lambda: any(each in self.said() for each in words))

    def until(self, is_so: Callable[[], bool]) -> None:
        """Returns when something is so; fails where the program ends before, or it never is."""
        deadline = time.monotonic() + PATIENCE
        while not is_so():
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.01)

    def wait_beyond(self, revision: int) -> None:
        """Returns when it has saved something later than a revision."""
        self.until(lambda: self.saved() > revision)

    def text(self) -> str:
        """The file; empty where there is none yet."""
        return self.file.read_text() if self.file.exists() else ""

    def saved(self) -> int:
        """The revision that it has saved."""
        cursor = kept.load(self.file.with_name(f"{self.file.name}.state")).cursor
        assert cursor is not None
        return cursor.revision
