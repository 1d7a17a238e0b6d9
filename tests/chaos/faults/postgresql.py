"""What happens to PostgreSQL and its processes."""

import contextlib
import os
import signal

import sqlalchemy as sa

from chaos.faults.scene import Scene, fault

_OF_SERVERS = """
FROM pg_stat_activity WHERE datname = current_database() AND usename = 'moorage_service'
"""


def _backends(scene: Scene) -> list[int]:
    return [int(str(pid)) for (pid,) in scene.stage.database.rows("SELECT pid " + _OF_SERVERS)]


@fault
def backend_killed(scene: Scene) -> int:
    """A process of PostgreSQL is killed: all others end, and it recovers as from a crash."""
    backends = _backends(scene)
    if not backends:
        return 0
    with contextlib.suppress(ProcessLookupError):
        os.kill(scene.chance.choice(backends), signal.SIGKILL)
    return 1


@fault
def postgresql_killed(scene: Scene) -> int:
    """All of PostgreSQL is killed, and started again."""
    scene.stage.crash(signal.SIGKILL)
    return 1


@fault
def postgresql_aborted(scene: Scene) -> int:
    """PostgreSQL is shut down immediately, as `pg_ctl --mode=immediate` does, and started again."""
    scene.stage.crash(signal.SIGQUIT)
    return 1


@fault
def postgresql_restarted(scene: Scene) -> int:
    """PostgreSQL is shut down fast: it says so to everybody, and is started again."""
    scene.stage.crash(signal.SIGINT)
    return 1


@fault
def postgresql_frozen(scene: Scene) -> int:
    """PostgreSQL stands still: who is connected gets no answer, and nobody else in."""
    if not _backends(scene):
        return 0
    with scene.stage.database.frozen():
        scene.stand_still()
    return 1


@fault
def backend_frozen(scene: Scene) -> int:
    """One process of PostgreSQL stands still with whatever it has locked."""
    backends = _backends(scene)
    if not backends:
        return 0
    pid = scene.chance.choice(backends)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGSTOP)
        scene.stand_still()
        os.kill(pid, signal.SIGCONT)
    return 1


@fault
def disk_full(scene: Scene) -> int:
    """Nothing more can be written, rows or log, until somebody makes room and starts PostgreSQL."""
    full = scene.stage.disk
    if full is None:
        return 0
    full.fill(scene.chance.choice([0, 1 << 14, 1 << 17]))
    try:
        # The log would go on in the file that it has for a while.
        with contextlib.suppress(sa.exc.DBAPIError):
            scene.stage.database.rows("SELECT pg_switch_wal(), pg_current_xact_id()")
        scene.last(0.5, 2)
    finally:
        full.clear()
    scene.stage.restart()
    return 1


@fault
def connections_ended(scene: Scene) -> int:
    """Connections are ended one after the other, by pg_terminate_backend."""
    return _storm(scene, "pg_terminate_backend")


@fault
def statements_cancelled(scene: Scene) -> int:
    """Statements are cancelled one after the other, by pg_cancel_backend."""
    return _storm(scene, "pg_cancel_backend")


def _storm(scene: Scene, by: str) -> int:
    struck = 0
    for _ in range(scene.chance.randrange(5, 20)):
        query = f"SELECT {by}(pid) {_OF_SERVERS} AND state <> 'idle' ORDER BY random() LIMIT 2"
        struck += len(scene.stage.database.rows(query))
        scene.last(0, 0.06)
    return struck
