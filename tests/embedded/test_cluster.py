"""The life of a cluster: created, started, killed in every way, recovered, stopped, refused."""

import concurrent.futures
import contextlib
import os
import pathlib
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator

import psycopg
import pytest

from moorage_server.embedded import binaries, cluster, errors, identity, postmaster

Query = Callable[..., list[tuple[object, ...]]]
Owner = Callable[[pathlib.Path], "subprocess.Popen[str]"]

_PATIENCE = 60  # seconds, for something that happens within one


def test_a_second_start_keeps_rows_and_settings(tmp_path: pathlib.Path, query: Query) -> None:
    served = cluster.Cluster(tmp_path / "state")
    with served:
        query(served, cluster.OWNER_ROLE, "CREATE TABLE kept AS SELECT 1 AS number")
    with served:
        assert query(served, cluster.OWNER_ROLE, "SELECT number FROM kept") == [(1,)]
        settings = ("fsync", "full_page_writes", "synchronous_commit", "max_connections")
        found = [query(served, cluster.SERVICE_ROLE, f"SHOW {name}") for name in settings]
        assert found == [[("on",)], [("on",)], [("on",)], [("220",)]]


def test_a_stop_leaves_no_process_and_may_be_repeated(tmp_path: pathlib.Path) -> None:
    served = cluster.Cluster(tmp_path / "state", durable=False)
    served.start()
    assert _processes_in(served.data)
    served.stop()
    served.stop()
    assert not _processes_in(served.data)
    with pytest.raises(errors.NotRunningError, match="start moorage-server first"):
        served.url(role=cluster.SERVICE_ROLE)


def test_a_second_owner_is_refused_with_the_pid_of_the_first(
    tmp_path: pathlib.Path, owner: Owner
) -> None:
    first = owner(tmp_path / "state")
    pid = _first_line(first)
    second = cluster.Cluster(tmp_path / "state")
    with pytest.raises(errors.AlreadyOwnedError, match=f"in use by process {first.pid}:"):
        second.start()
    assert second.pid == pid


def test_a_process_that_does_not_own_the_cluster_can_connect(
    tmp_path: pathlib.Path, owner: Owner, query: Query
) -> None:
    _first_line(owner(tmp_path / "state"))
    visitor = cluster.Cluster(tmp_path / "state")
    assert query(visitor, cluster.SERVICE_ROLE, "SELECT 1") == [(1,)]
    subprocess.run([*visitor.tool("psql"), "--command=SELECT 1"], check=True)


def test_a_killed_owner_takes_the_server_along_and_no_acknowledged_row_is_lost(
    tmp_path: pathlib.Path, owner: Owner, query: Query
) -> None:
    served = cluster.Cluster(tmp_path / "state")
    first = owner(tmp_path / "state")
    server = os.pidfd_open(_first_line(first))
    count = _write_until(served, first.kill)
    _await_end(server)
    with served:
        assert _first_numbers(query, served, count) == list(range(count))


def test_killed_server_processes_recover_every_acknowledged_row(
    tmp_path: pathlib.Path, query: Query
) -> None:
    served = cluster.Cluster(tmp_path / "state")
    with served:
        count = _write_until(served, lambda: _kill_all(served.pid))
    with _started(served) as said:
        assert _first_numbers(query, served, count) == list(range(count))
    assert any(line.startswith("recovering: database system was not properly") for line in said)


def test_a_start_waits_for_a_process_that_outlives_its_server(
    tmp_path: pathlib.Path, query: Query
) -> None:
    served = cluster.Cluster(tmp_path / "state", durable=False)
    with served, psycopg.connect(_libpq_url(served)) as connection:
        # A frozen backend, like a busy one, does not notice that its server died.
        backend = connection.info.backend_pid
        _signal(signal.SIGSTOP, backend)
        _signal(signal.SIGKILL, served.pid)

    def thaw(line: str) -> None:
        if line.startswith("waiting for the processes of the previous"):
            _signal(signal.SIGCONT, backend)

    try:
        with _started(served, thaw) as said:
            assert query(served, cluster.SERVICE_ROLE, "SELECT 1") == [(1,)]
        assert "waiting" in said[0]
    finally:
        _signal(signal.SIGKILL, backend)


