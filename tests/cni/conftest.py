"""Fixtures of the CNI plugin's tests."""

from collections.abc import Iterator

import pytest

from cni import scripted


@pytest.fixture
def script() -> Iterator[scripted.Script]:
    """A server that answers what the test writes down."""
    with scripted.serve() as running:
        yield running
