"""Settings, read from the environment once; a wrong value names its variable."""

import dataclasses
import ipaddress
from collections.abc import Mapping
from typing import Self

from moorage_server import access
from moorage_server.storage import hosts

DEFAULT_LISTEN = "127.0.0.1:7711"
DEFAULT_METRICS_LISTEN = "127.0.0.1:7712"
DEFAULT_THREADS = 16
DEFAULT_DRAIN_SECONDS = 5.0
LONGEST_DRAIN = 300.0
MOST_PROCESSES = 64
DEFAULT_VERIFY_PART = 60
DEFAULT_VERIFY_WHOLE = 24 * 3600
LONGEST_PERIOD = 366 * 24 * 3600
HIGHEST_PORT = 65_535


class SettingsError(Exception):
    """A setting is missing or wrong; the message names it and says what is expected."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Settings(access.Access):
    """How a server runs; who may connect is in `access`.

    `listen` is host:port (port 0: any free one) or unix:///path. `threads` is how
    many transactions run at the same time besides the batch, in each of `processes`.
    `metrics_listen` is host:port, or empty for no metrics; of several processes each
    takes a port, one after the other from there. `drain_seconds` is how long a server that is to
    end goes on serving, not ready any more. `insecure_bind` admits beyond loopback what has no TLS,
    or asks nobody who calls. `unsafe_database` serves from what a crash would lose. `traces` has
    calls traced, as the variables OTEL_… say.
    So often, of all servers of a database, one holds a part of what is stored against its rules,
    or all of it; 0 is never.
    """

    database_url: str
    listen: str = DEFAULT_LISTEN
    metrics_listen: str = ""
    threads: int = DEFAULT_THREADS
    processes: int = 1
    drain_seconds: float = DEFAULT_DRAIN_SECONDS
    reflection: bool = True
    insecure_bind: bool = False
    unsafe_database: bool = False
    traces: bool = False
    verify_part_seconds: int = DEFAULT_VERIFY_PART
    verify_whole_seconds: int = DEFAULT_VERIFY_WHOLE

    def __post_init__(self) -> None:
        """Refuses what would be unsafe or cannot work."""
        require_postgresql(self.database_url)
        for problem in access.problems(self):
            raise SettingsError(problem)
        if not 2 <= self.threads <= 64:
            raise SettingsError(f"MOORAGE_THREADS is {self.threads}; give 2 to 64")
        self._check_listens()
        self._check_periods()
        self._check_processes()

    def _check_listens(self) -> None:
        if not self.listen.startswith("unix:") and not _has_port(self.listen):
            raise SettingsError(
                f"MOORAGE_LISTEN is {self.listen!r}; give host:port, or unix:///path"
            )
        if self.token_listen and not _has_port(self.token_listen):
            raise SettingsError(f"MOORAGE_TOKEN_LISTEN is {self.token_listen!r}; give host:port")
        if self.metrics_listen and not _has_port(self.metrics_listen):
            raise SettingsError(
                f"MOORAGE_METRICS_LISTEN is {self.metrics_listen!r}; give host:port, or nothing"
            )
        if not self.insecure_bind:
            self._check_exposure()

    def _check_exposure(self) -> None:
        if self.is_exposed:
            what = (
                "a server that does not ask who calls serves"
                if self.tls_cert
                else "plain text is served"
            )
            raise SettingsError(
                f"MOORAGE_LISTEN is {self.listen!r}: {what} on loopback or a Unix socket only; "
                "set MOORAGE_TLS_CERT, MOORAGE_TLS_KEY and MOORAGE_TLS_CLIENT_CA or "
                "MOORAGE_TOKEN_ISSUER, or --insecure-bind where the network itself is trusted"
            )
        if self.metrics_listen and not is_local(self.metrics_listen):
            raise SettingsError(
                f"MOORAGE_METRICS_LISTEN is {self.metrics_listen!r}: metrics are plain text, "
                "served on loopback only; set --insecure-bind where the network itself is trusted"
            )

    @property
    def is_exposed(self) -> bool:
        """Whether others than this machine can call without saying who they are."""
        return not self.asks_who_calls and not is_local(self.listen)

    def _check_periods(self) -> None:
        if not 0 <= self.drain_seconds <= LONGEST_DRAIN:
            raise SettingsError(
                f"MOORAGE_DRAIN_SECONDS is {self.drain_seconds:g}; give 0 to {LONGEST_DRAIN:g}"
            )
        for name, period in (
            ("MOORAGE_VERIFY_PART_SECONDS", self.verify_part_seconds),
            ("MOORAGE_VERIFY_WHOLE_SECONDS", self.verify_whole_seconds),
        ):
            if not 0 <= period <= LONGEST_PERIOD:
                raise SettingsError(
                    f"{name} is {period}; give seconds, at most {LONGEST_PERIOD}, or 0 for never"
                )

    @classmethod
    def read(cls, environment: Mapping[str, str], *, database_url: str | None = None) -> Self:
        """From DATABASE_URL and the MOORAGE_… variables; the argument wins."""
        found = cls(
            database_url=url_of_database(environment, database_url),
            listen=environment.get("MOORAGE_LISTEN", DEFAULT_LISTEN),
            metrics_listen=environment.get("MOORAGE_METRICS_LISTEN", DEFAULT_METRICS_LISTEN),
            threads=_number("MOORAGE_THREADS", environment, DEFAULT_THREADS),
            processes=_number("MOORAGE_PROCESSES", environment, 1),
            drain_seconds=_seconds("MOORAGE_DRAIN_SECONDS", environment, DEFAULT_DRAIN_SECONDS),
            reflection=_flag("MOORAGE_REFLECTION", environment, default=True),
            insecure_bind=_flag("MOORAGE_INSECURE_BIND", environment, default=False),
            unsafe_database=_flag("MOORAGE_UNSAFE_DATABASE", environment, default=False),
            traces=_flag("MOORAGE_TRACES", environment, default=False),
            verify_part_seconds=_number(
                "MOORAGE_VERIFY_PART_SECONDS", environment, DEFAULT_VERIFY_PART
            ),
            verify_whole_seconds=_number(
                "MOORAGE_VERIFY_WHOLE_SECONDS", environment, DEFAULT_VERIFY_WHOLE
            ),
            **access.read(environment),
        )
        found._check_metrics_ports()
        return found

    def of_process(self, number: int) -> Self:
        """Those of one of several processes, the first of which is 1."""
        if not self._metrics_ports:
            return self
        host = self.metrics_listen.rpartition(":")[0]
        listen = f"{host}:{self._metrics_ports[number - 1]}"
        return dataclasses.replace(self, metrics_listen=listen)

    @property
    def _metrics_ports(self) -> range:
        """Those that were chosen for metrics, one for each process."""
        first = int(self.metrics_listen.rpartition(":")[2] or 0)
        return range(first, first + self.processes) if first else range(0)

    def _check_processes(self) -> None:
        if not 1 <= self.processes <= MOST_PROCESSES:
            raise SettingsError(
                f"MOORAGE_PROCESSES is {self.processes}; give 1 to {MOST_PROCESSES}"
            )
        if self.processes > 1 and self.listen.startswith("unix:"):
            raise SettingsError(
                f"MOORAGE_LISTEN is {self.listen!r}: several processes can share a port, but no "
                "Unix socket; give host:port, or one process"
            )

    def _check_metrics_ports(self) -> None:
        """Of the command's settings: those of its processes name one of the ports each."""
        if self.processes == 1:
            return
        ports = self._metrics_ports
        if int(self.listen.rpartition(":")[2]) in ports or HIGHEST_PORT in ports[:-1]:
            raise SettingsError(
                f"MOORAGE_METRICS_LISTEN is {self.metrics_listen!r}: each process takes a port, "
                f"{ports[0]} to {ports[-1]}; give the first of {self.processes} that are free, "
                "without the one of MOORAGE_LISTEN"
            )


