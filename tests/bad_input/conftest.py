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


@pytest.fixture(scope="module")
def _written_before(ground: grounds.Ground) -> dict[str, str]:
    return ground.written()


@pytest.fixture
def nothing_written(ground: grounds.Ground, _written_before: dict[str, str]) -> Iterator[None]:
    """Fails a row after which the database is not what it was before the first one."""
    yield
    assert ground.written() == _written_before
