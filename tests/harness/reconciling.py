"""Lists of nodes, and the time between them."""

import contextlib
from collections.abc import Iterator

import sqlalchemy as sa

import moorage
from harness import postgres
from harness.calls import attachment, attempt
from moorage.v1 import reconciliation_pb2 as messages
from moorage_server.domain import model
from moorage_server.storage import attachments

GRACE = 600  # seconds, unless a list says otherwise


def reconcile(
    client: moorage.Client,
    *containers: str,
    node: str = "n1",
    network: str = "",
    grace: float | None = None,
    stamp: int | None = None,
    validate_only: bool = False,
) -> messages.ReconcileNodeResponse:
    """A node's list: these containers, each with one attachment."""
    return client.reconcile_node(
        node,
        [attachment(each) for each in containers],
        network=network,
        grace=grace,
        attempt=attempt(stamp),
        validate_only=validate_only,
    )


def pass_time(database: postgres.Database, seconds: int = GRACE + 1) -> None:
    """As many seconds as are counted go by; the grace, unless told otherwise."""
    database.execute("UPDATE ticks SET tick = tick + :seconds", seconds=seconds)


def containers(found: messages.ReconcileNodeResponse) -> tuple[int, list[str], list[str]]:
    """How many were confirmed; who is suspect; whose addresses were released."""
    assert not found.failures, found.failures
    return (
        found.confirmed_count,
        [each.attachment.container_id for each in found.suspects],
        [each.attachment.container_id for each in found.released],
    )


def suspects(client: moorage.Client) -> set[str]:
    """The containers under suspicion now."""
    return {each.attachment.container_id for each in client.allocations() if each.suspect}


@contextlib.contextmanager
def worked_on(database: postgres.Database, container: str) -> Iterator[None]:
    """Another transaction has the lock of a container's attachment."""
    key = model.AttachmentKey(
        vrf="default", network="pods", container_id=container, interface="eth0"
    )
    lock = sa.text("SELECT pg_advisory_xact_lock(1, :number)")
    with database.connect() as stranger:
        stranger.execute(lock, {"number": attachments.lock_number(key)})
        yield
        stranger.rollback()
