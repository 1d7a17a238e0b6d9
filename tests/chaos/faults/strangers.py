"""What others do in the same database, or have it configured to."""

import contextlib
from collections.abc import Iterator

import sqlalchemy as sa

from chaos.faults.scene import Scene, fault

_SERVICE = "moorage_service"
_END = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{_SERVICE}'"


@contextlib.contextmanager
def _held(scene: Scene, *statements: str) -> Iterator[sa.Connection]:
    with scene.stage.database.connect() as stranger:
        stranger.exec_driver_sql("SET lock_timeout = '10s'")
        for each in statements:
            stranger.exec_driver_sql(each)
        yield stranger
        stranger.rollback()


@fault
def blocks_locked(scene: Scene) -> int:
    """Somebody has locked every block that there is."""
    with _held(scene, "SELECT FROM blocks FOR UPDATE"):
        scene.last(0.3, 3)
    return 1


@fault
def attachments_locked(scene: Scene) -> int:
    """Somebody has locked what is remembered of every attachment."""
    with _held(scene, "SELECT FROM attachments FOR UPDATE"):
        scene.last(0.3, 3)
    return 1


@fault
def table_locked(scene: Scene) -> int:
    """Somebody changes a table: everybody else has to stay out of it meanwhile."""
    table = scene.chance.choice(["allocations", "blocks", "events", "attachments", "ticks"])
    with _held(scene, f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"):
        scene.last(0.2, 2)
    return 1


@fault
def blocks_locked_backwards(scene: Scene) -> int:
    """Somebody locks blocks in another order than servers do, until someone has to give way."""
    for _ in range(6):
        # Whom PostgreSQL ends in a deadlock is its choice.
        with contextlib.suppress(sa.exc.OperationalError), _held(scene) as stranger:
            blocks = stranger.exec_driver_sql("SELECT cidr::text FROM blocks ORDER BY cidr DESC")
            for (cidr,) in blocks.all()[:12]:
                stranger.exec_driver_sql(f"UPDATE blocks SET free = free WHERE cidr = '{cidr}'")
    return 6


@fault
def transaction_left_open(scene: Scene) -> int:
    """Somebody who has written does not commit for long: the feed has to wait, and nobody else."""
    with _held(scene, "SELECT pg_current_xact_id()"):
        scene.go_on(300)
    return 1


@fault
def events_rolled_back(scene: Scene) -> int:
    """Somebody draws ids of events and rolls back: the feed has no gap where history has."""
    for _ in range(10):
        with _held(scene, "SELECT pg_current_xact_id(), nextval('events_event_id_seq')"):
            scene.last(0, 0.1)
    return 1


@fault
def tables_rebuilt(scene: Scene) -> int:
    """Indexes are rebuilt and tables vacuumed under everybody's hands, statistics made anew."""
    database = scene.stage.database
    url = sa.make_url(database.admin_url)
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as stranger:
        for each in ("allocations", "blocks", "attachments"):
            stranger.exec_driver_sql(f"VACUUM (ANALYZE, FREEZE) {each}")
            with contextlib.suppress(sa.exc.OperationalError):  # it gives way in a deadlock
                stranger.exec_driver_sql(f"REINDEX TABLE CONCURRENTLY {each}")
    return 1


@fault
def connections_exhausted(scene: Scene) -> int:
    """PostgreSQL admits no more connections of the servers, who have just lost theirs."""
    _alter_role(scene, "CONNECTION LIMIT 2")
    try:
        scene.stage.database.rows(_END)
        scene.last(0.3, 2.5)
    finally:
        _alter_role(scene, "CONNECTION LIMIT -1")
    return 1


@fault
def read_only(scene: Scene) -> int:
    """The primary is none any more: it takes no writes, and later another does."""
    name = scene.stage.database.name
    _alter_role(scene, f"IN DATABASE {name} SET default_transaction_read_only = on")
    try:
        scene.stage.database.rows(_END)
        scene.last(0.3, 2.5)
    finally:
        _alter_role(scene, f"IN DATABASE {name} RESET default_transaction_read_only")
    return 1


@fault
def statements_fail_to_serialize(scene: Scene) -> int:
    """Everybody's writes fail for having been too late, some of the time."""
    database = scene.stage.database
    database.execute(
        "CREATE OR REPLACE FUNCTION chaos() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " IF random() < 0.3 THEN RAISE 'chaos' USING ERRCODE = CASE WHEN random() < 0.5"
        " THEN '40001' ELSE '40P01' END; END IF; RETURN NULL; END $$"
    )
    database.execute(
        "CREATE CONSTRAINT TRIGGER chaos AFTER INSERT OR UPDATE ON blocks"
        " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION chaos()"
    )
    try:
        scene.go_on(150)
    finally:
        database.execute("DROP TRIGGER chaos ON blocks; DROP FUNCTION chaos")
    return 1


def _alter_role(scene: Scene, what: str) -> None:
    scene.stage.database.postgres.execute(f"ALTER ROLE {_SERVICE} {what}")
