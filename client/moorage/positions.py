"""How far the feeds of VRFs had come when a server answered last.

It is shown to whichever server is asked next: one whose database has not come as far works on a
copy of before, and says so instead of giving away what is held. What the server concludes is not
decided here.
"""

import contextlib
import os
import threading

from moorage.v1 import resources_pb2

_LONGEST_NAME = 255


class Seen:
    """The newest position of each VRF, by its resource name; safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._newest: dict[str, resources_pb2.FeedPosition] = {}

    def of(self, vrf: str) -> resources_pb2.FeedPosition | None:
        """Return what was seen last; None where nothing was."""
        return self._newest.get(vrf)

    def note(self, vrf: str, position: resources_pb2.FeedPosition) -> None:
        """Remember what an answer said; of another epoch, whatever it says is the newest."""
        with self._lock:
            known = self.of(vrf)
            is_old = known and known.epoch == position.epoch and known.revision >= position.revision
            if position.epoch and not is_old:
                self._newest[vrf] = position
                self._keep(vrf, position)

    def _keep(self, vrf: str, position: resources_pb2.FeedPosition) -> None:
        """Nothing outlives the process."""


class Kept(Seen):
    """As Seen, in files of a folder, which processes of a node share; without the folder, in none.

    Nothing is synced: a loss of power may lose what was seen last, and then less is noticed. Of two
    processes that write at once the one that is behind may win, to the same effect.
    """

    def __init__(self, folder: str, server: str) -> None:
        super().__init__()
        self._folder = folder
        self._server = server

    def of(self, vrf: str) -> resources_pb2.FeedPosition | None:
        """Return what was seen last, by whichever process has written it."""
        known = super().of(vrf)
        if known is None and (known := _read(self._path(vrf))):
            self._newest[vrf] = known
        return known

    def _keep(self, vrf: str, position: resources_pb2.FeedPosition) -> None:
        path = self._path(vrf)
        fresh = f"{path}.{os.getpid()}"
        # Whatever is in the way, an address that was assigned is worth more than this.
        with contextlib.suppress(OSError):
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            try:
                os.write(descriptor, f"{position.epoch} {position.revision}\n".encode())
            finally:
                os.close(descriptor)
            os.replace(fresh, path)

    def _path(self, vrf: str) -> str:
        # The end of it, where it is too long: two of one name only overwrite each other.
        room = _LONGEST_NAME - len(f".{os.getpid()}")
        return os.path.join(self._folder, f"{self._server} {vrf}".encode().hex()[-room:])


def _read(path: str) -> resources_pb2.FeedPosition | None:
    try:
        with open(path, encoding="ascii") as file:
            epoch, revision = file.read(256).split()
        return resources_pb2.FeedPosition(epoch=epoch, revision=int(revision))
    except (OSError, ValueError):  # not there, or cut off by a loss of power
        return None
