"""What the walk asks of a server: the pure decisions over a dictionary, or a real server."""

import collections
import datetime
from typing import Protocol

import moorage
from harness import postgres
from harness.calls import IPV4, want
from harness.world import START, World, any_ipv4, pool
from moorage.v1 import resources_pb2
from moorage_server.domain import addresses, errors, identity, model, reconciliation
from moorage_server.domain.reconciliation import ReconcileRequest

Released = tuple[int, ...]  # generations


class Books(Protocol):
    """A server, in the walk's eyes."""

    def assign(self, key: model.AttachmentKey, node: str, stamp: model.AttemptStamp) -> int | None:
        """The generation that an attachment holds from now on; None: refused."""

    def release(self, request: model.ReleaseRequest) -> Released:
        """What was released."""

    def reconcile(
        self, request: ReconcileRequest, tick: int
    ) -> tuple[Released, list[model.ReleaseRequest]]:
        """What was released, and what is to be released next."""


class InMemory:
    """The decisions of the server, one at a time, on what it would have stored."""

    RETENTION = 3600  # seconds that tombstones stay

    def __init__(self, capacity: int) -> None:
        first = addresses.parse_address("10.0.0.0")
        self._free = collections.deque(first + at for at in range(capacity))
        self._pools = World(pool("a", "10.0.0.0/16")).catalog
        self._block = addresses.parse_network("10.0.0.0/16")
        self._records: dict[model.AttachmentKey, identity.Record] = {}
        self._of_node: dict[str, dict[model.AttachmentKey, None]] = collections.defaultdict(dict)
        self._tombstones: collections.deque[tuple[int, model.AttachmentKey]] = collections.deque()
        self._generation = 0
        self._tick = 0

    def assign(self, key: model.AttachmentKey, node: str, stamp: model.AttemptStamp) -> int | None:
        request = model.AssignRequest(attachment=key, addresses=(any_ipv4(),), attempt=stamp)
        record = self._records.get(key)
        try:
            held = identity.replay(request, record, self._pools)
        except errors.AttachmentReleased:
            return None
        if record and held:
            newer = identity.advances(stamp, record.stamp)
            trusted = reconciliation.changed(reconciliation.Verdict.CONFIRMED, record, self._tick)
            self._records[key] = identity.Record(
                stamp=stamp if newer else record.stamp, allocations=trusted or held
            )
            return held[0].generation
        return self._grant(key, node, stamp)

    def _grant(self, key: model.AttachmentKey, node: str, stamp: model.AttemptStamp) -> int | None:
        if not self._free:
            return None
        self._generation += 1
        allocation = model.Allocation(
            attachment=key,
            address=self._free.popleft(),
            generation=self._generation,
            block=self._block,
            assign_time=START + datetime.timedelta(seconds=self._tick),
            facts=model.Facts(workload=model.Workload(node=node)),
        )
        self._records[key] = identity.Record(stamp=stamp, allocations=(allocation,))
        self._of_node[node][key] = None
        return self._generation

    def release(self, request: model.ReleaseRequest) -> Released:
        key, record = request.attachment, self._records.get(request.attachment)
        released = identity.releasable(request, record)
        if identity.leaves_tombstone(request, record, released):
            stamp = identity.newest(record.stamp if record else None, request.attempt)
            self._records[key] = identity.Record(stamp=stamp, allocations=())
            self._tombstones.append((self._tick, key))
        for each in released:
            self._of_node[each.facts.workload.node].pop(key, None)
            self._free.append(each.address)
        return tuple(each.generation for each in released)

    def reconcile(
        self, request: ReconcileRequest, tick: int
    ) -> tuple[Released, list[model.ReleaseRequest]]:
        self._tick = tick
        self._forget()
        leaks = []
        for key in list(self._of_node[request.node]):
            record = self._records[key]
            verdict = reconciliation.judge(request, key, record, tick)
            changed = reconciliation.changed(verdict, record, tick)
            if changed:
                self._records[key] = identity.Record(stamp=record.stamp, allocations=changed)
            if verdict is reconciliation.Verdict.LEAKED:
                leaks.append(reconciliation.releasing(request, key, record))
        return (), leaks

    def _forget(self) -> None:
        while self._tombstones and self._tombstones[0][0] < self._tick - self.RETENTION:
            _, key = self._tombstones.popleft()
            if key in self._records and not self._records[key].allocations:
                del self._records[key]


class Served:
    """A real server on a real database, whose ticks are the walk's."""

    def __init__(self, client: moorage.Client, database: postgres.Database) -> None:
        self._client, self._database = client, database
        self._first = int(str(database.scalar("SELECT tick FROM ticks")))

    def assign(self, key: model.AttachmentKey, node: str, stamp: model.AttemptStamp) -> int | None:
        try:
            held = self._client.assign(
                _attachment(key),
                [want(IPV4)],
                workload=resources_pb2.Workload(node=node),
                attempt=_stamp(stamp),
            )
        except moorage.MoorageError as refusal:
            if refusal.reason == "ATTACHMENT_RELEASED":
                return None
            raise
        return held[0].generation

    def release(self, request: model.ReleaseRequest) -> Released:
        stamp = _stamp(request.attempt)
        released = self._client.release(_attachment(request.attachment), attempt=stamp)
        return tuple(each.generation for each in released)

    def reconcile(
        self, request: ReconcileRequest, tick: int
    ) -> tuple[Released, list[model.ReleaseRequest]]:
        # The server counts seconds of its own, which are nothing beside those of the walk.
        self._database.execute(
            "UPDATE ticks SET tick = greatest(tick, :tick)", tick=self._first + tick
        )
        found = self._client.reconcile_node(
            request.node,
            map(_attachment, request.listed),
            grace=request.grace,
            attempt=_stamp(request.attempt),
        )
        assert not found.failures
        return tuple(each.generation for each in found.released), []


def _attachment(key: model.AttachmentKey) -> resources_pb2.Attachment:
    return resources_pb2.Attachment(
        network=key.network, container_id=key.container_id, interface=key.interface
    )


def _stamp(stamp: model.AttemptStamp | None) -> resources_pb2.AttemptStamp | None:
    if stamp is None:
        return None
    return resources_pb2.AttemptStamp(boot_id=stamp.boot_id, boot_time_ns=stamp.boot_time_ns)
