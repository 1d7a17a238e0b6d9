"""What a pod pays for its plugin: whole processes, beside a bare interpreter."""

import collections
import contextlib
import itertools
import operator
import pathlib
import random
import statistics
import tempfile
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from bench import figures, peers, plan, plugins
from bench.goals import Goal
from bench.lab import Lab
from bench.plugins import Outcome, Plugin
from bench.work import Ask

POOL: Final = plan.flat("10.42.0.0/16")

_POOL: Final = "plugin"
_TURNS: Final = 8  # in each round; every turn starts each program once
_BARE: Final = "bare interpreter"
_PLAIN: Final = "plain gRPC client in Python"
_BYTES: Final = f"{_PLAIN}, bytes without messages"
_WALL: Final = operator.attrgetter("wall")
_CPU: Final = operator.attrgetter("cpu")
_TEXT: Final = """\
Whole processes from their start to their end, as a container runtime starts them, {turns} of each
in a round, in random order; a ratio is taken within its turn. CPU is of the process itself, without
agent or server. The plain client sends one message to the server, and prints nothing; where it is
of bytes, it has `grpc` alone loaded, and is started as the bare interpreter is (`-I -S`).
host-local is of the CNI plugins {version}.

"""
_VERBS: Final = ("ADD", "DEL", "VERSION")
_TITLES: Final = (
    _BARE,
    *(f"with an agent, {verb}" for verb in _VERBS),
    _PLAIN,
    _BYTES,
    *(f"without one, {verb}" for verb in _VERBS),
    *(f"host-local, {verb}" for verb in _VERBS),
)


class PluginProcesses:
    """The plugin in both forms, and host-local where it can be had."""

    title = "What a plugin's process costs"

    def __init__(self, lab: Lab, wanted: plan.Plan, until: contextlib.ExitStack) -> None:
        """The agent ends with `until`."""
        self._lab = lab
        self._plan = wanted
        self._until = until
        self._plugins: list[Plugin] = []
        self._absence = ""
        self._outcomes: dict[str, list[Outcome]] = collections.defaultdict(list)
        self._containers = map("c{}".format, itertools.count())

    def prepare(self) -> None:
        """Starts an agent, and each program once, after which nothing has to be read from disk."""
        place = pathlib.Path(self._until.enter_context(tempfile.TemporaryDirectory()))
        self._lab.create({_POOL: POOL})
        ours = plugins.ours(self._lab.stage.target, Ask(ipv4=_POOL), place)
        self._plugins += self._until.enter_context(ours)
        try:
            program = peers.program(peers.HOST_LOCAL, build=self._plan.builds_peers)
            self._plugins.append(plugins.host_local(program, POOL.cidr, place / "host-local"))
        except peers.UnavailableError as absence:
            self._absence = str(absence)
        self._turn()

    def round(self) -> None:
        """Every program, so many times."""
        for _ in range(_TURNS):
            for title, outcome in self._turn():
                self._outcomes[title].append(outcome)

    def section(self) -> str:
        """Wall time first: a runtime waits for it."""
        heads = ["whole process", "wall, of a bare interpreter", "CPU, of one", "wall ms", "CPU ms"]
        rows = [[title, *self._cells(title)] for title in _TITLES]
        text = _TEXT.format(turns=_TURNS, version=peers.HOST_LOCAL.version)
        return text + figures.table(heads, rows)

    def goals(self) -> Sequence[Goal]:
        """How long a runtime waits for an ADD, and for what needs no server."""
        asked = {"with an agent, ADD": 2.5, "with an agent, VERSION": 2.5}
        asked |= {"without one, ADD": 9, "without one, VERSION": 2.5}
        return tuple(
            Goal(
                what=f"time of a plugin's process {title}, to a bare interpreter",
                seen=self._ratios(_WALL, title),
                at_most=at_most,
            )
            for title, at_most in asked.items()
        )

    def _turn(self) -> Sequence[tuple[str, Outcome]]:
        target = self._lab.stage.target
        takes = [
            _once(_BARE, plugins.BARE),
            _once(_PLAIN, plugins.plain_client(target)),
            _once(_BYTES, plugins.bytes_client(target)),
        ]
        takes += [_verbs(each, next(self._containers)) for each in self._plugins]
        random.shuffle(takes)
        return [*itertools.chain(*takes)]

    def _cells(self, title: str) -> list[str]:
        if title not in self._outcomes:
            return [f"skipped: {self._absence}", "", "", ""]
        ratios = [f"{statistics.median(self._ratios(field, title)):.2f}" for field in (_WALL, _CPU)]
        return ratios + [f"{self._median(field, title) * 1e3:.1f}" for field in (_WALL, _CPU)]

    def _ratios(self, field: Callable[[Outcome], float], title: str) -> list[float]:
        """The median of each round."""
        pairs = zip(self._outcomes[title], self._outcomes[_BARE], strict=True)
        ratios = [field(one) / field(bare) for one, bare in pairs]
        starts = range(0, len(ratios), _TURNS)
        return [statistics.median(ratios[start : start + _TURNS]) for start in starts]

    def _median(self, field: Callable[[Outcome], float], title: str) -> float:
        return statistics.median(map(field, self._outcomes[title]))


def _once(title: str, command: tuple[str, ...]) -> Iterator[tuple[str, Outcome]]:
    yield title, plugins.started(command, b"", {})


def _verbs(plugin: Plugin, container: str) -> Iterator[tuple[str, Outcome]]:
    for verb in _VERBS:
        yield f"{plugin.title}, {verb}", plugin.call(verb, container)
