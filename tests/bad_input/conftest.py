"""Fixtures of the acceptance table of bad input."""

from collections.abc import Iterator

import pytest

from bad_input import ground as grounds
from harness import postgres

pytest.register_assert_rewrite("bad_input.tables")


@pytest.fixture(scope="module")
def ground(cluster: postgres.Postgres) -> Iterator[grounds.Ground]:
    """One server and database for all rows of a module."""
    with grounds.prepared(cluster) as prepared:
        yield prepared


@pytest.fixture
def nothing_written(ground: grounds.Ground) -> Iterator[None]:
    """Fails a row after which the database is not what it was before."""
    before = ground.known
    yield
    ground.known = ground.written()
    assert ground.known == before
