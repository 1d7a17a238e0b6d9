"""Numbers for Prometheus, over HTTP on a port of their own.

Pools are counted when they are asked for, but not again within a few seconds, whoever
asks. Where the database does not answer there are no numbers of pools, rather than old
ones, and a counter says so.
"""

import concurrent.futures
import dataclasses
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from wsgiref import simple_server

import prometheus_client
import structlog
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from moorage_server.api.health import Health
from moorage_server.domain import errors
from moorage_server.domain import usage as domain
from moorage_server.storage import catalogs, database
from moorage_server.usecases import activity, quarantine, usage

FRESH = 5.0  # seconds for which a count is good
TIME = 5.0  # seconds for a count

_log = structlog.get_logger()


class Metrics:
    """The numbers of one server process."""

    def __init__(
        self,
        store: database.Database,
        compiled: catalogs.Catalogs,
        watches: Callable[[], float],
        counters: Iterable[Collector],
    ) -> None:
        """Counts nothing yet; `watches` says how many there are, others count in `counters`."""
        self._registry = prometheus_client.CollectorRegistry()
        failures = prometheus_client.Counter(
            "moorage_pool_count_failures", "Times that pools could not be counted.", registry=None
        )
        prometheus_client.Gauge(
            "moorage_watches", "Calls of WatchAllocations that last.", registry=self._registry
        ).set_function(watches)
        # In this order: a count that fails is told of in the same answer.
        self._pools = _Pools(store, compiled, failures)
        self._registry.register(self._pools)
        self._registry.register(failures)
        for each in counters:
            self._registry.register(each)
        self._close: Callable[[], None] = lambda: None

    def start(self, listen: str, health: Health) -> str:
        """Serves `/metrics`, `/livez` and `/readyz`; returns the address. Raises OSError."""
        host, _, port = listen.rpartition(":")
        prometheus_client.Gauge(
            "moorage_ready", "1 for a server that is to be sent calls.", registry=self._registry
        ).set_function(lambda: float(health.is_ready))
        server = _server(host.strip("[]"), int(port))
        server.set_app(health.answering(prometheus_client.make_wsgi_app(self._registry)))
        thread = threading.Thread(target=server.serve_forever, name="http", daemon=True)
        thread.start()

        def close() -> None:
            server.shutdown()
            server.server_close()
            thread.join()

        self._close = close
        return f"{host}:{server.server_port}"

    def close(self) -> None:
        """Serves no more."""
        self._close()
        self._pools.close()


class _Server(socketserver.ThreadingMixIn, simple_server.WSGIServer):
    """A thread for each request: one that counts keeps nobody from asking whether all is well."""

    daemon_threads = True
    block_on_close = False


class _Server6(_Server):
    """The same for IPv6."""

    address_family = socket.AF_INET6


class _Silent(simple_server.WSGIRequestHandler):
    """Whoever asks every second is not worth a line of the log each time."""

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


def _server(host: str, port: int) -> _Server:
    made = _Server6 if ":" in host else _Server
    return made((host, port), _Silent)


class TurnedAway(Collector):
    """How many calls were refused unread, by class."""

    def __init__(self, counts: Mapping[str, int]) -> None:
        """Whoever refuses keeps the counts."""
        self._counts = counts

    def collect(self) -> Iterable[Metric]:
        """The one family."""
        told = "Calls that were refused with SERVER_BUSY before they were read."
        family = CounterMetricFamily("moorage_calls_turned_away", told, labels=("class",))
        for each, count in self._counts.items():
            family.add_metric((each,), count)
        yield family


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Count:
    """What was counted at one time."""

    pools: Sequence[domain.NamedUsage] = ()
    quarantines: Sequence[tuple[str, str]] = ()
    servers: activity.Activity | None = None


