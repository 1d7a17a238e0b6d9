"""Administration of nodes: their labels, and what becomes of their blocks when they go."""

from collections.abc import Mapping

from moorage_server.domain import errors, resources
from moorage_server.domain.actors import NOBODY, Act
from moorage_server.storage import affinities, database, nodes, vrfs
from moorage_server.usecases import noting
from moorage_server.usecases.targets import Target


def upsert(
    store: database.Database, limits: database.Limits, node: resources.Node, by: Act = NOBODY
) -> resources.Node:
    """The node as stored; raises VrfNotFound."""

    def work(transaction: database.Transaction) -> resources.Node:
        vrfs.keep(transaction, node.vrf)
        before = nodes.lock(transaction, node.vrf, node.name)
        nodes.upsert(transaction, node)
        stored = nodes.get(transaction, node.vrf, node.name)
        if before is None or stored.labels != before.labels:
            noting.note(transaction, by, "UpsertNode", before=before, after=stored)
        return stored

    return store.run(work, limits)


def get(store: database.Database, limits: database.Limits, vrf: str, name: str) -> resources.Node:
    """One node; raises NodeNotFound."""
    return store.run(lambda transaction: nodes.get(transaction, vrf, name), limits)


def page(
    store: database.Database,
    limits: database.Limits,
    vrf: str,
    *,
    labels: Mapping[str, str],
    after: str,
    size: int,
) -> tuple[list[resources.Node], bool]:
    """A page of nodes in order of name, and whether more follow; raises VrfNotFound."""

    def work(transaction: database.Transaction) -> list[resources.Node]:
        vrfs.require_id(transaction, vrf)
        return nodes.page(transaction, vrf, labels=labels, after=after, limit=size + 1)

    found = store.run(work, limits)
    return found[:size], len(found) > size


def delete(
    store: database.Database, limits: database.Limits, target: Target, by: Act = NOBODY
) -> None:
    """Removes a node and gives up its blocks; raises NodeNotFound or EtagMismatch.

    A node may own blocks without ever having been recorded; with an etag, it must have been.
    """

    def work(transaction: database.Transaction) -> None:
        # So that no assign which is under way opens a block for the node afterwards.
        vrfs.lock(transaction, target.vrf)
        node = nodes.lock(transaction, target.vrf, target.name)
        if node is None and target.etag:
            raise errors.NodeNotFound(target.vrf, target.name)
        if node is not None:
            target.require_etag(node)
            nodes.delete(transaction, node)
        owned = affinities.give_up_node(transaction, target.vrf, target.name)
        if node is None and not owned:
            raise errors.NodeNotFound(target.vrf, target.name)
        # It may have had blocks without ever having been recorded.
        gone = node or resources.Node(vrf=target.vrf, name=target.name)
        noting.note(transaction, by, "DeleteNode", before=gone)

    store.run(work, limits)
