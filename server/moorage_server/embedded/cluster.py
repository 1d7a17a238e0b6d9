"""One PostgreSQL cluster in a state directory: created when new, started, stopped, connected to.

A process that does not own the cluster may still ask for `url` and `tool` while another runs it.
"""

import contextlib
import pathlib
import shutil
import threading
import urllib.parse
from collections.abc import Callable, Sequence
from typing import Self

from moorage_server.embedded import binaries, commands, errors, identity, layout, postmaster, roles

BOOTSTRAP_ROLE = roles.BOOTSTRAP_ROLE
OWNER_ROLE = roles.OWNER_ROLE
SERVICE_ROLE = roles.SERVICE_ROLE
READER_ROLE = roles.READER_ROLE
DATABASE = roles.DATABASE


def _silent(_line: str) -> None:
    pass


class Cluster:
    """PostgreSQL owned by this process: it lives from `start` to `stop`, or until the process dies.

    Without `durable`, rows may be lost with the machine: for tests. `port` opens 127.0.0.1 to the
    roles in `passfile`. `run_as` and `installation` replace the choice of user and of programs;
    `settings`, NAME=VALUE, those of ours.
    """

    def __init__(
        self,
        state: pathlib.Path,
        *,
        durable: bool = True,
        port: int | None = None,
        run_as: identity.Identity | None = None,
        installation: binaries.Installation | None = None,
        settings: Sequence[str] = (),
    ) -> None:
        self._place = layout.Layout(state.resolve())
        self._durable = durable
        self._port = port
        self._run_as = run_as
        self._installation = installation
        self._settings = settings
        self._undo = contextlib.ExitStack()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def start(self, report: Callable[[str], None] = _silent) -> None:
        """Returns when the server accepts connections and its roles and database exist.

        Takes as long as crash recovery does and tells `report` about it. Raises EmbeddedError and
        then leaves nothing running.
        """
        if threading.current_thread() is not threading.main_thread():
            # The signal that ends the server with its owner is sent when the *thread* ends.
            raise errors.StartError("PostgreSQL must be started from the main thread")
        with self._place.explained(), contextlib.ExitStack() as undo:
            self._place.prepare()
            undo.enter_context(self._place.owned())
            lock = undo.enter_context(self._place.vacated(lambda: self._hurry(report)))
            runner = self._runner(lock)
            undo.enter_context(self._place.reachable(runner.user.uid, runner.user.gid))
            self._create(runner, report)
            self._serve(runner, undo, report)
            self._undo = undo.pop_all()

    def stop(self) -> None:
        """Stops the server and lets go of the directory; does nothing when it is not started."""
        self._undo.close()

    @property
    def pid(self) -> int:
        """The process id of the running server. Raises NotRunningError."""
        return self._running().pid

    @property
    def version(self) -> str:
        """The version of the programs, such as "18.6"."""
        return self._programs().version

    @property
    def data(self) -> pathlib.Path:
        """The data directory."""
        return self._place.data

    @property
    def passfile(self) -> pathlib.Path:
        """The password file of the loopback port, in libpq's format."""
        return self._place.passwords

    def url(self, *, role: str, database: str = DATABASE) -> str:
        """The SQLAlchemy URL of the running server's socket. Raises NotRunningError."""
        server = self._running()
        where = urllib.parse.urlencode({"host": server.sockets, "port": server.port})
        who, what = (urllib.parse.quote(name, safe="") for name in (role, database))
        return f"postgresql+psycopg://{who}@/{what}?{where}"

    def tool(self, name: str, *, role: str = OWNER_ROLE, database: str = DATABASE) -> list[str]:
        """The command that runs psql, pg_dump or a relative against the running server.

        It runs as the caller, whose files it may read and write; the socket is open to nobody but
        the server's user and root. Raises NotRunningError.
        """
        server = self._running()
        return [
            self._programs().program(name),
            f"--host={server.sockets}",
            f"--port={server.port}",
            f"--username={role}",
            f"--dbname={database}",
        ]

    def _programs(self) -> binaries.Installation:
        if self._installation is None:
            self._installation = binaries.find()
        return self._installation

    def _running(self) -> postmaster.Running:
        try:
            server = postmaster.look(self._place.data)
        except PermissionError as error:
            raise errors.StateDirectoryError(
                f"{self._place.data} is closed to this user: run this as its owner or as root"
            ) from error
        if server is None:
            raise errors.NotRunningError(
                f"no PostgreSQL runs on {self._place.root}: start moorage-server first"
            )
        return server

    def _hurry(self, report: Callable[[str], None]) -> None:
        report("waiting for the processes of the previous PostgreSQL to end")
        postmaster.interrupt(self._place.data)

    def _runner(self, lock: int) -> postmaster.Runner:
        tried = [self._run_as] if self._run_as else identity.candidates()
        found = self._programs()
        user, programs = identity.settle(tried, place=self._place, installation=found)
        binaries.discard_copies(self._place.copies, programs)
        log = postmaster.Log(self._place.log)
        return postmaster.Runner(
            user=user, programs=programs, directory=self._place.root, log=log, lock=lock
        )

    def _create(self, runner: postmaster.Runner, report: Callable[[str], None]) -> None:
        if self._place.data.exists():
            self._refuse_other_major(runner)
            return
        report(f"creating a PostgreSQL {runner.programs.version} cluster in {self._place.data}")
        fresh = self._place.unfinished
        shutil.rmtree(fresh, ignore_errors=True)
        self._place.hand_over(fresh, runner.user.uid, runner.user.gid)
        major = runner.programs.major
        runner.finish(commands.initdb(fresh, major=major, durable=self._durable))
        self._place.keep_unfinished()

    def _refuse_other_major(self, runner: postmaster.Runner) -> None:
        stamp = self._place.data / "PG_VERSION"
        found = stamp.read_text().strip() if stamp.exists() else "of an unknown version"
        if found != str(runner.programs.major):
            raise errors.VersionMismatchError(
                commands.move_over(
                    self._place.data,
                    found=found,
                    version=runner.programs.version,
                    user=runner.user,
                    sockets=self._place.sockets(),
                )
            )

    def _serve(
        self,
        runner: postmaster.Runner,
        undo: contextlib.ExitStack,
        report: Callable[[str], None],
    ) -> None:
        data, sockets = self._place.data, self._place.sockets()
        process = runner.spawn(
            commands.postgres(
                data,
                sockets=sockets,
                port=self._port,
                durable=self._durable,
                settings=self._settings,
            )
        )
        undo.callback(postmaster.stop, process)
        runner.await_ready(process, data, report=report)
        passwords = {} if self._port is None else roles.kept_passwords(self.passfile)
        roles.prepare(sockets, self._port or roles.SOCKET_PORT, passwords)
        name, version = runner.user.name, runner.programs.version
        report(f"PostgreSQL {version} is ready (run as {name}, process {process.pid})")
