"""Statements of an assign, of the feed and of what reads everything, sent by the driver itself.

A batch has some ten, all known beforehand. Of the time of each, most was SQLAlchemy's:
compiling what never changes, describing rows anew. It keeps what it is good for:
connections, transactions, and queries that are put together.
"""

import concurrent.futures
import contextlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, Generic, TypeVar

import psycopg
import sqlalchemy as sa
from psycopg.pq import TransactionStatus
from psycopg.rows import RowFactory, namedtuple_row, tuple_row

from moorage_server.storage import interruption, outlines

Parameters = Mapping[str, object]
T = TypeVar("T")

_NAMED: Final = re.compile(r"(?<!:):([a-z_]+[0-9]*)")
_NONE: Final[Parameters] = {}

FETCHED = 1000  # rows of a stream that come at once


class Statement:
    """One statement; its parameters are named as in `sqlalchemy.text`, `:name`.

    It runs within the transaction of a connection, like any other statement of it, but what
    fails is raised as the driver's error.
    """

    def __init__(self, text: str) -> None:
        """Takes the statement as it is to be sent, but for its parameters."""
        self.text = text
        self._sent_text = _NAMED.sub(r"%(\1)s", text.replace("%", "%%"))

    def rows(self, connection: sa.Connection, parameters: Parameters = _NONE) -> list[Any]:
        """Its rows, with a field for each column."""
        return self._sent(connection, parameters, namedtuple_row).fetchall()

    def row(self, connection: sa.Connection, parameters: Parameters = _NONE) -> Any:  # noqa: ANN401  # as in `rows`
        """Its first row; None where there is none."""
        return self._sent(connection, parameters, namedtuple_row).fetchone()

    def values(self, connection: sa.Connection, parameters: Parameters = _NONE) -> list[Any]:
        """The first column of its rows."""
        return [row[0] for row in self._sent(connection, parameters, tuple_row)]

    def value(self, connection: sa.Connection, parameters: Parameters = _NONE) -> Any:  # noqa: ANN401  # as in `rows`
        """The first column of its first row; None where there is none."""
        row = self._sent(connection, parameters, tuple_row).fetchone()
        return None if row is None else row[0]

    def run(self, connection: sa.Connection, parameters: Parameters = _NONE) -> int:
        """How many rows it wrote, or removed."""
        return self._sent(connection, parameters, tuple_row).rowcount

    def made(
        self, connection: sa.Connection, parameters: Parameters, make: Callable[[Sequence[Any]], T]
    ) -> list[T]:
        """What is made of each of its rows."""
        return self._sent(connection, parameters, lambda _: make).fetchall()

    @contextlib.contextmanager
    def stream(
        self,
        connection: sa.Connection,
        parameters: Parameters,
        make: Callable[[Sequence[Any]], T],
        *,
        fetched: int | None = None,
    ) -> Iterator[Iterator[T]]:
        """Lends what is made of each of its rows; `fetched` at once come from the database.

        Between two fetches the transaction stands idle, as between any two statements: so it
        ends by itself where nobody goes on taking them. No other statement may be sent meanwhile.
        Who raises something does not wait for rows that are being looked for.
        """
        cursor = driver(connection).cursor("stream", row_factory=lambda _: make)
        threads = concurrent.futures.ThreadPoolExecutor(1, "fetch")
        with outlines.around(self.text), cursor, threads as ahead:
            cursor.execute(self._sent_text, parameters)
            fetches = _Fetches(cursor, ahead, fetched or FETCHED)
            try:
                yield fetches.rows()
            except BaseException:
                fetches.break_off()
                raise

    def _sent(
        self, connection: sa.Connection, parameters: Parameters, row_factory: RowFactory[Any]
    ) -> psycopg.Cursor[Any]:
        cursor = driver(connection).cursor(row_factory=row_factory)
        with outlines.around(self.text):
            return cursor.execute(self._sent_text, parameters)


class _Fetches(Generic[T]):
    """The fetches of a stream: PostgreSQL looks for rows while those before them are taken.

    So two cores are at work, not one.
    """

    def __init__(
        self, cursor: "psycopg.ServerCursor[T]", ahead: concurrent.futures.Executor, count: int
    ) -> None:
        self._cursor, self._ahead, self._count = cursor, ahead, count
        self._coming = self._fetch()

    def rows(self) -> Iterator[T]:
        while rows := self._coming.result():
            self._coming = self._fetch()
            yield from rows

    def break_off(self) -> None:
        """Ends the one under way, if any."""
        while not self._coming.done():
            interruption.cancel(self._cursor.connection)
            concurrent.futures.wait([self._coming], interruption.AGAIN)

    def _fetch(self) -> "concurrent.futures.Future[list[T]]":
        return self._ahead.submit(self._cursor.fetchmany, self._count)


def send(connection: sa.Connection, text: str) -> None:
    """Sends statements without parameters and results, all in one round trip."""
    driver(connection).execute(text, prepare=False)


def are_pending(connection: sa.Connection) -> bool:
    """Whether statements wait for a COMMIT, and none of them has failed."""
    return driver(connection).info.transaction_status is TransactionStatus.INTRANS


def driver(connection: sa.Connection) -> "psycopg.Connection[Any]":
    """The driver's connection, in the transaction that SQLAlchemy keeps."""
    return connection.connection.driver_connection  # type: ignore[return-value]  # SQLAlchemy knows no driver
