"""The units of deploy/systemd: systemd takes them, and they fit the programs."""

import pathlib
import shutil
import subprocess
import sys

import pytest

from moorage.agent import places, service
from moorage_server import config
from moorage_server.api import server
from moorage_server.processes import one
from shipping import told

ROOT = pathlib.Path(__file__).resolve().parents[2]
UNITS = ROOT / "deploy" / "systemd"
NAMES = ("moorage-agent.service", "moorage-server.service")
INSTALLED = "/opt/moorage/bin/"
PROGRAMS = pathlib.Path(sys.executable).parent
# Tenths of systemd's measure, of which 100 is the worst.
EXPOSURE = {"moorage-agent.service": 18, "moorage-server.service": 13}


def fields(name: str) -> dict[str, list[str]]:
    """Every value of each setting of a unit."""
    found = dict[str, list[str]]()
    for line in (UNITS / name).read_text().splitlines():
        key, assigned, value = line.partition("=")
        if assigned and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


def seconds(name: str, field: str) -> float:
    """A time of a unit."""
    [text] = fields(name)[field]
    return float(text.removesuffix("s"))


def environment() -> dict[str, str]:
    """What the server is told by the file of its variables."""
    lines = (UNITS / "server.env").read_text().splitlines()
    pairs = (line.partition("=") for line in lines if not line.startswith("#"))
    return {name: value for name, _, value in pairs}


def analyze(unit: str, folder: pathlib.Path, *arguments: str) -> str:
    """What systemd says of a unit, whose program is that of this environment."""
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("no systemd on this machine")
    written = folder / unit
    written.write_text((UNITS / unit).read_text().replace(INSTALLED, f"{PROGRAMS}/"))
    command = [program, *arguments, str(written)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("unit", NAMES)
def test_systemd_understands_every_line(unit: str, tmp_path: pathlib.Path) -> None:
    analyze(unit, tmp_path, "verify", "--man=no")


@pytest.mark.parametrize("unit", NAMES)
def test_what_a_broken_program_could_reach_is_little(unit: str, tmp_path: pathlib.Path) -> None:
    security = ("security", "--offline=yes", "--no-pager")
    analyze(unit, tmp_path, *security, f"--threshold={EXPOSURE[unit]}")


@pytest.mark.parametrize("unit", NAMES)
def test_every_command_is_one_that_its_program_understands(unit: str) -> None:
    [command] = fields(unit)["ExecStart"]
    assert command.startswith(INSTALLED)
    told.parsed(command.split())


def test_the_server_takes_every_variable_and_asks_who_calls() -> None:
    settings = told.settings(environment())
    assert settings.asks_who_calls
    assert not settings.insecure_bind


def test_the_server_has_the_time_that_it_takes_to_end() -> None:
    ends_within = config.DEFAULT_DRAIN_SECONDS + server.GRACE + one.LAST_TRANSACTIONS
    assert ends_within < seconds("moorage-server.service", "TimeoutStopSec")


def test_the_agent_has_the_time_that_it_takes_to_end_and_the_folders_that_it_looks_for() -> None:
    unit = "moorage-agent.service"
    assert seconds(unit, "TimeoutStopSec") > service.FINISHED_WITHIN
    [run], [state] = fields(unit)["RuntimeDirectory"], fields(unit)["StateDirectory"]
    assert pathlib.Path("/run", run) == places.SOCKET.parent
    assert pathlib.Path("/var/lib", state) == places.JOURNAL.parent
    # It refuses a folder that lets others in.
    assert {*fields(unit)["RuntimeDirectoryMode"], *fields(unit)["StateDirectoryMode"]} == {"0700"}
