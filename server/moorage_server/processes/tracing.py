"""The traces of one process: begun before it serves, and sent to the last when it has ended."""

import contextlib
import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING

import structlog

import moorage_server
from moorage_server import traces
from moorage_server.api.reloading import Unreadable

if TYPE_CHECKING:
    from moorage import telemetry

_log = structlog.get_logger()


@contextlib.contextmanager
def traced() -> Iterator[None]:
    """Has traced what is done meanwhile, in this process. Raises Unreadable."""
    spans = traces.spans = _begun()
    try:
        yield
    finally:
        spans.close()
        traces.spans = None


def _begun() -> "telemetry.Spans":
    try:
        from moorage import telemetry  # noqa: PLC0415  # loads what the extra has
    except ModuleNotFoundError as error:
        raise Unreadable(
            f"no traces without {error.name}; install moorage-server[traces]"
        ) from error
    try:
        return telemetry.Spans("moorage-server", moorage_server.__version__, _complain)
    except telemetry.Unfit as error:
        raise Unreadable(str(error)) from error


def _complain(record: logging.LogRecord) -> None:
    _log.warning("spans are not sent", why=record.getMessage())
