"""The nodes of this cluster, as the server has them: with the labels of the cluster's nodes.

Whose a node is, is said by its label moorage.dev/cluster-uid: one of another cluster that has the
same name is refused, and left alone; one of nobody is taken over. moorage.dev/cluster is for people
and selectors.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import moorage
from moorage import names
from moorage.controller import nodes
from moorage.v1 import resources_pb2

NAME = "moorage.dev/cluster"
UID = "moorage.dev/cluster-uid"

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A cluster: its name, for people, and the uid that no other has; see `cluster_uid`."""

    name: str
    uid: str


class OtherCluster(Exception):
    """A node of this name belongs to another cluster."""


class Labels:
    """Safe to share between threads. `permit` says how long a change may take; see `lease`."""

    def __init__(
        self,
        client: moorage.Client,
        *,
        vrf: str,
        cluster: Cluster,
        permit: Callable[[], float],
    ) -> None:
        self._client = client
        self._vrf = vrf
        self._own = {NAME: cluster.name, UID: cluster.uid}
        self._permit = permit
        self._lock = threading.Lock()
        self._ours: dict[str, resources_pb2.Node] = {}
        self._changes = 0
        self._changed: dict[str, int] = {}

    def look(self) -> None:
        """Ask the server which nodes of this cluster it has; raises MoorageError."""
        with self._lock:
            mine = {UID: self._own[UID]}
            listed = self._client.nodes(labels=mine, vrf=self._vrf, page_size=1000)
            self._ours = {names.id_of(node.name): node for node in listed}

    def ours(self) -> Mapping[str, resources_pb2.Node]:
        """Return the nodes of this cluster by name, as the server has them."""
        with self._lock:
            return dict(self._ours)

    def changes(self) -> int:
        """Return how many changes of nodes were told of; taken before a list is asked for."""
        with self._lock:
            return self._changes

    def follow(self, node: nodes.Node) -> None:
        """Record the labels of a node that has changed; whatever fails is told of and left."""
        with self._lock:
            self._changes += 1
            self._changed[node.name] = self._changes
            self._try(node)

    def keep(self, node: nodes.Node, changes: int) -> None:
        """Record the labels of a node of a list that was asked for after so many changes.

        Not where it has changed since: the list may not know of that yet.
        """
        with self._lock:
            if self._changed.get(node.name, 0) <= changes:
                self._try(node)

    def delete(self, name: str) -> None:
        """Delete a node as it was when it was looked at; raises MoorageError."""
        with self._lock:
            etag = self._ours[name].etag
            self._client.delete_node(name, etag=etag, vrf=self._vrf, timeout=self._permit())
            del self._ours[name]

    def leave(self, name: str) -> None:
        """Leave a node to whoever takes it over; raises MoorageError."""
        with self._lock:
            present = self._client.get_node(name, vrf=self._vrf)
            if present.labels.get(UID) == self._own[UID]:
                rest = {key: text for key, text in present.labels.items() if key not in self._own}
                message = resources_pb2.Node(name=present.name, labels=rest)
                self._client.upsert_node(message, timeout=self._permit())
            del self._ours[name]

    def _try(self, node: nodes.Node) -> None:
        try:
            self._keep(node)
        except OtherCluster as refusal:
            _LOG.error("%s", refusal)
        except moorage.MoorageError as error:
            _LOG.error("cannot record the labels of node %s: %s", node.name, error)

    def _keep(self, node: nodes.Node) -> None:
        wanted = {**node.labels, **self._own}
        ours = self._ours.get(node.name)
        if ours is not None and ours.labels == wanted:
            return
        self._refuse_others(node.name)
        message = resources_pb2.Node(name=names.node(node.name, self._vrf), labels=wanted)
        self._ours[node.name] = self._client.upsert_node(message, timeout=self._permit())
        _LOG.info("node %s: labels recorded", node.name)

    def _refuse_others(self, name: str) -> None:
        try:
            present = self._client.get_node(name, vrf=self._vrf)
        except moorage.NotFound as error:
            if error.reason != "NODE_NOT_FOUND":
                raise
            return
        if present.labels.get(UID) not in (None, self._own[UID]):
            self._ours.pop(name, None)
            raise OtherCluster(
                f"node {name} of VRF {self._vrf} belongs to cluster {_told(present.labels)}, and "
                f"this is {_told(self._own)}; it is left alone: give the nodes of one VRF "
                "different names, or each cluster a VRF of its own; where that cluster is no more, "
                f"as after it was made anew, `moorctl delete node {name} --vrf {self._vrf}` lets "
                "it be recorded anew"
            )


def owners(client: moorage.Client, vrf: str) -> set[str]:
    """Return the uids of the clusters that nodes of a VRF are recorded of; raises MoorageError."""
    recorded = client.nodes(vrf=vrf, page_size=1000)
    return {node.labels[UID] for node in recorded if UID in node.labels}


def _told(node_labels: Mapping[str, str]) -> str:
    return f"{node_labels.get(NAME, '')!r} (uid {node_labels[UID]})"
