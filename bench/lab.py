"""A server under measurement, the load on it, and what was found to be wrong."""

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, LiteralString

import psycopg

import moorage
from bench import audience, audit, stock, usage
from bench.crew import Crew
from bench.figures import Cost, Figure, cost, figure
from bench.stage import Stage
from bench.work import Ask, Audience, Call, Phase, Sample
from moorage import names
from moorage.v1 import resources_pb2 as messages

DRAIN_TIME: Final = 600.0  # seconds: such a phase ends when its calls are done
PATIENCE: Final = 300.0  # seconds for a call that looks at everything


@dataclasses.dataclass(slots=True, kw_only=True)
class Verdict:
    """What was wrong, and how many addresses were compared, in the whole run."""

    findings: list[str] = dataclasses.field(default_factory=list)
    compared: int = 0


class Lab:
    """One stage, and the crew that works at it."""

    def __init__(self, stage: Stage, hired: Crew, verdict: Verdict) -> None:
        """What is wrong is added to the verdict."""
        self.stage = stage
        self._crew = hired
        self._verdict = verdict

    def client(self) -> moorage.Client:
        """A client of the server; close it."""
        return moorage.Client(self.stage.target, timeout=PATIENCE)

    def create(self, pools: Mapping[str, messages.Pool], *, vrf: str = names.DEFAULT_VRF) -> None:
        """Creates pools, and the VRF where it is another."""
        with self.client() as client:
            if vrf != names.DEFAULT_VRF:
                client.create_vrf(vrf)
            for name, pool in pools.items():
                client.create_pool(name, pool, vrf=vrf)

    def stock(self, stocks: Sequence[stock.Stock]) -> None:
        """Fills pools that were just created."""
        for each in stocks:
            each.write(self.stage.owner_conninfo)
        stock.settle(self.stage.owner_conninfo)

    def take(self, pool: str, calls: int, *, callers: int) -> Sample:
        """Assigns so many addresses of a pool, which stay held."""
        callers = min(calls, callers)
        return self.ran(
            Phase(
                call=Call.ASSIGN,
                callers=callers,
                seconds=DRAIN_TIME,
                calls=calls,
                asks=(Ask(ipv4=pool),),
            )
        )

    def measured(self, phase: Phase) -> tuple[Figure, Sample]:
        """The figure of one phase."""
        return self.measured_while(lambda: self.ran(phase))

    def measured_while(self, work: Callable[[], Sample]) -> tuple[Figure, Sample]:
        """The figure of whatever calls the server and says what came of it."""
        written, before = self._written(), self._used()
        sample = work()
        used = self._used().since(before)
        return figure(sample, used, wal=self._written() - written), sample

    def cost_while(self, look: Callable[[], int]) -> Cost:
        """What each row cost that was read by this process; `look` says how many there were."""
        began, spent, before = time.monotonic(), time.process_time(), self._used()
        rows = look()
        lasted, load_cpu = time.monotonic() - began, time.process_time() - spent
        used = self._used().since(before)
        return cost(rows, used, rate=rows / lasted, load_cpu=load_cpu)

    def ran(self, phase: Phase) -> Sample:
        """One phase; what failed is found, and what two callers held at once."""
        sample = self._crew.run(dataclasses.replace(phase, place=self.stage.place))
        wrong = (*sample.failures, *audit.overlaps(sample.holdings))
        self.found(f"{phase.call}, {phase.asks[0]}: {each}" for each in wrong)
        self._verdict.compared += len(sample.holdings)
        return sample

    @contextlib.contextmanager
    def watched(self, wanted: Audience) -> Iterator[None]:
        """Watches for as long as it is open; what goes wrong with them is found."""
        with audience.watching(self.stage.target, wanted) as failures:
            yield
        self.found(failures)

    def compare(self, cidr: str, addresses: Sequence[str]) -> None:
        """Whether a pool holds exactly what its callers were told."""
        self._verdict.compared += len(addresses)
        self.found(audit.told(self.stage.owner_conninfo, cidr, addresses))

    def check(self) -> None:
        """Whether the database agrees with itself, by two accounts of what that means."""
        self.found(audit.history(self.stage.owner_conninfo))
        self.ask_consistency()

    def ask_consistency(self) -> None:
        """Whether it does by the server's own account."""
        with self.client() as client:
            told = client.check_consistency(timeout=PATIENCE)
            self.found(each.finding.message for each in told if each.HasField("finding"))

    def peak(self) -> int:
        """The most memory that the server has had at once so far, in MiB."""
        return usage.peak(self.stage.server_pid)

    def resident(self) -> int:
        """What it has now, in MiB."""
        return usage.resident(self.stage.server_pid)

    def stored(self) -> int:
        """How large its database is, in MiB."""
        return self._asked("SELECT pg_database_size(current_database())") >> 20

    def rest(self) -> None:
        """Returns when the server is done with all that was asked; raises RuntimeError."""
        usage.await_rest(self.stage.server_pid)

    def found(self, wrong: Iterable[str]) -> None:
        """Adds to what is wrong."""
        self._verdict.findings += wrong

    def _used(self) -> usage.Usage:
        return usage.look(self.stage.server_pid, self.stage.postgres_pid)

    def _written(self) -> int:
        """Bytes of WAL that PostgreSQL has written since it exists, for whichever database."""
        return self._asked("SELECT pg_current_wal_insert_lsn() - '0/0'")

    def _asked(self, question: LiteralString) -> int:
        with psycopg.connect(self.stage.owner_conninfo) as connection:
            [told] = connection.execute(question).fetchall()[0]
            return int(told)
