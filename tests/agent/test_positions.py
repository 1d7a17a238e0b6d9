"""How far the server's history had come outlives calls, agents and servers."""

import json
import time
from pathlib import Path

import moorage
from agent.node import Node
from cni import agents, program
from harness import calls, restoring, serving
from moorage.cni import handler, host


def test_what_an_agent_was_told_outlives_it(
    node: Node, own: agents.Agent, server: serving.Serving
) -> None:
    with restoring.backup(server.database) as backup:
        assert node.call("ADD", "c1").code == 0
        own.kill()
        server.stop()
        backup.restore()
        with serving.in_process(server.database) as restored:
            node.way.lead_to(int(restored.target.rpartition(":")[2]))
            own.start()
            refused = node.call("ADD", "c2")
    assert_it_went_back(refused)


def test_what_one_process_was_told_the_next_one_shows(
    server: serving.Serving, client: moorage.Client, tmp_path: Path
) -> None:
    calls.create_pool(client, "a", "10.0.0.0/24")
    # Nowhere to keep it: the call is answered all the same.
    assert add(server.target, tmp_path / "absent", "c0").code == 0
    with restoring.backup(server.database) as backup:
        assert add(server.target, tmp_path, "c1").code == 0
        backup.restore()
        client.lift_quarantine("none yet")
        assert_it_went_back(add(server.target, tmp_path, "c2"))


def add(server: str, seen: Path, container: str) -> program.Outcome:
    """One ADD of a process that keeps what it was told in a folder."""
    variables = program.CONTAINER | {"CNI_COMMAND": "ADD", "CNI_CONTAINERID": container}
    ipam = {"server": server, "timeout_seconds": 20, "nodename": "n1"}
    stdin = json.dumps(program.config(ipam=ipam)).encode()
    began = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    reply = handler.handle(variables, stdin, host.Direct(str(seen)), began)
    return program.Outcome(code=reply.exit_code, stdout=reply.stdout, stderr=b"")


def assert_it_went_back(outcome: program.Outcome) -> None:
    """The runtime is told to try again later, and why."""
    assert outcome.code == 1
    error = json.loads(outcome.stdout)
    assert error["code"] == 11
    assert "has gone back in time" in error["msg"]
