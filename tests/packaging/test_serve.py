"""`make serve`, as somebody at a terminal meets it."""

import contextlib
import os
import pathlib
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOON = 120.0  # seconds, from nothing to the first address


class Serve:
    """The running script, and what it has said until it was ready."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.said = ""

    def wait_ready(self) -> None:
        """Returns when the last line of the welcome is there, or the script has ended."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said += line
            if line.startswith("Log:"):
                return

    def commands(self) -> list[str]:
        """The commands it offers: indented, one to a paragraph."""
        return [text for text in self.said.split("\n\n") if text.startswith("  ")]

    def end(self, wish: signal.Signals) -> tuple[int, str, str]:
        """Asks it to end; returns its exit code, and what it said from then on."""
        self.process.send_signal(wish)
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out, err

    def child(self) -> int:
        """The process id of the server that it runs."""
        pid = self.process.pid
        return int(pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text())


@contextlib.contextmanager
def serving(state: pathlib.Path, listen: str = "127.0.0.1:0") -> Iterator[Serve]:
    """Starts it, and ends it in any case."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MOORAGE_")}
    options = ["--state", str(state), "--listen", listen, "--metrics-listen", ""]
    process = subprocess.Popen(
        [sys.executable, "scripts/serve.py", *options],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        serve = Serve(process)
        serve.wait_ready()
        yield serve
    finally:
        with process:
            process.terminate()


def typed(command: str, checkout: pathlib.Path = ROOT) -> str:
    """What a command prints that is pasted into a shell in the checkout."""
    done = subprocess.run(
        ["sh", "-ec", command], cwd=checkout, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout


def test_its_three_commands_work_and_a_second_start_keeps_what_they_did(
    tmp_path: pathlib.Path,
) -> None:
    state = tmp_path / "state of mine"
    with serving(state) as first:
        pools, plugin, allocations = first.commands()
        assert "loaded examples/: node/node-a" in first.said
        assert typed(pools).count("\n") == 1 + 7
        assert '"address": "10.65.0.0/32"' in typed(plugin)
        assert "cart-0" in typed(allocations)
        code, out, err = first.end(signal.SIGINT)
        assert (code, out, err) == (0, f"\nstopped; the data is in '{state}'\n", "")
    with serving(state) as second:
        assert "loaded" not in second.said
        assert "10.65.0.0/32  web" in typed(second.commands()[2])
        assert second.end(signal.SIGTERM)[0] == 0
    assert '"event": "serving"' in (state / "server.log").read_text()


def test_a_server_that_cannot_start_is_explained_by_its_last_words(tmp_path: pathlib.Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    (state / "database").mkdir()
    (state / "database" / "somebody elses").touch()
    with serving(state) as serve:
        out, err = serve.process.communicate(timeout=60)
    assert (serve.process.returncode, out) == (1, "")
    assert err.startswith("serve: the server ended with code 1; its last words in ")
    assert "holds other files and no cluster" in err


def test_a_taken_port_is_not_mistaken_for_our_server(tmp_path: pathlib.Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        with serving(tmp_path / "state", listen) as serve:
            _, err = serve.process.communicate(timeout=60)
    assert serve.process.returncode == 1
    assert listen in err


@pytest.mark.parametrize("wish", [signal.SIGKILL, signal.SIGHUP])
def test_however_it_ends_no_server_stays_behind(
    wish: signal.Signals, tmp_path: pathlib.Path
) -> None:
    with serving(tmp_path / "state") as serve:
        server = os.pidfd_open(serve.child())
        try:
            serve.end(wish)
            ended, _, _ = select.select([server], [], [], 60)
        finally:
            os.close(server)
    assert ended == [server]


@pytest.mark.skipif(
    "MOORAGE_NEWCOMER" not in os.environ,
    reason="fetches all there is to fetch, and serves on the usual port: `make newcomer`",
)
@pytest.mark.timeout(600)
def test_a_newcomer_soon_has_an_address(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    began, checkout = time.monotonic(), tmp_path / "moorage"
    subprocess.run(["git", "clone", "--quiet", ROOT, checkout], check=True)
    with subprocess.Popen(
        ["make", "serve"],
        cwd=checkout,
        env=_of_a_newcomer(tmp_path),
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            serve = Serve(process)
            serve.wait_ready()
            assert '"address": "10.65.0.0/32"' in typed(serve.commands()[1], checkout)
            seconds = time.monotonic() - began
        finally:
            os.killpg(process.pid, signal.SIGINT)
    with capsys.disabled():
        print(f"\nan address after {seconds:.0f} s")
    assert seconds < SOON


def _of_a_newcomer(home: pathlib.Path) -> dict[str, str]:
    """Nothing that was installed for this checkout, nor kept by those who fetched it."""
    path = [each for each in os.environ["PATH"].split(":") if not each.startswith(str(ROOT))]
    own = ("MOORAGE_", "UV", "VIRTUAL_ENV", "XDG_")
    left = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    return {**left, "HOME": str(home), "PATH": ":".join(path)}
