"""The forwarder for nodes without Python, built once for all tests."""

import fcntl
import pathlib

import build_forwarder

from cni import agents
from moorage.install import launcher


def built(folder: pathlib.Path) -> bytes:
    """The program for this machine; tests that run beside each other share `folder`."""
    program = folder / "forwarder"
    with (folder / "forwarder.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists():
            build_forwarder.build(program)
    return program.read_bytes()


def put(agent: agents.Agent, program: bytes, patience: float) -> pathlib.Path:
    """The program as it is installed for an agent's node."""
    path = agent.socket.parents[1] / f"static-{patience:g}"
    path.write_bytes(launcher.static(program, agent.socket, patience=patience))
    path.chmod(0o755)
    return path
