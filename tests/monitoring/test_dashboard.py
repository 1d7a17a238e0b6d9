"""The shipped dashboard speaks of metrics that there are, in words that Prometheus reads."""

import json
import pathlib
import re
import subprocess
from typing import Any

import yaml

from harness import exposition, postgres, serving
from monitoring import prometheus

DASHBOARD = pathlib.Path(__file__).resolve().parents[2] / "deploy" / "monitoring" / "dashboard.json"


def panels() -> list[dict[str, Any]]:
    """As Grafana is given them."""
    found: list[dict[str, Any]] = json.loads(DASHBOARD.read_text())["panels"]
    return found


def expressions() -> list[str]:
    """All of them, with a time in the place of what Grafana fills in."""
    found = [target["expr"] for panel in panels() for target in panel["targets"]]
    return [each.replace("$__rate_interval", "5m") for each in found]


def test_prometheus_reads_every_expression(tmp_path: pathlib.Path) -> None:
    rules = [{"record": f"panel:{at}", "expr": each} for at, each in enumerate(expressions())]
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    command = [str(prometheus.program("promtool")), "check", "rules", str(file)]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout + told.stderr


def test_every_metric_is_there(database: postgres.Database) -> None:
    with serving.in_process(database, metrics_listen="127.0.0.1:0") as server:
        exposed = exposition.names(server.metrics)
    used = {name for each in expressions() for name in re.findall(r"\bmoorage_\w+", each)}
    assert {exposition.family(each) for each in used} <= exposed


def test_no_two_panels_have_one_place() -> None:
    places = [
        (panel["gridPos"]["x"] + x, panel["gridPos"]["y"] + y)
        for panel in panels()
        for x in range(panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["h"])
    ]
    assert len(places) == len(set(places))
    assert all(x < 24 for x, _ in places)
    numbers = [panel["id"] for panel in panels()]
    assert len(numbers) == len(set(numbers))
