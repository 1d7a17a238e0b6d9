"""Fixtures of the tests of moorctl."""

import socket
from collections.abc import Iterator

import pytest

from client import peer as peers
from ctl import program
from harness import serving


@pytest.fixture
def installed() -> bool:
    """Whether the installed program is run; a module that is about it says so."""
    return False


@pytest.fixture
def moorctl(server: serving.Serving, installed: bool) -> program.Moorctl:
    """The program, told to speak to the server."""
    return program.Moorctl(variables={"MOORAGE_SERVER": server.target}, installed=installed)


@pytest.fixture
def offline(installed: bool) -> program.Moorctl:
    """The program with nobody listening where it looks for the server."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    variables = {"MOORAGE_SERVER": f"127.0.0.1:{port}", "MOORAGE_TIMEOUT": "1"}
    return program.Moorctl(variables=variables, installed=installed)


@pytest.fixture
def peer() -> Iterator[peers.Peer]:
    """A server that answers what the test writes down."""
    with peers.serve() as running:
        yield running


@pytest.fixture
def scripted(peer: peers.Peer, installed: bool) -> program.Moorctl:
    """The program, told to speak to that server."""
    return program.Moorctl(variables={"MOORAGE_SERVER": peer.target}, installed=installed)
