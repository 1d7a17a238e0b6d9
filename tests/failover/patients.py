"""Callers that have time: an ADD gets a minute, and the client tries again as the plugin's does."""

import contextlib
import random
import threading
import time
from collections.abc import Sequence
from typing import Any

import grpc

from chaos import wants
from chaos.lines import Request, heard
from chaos.papers import Papers, Sandbox
from chaos.records import Asked, Call, Verb
from harness import calls
from moorage import channel, errors, positions, retries
from moorage.v1 import allocation_service_pb2_grpc

ADD_TIME, DEL_TIME = 60.0, 20.0  # seconds
ANY_SERVER = -1
SETTLED = 90.0  # seconds until what could not be released has been


class _Ears(grpc.UnaryUnaryClientInterceptor):
    """Hears what comes of each try of the client's, and records it."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.asked = Asked(verb=Verb.LIST, node="")

    def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:  # noqa: ANN401
        sent = time.monotonic()
        answer = continuation(details, request)
        told = heard(answer)
        self.calls.append(
            Call(
                asked=self.asked,
                server=ANY_SERVER,
                sent=sent,
                answered=time.monotonic(),
                **told._asdict(),
            )
        )
        return answer


class Patient:
    """Makes a pod, removes it, and so on."""

    def __init__(self, name: str, seed: int, targets: Sequence[str]) -> None:
        """Lives from `begin` to `rest`."""
        self._papers = Papers(name, random.Random(f"{seed} {name}"))
        self._ears = _Ears()
        self._channel = channel.open_channel(f"ipv4:{','.join(targets)}")
        stub = allocation_service_pb2_grpc.AllocationServiceStub(
            grpc.intercept_channel(self._channel, self._ears)
        )
        self._assign, self._release = stub.AssignAddresses, stub.ReleaseAddresses
        self._seen = positions.Seen()
        self._doubtful: set[str] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread()
        self.adds, self.longest = 0, 0.0
        self.failed: list[str] = []

    @property
    def calls(self) -> list[Call]:
        """All tries of this round."""
        return self._ears.calls

    def begin(self) -> None:
        """Begins a round."""
        self._ears.calls, self.failed = [], []
        self.adds, self.longest = 0, 0.0
        self._stop.clear()
        self._thread = threading.Thread(target=self._live, daemon=True)
        self._thread.start()

    def rest(self) -> list[str]:
        """Ends what is begun; names what stays in doubt."""
        self._stop.set()
        self._thread.join(ADD_TIME + DEL_TIME + 10)
        until = time.monotonic() + SETTLED
        for container in sorted(self._doubtful):
            while container in self._doubtful and time.monotonic() < until:
                self._remove(container)
        return sorted(self._doubtful)

    def close(self) -> None:
        """Goes."""
        self._stop.set()
        self._channel.close()
        if self._thread.is_alive():
            self._thread.join(ADD_TIME)

    def _live(self) -> None:
        with contextlib.suppress(ValueError):  # of a call on a channel that was closed
            while not self._stop.is_set():
                made = self._papers.pod()
                del made.request.addresses[:]
                made.request.addresses.append(calls.want(pools=("wide",)))
                made.request.workload.namespace = wants.FREE  # an ADD is to be refused by nobody
                self._add(made)
                self._remove(made.container)

    def _add(self, made: Sandbox) -> None:
        self._ears.asked = self._papers.of_assign(made)
        began = time.monotonic()
        try:
            self._call(self._assign, made.request, ADD_TIME)
        except errors.MoorageError as failure:
            self.failed.append(f"{made.container}: {failure!r}")
        self.adds += 1
        self.longest = max(self.longest, time.monotonic() - began)

    def _remove(self, container: str) -> None:
        request = self._papers.release(container)
        self._ears.asked = self._papers.of_release(container, request)
        self._doubtful.add(container)
        with contextlib.suppress(errors.MoorageError):
            self._call(self._release, request, DEL_TIME)
            self._doubtful.discard(container)

    def _call(self, method: Any, request: Request, timeout: float) -> None:  # noqa: ANN401  # of gRPC
        """Shows how far the feed had come, as all clients do, and notes how far it has."""
        known = self._seen.of(request.parent)
        if known is not None:
            request.seen.CopyFrom(known)
        answer = retries.call(method, request, timeout=timeout)
        self._seen.note(request.parent, answer.position)
