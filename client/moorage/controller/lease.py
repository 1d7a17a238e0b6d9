"""Leading by a Lease of the cluster (coordination.k8s.io/v1), as Kubernetes' own controllers do.

No two clocks are compared. Whoever wants to lead waits until it has seen no renewal for the whole
duration that the holder wrote down, on its own clock, which is never set; whoever leads believes so
for a shorter time, counted from before it asked for the renewal that was granted.
"""

from __future__ import annotations

import datetime
import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from moorage import kube

DURATION = 15.0
RENEW_WITHIN = 10.0
RETRY = 2.0

_LOG = logging.getLogger(__name__)


class NotLeading(Exception):
    """Somebody else may lead by now: nothing may be changed any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """Which Lease, and who we are."""

    namespace: str
    lease: str
    identity: str

    @property
    def collection(self) -> str:
        """The path of the Leases of the namespace."""
        return f"/apis/coordination.k8s.io/v1/namespaces/{self.namespace}/leases"

    @property
    def path(self) -> str:
        """The path of the Lease."""
        return f"{self.collection}/{self.lease}"


class Lease:
    """What one candidate knows of the Lease. One thread calls `attempt`; any may ask."""

    def __init__(
        self,
        cluster: kube.Api,
        name: Name,
        *,
        duration: float = DURATION,
        renew_within: float = RENEW_WITHIN,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cluster = cluster
        self._name = name
        self._duration = duration
        self._renew_within = renew_within
        self._clock = clock
        self._until = -math.inf
        self._seen: Mapping[str, object] = {}
        self._seen_at = -math.inf

    @property
    def leading(self) -> bool:
        """Whether nobody else can lead now."""
        return self._clock() < self._until

    def remaining(self) -> float:
        """Return for how many seconds nobody else can lead; raises NotLeading."""
        left = self._until - self._clock()
        if left <= 0:
            raise NotLeading
        return left

    def attempt(self) -> None:
        """Try to become the leader, or to stay it; raises ApiError where that cannot be told."""
        asked = self._clock()
        document = self._read()
        if document is None:
            self._written(asked, self._cluster.create(self._name.collection, self._fresh()))
            return
        spec = _spec(document)
        self._observe(spec)
        holder = spec.get("holderIdentity")
        if holder and holder != self._name.identity:
            self._until = -math.inf
            if self._clock() < self._seen_at + _duration(spec, self._duration):
                return
        renewed = {**document, "spec": self._renewed(spec)}
        try:
            self._written(asked, self._cluster.replace(self._name.path, renewed))
        except kube.ApiError as error:
            if not kube.is_conflict(error):
                raise
            # Somebody else wrote: who leads is seen at the next attempt.
            _LOG.info("the lease was changed meanwhile")

    def release(self) -> None:
        """Let somebody else lead at once, if we still do; raises ApiError."""
        self._until = -math.inf
        document = self._read()
        if document is None or _spec(document).get("holderIdentity") != self._name.identity:
            return
        spec = {**_spec(document), "holderIdentity": "", "leaseDurationSeconds": 1}
        self._cluster.replace(self._name.path, {**document, "spec": {**spec, "renewTime": _now()}})

    def _read(self) -> kube.Document | None:
        try:
            return self._cluster.get(self._name.path)
        except kube.ApiError as error:
            if kube.is_missing(error):
                return None
            raise

    def _observe(self, spec: Mapping[str, object]) -> None:
        if spec == self._seen:
            return
        holder = spec.get("holderIdentity")
        if holder not in (None, "", self._name.identity, self._seen.get("holderIdentity")):
            _LOG.info("%s leads", holder)
        self._seen, self._seen_at = spec, self._clock()

    def _written(self, asked: float, document: kube.Document) -> None:
        self._observe(_spec(document))
        self._until = asked + self._renew_within

    def _fresh(self) -> kube.Document:
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": self._name.lease, "namespace": self._name.namespace},
            "spec": self._renewed({}),
        }

    def _renewed(self, spec: Mapping[str, object]) -> kube.Document:
        now, changes = _now(), spec.get("leaseTransitions")
        mine: kube.Document = {
            "holderIdentity": self._name.identity,
            "leaseDurationSeconds": math.ceil(self._duration),
            "renewTime": now,
        }
        if spec.get("holderIdentity") != self._name.identity:
            mine["acquireTime"] = now
            mine["leaseTransitions"] = (changes if isinstance(changes, int) else 0) + bool(spec)
        return {**spec, **mine}


def _spec(document: kube.Document) -> Mapping[str, object]:
    spec = document.get("spec")
    return spec if isinstance(spec, dict) else {}


def _duration(spec: Mapping[str, object], otherwise: float) -> float:
    written = spec.get("leaseDurationSeconds")
    return float(written) if isinstance(written, int) else otherwise


def _now() -> str:
    """Return the time as people read it in the Lease; nothing is decided by it."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