class _Pools(Collector):
    """What the addresses of each pool are, and which VRFs assign nothing new."""

    def __init__(
        self,
        store: database.Database,
        compiled: catalogs.Catalogs,
        failures: prometheus_client.Counter,
    ) -> None:
        self._store, self._compiled, self._failures = store, compiled, failures
        self._lock = threading.Lock()
        self._thread = concurrent.futures.ThreadPoolExecutor(1, "metrics")
        self._counting: concurrent.futures.Future[_Count] | None = None
        self._counted = _Count()
        self._good_until = 0.0

    def describe(self) -> Iterable[Metric]:
        """The families, without counting."""
        return _families(_Count())

    def collect(self) -> Iterable[Metric]:
        """The families with what is in them at the moment."""
        # One at a time, so that a crowd of scrapers is one count.
        with self._lock:
            if time.monotonic() >= self._good_until:
                self._count()
            return list(_families(self._counted))

    def close(self) -> None:
        """Waits for a count that has been begun."""
        self._thread.shutdown(wait=True)

    def _count(self) -> None:
        # A database that is frozen answers nothing, not even that time is up: then nobody waits
        # for longer, and no second count is begun.
        if self._counting is None:
            self._counting = self._thread.submit(self._look)
        self._counted = _Count()
        try:
            self._counted = self._counting.result(TIME)
        except TimeoutError:
            self._failed("the database does not answer")
        except (errors.IpamError, database.Fault) as error:
            self._failed(str(error))
        if self._counting.done():
            self._counting = None
        self._good_until = time.monotonic() + FRESH

    def _look(self) -> _Count:
        limits = database.Limits.until(time.monotonic() + TIME)
        return _Count(
            pools=usage.of_all(self._store, limits, self._compiled),
            quarantines=[
                (vrf, each.cause.value) for vrf, each in quarantine.everywhere(self._store, limits)
            ],
            servers=activity.of_servers(self._store, limits),
        )

    def _failed(self, why: str) -> None:
        self._failures.inc()
        _log.warning("pools not counted", why=why)


def _families(counted: _Count) -> Iterator[Metric]:
    addresses = GaugeMetricFamily(
        "moorage_pool_addresses",
        "Addresses of a pool by what they are; reserved ones may be another thing as well.",
        labels=("vrf", "pool", "state"),
    )
    capacity = GaugeMetricFamily(
        "moorage_pool_capacity", "All addresses of a pool.", labels=("vrf", "pool")
    )
    blocks = GaugeMetricFamily(
        "moorage_pool_open_blocks", "Blocks of a pool that are open.", labels=("vrf", "pool")
    )
    for each in counted.pools:
        counts, name = each.usage.counts, (each.vrf, each.pool)
        for state in ("assigned", "cooling", "sticky", "reserved", "available"):
            addresses.add_metric((*name, state), getattr(counts, state))
        capacity.add_metric(name, counts.capacity)
        blocks.add_metric(name, each.usage.open_blocks)
    quarantined = GaugeMetricFamily(
        "moorage_vrf_quarantined",
        "1 for each reason for which a VRF assigns nothing new.",
        labels=("vrf", "cause"),
    )
    for vrf, cause in counted.quarantines:
        quarantined.add_metric((vrf, cause), 1)
    yield from (addresses, capacity, blocks, quarantined)
    yield from _of_servers(counted.servers)
    yield from _as_calico_says(counted)


def _of_servers(found: activity.Activity | None) -> Iterator[Metric]:
    oldest = GaugeMetricFamily(
        "moorage_oldest_change_seconds",
        "For how long a transaction of any server has been open that changes something.",
        value=found.oldest_change if found else None,
    )
    ages = GaugeMetricFamily(
        "moorage_verification_age_seconds",
        "For how long no server has held what is stored against its rules, all of it or a part.",
        labels=("extent",),
    )
    for extent, age in found.verification_ages.items() if found else ():
        ages.add_metric((extent.value,), age)
    yield from (oldest, ages)


def _as_calico_says(counted: _Count) -> Iterator[Metric]:
    """The numbers of pools again, by the names that Calico has for them; without nodes."""
    labels = ("ippool", "vrf")
    size = GaugeMetricFamily("ipam_ippool_size", "As moorage_pool_capacity.", labels=labels)
    used = GaugeMetricFamily("ipam_allocations_in_use", "Assigned addresses.", labels=labels)
    blocks = GaugeMetricFamily("ipam_blocks", "As moorage_pool_open_blocks.", labels=labels)
    for each in counted.pools:
        counts, name = each.usage.counts, (each.pool, each.vrf)
        size.add_metric(name, counts.capacity)
        used.add_metric(name, counts.assigned)
        blocks.add_metric(name, each.usage.open_blocks)
    yield from (size, used, blocks)
