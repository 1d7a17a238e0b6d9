"""Two servers on one database."""

from collections.abc import Iterator

import pytest

import moorage
from harness import postgres, serving


@pytest.fixture
def clients(database: postgres.Database) -> Iterator[list[moorage.Client]]:
    """Clients of two servers on one database."""
    with (
        serving.in_process(database) as first,
        serving.in_process(database) as second,
        moorage.Client(first.target, timeout=30) as one,
        moorage.Client(second.target, timeout=30) as other,
    ):
        yield [one, other]
