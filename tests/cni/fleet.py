"""The nodes of a cluster, whose runtimes call the plugin, and what is told of it all afterwards."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import moorage
from cni import program
from harness import serving, watches
from moorage.v1 import history_pb2

ADDRS = "cni.projectcalico.org/ipAddrs"
OWNER = "moorage.dev/owner"
STICKY = "moorage.dev/sticky"
WAIT = "moorage.dev/wait"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """A container that keeps a pod's network: a pod is its uid, and has one after the other."""

    container: str
    pod: str = "web-0"
    uid: str = "u1"
    node: str = "n1"
    annotations: Mapping[str, str] = field(default_factory=dict)
    kubernetes: Mapping[str, str] | None = None


class Fleet:
    """Calls the plugin for sandboxes of any node, in this process unless it is told otherwise."""

    def __init__(self, server: serving.Serving, client: moorage.Client) -> None:
        """Knows what happens from now on."""
        self._server = server
        self.client = client
        with client.watch() as updates:
            self._begin = next(updates).cursor

    def call(self, verb: str, sandbox: Sandbox, *, installed: bool = False) -> program.Outcome:
        """One call, as the runtime of the sandbox's node makes it."""
        ipam: dict[str, object] = {"server": self._server.target, "timeout_seconds": 20}
        ipam |= {"nodename": sandbox.node}
        if sandbox.kubernetes:
            ipam["kubernetes"] = sandbox.kubernetes
        pod = f"K8S_POD_NAMESPACE=shop;K8S_POD_NAME={sandbox.pod};K8S_POD_UID={sandbox.uid}"
        outcome = program.run(
            verb,
            program.annotated(sandbox.annotations, ipam),
            environment={"CNI_CONTAINERID": sandbox.container, "CNI_ARGS": pod},
            installed=installed,
        )
        assert outcome.stderr == b""
        return outcome

    def add(self, sandbox: Sandbox, *, installed: bool = False) -> str:
        """The address of a sandbox that is given one."""
        outcome = self.call("ADD", sandbox, installed=installed)
        assert outcome.code == 0, outcome
        ips = outcome.document["ips"]
        assert isinstance(ips, list)
        (address,) = (ip["address"] for ip in ips)
        return str(address).removesuffix("/32")

    def refused(self, sandbox: Sandbox, *, installed: bool = False) -> str:
        """What a runtime shows of an ADD that fails, after its code."""
        outcome = self.call("ADD", sandbox, installed=installed)
        return f"{outcome.error['code']} {outcome.text}"

    def delete(self, sandbox: Sandbox, *, installed: bool = False) -> None:
        """A DEL, which succeeds and says nothing, whatever there was to release."""
        outcome = self.call("DEL", sandbox, installed=installed)
        assert (outcome.code, outcome.stdout) == (0, b""), outcome

    def held(self) -> dict[str, str]:
        """Every address that is assigned, and the container that holds it."""
        return {each.address: each.attachment.container_id for each in self.client.allocations()}

    def story(self, address: str) -> list[str]:
        """Who has held an address, one after the other, each with why it ceased to.

        The feed, the history and the table must tell the same one.
        """
        holdings = [h for h in self.client.history() if h.allocation.address == address]
        told = [_ended(h.allocation.attachment.container_id, h.release_cause) for h in holdings]
        assert self._by_feed(address) == told
        assert self.held().get(address) == (told[-1] if told and " " not in told[-1] else None)
        generations = [n for h in holdings for n in (h.allocation.generation, h.release_generation)]
        ended = [n for n in generations if n]
        assert ended == sorted(set(ended)), "a generation is newer than those before it"
        return told

    def _by_feed(self, address: str) -> list[str]:
        last = int(str(self._server.database.scalar("SELECT count(*) FROM events")))
        with watches.watching(self._server.target, cursor=self._begin) as stream:
            events = stream.until(last).events
        told: list[str] = []
        for each in events:
            if each.allocation.address != address:
                continue
            container = each.allocation.attachment.container_id
            if each.kind == watches.ASSIGNED:
                assert each.cause == history_pb2.ALLOCATION_EVENT_CAUSE_REQUESTED
                told.append(container)
            else:
                assert told.pop() == container
                told.append(_ended(container, each.cause))
        return told


def _ended(container: str, cause: history_pb2.AllocationEventCause.ValueType) -> str:
    """As in "c1" of what is held, and "c1 SUPERSEDED"."""
    if cause == history_pb2.ALLOCATION_EVENT_CAUSE_UNSPECIFIED:
        return container
    name = history_pb2.AllocationEventCause.Name(cause)
    return f"{container} {name.removeprefix('ALLOCATION_EVENT_CAUSE_')}"
