"""Callers that begin at the same moment."""

import concurrent.futures
import threading
from collections.abc import Callable

import moorage
from moorage.v1 import resources_pb2 as messages

Outcome = list[messages.Allocation] | moorage.MoorageError


def at_once(callers: int, call: Callable[[int], list[messages.Allocation]]) -> list[Outcome]:
    """The outcomes of calls that all begin at the same moment; each is told its number."""
    barrier = threading.Barrier(callers)

    def run(at: int) -> Outcome:
        barrier.wait()
        try:
            return call(at)
        except moorage.MoorageError as error:
            return error

    with concurrent.futures.ThreadPoolExecutor(callers) as pool:
        return list(pool.map(run, range(callers)))


def held(outcomes: list[Outcome]) -> list[str]:
    """The addresses of outcomes that must all be successes."""
    for each in outcomes:
        assert isinstance(each, list), each
    return [each[0].address for each in outcomes if isinstance(each, list)]