def url_of_database(environment: Mapping[str, str], given: str | None) -> str:
    """The URL that was given, else that of DATABASE_URL; raises SettingsError."""
    url = given or environment.get("DATABASE_URL", "")
    if not url:
        raise SettingsError("DATABASE_URL is not set; give --database-url or set it")
    require_postgresql(url)
    return url


def require_postgresql(url: str) -> None:
    """Raises SettingsError unless a URL is one of PostgreSQL, through psycopg, and names hosts."""
    if not url.startswith(("postgresql://", "postgresql+psycopg://")):
        raise SettingsError(
            "the database URL is not one of PostgreSQL; write postgresql+psycopg://USER@HOST/NAME"
        )
    try:
        hosts.readable(url)
    except hosts.HostsError as error:
        raise SettingsError(f"the database URL: {error}") from error


def is_local(listen: str) -> bool:
    """Whether only this machine can connect."""
    if listen.startswith("unix:"):
        return True
    host = listen.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _has_port(listen: str) -> bool:
    port = listen.rpartition(":")[2]
    return port.isdecimal() and int(port) <= HIGHEST_PORT


def _number(name: str, environment: Mapping[str, str], default: int) -> int:
    text = environment.get(name, str(default))
    try:
        return int(text)
    except ValueError:
        raise SettingsError(f"{name} is {text!r}; give a whole number") from None


def _seconds(name: str, environment: Mapping[str, str], default: float) -> float:
    text = environment.get(name, str(default))
    try:
        return float(text)
    except ValueError:
        raise SettingsError(f"{name} is {text!r}; give seconds") from None


def _flag(name: str, environment: Mapping[str, str], *, default: bool) -> bool:
    text = environment.get(name, str(default)).lower()
    if text not in ("true", "false", "1", "0"):
        raise SettingsError(f"{name} is {text!r}; give true or false")
    return text in ("true", "1")
