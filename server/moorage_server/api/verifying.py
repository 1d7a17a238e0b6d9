"""Has what is stored verified, at the pace that the settings say, and tells of what is found."""

import asyncio
import concurrent.futures
import time
from collections.abc import Mapping

import prometheus_client
import structlog

from moorage_server.api import chores
from moorage_server.domain import errors
from moorage_server.storage import database
from moorage_server.storage.interruption import Interruption
from moorage_server.storage.verifications import Extent
from moorage_server.usecases import verify

PAUSE = 10.0  # seconds between two questions whether something is due
TIME = 3600.0  # seconds for one look at everything

_log = structlog.get_logger()


class Verifying:
    """Verifies on a thread of its own; of all servers one at a time does."""

    def __init__(self, store: database.Database, periods: Mapping[Extent, int]) -> None:
        """`periods` are in seconds, 0 for never."""
        self._store = store
        self._periods = periods
        self._interruption = Interruption()
        self._thread = concurrent.futures.ThreadPoolExecutor(1, "verifying")
        self._task: asyncio.Task[None] | None = None
        self._violations = prometheus_client.Counter(
            "moorage_rule_violations",
            "What was found to break a rule, counted with each look at it.",
            ("vrf", "rule"),
            registry=None,
        )
        self._verifications = prometheus_client.Counter(
            "moorage_verifications",
            "Times that this process has held what is stored against its rules.",
            ("extent",),
            registry=None,
        )
        every = prometheus_client.Gauge(
            "moorage_verification_period_seconds",
            "How often what is stored is held against its rules, as this server is told; 0: never.",
            ("extent",),
            registry=None,
        )
        for extent, period in periods.items():
            every.labels(extent.value).set(period)
        self.counters = (self._violations, self._verifications, every)

    def start(self) -> None:
        """Begins to work on the running loop, if anything is ever due."""
        if any(self._periods.values()):
            self._task = asyncio.get_running_loop().create_task(self._work())

    async def close(self) -> None:
        """Ends the look under way; another server makes it, or the next one."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await asyncio.to_thread(self._interruption.interrupt)
        self._thread.shutdown(wait=True)

    async def _work(self) -> None:
        pause = min(PAUSE, *(each for each in self._periods.values() if each))
        while True:
            await asyncio.sleep(pause)
            await chores.survived(self._turn, "what is stored was not verified")

    async def _turn(self) -> None:
        limits = database.Limits.until(time.monotonic() + TIME)

        def work() -> verify.Verified | None:
            return verify.verify(self._store, limits, self._interruption, periods=self._periods)

        try:
            verified = await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except (errors.IpamError, database.Fault) as error:
            log = _log.error if isinstance(error, database.Corrupt) else _log.warning
            log("what is stored was not verified", why=str(error))
            return
        if verified is not None:
            self._tell(verified)

    def _tell(self, verified: verify.Verified) -> None:
        self._verifications.labels(verified.extent.value).inc()
        for each in verified.broken:
            count, first = len(each.findings), each.findings[0].message
            self._violations.labels(each.vrf, each.rule.name).inc(count)
            _log.error("a rule is broken", vrf=each.vrf, rule=each.rule.name, count=count, of=first)
        for vrf in verified.shut:
            _log.error(
                "a rule about who holds an address is broken; the VRF is in quarantine",
                vrf=vrf,
                next="moorctl quarantine show",
            )
