"""moorctl man: every command has a page, which man reads without a complaint."""

import pathlib
import shutil
import subprocess

import click
import pytest

import moorage
from ctl import program
from moorage.ctl import program as moorctl_program


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A directory of all pages."""
    directory = tmp_path_factory.mktemp("share") / "man" / "man1"
    program.Moorctl(variables={}, installed=True).must("man", str(directory))
    return directory


def names(group: click.Group, ctx: click.Context, own: str) -> list[str]:
    """The program's name and those of all commands, as pages are called."""
    found = [own]
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        below = f"{own}-{name}"
        found += names(command, ctx, below) if isinstance(command, click.Group) else [below]
    return found


def test_every_command_has_a_page(pages: pathlib.Path) -> None:
    root = moorctl_program.moorctl
    expected = names(root, click.Context(root), "moorctl")
    assert sorted(each.name for each in pages.iterdir()) == sorted(f"{each}.1" for each in expected)
    assert {"moorctl-get", "moorctl-import-go-ipam", "moorctl-ipam"} < set(expected)


def test_a_page_says_what_help_says(pages: pathlib.Path) -> None:
    plain = (pages / "moorctl-quarantine-lift.1").read_text().replace("\\-", "-")
    head = f'.TH "MOORCTL-QUARANTINE-LIFT" "1" "" "moorctl {moorage.__version__}" "Moorage"'
    assert plain.splitlines()[:3] == [
        head,
        ".SH NAME",
        "moorctl-quarantine-lift - End every quarantine of a VRF at once",
    ]
    assert "\\fBmoorctl quarantine lift\\fR [OPTIONS]\n" in plain
    assert ".TP\n\\fB--reason TEXT\\fR\nWhy it is safe; kept for whoever asks later." in plain
    assert plain.endswith(".SH SEE ALSO\n.BR moorctl-quarantine (1)\n")
    assert "\\fBmoorctl-quarantine(1)\\fR" in (pages / "moorctl.1").read_text().replace("\\-", "-")


def test_examples_keep_their_lines(pages: pathlib.Path) -> None:
    plain = (pages / "moorctl-get.1").read_text().replace("\\-", "-")
    assert ".nf\n  moorctl get pools\n  moorctl get pool web -o yaml\n" in plain


def test_man_reads_every_page_without_a_warning(pages: pathlib.Path) -> None:
    if shutil.which("groff") is None:
        pytest.skip("groff, with which man sets pages, is not installed")
    files = [str(page) for page in sorted(pages.iterdir())]
    command = ["groff", "-man", "-ww", "-z", "-Tutf8", "-K", "utf8", *files]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""


def test_man_shows_a_page(pages: pathlib.Path) -> None:
    if shutil.which("man") is None:
        pytest.skip("man is not installed")
    command = ["man", "--warnings", "-l", str(pages / "moorctl-drain.1")]
    environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "MANWIDTH": "100"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert "moorctl-drain - Take pools out of service, to delete them later" in done.stdout
    assert "       moorctl drain [OPTIONS] POOL..." in done.stdout


def test_a_directory_that_cannot_be_made_is_told(
    tmp_path: pathlib.Path, offline: program.Moorctl
) -> None:
    (tmp_path / "file").touch()
    ended = offline("man", str(tmp_path / "file" / "man1"))
    assert (ended.code, ended.out) == (2, "")
    assert str(tmp_path / "file") in ended.err
