"""A server with a little of everything on it, on which no test of bad input may change a thing."""

import contextlib
from collections.abc import Callable, Iterator

import grpc
import sqlalchemy as sa
from google.protobuf.message import Message

import moorage
from harness import calls, postgres, serving
from moorage.v1 import (
    admin_service_pb2_grpc,
    allocation_service_pb2_grpc,
    node_service_pb2_grpc,
    pool_service_pb2_grpc,
    reservation_service_pb2_grpc,
    resources_pb2,
    vrf_service_pb2_grpc,
)

TABLES = (
    *("vrfs", "pools", "pool_frontiers", "reservations", "nodes"),
    *("blocks", "attachments", "allocations", "events"),
)
# How many rows each table has, and a digest of all that is in them.
_WRITTEN = "SELECT " + ", ".join(
    f"(SELECT (count(*), md5(string_agg(t::text, ' ' ORDER BY t::text)))::text FROM {table} t)"
    f" AS {table}"
    for table in TABLES
)
_STUBS = (
    allocation_service_pb2_grpc.AllocationServiceStub,
    pool_service_pb2_grpc.PoolServiceStub,
    reservation_service_pb2_grpc.ReservationServiceStub,
    node_service_pb2_grpc.NodeServiceStub,
    vrf_service_pb2_grpc.VrfServiceStub,
    admin_service_pb2_grpc.AdminServiceStub,
)


class Ground:
    """A server, and what is written in its database."""

    def __init__(
        self, server: serving.Serving, channel: grpc.Channel, connection: sa.Connection
    ) -> None:
        """Calls go through the channel, and never through the connection to the database."""
        self.server = server.target
        self.database = server.database
        self._connection = connection
        self._stubs = [stub(channel) for stub in _STUBS]
        self.known = self.written()

    def call(self, request: Message, *, timeout: float = 30) -> object:
        """Sends a request to the RPC that it is named for."""
        rpc = type(request).__name__.removesuffix("Request")
        (method,) = (getattr(stub, rpc) for stub in self._stubs if hasattr(stub, rpc))
        send: Callable[..., object] = method
        answer = send(request, timeout=timeout)
        return list(answer) if isinstance(answer, Iterator) else answer

    def written(self) -> dict[str, str]:
        """What is written in its database."""
        return written(self._connection)


def written(connection: sa.Connection) -> dict[str, str]:
    """For every table the number of its rows, and a digest of them."""
    row = connection.exec_driver_sql(_WRITTEN).one()
    return dict(zip(TABLES, map(str, row), strict=True))


@contextlib.contextmanager
def prepared(cluster: postgres.Postgres) -> Iterator[Ground]:
    """A server on a database of its own, filled."""
    with (
        cluster.database() as database,
        serving.in_process(database) as server,
        grpc.insecure_channel(server.target) as channel,
    ):
        with moorage.Client(server.target) as client:
            fill(client)
        with database.connect() as connection:
            # Every look is a transaction of its own, and sees what was committed before.
            connection.execution_options(isolation_level="AUTOCOMMIT")
            yield Ground(server, channel, connection)


def fill(client: moorage.Client) -> None:
    """Gives a server a little of everything."""
    manual = resources_pb2.ASSIGNMENT_MODE_MANUAL
    # Each pool is one way of refusing; "web" and "six" serve everybody.
    calls.create_pool(client, "web", "10.0.0.0/24", excluded_ranges=["10.0.0.200"])
    calls.create_pool(client, "six", "fd00::/120")
    calls.create_pool(client, "off", "10.0.1.0/24", disabled=True)
    calls.create_pool(client, "full", "10.0.2.0/32", assignment_mode=manual)
    tunnel = [resources_pb2.USE_TUNNEL]
    calls.create_pool(client, "tunnels", "10.0.3.0/24", allowed_uses=tunnel, assignment_mode=manual)
    client.create_reservation("quiet", resources_pb2.Reservation(cidrs=["10.0.0.64/26"]))
    client.upsert_node(resources_pb2.Node(name="vrfs/default/nodes/n1", labels={"zone": "east"}))
    calls.assign(client, "holder", calls.fixed("10.0.0.5"), calls.fixed("fd00::5"), stamp=7)
    calls.assign(client, "greedy", calls.want(pools=("full",)))
    calls.assign(client, "gone", calls.fixed("10.0.0.9"))
    calls.release(client, "gone", stamp=9)
