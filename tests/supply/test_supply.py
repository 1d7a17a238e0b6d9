"""What is installed is what was locked and is listed, and what is wrong with it is told."""

import datetime
import json
import pathlib
import subprocess
import tomllib

import audit
import check
import locked
import pytest

TODAY = datetime.date(2026, 12, 1)
REPORT = {
    "dependencies": [
        {"name": "sound", "version": "1", "vulns": []},
        {
            "name": "bad",
            "version": "2",
            "vulns": [{"id": "PYSEC-1", "aliases": ["GHSA-a"], "fix_versions": ["3"]}],
        },
    ]
}


def exception(name: str, until: datetime.date) -> dict[str, object]:
    return {"id": name, "until": until, "reason": "a test"}


def test_what_is_vulnerable_is_told() -> None:
    outcome, said = audit.judged(REPORT, [], TODAY)
    assert outcome == audit.VULNERABLE
    assert said == ["bad 2: PYSEC-1, mended in ['3']"]


@pytest.mark.parametrize("name", ["PYSEC-1", "GHSA-a"])
def test_an_exception_holds_until_its_day(name: str) -> None:
    assert audit.judged(REPORT, [exception(name, TODAY)], TODAY)[0] == audit.CLEAN
    outcome, said = audit.judged(
        REPORT, [exception(name, TODAY - datetime.timedelta(days=1))], TODAY
    )
    assert outcome == audit.VULNERABLE
    assert f"exception {name} ran out on 2026-11-30" in said


def test_an_exception_that_ran_out_is_told_although_nothing_is_found() -> None:
    clean = {"dependencies": REPORT["dependencies"][:1]}
    over = exception("PYSEC-1", datetime.date(2026, 1, 1))
    assert audit.judged(clean, [over], TODAY)[0] == audit.VULNERABLE


@pytest.mark.parametrize(
    "report",
    [
        None,
        {"dependencies": []},
        {"dependencies": [{"name": "a", "skip_reason": "not found on PyPI"}]},
        {"dependencies": [*REPORT["dependencies"][:1], {"name": "a", "skip_reason": "b"}]},
    ],
)
def test_what_could_not_be_asked_is_not_taken_for_sound(report: dict[str, object] | None) -> None:
    outcome, said = audit.judged(report, [], TODAY)
    assert outcome == audit.UNKNOWN
    assert all(line.startswith("NOT AUDITED") for line in said)


def test_every_exception_that_there_is_has_a_reason_and_a_day() -> None:
    for each in tomllib.loads(audit.EXCEPTIONS.read_text()).get("exception", []):
        assert each["reason"]
        assert isinstance(each["until"], datetime.date)


def test_every_file_is_locked_with_its_hash(tmp_path: pathlib.Path) -> None:
    lock = check.ROOT / "uv.lock"
    assert locked.problems(lock) == []
    spoiled = tmp_path / "uv.lock"
    first = lock.read_text().index('hash = "sha256:')
    spoiled.write_text(lock.read_text()[:first] + 'sash = "' + lock.read_text()[first + 8 :])
    assert len(locked.problems(spoiled)) == 1
    spoiled.write_text(
        lock.read_text().replace(locked.INDEX, "https://elsewhere.example/simple", 1)
    )
    assert len(locked.problems(spoiled)) == 1


def test_the_bill_of_materials_names_what_is_installed(tmp_path: pathlib.Path) -> None:
    made = tmp_path / "sbom.json"
    subprocess.run(
        [
            *(check.UV, "export", "--locked", "--all-extras", "--all-packages", "--no-dev"),
            *("--quiet", "--preview-features", "sbom-export", "--format", "cyclonedx1.5"),
            *("--output-file", str(made)),
        ],
        cwd=check.ROOT,
        check=True,
        capture_output=True,
    )
    bill = json.loads(made.read_text())
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.5")
    components = {each["name"]: each for each in bill["components"]}
    assert {"grpcio", "psycopg", "sqlalchemy", "moorage"} <= components.keys()
    assert "pytest" not in components
    assert components["grpcio"]["purl"].startswith("pkg:pypi/grpcio@")
