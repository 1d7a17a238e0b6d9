"""Runs the installed moorctl as a person or a script would."""

import json
import os
import pathlib
import subprocess
import sys
from dataclasses import dataclass

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

    def __call__(self, *arguments: str | bytes, stdin: str | bytes = b"") -> Ended:
        """Run it to its end."""
        ended = subprocess.run(
            [PROGRAM, *arguments],
            input=stdin.encode() if isinstance(stdin, str) else stdin,
            env=self.environment(),
            capture_output=True,
            timeout=60,
            check=False,
        )
        return Ended(code=ended.returncode, out=ended.stdout.decode(), err=ended.stderr.decode())

    def must(self, *arguments: str, stdin: str = "") -> str:
        """Run it, and return what it wrote on standard output, once it has succeeded."""
        ended = self(*arguments, stdin=stdin)
        assert (ended.code, ended.err) == (0, ""), ended.err
        return ended.out

    def environment(self) -> dict[str, str]:
        """The whole environment of a run."""
        return {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], **self.variables}
