"""The Kubernetes cluster that nodes are of, asked whether their pods are there.

Needs `lightkube`, the extra "kubernetes".
"""

import asyncio
import dataclasses
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeVar

import lightkube
import structlog
from lightkube.config import kubeconfig as configurations
from lightkube.resources.core_v1 import Namespace as KubernetesNamespace
from lightkube.resources.core_v1 import Pod as KubernetesPod

from moorage_server.api import rates
from moorage_server.api.asked import Asked
from moorage_server.api.reloading import Unreadable
from moorage_server.domain import errors, model, pods

# Whose uid is a cluster's own: nobody can delete it.
_FIRST_NAMESPACE: Final = "kube-system"
_NO_POD: Final = "moorage-is-there-no-such-pod"
_MIRROR: Final = "kubernetes.io/config.mirror"
_GONE: Final = 404
TIMEOUT: Final = 5.0  # seconds, of each question
# Of a pod that has been scheduled nothing that is asked for ever changes: it may be gone, no more.
POD_KEPT: Final = 60.0  # seconds
NAMESPACE_KEPT: Final = 5.0  # seconds, in which its labels may have changed
# Of each node, what was not so: each is one more read of the API server, whoever asks.
UNTRUE: Final = rates.Rate(each_second=5, at_once=25)
TELL_EVERY: Final = 10.0  # seconds between two lines of the log

_Resource = TypeVar("_Resource")
_Answer = TypeVar("_Answer")

_log = structlog.get_logger()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Namespace:
    uid: str
    labels: Mapping[str, str]


class Cluster:
    """Asks the API server itself, never a copy: a pod that a node has been given is there."""

    def __init__(self, kubeconfig: str) -> None:
        """By that file, else by the service account of our own pod; raises Unreadable."""
        self._client = _client(kubeconfig)
        self._pods = Asked(self._is_borne_out, POD_KEPT, bool)
        self._namespaces = Asked(self._namespace, NAMESPACE_KEPT, lambda found: found is not None)
        self._untrue = rates.Rates("a node may claim what is not so", UNTRUE)
        self._tell_at = 0.0

    async def start(self) -> None:
        """Asks for what calls will ask for, so that the log says at once where that fails."""
        try:
            await self._uid()
            await self._read_pod(_FIRST_NAMESPACE, _NO_POD)
        except errors.KubernetesUnavailable:
            _log.warning("no address for any pod of a node until the Kubernetes API answers")

    async def close(self) -> None:
        """Nobody asks any more."""
        await self._client.close()

    async def verified(self, request: model.AssignRequest, deadline: float) -> model.AssignRequest:
        """A node's request, as its cluster bears it out; `deadline` is on time.monotonic()'s clock.

        Raises PodNotVerified, KubernetesUnavailable, and ServerBusy.
        """
        claim = pods.claim(request)
        try:
            async with asyncio.timeout_at(deadline):
                if claim is None:
                    return pods.of_node(request, await self._uid())
                return pods.verified(request, claim, await self._known(claim))
        except TimeoutError as error:
            raise errors.KubernetesUnavailable from error

    async def _known(self, claim: pods.Claim) -> pods.Known:
        self._untrue.require(claim.node)
        cluster, is_borne_out, namespace = await asyncio.gather(
            self._uid(), self._pods.get(claim), self._namespaces.get(claim.namespace)
        )
        if not is_borne_out:
            self._untrue.count(claim.node)
        labels = namespace.labels if namespace is not None else None
        return pods.Known(cluster=cluster, is_borne_out=is_borne_out, namespace_labels=labels)

    async def _uid(self) -> str:
        first = await self._namespaces.get(_FIRST_NAMESPACE)
        if first is None:  # whoever answers so is no API server
            raise self._unavailable(f"there is no namespace {_FIRST_NAMESPACE}")
        return first.uid

    async def _is_borne_out(self, claim: pods.Claim) -> bool:
        found = await self._read_pod(claim.namespace, claim.name)
        return found is not None and found.bears_out(claim)

    async def _read_pod(self, namespace: str, name: str) -> pods.Pod | None:
        return await self._read(self._client.get(KubernetesPod, name, namespace=namespace), _pod)

    async def _namespace(self, name: str) -> _Namespace | None:
        return await self._read(self._client.get(KubernetesNamespace, name), _described)

    async def _read(
        self, asked: Awaitable[_Resource], read: Callable[[_Resource], _Answer]
    ) -> _Answer | None:
        try:
            async with asyncio.timeout(TIMEOUT):
                return read(await asked)
        except (lightkube.ApiError, lightkube.ConfigError) as error:
            if isinstance(error, lightkube.ApiError) and error.status.code == _GONE:
                return None
            raise self._unavailable(str(error)) from error
        except Exception as error:  # whatever it is, nothing is known then
            # Its text may be anything, also what a header would have been.
            raise self._unavailable(type(error).__name__) from error

    def _unavailable(self, why: str) -> errors.KubernetesUnavailable:
        if (now := time.monotonic()) >= self._tell_at:
            self._tell_at = now + TELL_EVERY
            _log.error("the Kubernetes API cannot be asked", why=why)
        return errors.KubernetesUnavailable()


def _pod(found: KubernetesPod) -> pods.Pod:
    metadata, spec = found.metadata, found.spec
    if metadata is None or spec is None:
        raise ValueError("a pod without metadata or spec")
    owners = {(each.apiVersion, each.kind) for each in metadata.ownerReferences or ()}
    return pods.Pod(
        uid=metadata.uid or "",
        node=spec.nodeName or "",
        is_static=_MIRROR in (metadata.annotations or {}) or ("v1", "Node") in owners,
        is_ending=metadata.deletionTimestamp is not None,
    )


def _described(found: KubernetesNamespace) -> _Namespace:
    metadata = found.metadata
    if metadata is None or not metadata.uid:
        raise ValueError("a namespace without uid")
    return _Namespace(uid=metadata.uid, labels=dict(metadata.labels or {}))


def _client(kubeconfig: str) -> lightkube.AsyncClient:
    where = kubeconfig or "the service account of this pod"
    try:
        config = _configuration(kubeconfig)
        client = lightkube.AsyncClient(config)
    except Exception as error:  # what is in such a file is looked at as it is used
        raise Unreadable(
            f"access to the Kubernetes API, {where}: {error!r}; name a kubeconfig that can be used "
            "with --kubeconfig"
        ) from error
    # Whoever could answer in the API server's place would be believed whatever pods there are.
    if not config.cluster.server.startswith("https://") or config.cluster.insecure:
        raise Unreadable(
            f"access to the Kubernetes API, {where}: the server is not verified; give an https "
            "server and certificate-authority, and no insecure-skip-tls-verify"
        )
    return client


def _configuration(kubeconfig: str) -> configurations.SingleConfig:
    if kubeconfig:
        found = lightkube.KubeConfig.from_file(kubeconfig).get()
    else:
        found = lightkube.KubeConfig.from_service_account().get()
    if found is None:
        raise ValueError("it names no cluster")
    if found.user is not None and found.user.token_file:
        # Beside the kubeconfig, as kubectl has it; the library means the working directory.
        found.user.token_file = str(found.abs_file(found.user.token_file))
    return found
