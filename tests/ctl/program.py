"""Runs moorctl as a person or a script would: in this process, or, where the process is the point,
as the installed program.

A program's start costs more than most of what it is started for here.
"""

import contextlib
import io
import json
import os
import pathlib
import subprocess
import sys
from dataclasses import dataclass
from unittest import mock

from moorage.ctl import program

PROGRAM = pathlib.Path(sys.executable).with_name("moorctl")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How one run ended, and what it wrote."""

    code: int
    out: str
    err: str

    def json(self) -> object:
        """What stands on standard output, decoded."""
        value: object = json.loads(self.out)
        return value

    def error(self) -> dict[str, object]:
        """The error document on standard error, decoded."""
        document: dict[str, object] = json.loads(self.err)
        return document


@dataclass(frozen=True, slots=True, kw_only=True)
class Moorctl:
    """The program with an environment of its own: nothing of the caller's but these variables."""

    variables: dict[str, str]
    installed: bool = False

    def __call__(self, *arguments: str | bytes, stdin: str | bytes = b"") -> Ended:
        """Run it to its end."""
        given = stdin.encode() if isinstance(stdin, str) else stdin
        words = [word for word in arguments if isinstance(word, str)]
        if self.installed or len(words) < len(arguments):
            return self._process(arguments, given)
        return self._here(words, given)

    def _process(self, arguments: tuple[str | bytes, ...], stdin: bytes) -> Ended:
        ended = subprocess.run(
            [PROGRAM, *arguments],
            input=stdin,
            env=self.environment(),
            capture_output=True,
            timeout=60,
            check=False,
        )
        return Ended(code=ended.returncode, out=ended.stdout.decode(), err=ended.stderr.decode())

    def _here(self, arguments: list[str], stdin: bytes) -> Ended:
        given = io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8")
        out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
        with (
            mock.patch.dict(os.environ, self.environment(), clear=True),
            mock.patch.object(sys, "stdin", given),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            code = program.run(arguments)
        return Ended(code=int(code), out=_written(out), err=_written(err))

    def must(self, *arguments: str, stdin: str = "") -> str:
        """Run it, and return what it wrote on standard output, once it has succeeded."""
        ended = self(*arguments, stdin=stdin)
        assert (ended.code, ended.err) == (0, ""), ended.err
        return ended.out

    def environment(self) -> dict[str, str]:
        """The whole environment of a run."""
        return {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], **self.variables}


def _written(stream: io.TextIOWrapper) -> str:
    stream.flush()
    stream.seek(0)
    return stream.read()
