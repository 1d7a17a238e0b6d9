"""Command lines: of initdb, of postgres, and those that move data to another major version."""

import pathlib
import shlex
from collections.abc import Sequence

from moorage_server.embedded import identity, roles

_SETTINGS = (
    "max_connections=220",
    "client_connection_check_interval=1s",
    "timezone=UTC",
    "log_timezone=UTC",
    "log_destination=stderr",
    "logging_collector=off",
    "unix_socket_permissions=0700",
)
_NOT_DURABLE = ("fsync=off", "full_page_writes=off", "synchronous_commit=off")

_MOVE_OVER = """\
{data} was made by PostgreSQL {found}, and {version} cannot open it. Move the rows over once, with \
OLD set to the folder of PostgreSQL {found}'s programs:
  install -d -m 700 -o {uid} -g {gid} {sockets}
  {user} $OLD/pg_ctl --pgdata={data} --wait --silent \
--options="-c listen_addresses= -c unix_socket_directories={sockets}" start
  $OLD/pg_dump --host={sockets} --username={role} --dbname={database} > moorage.sql
  {user} $OLD/pg_ctl --pgdata={data} --wait --silent stop
  mv {data} {data}.{found}
and restore them before anything else uses the new database: \
moorage-server db psql --username={role} < moorage.sql"""


def initdb(target: pathlib.Path, *, major: int, durable: bool) -> list[str]:
    """Creates a cluster whose order of text does not change with the C library, where it can."""
    builtin = ("--locale-provider=builtin",) if major >= 17 else ()
    return [
        "initdb",
        f"--pgdata={target}",
        f"--username={roles.BOOTSTRAP_ROLE}",
        "--auth-local=trust",
        "--auth-host=scram-sha-256",
        "--encoding=UTF8",
        "--locale=C.UTF-8",
        *builtin,
        "--data-checksums",
        "--no-instructions",
        *(() if durable else ("--no-sync",)),
    ]


def postgres(
    data: pathlib.Path,
    *,
    sockets: pathlib.Path,
    port: int | None,
    durable: bool,
    settings: Sequence[str] = (),
) -> list[str]:
    """Serves a cluster on a socket, and on 127.0.0.1 when a port is given.

    `settings` are further ones, NAME=VALUE, and of two the last counts.
    """
    listen = "" if port is None else "127.0.0.1"
    chosen = (
        *_SETTINGS,
        *(() if durable else _NOT_DURABLE),
        f"listen_addresses={listen}",
        f"unix_socket_directories={sockets}",
        f"port={port or roles.SOCKET_PORT}",
        *settings,
    )
    return [
        "postgres",
        "-D",
        str(data),
        *(word for setting in chosen for word in ("-c", setting)),
    ]


def move_over(
    data: pathlib.Path,
    *,
    found: str,
    version: str,
    user: identity.Identity,
    sockets: pathlib.Path,
) -> str:
    """What to tell somebody whose data another major version made."""
    return _MOVE_OVER.format(
        data=shlex.quote(str(data)),
        found=found,
        version=version,
        user=shlex.join(user.prefix),
        uid=user.uid,
        gid=user.gid,
        sockets=sockets,
        role=roles.BOOTSTRAP_ROLE,
        database=roles.DATABASE,
    )
