"""A real Prometheus with the shipped alerts, which looks at servers every few seconds."""

import contextlib
import json
import pathlib
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Sequence

import yaml

from harness import ports
from monitoring import prometheus

EVERY = 5  # seconds between two looks, and two judgements
_RULES = pathlib.Path(__file__).resolve().parents[2] / "deploy" / "monitoring" / "alerts.yaml"


class Watcher:
    """What fires at the moment."""

    def __init__(self, address: str) -> None:
        """Asks the Prometheus there."""
        self._url = f"http://{address}/api/v1/alerts"

    def firing(self) -> set[str]:
        """The names of the alerts."""
        with urllib.request.urlopen(self._url, timeout=10) as answer:
            alerts = json.load(answer)["data"]["alerts"]
        return {each["labels"]["alertname"] for each in alerts if each["state"] == "firing"}

    def until(self, *wanted: str, seconds: float) -> dict[str, float]:
        """After how many seconds each of these fired; fails where one does not in time."""
        began, fired = time.monotonic(), dict[str, float]()
        while missing := set(wanted) - fired.keys():
            passed = time.monotonic() - began
            assert passed < seconds, f"{missing} do not fire"
            fired |= dict.fromkeys(self.firing() & missing, passed)
            time.sleep(0.2)
        return fired

    def until_quiet(self, seconds: float) -> float:
        """After how many seconds nothing fires any more."""
        began = time.monotonic()
        while firing := self.firing():
            assert time.monotonic() - began < seconds, f"{firing} still fire"
            time.sleep(0.2)
        return time.monotonic() - began


@contextlib.contextmanager
def of(targets: Sequence[str], folder: pathlib.Path) -> Iterator[Watcher]:
    """Watches the servers whose metrics are there; has looked at each once."""
    settings = {
        "global": {"scrape_interval": f"{EVERY}s", "evaluation_interval": f"{EVERY}s"},
        "rule_files": ["alerts.yaml"],
        "scrape_configs": [{"job_name": "moorage", "static_configs": [{"targets": list(targets)}]}],
    }
    shutil.copy(_RULES, folder)
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(settings))
    address = f"127.0.0.1:{ports.free()}"
    command = [
        str(prometheus.program("prometheus")),
        f"--config.file={folder / 'prometheus.yaml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={address}",
    ]
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(command, stderr=log)
    try:
        _await(address)
        yield Watcher(address)
    finally:
        process.terminate()
        process.wait()


def _await(address: str) -> None:
    until = time.monotonic() + 60
    query = f"http://{address}/api/v1/query?query=min(up)"
    while True:
        with contextlib.suppress(OSError), urllib.request.urlopen(query, timeout=10) as answer:
            found = json.load(answer)["data"]["result"]
            if found and found[0]["value"][1] == "1":
                return
        assert time.monotonic() < until, "it does not see its servers"
        time.sleep(0.2)
