"""What a node sends, and what is recorded of it."""

import dataclasses
import itertools
import random
from collections.abc import Sequence

from chaos import wants
from chaos.records import Asked, Told, Verb
from harness import calls
from moorage.v1 import allocation_service_pb2 as messages
from moorage.v1 import reconciliation_pb2
from moorage.v1 import resources_pb2 as resources


@dataclasses.dataclass
class Sandbox:
    """A sandbox that has been made, with the request for its addresses."""

    container: str
    pod: str
    request: messages.AssignAddressesRequest
    told: Told = ()


class Papers:
    """Makes the requests of one node, on its clock of attempts."""

    def __init__(self, name: str, chance: random.Random) -> None:
        """Begins with the first container."""
        self._name, self._chance = name, chance
        self._numbers = itertools.count(1)
        self._stamps = itertools.count(1)

    def pod(self) -> Sandbox:
        """The first sandbox of a new pod."""
        return self.sandbox(f"{self._name}-pod-{next(self._numbers)}")

    def stamp(self) -> resources.AttemptStamp:
        """When an attempt began that begins now."""
        return resources.AttemptStamp(boot_id=self._name, boot_time_ns=next(self._stamps))

    def sandbox(self, pod: str) -> Sandbox:
        """A new sandbox of a pod, and what it asks for."""
        container = f"{self._name}-{next(self._numbers)}"
        workload = resources.Workload(
            node=self._name, namespace=wants.namespace(pod), pod=pod, pod_uid=pod
        )
        request = messages.AssignAddressesRequest(
            attachment=calls.attachment(container),
            addresses=wants.some(self._chance),
            workload=workload,
            attempt=self.stamp(),
        )
        return Sandbox(container=container, pod=pod, request=request)

    def release(self, container: str, told: Told = ()) -> messages.ReleaseAddressesRequest:
        """Asks for a release, of these generations where some are told."""
        return messages.ReleaseAddressesRequest(
            attachment=calls.attachment(container),
            attempt=self.stamp(),
            generations=[generation for _, generation in told],
        )

    def listing(self, has: Sequence[str]) -> reconciliation_pb2.ReconcileNodeRequest:
        """A node's list, after which it is on its own: no grace is left to what it lacks."""
        request = reconciliation_pb2.ReconcileNodeRequest(
            node=self._name,
            network="pods",
            attachments=[calls.attachment(each) for each in has],
            attempt=self.stamp(),
        )
        request.grace.SetInParent()  # none at all: what two lists lack is released
        return request

    def of_assign(self, sandbox: Sandbox) -> Asked:
        """What a caller records of a sandbox's request."""
        stamp = sandbox.request.attempt.boot_time_ns
        return Asked(
            verb=Verb.ASSIGN,
            node=self._name,
            container=sandbox.container,
            pod=sandbox.pod,
            stamp=stamp,
            pools=frozenset(pool for each in sandbox.request.addresses for pool in each.pools),
        )

    def of_release(self, container: str, request: messages.ReleaseAddressesRequest) -> Asked:
        """What it records of a release."""
        return Asked(
            verb=Verb.RELEASE,
            node=self._name,
            container=container,
            stamp=request.attempt.boot_time_ns,
            generations=frozenset(request.generations),
        )

    def of_list(self, request: reconciliation_pb2.ReconcileNodeRequest) -> Asked:
        """What it records of a list."""
        return Asked(
            verb=Verb.LIST,
            node=self._name,
            stamp=request.attempt.boot_time_ns,
            listed=frozenset(each.container_id for each in request.attachments),
        )
