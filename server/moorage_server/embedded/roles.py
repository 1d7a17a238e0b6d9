"""The roles, the database and the extension a cluster must have. Tables are the migrations'."""

import os
import pathlib
import secrets

import psycopg
from psycopg import sql

from moorage_server.embedded import errors

BOOTSTRAP_ROLE = "postgres"
OWNER_ROLE = "moorage_owner"
SERVICE_ROLE = "moorage_service"
READER_ROLE = "moorage_reader"
DATABASE = "moorage"
SOCKET_PORT = 5432  # only part of the socket's name while no port is opened

_MAINTENANCE = "postgres"
_LOGINS = (OWNER_ROLE, SERVICE_ROLE, READER_ROLE)


def prepare(sockets: pathlib.Path, port: int, passwords: dict[str, str]) -> None:
    """Creates what is missing, and sets the given passwords. Safe to repeat after any crash."""
    try:
        with _connect(sockets, port, _MAINTENANCE) as connection:
            for role in _LOGINS:
                _ensure_role(connection, role, passwords.get(role))
            _ensure_database(connection)
        with _connect(sockets, port, DATABASE) as connection:
            connection.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
            connection.execute("CREATE EXTENSION IF NOT EXISTS btree_gist")
    except (psycopg.errors.FeatureNotSupported, psycopg.errors.UndefinedFile) as error:
        raise errors.PreparationError(
            "this PostgreSQL has no extension btree_gist: install its contrib package "
            "(postgresql-contrib), or moorage-server[embedded]"
        ) from error
    except psycopg.Error as error:
        raise errors.PreparationError(
            f"PostgreSQL runs but could not be prepared ({error}): see its log, then start again"
        ) from error


def kept_passwords(path: pathlib.Path) -> dict[str, str]:
    """The passwords by role for the loopback port, from a file in libpq's format made once."""
    if not path.exists():
        fresh = path.with_name(f"{path.name}.new")
        fresh.unlink(missing_ok=True)
        fresh.touch(mode=0o600)
        fresh.write_text("".join(_passfile_line(role) for role in _LOGINS))
        os.replace(fresh, path)
    fields = (line.split(":") for line in path.read_text().splitlines())
    return {role: password for _host, _port, _database, role, password in fields}


def _passfile_line(role: str) -> str:
    return f"127.0.0.1:*:{DATABASE}:{role}:{secrets.token_urlsafe(24)}\n"


def _connect(sockets: pathlib.Path, port: int, database: str) -> psycopg.Connection:
    return psycopg.connect(
        host=str(sockets), port=port, user=BOOTSTRAP_ROLE, dbname=database, autocommit=True
    )


def _ensure_role(connection: psycopg.Connection, role: str, password: str | None) -> None:
    name = sql.Identifier(role)
    if not connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [role]).rowcount:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN NOSUPERUSER").format(name))
    if password is not None:
        # Hashed here, so that the password is in no statement and no log.
        verifier = connection.pgconn.encrypt_password(
            password.encode(), role.encode(), b"scram-sha-256"
        )
        connection.execute(
            sql.SQL("ALTER ROLE {} PASSWORD {}").format(name, sql.Literal(verifier.decode()))
        )


def _ensure_database(connection: psycopg.Connection) -> None:
    if connection.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE]).rowcount:
        return
    statement = sql.SQL("CREATE DATABASE {} OWNER {}")
    connection.execute(statement.format(sql.Identifier(DATABASE), sql.Identifier(OWNER_ROLE)))
