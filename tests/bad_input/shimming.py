"""Calls of the CNI plugin against a server, and what exactly they print."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bad_input.ground import Ground
from cni import program

V4 = "cni.projectcalico.org/ipv4pools"
V6 = "cni.projectcalico.org/ipv6pools"
FAMILIES = "cni.projectcalico.org/ipFamilies"
ADDRS = "cni.projectcalico.org/ipAddrs"
OWNER = "moorage.dev/owner"

JSON_LIST = 'write a JSON list of strings, such as ["a", "b"]'
PLAIN_ADDRESSES = "list plain addresses, without prefix length"
LONG = "x" * 100_000
CUT = "x" * 80 + "..."


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call: an ADD that would succeed, were it not for what is given here."""

    verb: str = "ADD"
    version: str = "1.0.0"
    ipam: Mapping[str, object] = field(default_factory=dict)
    rest: Mapping[str, object] = field(default_factory=dict)
    passed: Mapping[str, object] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    stdin: bytes | None = None
    installed: bool = True

    def run(self, server: str) -> program.Outcome:
        """Runs the plugin."""
        ipam = {"server": server, "timeout_seconds": 20, "nodename": "n1"} | dict(self.ipam)
        runtime = {"runtimeConfig": {"io.kubernetes.cri.pod-annotations": self.passed}}
        config = program.config(self.version, ipam, runtime | dict(self.rest))
        return program.run(
            self.verb,
            config if self.stdin is None else self.stdin,
            environment={"CNI_ARGS": program.POD_ARGS} | dict(self.environment),
            without=self.without,
            installed=self.installed,
        )


# A call, then code, msg and details of the error; "{server}" stands for the server's address.
Row = tuple[Call, int, str, str]


def annotated(key: str, value: str) -> Call:
    """A call for a pod with one annotation; what is read of it is no matter of the process."""
    return Call(passed={key: value}, installed=False)


def on_pod(key: str, value: str) -> str:
    """How the annotation of the pod is spoken of; takes the value as it is shown."""
    return f"""annotation "{key}" of pod shop/web-0 with value '{value}'"""


def in_config(key: str, value: str) -> str:
    """How a key of the configuration is spoken of; takes the value as it is shown."""
    return f"""key "{key}" of the CNI config with value '{value}'"""


def check(ground: Ground, row: Row, *, version: str | None = None) -> None:
    """Runs a call and reads back the whole error document, and nothing beside it."""
    call, code, msg, details = row
    outcome = call.run(ground.server)
    document = {"cniVersion": version or call.version, "code": code}
    document |= {"msg": msg.replace("{server}", ground.server), "details": details}
    assert outcome.unnamed == document
    assert outcome.stderr == b""
