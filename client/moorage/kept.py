"""A mirror that outlives its program, in a file.

    with moorage.Client() as client:
        for mirror in kept.follow(client, pathlib.Path("/var/lib/firewall/held")):
            write(mirror.allocations.values())

The file is a WatchAllocationsResponse: everything that is held, and the cursor it is held at.
"""

import logging
import pathlib
from collections.abc import Generator, Iterator

from google.protobuf import message

from moorage import client as clients
from moorage import errors, files, mirror, names
from moorage.v1 import history_pb2

_LOG = logging.getLogger(__name__)


class Unreadable(Exception):
    """The file is not one that a mirror was saved in."""


def follow(
    client: clients.Client,
    path: pathlib.Path,
    *,
    vrf: str = names.DEFAULT_VRF,
    anew: bool = False,
    timeout: float | None = None,
) -> Generator[mirror.Mirror, None, None]:
    """Yield what is held, and again after every change, without end; each is saved first.

    It begins with what was saved, as nobody can know whether that was acted on before the program
    ended, and goes on with what has happened since. A snapshot is fetched where nothing was saved,
    with `anew`, and where the server cannot go on from the cursor. Saving writes everything, so
    with many allocations it is the consumer that sets the pace: what happens while it is busy comes
    as one change. `timeout` is as in `Client.watch`. Raises Unreadable, OSError and MoorageError.
    """
    known = mirror.Mirror() if anew else load(path, vrf=vrf)
    if known.cursor is not None:
        _LOG.info("resuming behind revision %d", known.cursor.revision)
        yield known
    while True:
        try:
            yield from _changes(client, known, path, vrf, timeout)
        except (errors.CursorLost, mirror.Inconsistent) as error:
            if known.cursor is None:
                raise
            _LOG.warning("%s", error)
            known = mirror.Mirror()
        else:
            return


def load(path: pathlib.Path, *, vrf: str = names.DEFAULT_VRF) -> mirror.Mirror:
    """Return the mirror that was saved in a file; one that knows nothing where there is none."""
    if not path.exists():
        return mirror.Mirror()
    try:
        saved = history_pb2.WatchAllocationsResponse.FromString(path.read_bytes())
    except message.DecodeError:
        saved = history_pb2.WatchAllocationsResponse()
    if not saved.cursor.epoch:
        raise Unreadable(f"{path} is not what was saved there; remove it to begin anew")
    if not all(each.name.startswith(f"{names.vrf(vrf)}/") for each in saved.held[:1]):
        raise Unreadable(f"{path} is of another VRF than {vrf}; remove it to begin anew")
    return mirror.Mirror(saved.held, saved.cursor)


def save(known: mirror.Mirror, path: pathlib.Path) -> None:
    """Save a mirror that knows something."""
    saved = history_pb2.WatchAllocationsResponse(
        held=known.allocations.values(), cursor=known.cursor
    )
    files.replace(path, saved.SerializeToString())


def _changes(
    client: clients.Client,
    known: mirror.Mirror,
    path: pathlib.Path,
    vrf: str,
    timeout: float | None,
) -> Iterator[mirror.Mirror]:
    """Yield the mirror after every change that one watch tells of."""
    if known.cursor is None:
        _LOG.info("beginning with a snapshot")
    with client.watch(cursor=known.cursor, vrf=vrf, timeout=timeout) as updates:
        for update in updates:
            known.apply(update)
            if update.events or update.held is not None:
                save(known, path)
                yield known
