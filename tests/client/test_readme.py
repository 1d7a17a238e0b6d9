"""What the client's README shows is what happens."""

import pathlib
import re
import subprocess
import sys

import pytest

from harness import serving

README = pathlib.Path(__file__).parents[2] / "client" / "README.md"
ADDRESS = "127.0.0.1:7711"


def block(language: str) -> str:
    """The only block of code in a language."""
    (text,) = re.findall(
        rf"^```{language}\n(.*?)^```$", README.read_text(), re.DOTALL | re.MULTILINE
    )
    return str(text)


def test_the_program_runs(server: serving.Serving) -> None:
    program = block("python")
    assert ADDRESS in program
    subprocess.run(
        [sys.executable, "-W", "error", "-c", program.replace(ADDRESS, server.target)], check=True
    )


def test_the_commands_print_what_is_shown(
    server: serving.Serving, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pools.yaml").write_text(block("yaml"))
    monkeypatch.setenv("MOORAGE_SERVER", server.target)
    shown = block("console")
    printed = ""
    for command in re.findall(r"^\$ moorctl (.*)$", shown, re.MULTILINE):
        arguments = [pathlib.Path(sys.executable).with_name("moorctl"), *command.split()]
        output = subprocess.check_output(arguments, text=True, cwd=tmp_path)
        printed += f"$ moorctl {command}\n{output}"
    assert printed == shown
