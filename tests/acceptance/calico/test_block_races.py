"""Many callers at once at the blocks of one pool."""

import concurrent.futures
import threading
from collections.abc import Callable

import grpc

from acceptance.calico.clock import later
from acceptance.calico.ground import (
    Stage,
    Step,
    allocations,
    assign,
    blocks,
    configuration,
    play,
    pool,
    release,
)
from moorage import failures
from moorage.v1 import allocation_service_pb2 as messages
from moorage.v1 import pool_service_pb2 as pooling


def at_once(stage: Stage, callers: int, step: Callable[[int], Step]) -> list[str]:
    """What came of a step for each of many callers: an address, or the reason for none."""
    barrier = threading.Barrier(callers)

    def run(number: int) -> str:
        barrier.wait()
        try:
            answer = play(stage, [step(number)])
        except grpc.RpcError as error:
            return failures.from_rpc(error).reason
        assert isinstance(answer, messages.AssignAddressesResponse)
        return answer.allocations[0].address

    with concurrent.futures.ThreadPoolExecutor(callers) as threads:
        return list(threads.map(run, range(callers)))


def owners(stage: Stage) -> list[str]:
    """The nodes of the blocks that are open."""
    answer = play(stage, [blocks()])
    assert isinstance(answer, pooling.ListBlocksResponse)
    return [each.node for each in answer.blocks]


def test_32_nodes_race_for_16_blocks_and_all_obtain_an_address(stage: Stage) -> None:
    play(stage, [pool("a", "10.0.0.0/26", blockSize=30)])
    outcomes = at_once(stage, 32, lambda at: assign(f"c{at}", node=f"n{at}"))
    assert len({each for each in outcomes if each.startswith("10.0.0.")}) == 32, outcomes
    assert len(set(owners(stage)) - {""}) == len(owners(stage)) == 16


def test_one_idle_block_has_one_new_owner(stage: Stage) -> None:
    play(
        stage,
        [
            configuration(strictAffinity=True),
            pool("a", "10.0.0.0/30", blockSize=30),
            assign("c", node="n"),
            release("c"),
            later(61),
        ],
    )
    outcomes = at_once(stage, 8, lambda at: assign(f"c{at}", node=f"n{at}"))
    assert sorted(outcomes)[1:] == ["POOL_EXHAUSTED"] * 7, outcomes
    (winner,) = (at for at, each in enumerate(outcomes) if each != "POOL_EXHAUSTED")
    assert owners(stage) == [f"n{winner}"]


def test_requests_of_one_node_do_not_pass_its_limit_together(stage: Stage) -> None:
    play(
        stage,
        [
            configuration(strictAffinity=True, maxBlocksPerHost=3),
            pool("a", "10.0.0.0/27", blockSize=32),
        ],
    )
    outcomes = at_once(stage, 16, lambda at: assign(f"c{at}", node="n1"))
    assert outcomes.count("BLOCK_LIMIT_REACHED") == 13, outcomes
    assert owners(stage) == ["n1"] * 3


def test_a_block_that_vanishes_under_those_who_ask_for_it_is_opened_again(stage: Stage) -> None:
    play(stage, [pool("a", "10.0.0.0/28", blockSize=28)])

    def come_and_go(number: int) -> Step:
        for _ in range(8):
            play(stage, [assign(f"c{number}").in_range("10.0.0.0/28"), release(f"c{number}")])
        return assign(f"c{number}")

    outcomes = at_once(stage, 8, come_and_go)
    assert len({each for each in outcomes if each.startswith("10.0.0.")}) == 8, outcomes
    releases = [release(f"c{number}") for number in range(8)]
    play(stage, [*releases, allocations().gives(), blocks().lists()])
