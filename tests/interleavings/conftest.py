"""A stage and its ground for each pair."""

import contextlib
import time
from collections.abc import Callable, Iterator

import pytest

from harness import postgres
from interleavings.ground import Ground
from interleavings.pairing import Pair
from interleavings.scheduler import Stage
from interleavings.verdicts import Trial
from moorage_server.storage import catalogs
from moorage_server.storage import database as databases


@pytest.fixture
def trial(database: postgres.Database) -> Iterator[Callable[[Pair], Trial]]:
    """Sets a pair on its ground."""
    with contextlib.ExitStack() as until:
        ground = until.enter_context(contextlib.closing(Ground(database)))
        stores = tuple(databases.Database(database.service_url, threads=1) for _ in range(3))
        for store in stores:
            until.callback(store.close)

        def prepare(pair: Pair) -> Trial:
            now = time.monotonic()
            limits = databases.Limits(lock=10, statement=10, deadline=now + 60)
            warm = catalogs.Catalogs()
            for actor in pair.before:
                actor(stores[2], limits, warm)
            for store in stores:  # connects
                store.run(lambda transaction: warm.scopes(transaction, {("default", "")}), limits)
            ground.keep()
            # Whatever the last schedule left behind, found out or not.
            until.callback(ground.restore)
            url = database.admin_url.replace("+psycopg", "")
            stage = until.enter_context(contextlib.closing(Stage((stores[0], stores[1]), url)))
            return Trial(ground, stage, pair, warm)

        yield prepare
