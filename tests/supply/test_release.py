"""A release is of one version, says what changes, and breaks nobody who has the last one."""

import pathlib
import shutil
import subprocess

import check
import pytest
import release

ROOT = pathlib.Path(__file__).resolve().parents[2]


def test_all_places_say_the_same_version() -> None:
    assert list(release.disagreeing(ROOT, release.stated(ROOT))) == []


def test_a_place_that_says_another_is_named(tmp_path: pathlib.Path) -> None:
    for place in release.PLACES:
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / place, tmp_path / place)
    changed = tmp_path / "client" / "moorage" / "__init__.py"
    changed.write_text(changed.read_text().replace('__version__ = "', '__version__ = "9.'))
    version = release.stated(tmp_path)
    (said,) = release.disagreeing(tmp_path, version)
    assert said == f"client/moorage/__init__.py says 9.{version}; write {version} there"


def test_a_version_without_a_date_in_the_changelog_is_none() -> None:
    assert list(release.untold("# C\n\n## 1.2.3 - 2030-01-02\n", "1.2.3")) == []
    for changelog in ("## Unreleased\n", "## 1.2.3\n", "## 1x2x3 - 2030-01-02\n"):
        assert len(list(release.untold(changelog, "1.2.3"))) == 1


def test_hashes_are_those_of_the_files(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a.whl").write_bytes(b"wheel")
    (tmp_path / "SHA256SUMS").write_text("".join(release.hashes(tmp_path)))
    checked = ["sha256sum", "--check", "--quiet", "--strict", "SHA256SUMS"]
    assert subprocess.run(checked, cwd=tmp_path, check=False).returncode == 0


@pytest.mark.parametrize(
    ("line", "instead"),
    [
        ("  string container_id = 2;", "  string container_id = 9;"),
        ("  string container_id = 2;", "  bytes container_id = 2;"),
        ("  string container_id = 2;", ""),
    ],
    ids=["another number", "another type", "gone"],
)
def test_an_api_that_breaks_callers_is_refused(
    tmp_path: pathlib.Path, line: str, instead: str
) -> None:
    changed = tmp_path / "proto"
    shutil.copytree(ROOT / "proto", changed)
    resources = changed / "moorage" / "v1" / "resources.proto"
    text = resources.read_text()
    assert line in text
    resources.write_text(text.replace(line, instead, 1))
    command = [*check.CHECKS["proto compatible"]]
    command[command.index("proto")] = str(changed)
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert told.returncode == 100, told.stdout + told.stderr
    assert "container_id" in told.stdout
