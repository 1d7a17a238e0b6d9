"""What the programs log: a line for each event, whoever else writes to the same pipe."""

import json
import os
import subprocess
import sys

PROGRAM = """
import structlog
from moorage_server import logs
logs.configure(process=2)
structlog.get_logger().info("said", text="a" * 500)
"""


def test_a_line_is_one_write() -> None:
    # Of a pipe of packets one write is read at a time. Unbuffered, as images for containers have
    # it, nothing puts several writes of the program together.
    here, there = os.pipe2(os.O_DIRECT)
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stderr=there, env=environment) as run:
        os.close(there)
        first = os.read(here, 65_536)
        assert run.wait() == 0
    os.close(here)
    assert first.endswith(b"\n")
    said = json.loads(first)
    assert (said["event"], said["process"], len(said["text"])) == ("said", 2, 500)
