"""How a node speaks to the servers: single tries on the wire, each of which is recorded."""

import dataclasses
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import grpc

from chaos.records import Asked, Call, Outcome, Told, Verb
from moorage import channel, failures, positions
from moorage.v1 import allocation_service_pb2 as messages
from moorage.v1 import allocation_service_pb2_grpc, error_reason_pb2, reconciliation_pb2

Request = (
    messages.AssignAddressesRequest
    | messages.ReleaseAddressesRequest
    | reconciliation_pb2.ReconcileNodeRequest
)
Answer = (
    messages.AssignAddressesResponse
    | messages.ReleaseAddressesResponse
    | reconciliation_pb2.ReconcileNodeResponse
)
_METHODS = {
    Verb.ASSIGN: "AssignAddresses",
    Verb.RELEASE: "ReleaseAddresses",
    Verb.LIST: "ReconcileNode",
}
PATIENCE = 3.0  # seconds of one try


@dataclasses.dataclass
class Sent:
    """A try that is under way."""

    asked: Asked
    vrf: str
    server: int
    sent: float
    future: "grpc.Future[Answer]"


class Lines:
    """The connections of one node, one to each server."""

    def __init__(self, targets: Sequence[str], note: Callable[[Call], None]) -> None:
        """Connects when first used; `note` is told of every try that has ended."""
        self._channels = [channel.open_channel(each) for each in targets]
        self._stubs = [
            allocation_service_pb2_grpc.AllocationServiceStub(each) for each in self._channels
        ]
        self._note = note
        self._seen = positions.Seen()

    def __len__(self) -> int:
        """How many servers there may be."""
        return len(self._stubs)

    def close(self) -> None:
        """Ends the connections."""
        for each in self._channels:
            each.close()

    def send(
        self, asked: Asked, request: Request, server: int, *, patience: float = PATIENCE
    ) -> Sent:
        """Begins a try; it shows how far the node has seen the feed come, as all clients do."""
        known = self._seen.of(request.parent)
        if known is not None:
            request.seen.CopyFrom(known)
        method = getattr(self._stubs[server], _METHODS[asked.verb])
        began = time.monotonic()
        future = method.future(request, timeout=patience)
        return Sent(asked, request.parent, server, began, future)

    def hear(self, sent: Sent) -> Call:
        """Waits for a try to end."""
        answer = heard(sent.future)
        call = Call(
            asked=sent.asked,
            server=sent.server,
            sent=sent.sent,
            answered=time.monotonic(),
            **answer._asdict(),
        )
        if call.outcome is Outcome.DONE:
            self._seen.note(sent.vrf, sent.future.result().position)
        self._note(call)
        return call


class Heard(NamedTuple):
    """What came of a try; what is `doubtful`, a list may have released without knowing it."""

    outcome: Outcome
    reason: str = ""
    told: Told = ()
    doubtful: frozenset[str] = frozenset()


def heard(future: "grpc.Future[Answer]") -> Heard:
    """Waits until a try has ended."""
    try:
        answer = future.result()
    except grpc.FutureCancelledError:
        return Heard(Outcome.UNKNOWN, "cancelled")
    except grpc.RpcError as error:
        failure = failures.from_rpc(error)
        outcome = Outcome.UNKNOWN if failure.in_doubt else Outcome.REFUSED
        return Heard(outcome, failure.reason or failure.code.name)
    return Heard(Outcome.DONE, told=_told(answer), doubtful=_doubtful(answer))


def _doubtful(answer: Answer) -> frozenset[str]:
    if not isinstance(answer, reconciliation_pb2.ReconcileNodeResponse):
        return frozenset()
    unknown = error_reason_pb2.ERROR_REASON_OUTCOME_UNKNOWN
    return frozenset(
        each.attachment.container_id for each in answer.failures if each.refusal.reason == unknown
    )


def _told(answer: Answer) -> Told:
    if isinstance(answer, reconciliation_pb2.ReconcileNodeResponse):
        return tuple((each.address, each.generation) for each in answer.released)
    return tuple((each.address, each.generation) for each in answer.allocations)