def test_a_server_without_its_owner_is_stopped_before_the_next_one_starts(
    tmp_path: pathlib.Path,
) -> None:
    served = cluster.Cluster(tmp_path / "state", durable=False)
    with served:
        command = _command_line(served.pid)
    user = identity.user_namespace() if os.geteuid() == 0 else identity.current()
    lock = tmp_path / "state" / "server.lock"
    with subprocess.Popen([*user.prefix, "flock", lock, *command], stderr=subprocess.DEVNULL):
        _await(lambda: (found := postmaster.look(served.data)) is not None and found.ready)
        orphan = served.pid
        try:
            with _started(served) as said:
                assert served.pid != orphan
            assert "waiting" in said[0]
        finally:
            _signal(signal.SIGQUIT, orphan)


def test_a_killed_initdb_is_not_mistaken_for_a_cluster(
    tmp_path: pathlib.Path, owner: Owner, query: Query
) -> None:
    first = owner(tmp_path / "state")
    _await((tmp_path / "state" / "data.init" / "PG_VERSION").exists)
    first.kill()
    first.wait()
    served = cluster.Cluster(tmp_path / "state", durable=False)
    assert not served.data.exists()
    with served:
        assert query(served, cluster.SERVICE_ROLE, "SELECT 1") == [(1,)]


def test_data_of_another_major_version_is_refused_unchanged(tmp_path: pathlib.Path) -> None:
    (tmp_path / "lock").touch()
    stamp = tmp_path / "data" / "PG_VERSION"
    stamp.parent.mkdir()
    stamp.write_text("12\n")
    with pytest.raises(errors.VersionMismatchError, match=r"made by PostgreSQL 12(?s:.*)pg_dump"):
        cluster.Cluster(tmp_path).start()
    assert [path.name for path in stamp.parent.iterdir()] == ["PG_VERSION"]


def test_the_commands_in_that_refusal_move_the_rows_over(
    tmp_path: pathlib.Path, query: Query, debian: binaries.Installation
) -> None:
    state = tmp_path / "state"
    with cluster.Cluster(state, durable=False, installation=debian) as old:
        query(old, cluster.OWNER_ROLE, "CREATE TABLE kept AS SELECT 1 AS number")
    served = cluster.Cluster(state, durable=False)
    if served.version == debian.version:
        pytest.skip("only one major version of PostgreSQL is installed")
    with pytest.raises(errors.VersionMismatchError) as refusal:
        served.start()
    script = [line.strip() for line in str(refusal.value).splitlines() if line.startswith("  ")]
    environment = {**os.environ, "OLD": str(debian.programs)}
    subprocess.run(["sh", "-ec", "\n".join(script)], cwd=tmp_path, env=environment, check=True)
    with served:
        restore = served.tool("psql", role=cluster.BOOTSTRAP_ROLE)
        quiet = ["--quiet", "--set=ON_ERROR_STOP=1", f"--file={tmp_path / 'moorage.sql'}"]
        subprocess.run([*restore, *quiet], check=True, stdout=subprocess.DEVNULL)
        assert query(served, cluster.OWNER_ROLE, "TABLE kept") == [(1,)]


def test_a_server_that_cannot_start_says_why_at_once_and_leaves_nothing_held(
    tmp_path: pathlib.Path,
) -> None:
    served = cluster.Cluster(tmp_path / "state", durable=False)
    with served:
        settings = served.data / "postgresql.auto.conf"
        before = settings.read_text()
    settings.write_text("no_such_setting = 1\n")
    with pytest.raises(errors.StartError, match=r"Last lines of [^\n]*\n.*no_such_setting"):
        served.start()
    settings.write_text(before)
    with served:
        assert served.pid


