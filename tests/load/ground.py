"""What is put under load: the installed server on a durable PostgreSQL of its own."""

import contextlib
import statistics
from collections.abc import Iterator

import moorage
from bench import audit, stage
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


def capacity(crew: Crew, of: stage.Stage, *, rounds: int = 2, seconds: float = 3.0) -> float:
    """How many pods a second it serves at most: each is an assign and a release."""
    phase = Phase(
        call=Call.PAIR,
        callers=CALLERS,
        nodes=32,
        seconds=seconds,
        place=of.place,
        asks=(Ask(ipv4=POOL),),
    )
    samples = [crew.run(phase) for _ in range(rounds)]
    assert not [each for sample in samples for each in sample.failures]
    return statistics.mean(len(each.latencies) / each.end for each in samples)
