"""The rollout once more, smaller, by processes of the plugin, which ask the agent of their node."""

import collections
import concurrent.futures
import contextlib
import dataclasses
import itertools
import json
import pathlib
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from bench import figures, plan, plugins
from bench.chapters.rollouts import compare
from bench.figures import Figure
from bench.lab import Lab
from bench.plugins import Outcome, Plugin
from bench.work import Sample

_AT_ONCE: Final = 8  # processes; a runtime starts no more pods of a node at once, on a few cores
_TEXT: Final = """\
{pods} pods of one node on exactly {pods} addresses of each family, {at_once} at a time. Each is a
process of the plugin, which asks the node's agent; to be replaced is the DEL of one pod and the ADD
of the next, timed as one. The load's CPU is that of these processes, without the agent's:

"""

_Made = TypeVar("_Made")


@dataclasses.dataclass(frozen=True, slots=True)
class _Pod:
    """One that was started: seconds that it took, and of CPU."""

    addresses: tuple[str, ...]
    took: float
    cpu: float


class PluginRollouts:
    """Pods start, and all of them are replaced."""

    title = "As many pods as addresses, through the plugin"

    def __init__(self, lab: Lab, wanted: plan.Plan, until: contextlib.ExitStack) -> None:
        """The agent ends with `until`."""
        self._lab = lab
        self._rollout = plan.plugin_rollout(wanted.plugin_rollout_pods)
        self._until = until
        self._figures: dict[str, list[Figure]] = collections.defaultdict(list)
        self._numbers = itertools.count()
        self._plugin: Plugin

    def prepare(self) -> None:
        """The pools, an agent, and a few pods that do not count."""
        place = pathlib.Path(self._until.enter_context(tempfile.TemporaryDirectory()))
        self._lab.create(self._rollout.pools)
        ours = plugins.ours(self._lab.stage.target, self._rollout.ask, place)
        self._plugin, _ = self._until.enter_context(ours)
        few = self._containers()[:_AT_ONCE]
        _at_once(self._start, few)
        _at_once(self._stop, few)

    def round(self) -> None:
        """All start, all are replaced, all go."""
        first, second = self._containers(), self._containers()
        self._step("all start", self._start, first)
        self._step("all are replaced", self._replace, first, second)
        _at_once(self._stop, second)

    def section(self) -> str:
        """Rates beside that of the start."""
        heads = ["step", "of the rate of the first", "pods/s", *figures.TIMES, *figures.SIDES]
        first = next(iter(self._figures.values()))
        rows = [
            [
                step,
                figures.ratio(figures.RATE, own, first),
                *(figures.rate(own), *figures.times(own), *figures.sides(own)),
            ]
            for step, own in self._figures.items()
        ]
        text = _TEXT.format(pods=self._rollout.pods, at_once=_AT_ONCE)
        return text + figures.table(heads, rows)

    def _containers(self) -> list[str]:
        """Of as many pods that nobody has seen yet."""
        return [f"rolled-{next(self._numbers)}" for _ in range(self._rollout.pods)]

    def _step(self, title: str, change: Callable[..., _Pod], *containers: Sequence[str]) -> None:
        figure, sample = self._lab.measured_while(lambda: _sampled(change, *containers))
        compare(self._lab, self._rollout, sample.assigned)
        self._figures[f"{title}, {_AT_ONCE} at a time"].append(figure)

    def _start(self, container: str) -> _Pod:
        outcome = self._plugin.call("ADD", container)
        addresses = [each["address"].partition("/")[0] for each in json.loads(outcome.said)["ips"]]
        return _Pod(tuple(addresses), outcome.wall, outcome.cpu)

    def _replace(self, old: str, new: str) -> _Pod:
        went, came = self._stop(old), self._start(new)
        return _Pod(came.addresses, went.wall + came.took, went.cpu + came.cpu)

    def _stop(self, container: str) -> Outcome:
        return self._plugin.call("DEL", container)


def _sampled(change: Callable[..., _Pod], *containers: Sequence[str]) -> Sample:
    began = time.monotonic()
    pods = _at_once(change, *containers)
    return Sample(
        latencies=tuple(each.took for each in pods),
        assigned=tuple(address for each in pods for address in each.addresses),
        answered=len(pods),
        lasted=time.monotonic() - began,
        cpu=sum(each.cpu for each in pods),
    )


def _at_once(change: Callable[..., _Made], *containers: Sequence[str]) -> list[_Made]:
    with concurrent.futures.ThreadPoolExecutor(_AT_ONCE) as threads:
        return list(threads.map(change, *containers))
