"""A history under way: what every step works on."""

import random
from typing import TypeVar

from google.protobuf.message import Message

from harness.postgres import Database
from moorage.v1 import allocation_service_pb2 as requests
from moorage.v1 import resources_pb2 as messages
from properties.holdings import Holdings, Pool
from properties.service import Refused, Service

R = TypeVar("R", bound=Message)


class Walk:
    """A history under way: the server, the model, and the dice."""

    def __init__(self, chance: random.Random, service: Service, database: Database) -> None:
        """Begins on an empty VRF."""
        self.chance = chance
        self.database = database
        self.now = Holdings()
        self.trace: list[str] = []
        self.last: dict[str, requests.AssignAddressesRequest] = {}
        self.ticks = 0
        self.tombstones: dict[str, int] = {}
        self.pool_number = 0
        self.service = service

    def send(self, request: Message, kind: type[R]) -> R | Refused:
        """One call, noted in the trace; `kind` is that of its response."""
        what = " ".join(str(request).split())
        self.trace.append(f"{type(request).__name__} {what}")
        answer = self.service.answer(request, kind)
        told = str(answer) if isinstance(answer, Refused) else " ".join(str(answer).split())
        self.trace[-1] += f"\n      -> {told[:600]}"
        return answer

    def done(self, request: Message) -> None:
        """One call that must succeed."""
        answer = self.send(request, Message)
        assert not isinstance(answer, Refused), f"refused: {answer}"

    def tick(self) -> messages.AttemptStamp:
        """The next moment of the node's clock."""
        self.ticks += 1
        return messages.AttemptStamp(boot_id="boot", boot_time_ns=self.ticks)

    def some_pool(self) -> Pool:
        """Any pool."""
        return self.chance.choice(sorted(self.now.pools.values(), key=lambda each: each.name))

    def some_holder(self) -> str | None:
        """Any container that holds something."""
        return self.chance.choice(sorted(self.now.containers) or [None])
