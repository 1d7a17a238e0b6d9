"""What the programs beside this share: their options, and the loop that keeps a file right."""

import argparse
import contextlib
import hashlib
import logging
import os
import pathlib
import re
import signal
from collections.abc import Callable, Iterable

import moorage
from moorage import files, kept, mirror, names, targets
from moorage.v1 import resources_pb2

ONCE_TIMEOUT = 10.0  # seconds

# What is held, and the file as it is, empty where there is none -> the file as it is to be; both
# without the first line.
Render = Callable[[Iterable[resources_pb2.Allocation], str], str]

_HASHED = re.compile(r"(.*-)?[0-9a-f]{10}")
_LOG = logging.getLogger(__name__)


def parser(description: str) -> argparse.ArgumentParser:
    """Returns a parser with the options of every consumer."""
    made = argparse.ArgumentParser(description=description)
    made.add_argument("file", type=pathlib.Path, help="the file to keep")
    made.add_argument(
        "--server",
        type=_target,
        default=os.environ.get("MOORAGE_SERVER", names.DEFAULT_SERVER),
        help="address of the server; default: MOORAGE_SERVER, or %(default)s",
    )
    made.add_argument("--vrf", default=names.DEFAULT_VRF, help="default: %(default)s")
    made.add_argument(
        "--state",
        type=pathlib.Path,
        help="where to save what is held, and how far the feed was read; default: FILE.state",
    )
    made.add_argument(
        "--once", action="store_true", help="write what is held now, by a snapshot, and leave"
    )
    return made


def keep(options: argparse.Namespace, header: str, render: Render) -> int:
    """Keeps the file until the program is told to end; returns its exit code.

    `header` is the first line, by which the program knows its file: no other is overwritten.
    """
    _end_on_signals()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # what it would say is in the errors, too
    try:
        _follow(options, header, render)
    except KeyboardInterrupt:
        return 130 if options.once else 0
    except (moorage.MoorageError, mirror.Inconsistent, kept.Unreadable, OSError) as error:
        raise SystemExit(f"cannot keep {options.file}: {error}") from error
    return 0


def label(text: str) -> str:
    """Returns a text as a label of DNS, of a-z, 0-9 and -: itself where it is one.

    Of another text it has what fits, and a hash that tells it from all that look the same then.
    """
    fitting = re.sub(r"[^a-z0-9-]", "-", text.lower()).strip("-")
    if fitting == text and 0 < len(text) <= 63 and not _HASHED.fullmatch(text):
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:10]
    return f"{fitting[:52].rstrip('-')}-{digest}".lstrip("-")


def _follow(options: argparse.Namespace, header: str, render: Render) -> None:
    path: pathlib.Path = options.file
    state = options.state or path.with_name(f"{path.name}.state")
    timeout = ONCE_TIMEOUT if options.once else None
    with moorage.Client(options.server) as client:
        copies = kept.follow(client, state, vrf=options.vrf, anew=options.once, timeout=timeout)
        with contextlib.closing(copies):
            for known in copies:
                _write(path, known, header, render)
                if options.once:
                    return


def _write(path: pathlib.Path, known: mirror.Mirror, header: str, render: Render) -> None:
    """Replaces the file where it is not as it is to be."""
    previous = path.read_text(errors="replace") if path.exists() else ""
    first, _, body = previous.partition("\n")
    if previous and first != header:
        raise SystemExit(f"{path} was written by something else; remove it, or name another file")
    text = f"{header}\n{render(known.allocations.values(), body)}"
    if text != previous:
        files.replace(path, text.encode())
        _LOG.info("%s is as of revision %d", path, known.cursor.revision if known.cursor else 0)


def _end_on_signals() -> None:
    """Makes every wish to end this process a KeyboardInterrupt: it may be killed anywhere."""
    for wish in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(wish, signal.default_int_handler)


def _target(text: str) -> str:
    try:
        targets.uri(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text
