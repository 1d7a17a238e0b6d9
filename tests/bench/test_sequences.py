"""What the benchmark program measures as one leaves nothing, and is no less than it is called."""

import asyncio
import time

import moorage
from bench import sequences
from bench.callers import Callers
from bench.work import Ask, Call, Phase, Place, Sample
from harness.serving import Serving
from moorage.v1 import resources_pb2

TURNS = 3
OWN_BLOCKS = resources_pb2.Pool(cidr="10.0.0.0/24", block_size=28)
NOBODYS_BLOCKS = resources_pb2.Pool(
    cidr="10.1.0.0/24", block_affinity=resources_pb2.BLOCK_AFFINITY_NONE
)


def sequence(server: Serving, call: Call, ipv4: str) -> Sample:
    """One caller that does it three times."""
    place = Place(target=server.target)
    asks = (Ask(ipv4=ipv4),)
    start = time.monotonic()
    phase = Phase(
        call=call, callers=1, seconds=60, calls=TURNS, place=place, asks=asks, start=start
    )

    async def run() -> Sample:
        callers = Callers(0, 1)
        try:
            return await callers.run(phase)
        finally:
            await callers.close()

    return asyncio.run(run())


def done(sample: Sample) -> bool:
    """Whether each turn was, and none failed."""
    return len(sample.latencies) == TURNS and not sample.failures


def test_a_new_pool_is_gone_again(server: Serving, client: moorage.Client) -> None:
    assert done(sequence(server, Call.POOL, "192.168.0.0/24"))
    assert list(client.pools()) == []


def test_an_address_is_free_again(server: Serving, client: moorage.Client) -> None:
    client.create_pool("p", OWN_BLOCKS)
    assert done(sequence(server, Call.ADDRESS, "p"))
    assert list(client.allocations()) == []


def test_a_block_is_opened_each_time_and_closed(server: Serving, client: moorage.Client) -> None:
    client.create_pool("p", OWN_BLOCKS)
    assert done(sequence(server, Call.BLOCK, "p"))
    assert list(client.blocks(pool="p")) == []


def test_where_no_block_becomes_the_nodes_none_was_opened(
    server: Serving, client: moorage.Client
) -> None:
    client.create_pool("p", NOBODYS_BLOCKS)
    sample = sequence(server, Call.BLOCK, "p")
    assert sample.latencies == ()
    assert [failure.partition(":")[0] for failure in sample.failures] == ["NOT_FOUND"] * TURNS


def test_what_overlaps_is_refused(server: Serving, client: moorage.Client) -> None:
    client.create_vrf(sequences.CROWDED)
    client.create_pool("p", OWN_BLOCKS, vrf=sequences.CROWDED)
    assert done(sequence(server, Call.OVERLAP, "10.0.0.0/25"))


def test_what_was_not_refused_has_failed(server: Serving, client: moorage.Client) -> None:
    client.create_vrf(sequences.CROWDED)
    sample = sequence(server, Call.OVERLAP, "10.0.0.0/25")
    assert sample.latencies == ()
    first, *others = sample.failures
    assert first == "10.0.0.0/25 overlaps a pool and yet became one"
    # Refused for another reason: the id is taken.
    assert [failure.partition(":")[0] for failure in others] == ["ALREADY_EXISTS"] * (TURNS - 1)
