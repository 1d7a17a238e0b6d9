"""What is put under load: the installed server on a durable PostgreSQL of its own."""

import contextlib
import dataclasses
import statistics
from collections.abc import Iterator
from typing import Self

import moorage
from bench import audit, stage, usage
from bench.crew import Crew
from bench.work import Ask, Call, Phase
from moorage.v1 import resources_pb2

POOL = "load"
CALLERS = 256
LARGE = resources_pb2.Pool(cidr="10.0.0.0/12", block_affinity=resources_pb2.BLOCK_AFFINITY_NODE)


@contextlib.contextmanager
def built(pool: resources_pb2.Pool = LARGE) -> Iterator[stage.Stage]:
    """With one pool; at the end the database agrees with itself."""
    with stage.built() as made:
        with moorage.Client(made.target) as client:
            client.create_pool(POOL, pool)
        yield made
        assert not list(audit.history(made.owner_conninfo))


@dataclasses.dataclass(frozen=True, slots=True)
class Capacity:
    """How many pods a second are served at most, each an assign and a release."""

    rate: float
    cost: float  # seconds of CPU of server and PostgreSQL for each

    def and_then(self, other: Self) -> Self:
        """The mean of this and of what was measured later."""
        means = (statistics.mean(each) for each in zip(self, other, strict=True))
        return type(self)(*means)

    def __iter__(self) -> Iterator[float]:
        """Rate and cost."""
        return iter((self.rate, self.cost))


def capacity(crew: Crew, of: stage.Stage, *, seconds: float = 6.0) -> Capacity:
    """What is served to callers who each wait for the last one."""
    phase = Phase(
        call=Call.PAIR,
        callers=CALLERS,
        nodes=32,
        seconds=seconds,
        place=of.place,
        asks=(Ask(ipv4=POOL),),
    )
    before = usage.look(of.server_pid, of.postgres_pid)
    sample = crew.run(phase)
    used = usage.look(of.server_pid, of.postgres_pid).since(before)
    assert not sample.failures
    pods = len(sample.latencies)
    return Capacity(sample.rate, (used.server + used.postgres) / pods)
