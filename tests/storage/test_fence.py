"""What numbering has in view outlives a crash of PostgreSQL's: no id of it is given again."""

import contextlib
import os
import pathlib
import signal
import time
from collections.abc import Callable

import psycopg
import sqlalchemy as sa

from harness import eventually
from moorage_server.embedded import cluster
from moorage_server.storage import database as storage
from moorage_server.storage import fence, schema

LAST = "SELECT last_value FROM events_event_id_seq"
NEXT = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint"


def test_neither_the_last_id_nor_the_horizon_is_given_again(tmp_path: pathlib.Path) -> None:
    limits = storage.Limits.until(time.monotonic() + 60)
    with cluster.Cluster(tmp_path / "state") as own:
        schema.migrate(own.url(role=cluster.OWNER_ROLE))
        store = storage.Database(own.url(role=cluster.SERVICE_ROLE), threads=1)
        url = sa.make_url(own.url(role=cluster.BOOTSTRAP_ROLE)).set(drivername="postgresql")
        conninfo = url.render_as_string(hide_password=False)
        with (
            contextlib.closing(psycopg.connect(conninfo, autocommit=True)) as admin,
            contextlib.closing(psycopg.connect(conninfo)) as dying,
        ):
            admin.execute("SELECT nextval('events_event_id_seq')")
            for _ in range(5):
                store.run(fence.reach, limits)  # the first ones may clean up, which is written
            admin.execute("CHECKPOINT")
            # It writes what nobody waits for, in its own time; now it does not come to it.
            writing = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'walwriter'"
            [(walwriter,)] = admin.execute(writing).fetchall()
            os.kill(walwriter, signal.SIGSTOP)
            dying.execute("SELECT nextval('events_event_id_seq') FROM generate_series(1, 80)")
            within = store.run(fence.reach, limits)
            os.kill(dying.info.backend_pid, signal.SIGKILL)
            eventually.until(lambda: not answers(lambda: admin.execute("SELECT")))
        store.close()
        assert within is not None
        eventually.until(lambda: answers(lambda: psycopg.connect(conninfo).close()))
        with psycopg.connect(conninfo) as after:
            assert after.execute(LAST).fetchall() >= [(within.drawn,)]
            assert after.execute(NEXT).fetchall() > [(int(within.horizon),)]


def answers(ask: Callable[[], object]) -> bool:
    """Whether PostgreSQL does."""
    try:
        ask()
    except psycopg.OperationalError:
        return False
    return True
