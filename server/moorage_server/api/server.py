"""Builds the gRPC server: services, the boundary, health, reflection, graceful stop."""

import asyncio
import itertools
import time
from typing import TYPE_CHECKING, Final

import grpc.aio
import structlog
from grpc_health.v1 import health as grpc_health
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from moorage.v1 import (
    admin_service_pb2,
    admin_service_pb2_grpc,
    allocation_service_pb2,
    allocation_service_pb2_grpc,
    node_service_pb2,
    node_service_pb2_grpc,
    pool_service_pb2,
    pool_service_pb2_grpc,
    reservation_service_pb2,
    reservation_service_pb2_grpc,
    vrf_service_pb2,
    vrf_service_pb2_grpc,
)
from moorage_server.api import authorization, measures
from moorage_server.api.admin_service import AdminService
from moorage_server.api.admission import Admission
from moorage_server.api.allocation_service import AllocationService
from moorage_server.api.callers import Callers
from moorage_server.api.chores import Chores, survived
from moorage_server.api.collector import Collector
from moorage_server.api.desk import Desk
from moorage_server.api.health import Health
from moorage_server.api.interceptors import Boundary
from moorage_server.api.lasting import Lasting
from moorage_server.api.metrics import Metrics, TurnedAway
from moorage_server.api.node_service import NodeService
from moorage_server.api.numbering import Numbering
from moorage_server.api.pool_service import PoolService
from moorage_server.api.reloading import Unreadable
from moorage_server.api.reservation_service import ReservationService
from moorage_server.api.verifying import Verifying
from moorage_server.api.vrf_service import VrfService
from moorage_server.api.watching import Rules, Watching
from moorage_server.config import Settings
from moorage_server.domain import errors
from moorage_server.storage import catalogs, database
from moorage_server.storage.verifications import Extent
from moorage_server.usecases import readiness

if TYPE_CHECKING:
    from moorage_server.api.cluster import Cluster

GRACE = 30.0  # seconds that calls under way get to finish
HURRIED_GRACE = 2.0  # the same, once somebody is in a hurry
READINESS_PERIOD = 2.0  # seconds between two round trips to the database
READINESS_TIMEOUT = 5.0

SERVICES: Final = tuple(
    file.DESCRIPTOR.services_by_name[name]
    for file, name in (
        (allocation_service_pb2, "AllocationService"),
        (pool_service_pb2, "PoolService"),
        (reservation_service_pb2, "ReservationService"),
        (node_service_pb2, "NodeService"),
        (vrf_service_pb2, "VrfService"),
        (admin_service_pb2, "AdminService"),
    )
)

# Reasons are in docs/architecture.md, "Settings of the gRPC server".
OPTIONS: Final = (
    ("grpc.max_receive_message_length", 1024 * 1024),
    ("grpc.max_send_message_length", 4 * 1024 * 1024),
    ("grpc.max_metadata_size", 16 * 1024),
    ("grpc.max_concurrent_streams", 100),
    ("grpc.server.max_pending_requests", 20_000),
    ("grpc.server.max_pending_requests_hard_limit", 20_000),
    ("grpc.max_connection_idle_ms", 300_000),
    ("grpc.max_connection_age_ms", 300_000),
    ("grpc.max_connection_age_grace_ms", 1_860_000),
    ("grpc.server_handshake_timeout_ms", 5_000),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
)

RULES: Final = Rules()

_log = structlog.get_logger()


class BindError(Exception):
    """The address to serve on cannot be had."""

    def __init__(self, listen: str, option: str = "--listen") -> None:
        """Names it, and the option that says another."""
        super().__init__(
            f"cannot listen on {listen}: it is taken, or not of this machine; "
            f"choose another with {option}"
        )


