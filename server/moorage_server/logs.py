"""Structured logs on stderr: one event a line, JSON unless somebody is watching."""

import logging
import sys

import structlog


def configure(*, level: str = "INFO", process: int | None = None) -> None:
    """Sets up logging for the whole process; call once, first.

    Each line tells which of several processes it is of.
    """
    renderer: structlog.types.Processor = structlog.processors.JSONRenderer()
    if sys.stderr.isatty():
        renderer = structlog.dev.ConsoleRenderer()
    which = {} if process is None else {"process": process}

    structlog.configure(
        processors=[
            lambda _, __, event: {**event, **which},
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        # A line with its end in one write: several processes may write to one pipe.
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
