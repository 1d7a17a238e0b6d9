"""The pods that the demo adds one after the other, and what each must be given.

Written for the pools and reservations of examples/; played by `demo`.
"""

import dataclasses
import ipaddress
import json
from collections.abc import Mapping, Sequence

CALICO = "cni.projectcalico.org/"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """A pod, and what must come of it: an address in each of `inside`, or a `refusal`.

    `passed`: the runtime passes the pod's annotations on, else the plugin asks the Kubernetes API.
    """

    title: str
    namespace: str = "default"
    name: str
    asks: Mapping[str, Sequence[str]] = dataclasses.field(default_factory=dict)
    inside: tuple[str, ...] = ()
    refusal: str = ""
    passed: bool = True

    @property
    def uid(self) -> str:
        """Of the pod in Kubernetes."""
        return f"uid-of-{self.name}"

    @property
    def annotations(self) -> dict[str, str]:
        """What it asks for, as Kubernetes has it: lists are JSON texts."""
        return {CALICO + key: json.dumps(value) for key, value in self.asks.items()}

    @property
    def expected(self) -> str:
        """What must come of it, in words."""
        return self.refusal or f"inside {' and '.join(self.inside)}"

    def may_have(self, addresses: Sequence[str]) -> bool:
        """Whether there is one address for each of `inside`, and each lies in its own."""
        return len(addresses) == len(self.inside) and all(
            ipaddress.ip_address(address) in ipaddress.ip_network(network)
            for address, network in zip(addresses, self.inside, strict=True)
        )


NAMESPACES: dict[str, dict[str, str]] = {
    "default": {},
    "shop": {f"{CALICO}ipv4pools": '["shop"]'},
}
PODS = (
    Pod(
        title="A pod names its pool in an annotation",
        name="web-0",
        asks={"ipv4pools": ["web"]},
        inside=("10.65.0.0/24",),
    ),
    Pod(
        title="A pod names nothing, but its namespace has an annotation: pool shop",
        namespace="shop",
        name="cart-0",
        inside=("10.66.0.0/24",),
    ),
    Pod(
        title="A pod of that namespace has an annotation of its own, which wins",
        namespace="shop",
        name="cart-1",
        asks={"ipv4pools": ["web"]},
        inside=("10.65.0.0/24",),
    ),
    Pod(
        title="A pod asks for one address; here the plugin reads that from the Kubernetes API",
        name="db-0",
        asks={"ipAddrs": ["10.65.0.77"]},
        inside=("10.65.0.77",),
        passed=False,
    ),
    Pod(
        title="A pod names nothing: pool partners has the highest priority, but is manual-only",
        name="job-0",
        inside=("10.64.0.0/16",),
    ),
    Pod(
        title="A pod names that pool, and draws from it",
        name="partner-0",
        asks={"ipv4pools": ["partners"]},
        inside=("10.67.0.0/28",),
    ),
    Pod(
        title="A pool of two addresses, the first one reserved: a pod gets the second",
        name="scan-0",
        asks={"ipv4pools": ["tiny"]},
        inside=("10.69.0.1",),
    ),
    Pod(
        title="Only the reserved address is left: the next pod is refused",
        name="scan-1",
        asks={"ipv4pools": ["tiny"]},
        refusal="POOL_EXHAUSTED",
    ),
    Pod(
        title="The reserved address is for the pod that asks for it",
        name="printer-0",
        asks={"ipAddrs": ["10.69.0.0"]},
        inside=("10.69.0.0",),
    ),
    Pod(
        title="A pod wants both families: both or none",
        name="dual-0",
        asks={"ipFamilies": ["IPv4", "IPv6"]},
        inside=("10.64.0.0/16", "fd00:64::/64"),
    ),
)
