"""What becomes of connections that are silent, and of those that are old."""

import socket
import time
from concurrent import futures

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from harness import postgres, serving
from harness.watches import watching
from moorage import channel
from moorage_server.api import server

CALLERS = 6


def given(monkeypatch: pytest.MonkeyPatch, name: str, value: int) -> None:
    """Servers of the test have another value of an option that all have."""
    assert name in dict(server.OPTIONS)
    options = [(each, value if each == name else usual) for each, usual in server.OPTIONS]
    monkeypatch.setattr(server, "OPTIONS", tuple(options))


def test_one_that_says_nothing_is_closed(
    database: postgres.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    given(monkeypatch, "grpc.server_handshake_timeout_ms", 200)
    with serving.in_process(database) as running:
        host, _, port = running.target.rpartition(":")
        with socket.create_connection((host, int(port)), timeout=20) as silent:
            while silent.recv(1024):
                pass  # its own settings; then the end


def test_a_connection_that_is_old_is_made_anew_and_no_call_is_lost(
    database: postgres.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    given(monkeypatch, "grpc.max_connection_age_ms", 20)
    with (
        serving.in_process(database) as running,
        watching(running.target) as stream,
        channel.open_channel(running.target) as opened,
        futures.ThreadPoolExecutor(CALLERS) as callers,
    ):
        stream.until(0)
        states: list[grpc.ChannelConnectivity] = []
        opened.subscribe(states.append)
        for calls in [callers.submit(call_while_made_anew, opened, states) for _ in range(CALLERS)]:
            calls.result()
        assert stream.call.is_active()


def call_while_made_anew(opened: grpc.Channel, states: list[grpc.ChannelConnectivity]) -> None:
    check = health_pb2_grpc.HealthStub(opened).Check  # type: ignore[attr-defined]  # not in the stubs
    end = time.monotonic() + 60
    while states.count(grpc.ChannelConnectivity.READY) < 100:
        check(health_pb2.HealthCheckRequest())
        assert time.monotonic() < end
