"""What a runtime starts: its first line, its source, and what was compiled of it beforehand."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from agent import spoiled
from cni import program
from moorage.cni import forwarder
from moorage.install import errors, launcher

PYTHON = Path(sys.executable)
LONGEST = 127
RENDERED: dict[str, Callable[[Path], bytes]] = {
    "-I": launcher.direct,
    "-IS": lambda python: launcher.forwarding(python, Path("/agent.sock")),
}
RENDER = (
    "import pathlib, sys; from moorage.install import launcher; "
    "sys.stdout.buffer.write(launcher.forwarding(*map(pathlib.Path, ('/python', '/agent'))))"
)


def text() -> str:
    """A launcher with no agent and no other program."""
    return launcher.forwarding(PYTHON, spoiled.NOWHERE, spoiled.NOWHERE).decode()


def replaced(pattern: str, by: str) -> str:
    """The launcher with something else in the one place that matches."""
    found, count = re.subn(pattern, lambda _: by, text(), flags=re.DOTALL)
    assert count == 1
    return found


def version(path: Path, launcher: str) -> program.Outcome:
    """What it answers to a call that needs nobody else."""
    path.write_text(launcher)
    path.chmod(0o755)
    done = subprocess.run(
        [path], env={"CNI_COMMAND": "VERSION"}, input=b"{}", capture_output=True, check=False
    )
    return program.Outcome(code=done.returncode, stdout=done.stdout, stderr=done.stderr)


SOURCE = r"(?<=SOURCE = r''').*?(?=''')"
COMPILED = r"(?<=COMPILED = ''').*?(?=''')"
COMPILED_FOR = r"(?<=COMPILED_FOR = )[^\n]*"


def test_what_was_compiled_is_what_runs(tmp_path: Path) -> None:
    outcome = version(tmp_path / "moorage", replaced(SOURCE, "no Python"))
    assert "1.1.0" in json.dumps(outcome.document)
    assert (outcome.code, outcome.stderr) == (0, b"")


@pytest.mark.parametrize("number", [rb"\xa6\r\r\n", b""])
def test_another_version_of_python_runs_the_source(number: bytes, tmp_path: Path) -> None:
    without = re.sub(COMPILED_FOR, lambda _: repr(number), replaced(COMPILED, "00"), count=1)
    outcome = version(tmp_path / "moorage", without)
    assert "1.1.0" in json.dumps(outcome.document)
    assert (outcome.code, outcome.stderr) == (0, b"")


def test_the_source_is_there_to_be_read() -> None:
    found = re.search(SOURCE, text(), flags=re.DOTALL)
    assert found is not None
    assert found[0] == Path(forwarder.__file__).read_text()
    assert max(map(len, text().splitlines())) <= LONGEST


def test_it_loads_nothing_but_the_system_and_its_sockets() -> None:
    tell = "import sys; print(*sys.modules)"
    whole, _, _ = text().rpartition("main(")
    system, ours = (_loaded(f"{code}\n{tell}") for code in ("import os", whole))
    assert ours - system == {"_socket"}


def _loaded(code: str) -> set[str]:
    command = [sys.executable, "-IS", "-c", code]
    return set(subprocess.run(command, capture_output=True, check=True).stdout.decode().split())


def test_the_same_is_rendered_each_time() -> None:
    texts = {
        subprocess.run(
            [sys.executable, "-c", f"{first}{RENDER}"],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed, first in (("1", ""), ("2", "from moorage.agent import program; "), ("3", ""))
    }
    assert len(texts) == 1


@pytest.mark.parametrize("flags", RENDERED)
@pytest.mark.parametrize("letter", ["x", "é"])
def test_a_first_line_that_no_kernel_reads_whole_is_refused(flags: str, letter: str) -> None:
    left = LONGEST - len(f"#!/ {flags}\n")
    fits = Path("/" + "x" * (left % len(letter.encode())) + letter * (left // len(letter.encode())))
    first, _, _ = RENDERED[flags](fits).partition(b"\n")
    assert first == os.fsencode(f"#!{fits} {flags}")
    assert len(first + b"\n") == LONGEST
    with pytest.raises(errors.InstallError, match="cannot stand in the first line"):
        RENDERED[flags](Path(f"{fits}x"))


@pytest.mark.parametrize("flags", RENDERED)
@pytest.mark.parametrize("name", ["with blank", "with\ttab", os.fsdecode(b"no-\xff-text")])
def test_an_interpreter_that_no_first_line_can_name_is_refused(flags: str, name: str) -> None:
    with pytest.raises(errors.InstallError, match="cannot stand in the first line"):
        RENDERED[flags](Path("/opt", name, "python3"))
