"""Modules that nobody has compiled: `install` does, for the program that loads them anew."""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import moorage

INSTALL = "from moorage.install.commands import install; install()"


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the package as uv leaves it."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "net.d").mkdir()
    (folder,) = moorage.__path__
    ignored = shutil.ignore_patterns("__pycache__")
    return Path(shutil.copytree(folder, tmp_path / "lib" / "moorage", ignore=ignored))


def install(package: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    """The command of that copy."""
    places = (f"--bin-dir={package.parents[1]}/bin", f"--conf-dir={package.parents[1]}/net.d")
    return subprocess.run(
        [sys.executable, "-B", "-c", INSTALL, *places, *options],
        env={"PYTHONPATH": str(package.parent)},
        capture_output=True,
        text=True,
        check=True,
    )


def compiled(package: Path) -> set[Path]:
    """The modules that are."""
    found = package.rglob("*.py")
    return {each for each in found if Path(importlib.util.cache_from_source(str(each))).exists()}


def test_the_modules_of_the_program_without_an_agent_are_compiled(package: Path) -> None:
    done = install(package)
    assert done.stderr == ""
    assert done.stdout == f"{package.parents[1]}/bin/moorage created\n"
    assert compiled(package) == set(package.rglob("*.py"))


def test_a_program_that_loads_no_modules_has_none_compiled(package: Path) -> None:
    install(package, "--socket=/run/moorage/agent.sock")
    assert compiled(package) == set()
