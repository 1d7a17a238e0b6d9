"""Fixtures of the client's tests."""

from collections.abc import Iterator

import pytest

import moorage
from client import peer as peers


@pytest.fixture
def peer() -> Iterator[peers.Peer]:
    """A server that answers what the test writes down."""
    with peers.serve() as running:
        yield running


@pytest.fixture
def caller(peer: peers.Peer) -> Iterator[moorage.Client]:
    """A client of that server."""
    with moorage.Client(peer.target) as client:
        yield client
