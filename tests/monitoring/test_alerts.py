"""The shipped alerts: each fires when it should, speaks of what there is, and is explained."""

import pathlib
import re
import shutil
import subprocess
import sys

import pytest
import yaml

from harness import exposition, postgres, serving
from monitoring import prometheus

ROOT = pathlib.Path(__file__).resolve().parents[2]
ALERTS = ROOT / "deploy" / "monitoring" / "alerts.yaml"
CASES = pathlib.Path(__file__).with_name("alerts_test.yaml")
OPERATIONS = ROOT / "docs" / "operations.md"


def names() -> list[str]:
    """Of all alerts."""
    [group] = yaml.safe_load(ALERTS.read_text())["groups"]
    return [rule["alert"] for rule in group["rules"]]


def test_each_fires_when_it_should_and_not_before(tmp_path: pathlib.Path) -> None:
    for each in (ALERTS, CASES):
        shutil.copy(each, tmp_path)
    command = [str(prometheus.program("promtool")), "test", "rules", CASES.name]
    told = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout + told.stderr


def test_none_is_left_out_of_the_cases() -> None:
    cases = yaml.safe_load(CASES.read_text())["tests"]
    fires = [each["alertname"] for case in cases for each in case.get("alert_rule_test", ())]
    assert set(fires) == set(names())


def test_each_speaks_of_metrics_that_there_are(database: postgres.Database) -> None:
    with serving.in_process(database, metrics_listen="127.0.0.1:0") as server:
        exposed = exposition.names(server.metrics)
    used = re.findall(r"\bmoorage_\w+", ALERTS.read_text())
    assert {exposition.family(each) for each in used} <= exposed


def test_each_has_its_place_in_the_runbook() -> None:
    headings = re.findall(r"^### (Moorage\w+)$", OPERATIONS.read_text(), re.MULTILINE)
    assert headings == names()


@pytest.mark.parametrize(
    "command", sorted(set(re.findall(r"`moorctl ([^`]+)`", OPERATIONS.read_text())))
)
def test_each_command_of_the_runbook_is_there(command: str) -> None:
    words = command.split()
    options = [each for each in words if each.startswith("--")]
    names = [each for each in words if each[0].isalpha()]
    moorctl = pathlib.Path(sys.executable).with_name("moorctl")
    told = subprocess.check_output([moorctl, *names, "--help"], text=True)
    assert all(each in told for each in options)
