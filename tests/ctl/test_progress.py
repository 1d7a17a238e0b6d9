"""How far long work has come is shown on a terminal, and nowhere else."""

import json
import os
import pathlib
import pty
import re
import subprocess
import threading

import pytest

import moorage
from ctl import program
from harness import calls, serving


def on_terminal(moorctl: program.Moorctl, *arguments: str, **variables: str) -> tuple[str, str]:
    """What the installed program writes to standard output, and to a terminal as standard error."""
    terminal, end = pty.openpty()
    process = subprocess.Popen(
        [program.PROGRAM, *arguments],
        env={**moorctl.environment(), "TERM": "xterm-256color", **variables},
        stdout=subprocess.PIPE,
        stderr=end,
        text=True,
    )
    os.close(end)
    shown = bytearray()
    reader = threading.Thread(target=_read, args=(terminal, shown))
    reader.start()
    out, _ = process.communicate(timeout=60)
    reader.join()
    os.close(terminal)
    return out, shown.decode()


def _read(terminal: int, into: bytearray) -> None:
    """Reads until nobody writes any more, which a terminal says by an error."""
    while True:
        try:
            read = os.read(terminal, 4096)
        except OSError:
            return
        if not read:
            return
        into += read


@pytest.fixture
def network(tmp_path: pathlib.Path) -> str:
    """A network of host-local, in which two addresses of IPv4 are held, and one of IPv6."""
    directory = tmp_path / "networks" / "pods"
    directory.mkdir(parents=True)
    for address in ("10.22.0.10", "10.22.0.11", "fd00:22::2"):
        (directory / address).write_text("c1\r\neth0")
    ranges = [[{"subnet": "10.22.0.0/24"}], [{"subnet": "fd00:22::/64"}]]
    own = {"type": "host-local", "dataDir": str(directory.parent), "ranges": ranges}
    path = tmp_path / "10-pods.conflist"
    plugins = [{"type": "bridge", "ipam": own}]
    path.write_text(json.dumps({"cniVersion": "1.0.0", "name": "pods", "plugins": plugins}))
    return str(path)


def bars(shown: str) -> list[tuple[str, str]]:
    """What every bar was of, and how far it had come at its end."""
    plain = re.sub(r"\x1b\[\?25[hl]", "", shown).replace("\r\n", "\n")
    ends = [line.rpartition("\r")[2] for line in plain.split("\n")]
    found = (re.search(r"(\w+ \w+)  \[.*\]  (\d+/\d+)", end) for end in ends)
    return [(match[1], match[2]) for match in found if match]


def test_an_import_shows_how_many_blocks_are_adopted(
    moorctl: program.Moorctl, server: serving.Serving, network: str
) -> None:
    words = ("import", "host-local", "--node", "worker-1", "--apply", network)
    out, shown = on_terminal(moorctl, *words)
    assert "3 addresses adopted" in out
    assert bars(shown) == [
        ("resources checked", "2/2"),
        ("blocks checked", "2/2"),
        ("resources made", "2/2"),
        ("blocks adopted", "2/2"),
    ]
    assert "checked" not in moorctl(*words).err


def test_a_check_shows_how_many_rules_are_checked(
    moorctl: program.Moorctl, client: moorage.Client
) -> None:
    calls.create_pool(client, "web", "10.0.0.0/24")
    out, shown = on_terminal(moorctl, "ipam", "check")
    assert out == "Check complete; found 0 problems.\n"
    ((what, far),) = bars(shown)
    done, of = far.split("/")
    assert (what, done) == ("rules checked", of)
    assert int(of) > 1
    assert shown.count("\x1b[?25h") == shown.count("\n")  # the cursor is back


def test_nothing_has_colours(moorctl: program.Moorctl, client: moorage.Client) -> None:
    _, shown = on_terminal(moorctl, "ipam", "check")
    _, without = on_terminal(moorctl, "ipam", "check", NO_COLOR="1")
    for text in (shown, without):
        assert "rules checked" in text
        assert not re.search(r"\x1b\[[0-9;]*m", text)


def test_a_dumb_terminal_and_a_pipe_are_told_nothing(
    moorctl: program.Moorctl, client: moorage.Client
) -> None:
    assert on_terminal(moorctl, "ipam", "check", TERM="dumb")[1] == ""
    assert moorctl("ipam", "check").err == ""
