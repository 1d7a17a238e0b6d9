"""A Python or a machine that lacks something: the call is passed on, or told of, all the same."""

import hashlib
import os
import sys
from pathlib import Path

import pytest

from agent import spoiled
from moorage.cni import forwarder

DIGEST = f"#!{sys.executable} -I\nimport hashlib, sys\n" + (
    "print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())\n"
)
WITHOUT = {
    "memfd": "del os.memfd_create",
    "memfd in the kernel": "def fail(*_): raise OSError\nos.memfd_create = fail",
}


def digesting(folder: Path) -> Path:
    """Another program, which says what it was given."""
    path = folder / "direct"
    path.write_text(DIGEST)
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("spoil", WITHOUT.values(), ids=WITHOUT)
def test_a_python_without_memory_files_passes_the_whole_input_on(
    spoil: str, tmp_path: Path
) -> None:
    direct = digesting(tmp_path)
    stdin = os.urandom(1 << 20) * (forwarder.LONGEST_STDIN >> 20)
    outcome = spoiled.run(spoil, "ADD", stdin, direct=direct)
    assert (outcome.code, outcome.stderr) == (0, b"")
    assert outcome.stdout.decode().strip() == hashlib.sha256(stdin).hexdigest()


FAULTS = {
    "AttributeError": "del os.execv",
    "MemoryError": "def fail(*_): raise MemoryError\nforwarder._answer_alone = fail",
    "KeyError": "def fail(*_): raise KeyError('a secret')\nforwarder._forward = fail",
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_its_own_is_one_document_too(name: str, tmp_path: Path) -> None:
    direct = tmp_path / "cannot-be-run"
    direct.touch()
    outcome = spoiled.run(FAULTS[name], "ADD", b"{}", direct=direct)
    assert outcome.error["code"] == 999
    assert outcome.error["msg"] == f"internal error of moorage: {name}"
    assert "main:" in str(outcome.error["details"])
    assert b"secret" not in outcome.stdout
    assert outcome.stderr == b""


def test_a_machine_without_memory_for_the_input_is_one_document_too(tmp_path: Path) -> None:
    spoil = (
        "used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (used + (8 << 20),) * 2)"
    )
    outcome = spoiled.run(spoil, "ADD", b" " * forwarder.LONGEST_STDIN, direct=digesting(tmp_path))
    assert outcome.error["msg"] == "internal error of moorage: MemoryError"
    assert outcome.stderr == b""
