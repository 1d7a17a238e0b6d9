"""The forwarder in a process of its own in which something is other than it should be."""

import subprocess
import sys
from pathlib import Path

from cni import program
from moorage.cni import forwarder, versions

FOLDER = Path(forwarder.__file__).parent
LOAD = f"import os, resource, sys; sys.path.append({str(FOLDER)!r}); import forwarder\n"
NOWHERE = Path("/nowhere")


def run(
    spoil: str,
    verb: str,
    stdin: bytes,
    *,
    agent: Path = NOWHERE,
    direct: Path = NOWHERE,
    patience: float = 0.1,
) -> program.Outcome:
    """One call, after `spoil` has been run in its process."""
    call = f"forwarder.main({str(agent)!r}, {str(direct)!r}, {versions.VERSIONS}, {patience})\n"
    done = subprocess.run(
        [sys.executable, "-IS", "-c", f"{LOAD}{spoil}\n{call}"],
        input=stdin,
        env=program.CONTAINER | {"CNI_COMMAND": verb},
        capture_output=True,
        check=False,
    )
    return program.Outcome(code=done.returncode, stdout=done.stdout, stderr=done.stderr)