def test_a_large_log_is_put_aside(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "postgres.log"
    path.touch()
    os.truncate(path, 2**24 + 1)
    postmaster.Log(path)
    assert [path.stat().st_size, (tmp_path / "postgres.log.1").stat().st_size] == [0, 2**24 + 1]


def test_a_folder_without_programs_is_refused_by_name(tmp_path: pathlib.Path) -> None:
    with pytest.raises(errors.BinariesError, match=f"{tmp_path} holds no working postgres"):
        binaries.at(tmp_path)


def test_a_directory_with_other_files_is_left_alone(directory: pathlib.Path) -> None:
    (directory / "somebody's").touch()
    with pytest.raises(errors.StateDirectoryError, match="holds other files"):
        cluster.Cluster(directory).start()
    assert directory.stat().st_mode & 0o777 == 0o755


def test_a_directory_that_cannot_be_made_is_named(directory: pathlib.Path) -> None:
    (directory / "file").touch()
    with pytest.raises(errors.StateDirectoryError, match=f"cannot use {directory}/file/state"):
        cluster.Cluster(directory / "file" / "state").start()


def test_a_start_from_another_thread_is_refused(tmp_path: pathlib.Path) -> None:
    served = cluster.Cluster(tmp_path / "state")
    with concurrent.futures.ThreadPoolExecutor() as pool:
        failure = pool.submit(served.start).exception()
    assert isinstance(failure, errors.StartError)
    assert "main thread" in str(failure)


def test_a_path_too_long_for_a_socket_is_served_from_a_short_one(
    tmp_path: pathlib.Path, query: Query
) -> None:
    served = cluster.Cluster(tmp_path / ("long" * 30) / "a, b", durable=False)
    with served:
        assert query(served, cluster.SERVICE_ROLE, "SELECT 1") == [(1,)]
        sockets = psycopg.conninfo.conninfo_to_dict(_libpq_url(served))["host"]
        assert pathlib.Path(str(sockets)).stat().st_mode & 0o777 == 0o700
    assert not pathlib.Path(str(sockets)).exists()


def _first_line(process: "subprocess.Popen[str]") -> int:
    assert process.stdout is not None
    return int(process.stdout.readline())


def _libpq_url(served: cluster.Cluster) -> str:
    return served.url(role=cluster.OWNER_ROLE).replace("+psycopg", "")


def _write_until(served: cluster.Cluster, strike: Callable[[], None]) -> int:
    """Inserts numbers, strikes in their midst and counts those acknowledged until the end."""
    striker = threading.Thread(target=strike)
    acknowledged: list[int] = []
    with psycopg.connect(_libpq_url(served), autocommit=True) as connection:
        connection.execute("CREATE TABLE numbers (number integer PRIMARY KEY)")
        with pytest.raises(psycopg.OperationalError):
            _write(connection, acknowledged, striker)
    striker.join()
    return len(acknowledged)


def _write(
    connection: psycopg.Connection, acknowledged: list[int], striker: threading.Thread
) -> None:
    for number in range(20_000):  # so that a strike without effect ends, too
        connection.execute("INSERT INTO numbers VALUES (%s)", [number])
        acknowledged.append(number)
        if number == 200:
            striker.start()


def _first_numbers(query: Query, served: cluster.Cluster, count: int) -> list[object]:
    rows = query(served, cluster.OWNER_ROLE, "SELECT number FROM numbers ORDER BY number")
    return [number for (number,) in rows][:count]


@contextlib.contextmanager
def _started(
    served: cluster.Cluster, listen: Callable[[str], None] = lambda _line: None
) -> Iterator[list[str]]:
    said: list[str] = []

    def report(line: str) -> None:
        said.append(line)
        listen(line)

    served.start(report)
    try:
        yield said
    finally:
        served.stop()


def _signal(number: signal.Signals, *processes: int) -> None:
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, number)


def _kill_all(postmaster_pid: int) -> None:
    _signal(signal.SIGKILL, postmaster_pid, *_children(postmaster_pid))


def _children(pid: int) -> list[int]:
    return [int(child) for child in _read(f"/proc/{pid}/task/{pid}/children").split()]


def _command_line(pid: int) -> list[str]:
    return _read(f"/proc/{pid}/cmdline").rstrip("\0").split("\0")


def _read(path: str) -> str:
    return pathlib.Path(path).read_text()


def _processes_in(data: pathlib.Path) -> list[pathlib.Path]:
    found = []
    for process in pathlib.Path("/proc").glob("[0-9]*/cwd"):
        with contextlib.suppress(OSError):
            found += [process] if process.readlink() == data else []
    return found


def _await(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not condition():
        assert time.monotonic() < deadline


def _await_end(process: int) -> None:
    ended, _, _ = select.select([process], [], [], _PATIENCE)
    os.close(process)
    assert ended