class Server:
    """One server process: bound when started, stopped without losing a call."""

    def __init__(self, settings: Settings, rules: Rules = RULES) -> None:
        """Connects to the database when first used; raises Unreadable."""
        authorization.require_complete(SERVICES)
        self._settings = settings
        # Whatever has another server's schema, or loses what is written, is left alone, by calls
        # and by what goes on behind them: what is written by the rules of another one may break
        # them without an error.
        self._fits = False
        self._database = database.Database(settings.database_url, threads=settings.threads)
        self._store = self._database.available_while(lambda: self._fits)
        self._admission = Admission()
        self._desk = Desk(self._store, self._admission, threads=settings.threads)
        methods = (method.name for service in SERVICES for method in service.methods)
        calls, batches, feed = measures.Calls(methods), measures.Batches(), measures.Feed()
        self._callers = Callers(settings) if settings.asks_who_calls else None
        self._grpc = _listener(settings, Boundary(self._admission, calls, self._callers))
        self._cluster = _cluster(settings)
        self._health = Health()
        self._statuses = grpc_health.aio.HealthServicer()
        self._compiled = catalogs.Catalogs()
        self._watching = Watching(self._desk, self._compiled, rules)
        self._numbering = Numbering(self._store, feed, self._watching.tails.look)
        self._collector = Collector(
            self._desk, self._admission, self._compiled, batches, self._numbering.stir
        )
        self._chores = Chores(self._desk)
        self._lasting = Lasting()
        self._verifying = Verifying(self._store, _periods(settings))
        turned_away = TurnedAway(self._admission.turned_away)
        counted = (calls.counters, batches.counters, feed.counters, self._verifying.counters)
        counters = (*itertools.chain(*counted), turned_away, self._lasting)
        self._metrics = Metrics(self._store, self._compiled, lambda: self._watching.count, counters)
        self.metrics_address = ""  # where they are served, if they are
        self.token_address = ""  # where those without certificates are, if that is another one
        self._reports: list[asyncio.Task[None]] = []

    async def start(self) -> str:
        """Serves; returns the address it is bound to. Raises BindError and Unreadable."""
        self._register()
        address = self._bind()
        connections = self._settings.threads + database.RESERVE_CONNECTIONS
        _log.info("may connect to the database", times=connections * self._settings.processes)
        if self._settings.metrics_listen:
            try:
                self.metrics_address = self._metrics.start(
                    self._settings.metrics_listen, self._health
                )
            except OSError as error:
                raise BindError(self._settings.metrics_listen, "--metrics-listen") from error
        self._reports.append(asyncio.create_task(self._health.beat()))
        self._collector.start()
        self._numbering.start()
        if self._callers is not None:
            await self._callers.start()
            self._reports.append(asyncio.create_task(self._callers.keep_fresh()))
        if self._cluster is not None:
            await self._cluster.start()
        await self._report()
        await self._chores.start()
        self._verifying.start()
        await self._grpc.start()
        self._reports.append(asyncio.create_task(self._keep_reporting()))
        return address

    async def go_away(self) -> None:
        """Says that it is not ready, and will not be; serves all the same, who has not heard."""
        self._health.leave()
        await self._statuses.enter_graceful_shutdown()

    async def hurry(self) -> None:
        """Lets calls under way finish no longer than that; for one that is being stopped."""
        await self._grpc.stop(HURRIED_GRACE)

    async def stop(self, grace: float = GRACE) -> None:
        """Refuses new calls, lets those under way finish, closes the database."""
        await self.go_away()
        for each in self._reports:
            each.cancel()
        self._chores.stop()
        # Those who watch go on at another server; they would use up the grace.
        self._watching.stop()
        self._collector.hurry()
        await self._grpc.stop(grace)
        if self._cluster is not None:
            await self._cluster.close()
        await self._collector.close()
        await self._numbering.close()
        await self._verifying.close()
        self._watching.close()
        await asyncio.to_thread(self._metrics.close)
        self._desk.close()
        self._store.close()

    def _bind(self) -> str:
        settings = self._settings
        if settings.is_exposed:
            _log.warning("anybody who can connect may do everything", on=settings.listen)
        if settings.token_listen:
            self.token_address = self._open(settings.token_listen, "", "--token-listen")
        return self._open(settings.listen, settings.tls_client_ca, "--listen")

    def _open(self, listen: str, client_ca: str, option: str) -> str:
        try:
            return _address(listen, self._add_port(listen, client_ca))
        except RuntimeError as error:
            raise BindError(listen, option) from error

    def _add_port(self, listen: str, client_ca: str) -> int:
        if not self._settings.tls_cert:
            return self._grpc.add_insecure_port(listen)
        # Loads what a server without TLS need not have.
        from moorage_server.api import tls  # noqa: PLC0415

        files = tls.credentials(self._settings, client_ca=client_ca)
        return self._grpc.add_secure_port(listen, files)

    def _register(self) -> None:
        allocation_service_pb2_grpc.add_AllocationServiceServicer_to_server(
            AllocationService(
                self._desk, self._collector, self._watching, self._compiled, self._cluster
            ),
            self._grpc,
        )
        pool_service_pb2_grpc.add_PoolServiceServicer_to_server(
            PoolService(self._desk, self._compiled), self._grpc
        )
        reservation_service_pb2_grpc.add_ReservationServiceServicer_to_server(
            ReservationService(self._desk), self._grpc
        )
        node_service_pb2_grpc.add_NodeServiceServicer_to_server(NodeService(self._desk), self._grpc)
        vrf_service_pb2_grpc.add_VrfServiceServicer_to_server(VrfService(self._desk), self._grpc)
        admin_service_pb2_grpc.add_AdminServiceServicer_to_server(
            AdminService(self._desk, self._numbering, self._compiled), self._grpc
        )
        health_pb2_grpc.add_HealthServicer_to_server(self._statuses, self._grpc)
        if self._settings.reflection:
            names = [service.full_name for service in SERVICES]
            names += [grpc_health.SERVICE_NAME, reflection.SERVICE_NAME]
            reflection.enable_server_reflection(names, self._grpc)

    async def _keep_reporting(self) -> None:
        while True:
            await asyncio.sleep(READINESS_PERIOD)
            await survived(self._report, "not known whether it is ready")

    async def _report(self) -> None:
        """Ready means that a write has just been possible; alive, that this loop turns."""
        limits = database.Limits.until(time.monotonic() + READINESS_TIMEOUT)
        try:
            # PostgreSQL's own time-outs do not run while it is frozen.
            async with asyncio.timeout(READINESS_TIMEOUT):
                found = await self._desk.probe(
                    lambda: readiness.probe(
                        self._database, limits, accepts_unsafe=self._settings.unsafe_database
                    )
                )
            self._lasting.note(found)
            self._fits = ready = True
        except (readiness.Misfit, readiness.Unsafe) as error:
            _log.error("lets nobody in", why=str(error))
            self._fits = ready = False
        except (errors.IpamError, database.Fault, readiness.NotReady, TimeoutError) as error:
            _log.warning("not ready", why=str(error) or "the database does not answer")
            ready = False
        await self._tell(ready=ready)

    async def _tell(self, *, ready: bool) -> None:
        self._health.note(ready=ready)
        states = health_pb2.HealthCheckResponse
        status = states.SERVING if ready else states.NOT_SERVING
        await self._statuses.set("", status)
        for service in SERVICES:
            await self._statuses.set(service.full_name, status)


def _listener(settings: Settings, boundary: Boundary) -> grpc.aio.Server:
    # Alone it refuses a port that another server has; several of one command share theirs,
    # and the command refuses (`processes.port`).
    shares = ("grpc.so_reuseport", int(settings.processes > 1))
    return grpc.aio.server(interceptors=(boundary,), options=(*OPTIONS, shares))


def _cluster(settings: Settings) -> "Cluster | None":
    if not settings.verifies_pods:
        return None
    # Loads what a server that believes its nodes need not have.
    try:
        from moorage_server.api.cluster import Cluster  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise Unreadable(
            f"pods cannot be verified without {error.name}; install moorage-server[kubernetes]"
        ) from error
    return Cluster(settings.kubeconfig)


def _periods(settings: Settings) -> dict[Extent, int]:
    return {
        Extent.PART: settings.verify_part_seconds,
        Extent.WHOLE: settings.verify_whole_seconds,
    }


def _address(listen: str, port: int) -> str:
    if listen.startswith("unix:"):
        return listen
    return f"{listen.rpartition(':')[0]}:{port}"
