"""Runs the CNI plugin as a container runtime would, and reads what it answers.

The installed program, unless a test makes many calls and the process is not its point; where there
is an agent, its launcher, or words with the agent itself.
"""

import json
import re
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cni import agents
from moorage.cni import handler, host

# The agent of this node; None, it has none.
AGENT: agents.Agent | None = None
VERSIONS = ("0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0")
# A port that nothing listens on.
NOWHERE = "127.0.0.1:1"

CONTAINER = {
    "CNI_CONTAINERID": "c0ffee",
    "CNI_NETNS": "/run/netns/of-nobody",
    "CNI_IFNAME": "eth0",
    "CNI_PATH": "/opt/cni/bin",
}
POD_ARGS = "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-0;K8S_POD_UID=u-1"


def installed_program() -> Path:
    """What a runtime finds as `moorage`."""
    return AGENT.launcher if AGENT else agents.DIRECT


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one call ended."""

    code: int
    stdout: bytes
    stderr: bytes

    @property
    def document(self) -> dict[str, object]:
        """What was printed: exactly one JSON object, on a line of its own."""
        assert self.stdout.endswith(b"\n")
        assert self.stdout.count(b"\n") == 1
        document = json.loads(self.stdout)
        assert isinstance(document, dict)
        return document

    @property
    def error(self) -> dict[str, object]:
        """The error document, whose shape the CNI specification gives."""
        assert self.code == 1, self
        assert self.document.keys() <= {"cniVersion", "code", "msg", "details"}, self
        return self.document

    @property
    def unnamed(self) -> dict[str, object]:
        """The error document but for the id of the request, if there was one: no two are alike."""
        details = str(self.error.get("details", ""))
        return self.error | {"details": re.sub("(^|; )request_id=[0-9a-f]{16}$", "", details)}

    @property
    def text(self) -> str:
        """What a runtime shows of an error."""
        return f"{self.error['msg']}; {self.error.get('details', '')}"


def config(
    cni_version: str = "1.0.0",
    ipam: Mapping[str, object] | None = None,
    rest: Mapping[str, object] | None = None,
) -> dict[str, object]:
    """A network configuration; nothing answers where its server is, unless `ipam` says more."""
    own: dict[str, object] = {"type": "moorage"}
    if "server" not in (ipam or {}):
        own |= {"server": NOWHERE, "timeout_seconds": 1}
    document: dict[str, object] = {"cniVersion": cni_version, "name": "pods", "type": "bridge"}
    return document | {"ipam": own | dict(ipam or {})} | dict(rest or {})


def annotated(
    annotations: Mapping[str, object], ipam: Mapping[str, object] | None = None
) -> dict[str, object]:
    """A configuration with which a runtime has passed the pod's annotations."""
    runtime = {"io.kubernetes.cri.pod-annotations": annotations}
    return config(ipam=ipam, rest={"runtimeConfig": runtime})


def run(
    verb: str,
    stdin: Mapping[str, object] | bytes = b"",
    *,
    environment: Mapping[str, str] | None = None,
    without: tuple[str, ...] = (),
    installed: bool = True,
) -> Outcome:
    """Calls the plugin; `environment` adds to what every runtime sets, `without` takes away.

    Not `installed`: in this process, which costs a tenth.
    """
    variables = {"CNI_COMMAND": verb} | CONTAINER | dict(environment or {})
    for name in without:
        variables.pop(name, None)
    text = stdin if isinstance(stdin, bytes) else json.dumps(stdin).encode()
    if not installed:
        return _without_a_process(variables, text)
    before = AGENT.taken_over() if AGENT else 0
    # Nothing but what is given: no HOME, no PATH, as a daemon may leave it.
    done = subprocess.run(
        [installed_program()],
        input=text,
        env=variables,
        capture_output=True,
        timeout=60,
        check=False,
    )
    if AGENT and variables.get("CNI_COMMAND"):
        assert AGENT.taken_over() == before, "the agent did not answer"
    return Outcome(code=done.returncode, stdout=done.stdout, stderr=done.stderr)


def _without_a_process(variables: Mapping[str, str], stdin: bytes) -> Outcome:
    if AGENT:
        code, stdout = AGENT.call(variables, stdin)
        return Outcome(code=code, stdout=stdout, stderr=b"")
    began = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    reply = handler.handle(variables, stdin, host.Direct(), began)
    return Outcome(code=reply.exit_code, stdout=reply.stdout, stderr=b"")
