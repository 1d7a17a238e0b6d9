"""Runs a plan: all scenarios in each round, so that they share the machine's good and bad times."""

import dataclasses
import random
import statistics
from collections.abc import Callable, Iterator

import moorage
from bench import audience, audit, plan, usage
from bench.crew import Crew
from bench.stage import Stage
from bench.work import Audience, Call, Phase, Sample
from moorage.v1 import resources_pb2 as messages

DRAIN_TIME = 600.0  # seconds: a release phase ends when everything is released
WARM_UP = 0.3  # seconds at most of every scenario, before the first round


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One scenario with one number of callers in one round. CPU in seconds for each call."""

    rate: float
    p50: float
    p99: float
    server_cpu: float
    postgres_cpu: float
    load_cpu: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """The same load without anybody watching, and then with."""

    without: Figure
    beside: Figure


Key = tuple[plan.Scenario, int]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Everything that was measured, a list for the rounds, and everything that was wrong."""

    figures: dict[Key, list[Figure]]
    fills: dict[plan.Filling, list[Figure]]
    watched: dict[Audience, list[Watched]]
    compared: int
    findings: list[str]


class Run:
    """One run on a stage."""

    def __init__(self, stage: Stage, crew: Crew, wanted: plan.Plan) -> None:
        """Measures nothing yet."""
        self._stage = stage
        self._crew = crew
        self._plan = wanted
        self._findings: list[str] = []
        self._compared = 0

    def run(self, report: Callable[[str], None]) -> Outcome:
        """Does the whole plan, telling `report` how far it is."""
        report("creating and filling pools")
        self._create_pools()
        self._fill()
        report("warming up")
        dict(self._round(min(WARM_UP, self._plan.seconds)))
        figures: dict[Key, list[Figure]] = {}
        fills: dict[plan.Filling, list[Figure]] = {}
        watched: dict[Audience, list[Watched]] = {}
        for number in range(self._plan.rounds):
            report(f"round {number + 1} of {self._plan.rounds}")
            for key, figure in self._round(self._plan.seconds):
                figures.setdefault(key, []).append(figure)
            for filling, figure in self._fill_round():
                fills.setdefault(filling, []).append(figure)
            for each in self._plan.audiences:
                watched.setdefault(each, []).append(self._watched(each))
        self._findings += audit.history(self._stage.owner_conninfo)
        return Outcome(
            figures=figures,
            fills=fills,
            watched=watched,
            compared=self._compared,
            findings=self._findings,
        )

    def _create_pools(self) -> None:
        with moorage.Client(self._stage.target) as client:
            for name, pool in plan.POOLS.items():
                client.create_pool(name, pool)
            for filling in plan.FILLINGS:
                pool = messages.Pool(
                    cidr=self._fill_cidr(filling), block_affinity=messages.BLOCK_AFFINITY_NONE
                )
                client.create_pool(filling.pool, pool)

    def _fill_cidr(self, filling: plan.Filling) -> str:
        return f"{filling.cidr_start}/{self._plan.fill_prefix}"

    def _fill(self) -> None:
        full = self._take(plan.FULL_POOL, plan.FULL_POOL_SIZE)
        self._compare(plan.POOLS[plan.FULL_POOL].cidr, full)
        for filling in plan.FILLINGS:
            if filling.percent:
                self._fill_and_thin(filling)

    def _fill_and_thin(self, filling: plan.Filling) -> None:
        # Assigned in order, a share of the addresses would leave whole blocks free.
        size = self._plan.fill_size
        sample = self._take(filling.pool, size)
        self._compare(self._fill_cidr(filling), sample)
        with moorage.Client(self._stage.target) as client:
            held = list(client.allocations(page_size=1000))
            pool = f"vrfs/default/pools/{filling.pool}"
            holders = [each.attachment for each in held if each.pool == pool]
            chosen = random.Random(0).sample(holders, size - size * filling.percent // 100)
            for attachment in chosen:
                client.release(attachment)

    def _take(self, pool: str, calls: int) -> Sample:
        callers = min(calls, max(self._plan.callers))
        return self._crew.run(
            Phase(call=Call.ASSIGN, callers=callers, seconds=DRAIN_TIME, pool=pool, calls=calls)
        )

    def _round(self, seconds: float) -> Iterator[tuple[Key, Figure]]:
        for callers in self._plan.callers:
            for scenario in plan.SCENARIOS:
                drains = scenario.call is Call.RELEASE
                phase = scenario.phase(callers=callers, seconds=DRAIN_TIME if drains else seconds)
                figure, sample = self._measured(phase)
                if scenario.call is Call.ASSIGN:
                    self._compare(plan.POOLS[scenario.pool].cidr, sample)
                yield (scenario, callers), figure

    def _fill_round(self) -> Iterator[tuple[plan.Filling, Figure]]:
        for filling in plan.FILLINGS:
            phase = Phase(
                call=Call.PAIR,
                callers=plan.FILL_CALLERS,
                seconds=self._plan.seconds,
                pool=filling.pool,
            )
            yield filling, self._measured(phase)[0]

    def _watched(self, wanted: Audience) -> Watched:
        # Twice as long as elsewhere: watches take their turns less often than callers.
        phase = Phase(
            call=Call.PAIR,
            callers=max(self._plan.callers),
            seconds=2 * self._plan.seconds,
            pool="flat",
        )
        without, _ = self._measured(phase)
        with audience.watching(self._stage.target, wanted) as failures:
            beside, _ = self._measured(phase)
        self._findings += failures
        return Watched(without=without, beside=beside)

    def _measured(self, phase: Phase) -> tuple[Figure, Sample]:
        before = self._used()
        sample = self._crew.run(phase)
        used = self._used().since(before)
        self._findings += [f"{phase.call}, pool {phase.pool}: {each}" for each in sample.failures]
        return _figure(sample, used), sample

    def _used(self) -> usage.Usage:
        return usage.look(self._stage.server_pid, self._stage.postgres_pid)

    def _compare(self, cidr: str, sample: Sample) -> None:
        self._compared += len(sample.assigned)
        self._findings += audit.told(self._stage.owner_conninfo, cidr, sample.assigned)


def _figure(sample: Sample, used: usage.Usage) -> Figure:
    count = len(sample.latencies)
    if count == 0:
        raise RuntimeError(f"a phase saw no answers: {sample.failures[:1]}; give it more time")
    # Twice, because percentiles are of two values at least and a short phase may see one.
    percentiles = statistics.quantiles(sample.latencies * 2, n=100, method="inclusive")
    return Figure(
        rate=count / sample.end,
        p50=percentiles[49],
        p99=percentiles[98],
        server_cpu=used.server / count,
        postgres_cpu=used.postgres / count,
        load_cpu=sample.cpu / count,
    )
