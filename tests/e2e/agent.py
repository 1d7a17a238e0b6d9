"""moorage-agent on a machine, which a test may kill and start again."""

import json
import signal
from typing import Any

from e2e import ipams, machine
from moorage.agent import places

PROGRAM = str(ipams.PROGRAMS / "moorage-agent")


class Agent:
    """The daemon with the machine's own journal, below /var/lib."""

    def __init__(self, on: machine.Machine, socket: str = str(places.SOCKET)) -> None:
        """Started, and ready for calls."""
        self._machine = on
        self._socket = f"--socket={socket}"
        self.start()

    def start(self) -> None:
        """Starts it after an end; returns when it answers."""
        self._daemon = self._machine.start(PROGRAM, "serve", self._socket, "--verbose")
        machine.eventually(self.status)

    def kill(self) -> None:
        """Ends it as a crash would."""
        self._daemon.stop(signal.SIGKILL)

    def stop(self) -> None:
        """Ends it as an operator would."""
        self._daemon.stop()

    def status(self) -> dict[str, Any]:
        """What it says of itself."""
        told: dict[str, Any] = json.loads(self._machine.run(PROGRAM, "status", self._socket))
        return told

    def verbs(self, container: str) -> list[str]:
        """What was asked of it for a container, in order, whatever it answered."""
        lines = map(json.loads, self._daemon.log.read_text().splitlines())
        calls = (line for line in lines if "verb" in line)
        return [call["verb"] for call in calls if call["container"] == container]
