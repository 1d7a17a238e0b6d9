"""Clients of Moorage servers that are kept warm, one for each target and its certificates."""

import contextlib
import threading
from collections.abc import Callable, Iterator

import moorage
from moorage import client as clients
from moorage import positions, tls

# Configurations name one server, or two while they change.
MOST = 16

_Key = tuple[str, tls.Tls | None]


class _Warm:
    """An open client, who uses it now, and whether it goes when nobody does any more."""

    def __init__(self, key: _Key, seen: str) -> None:
        target, files = key
        self.client = clients.Client(target, tls=files, seen=positions.Kept(seen, target))
        self.users = 0
        self.is_given_up = False


class Servers:
    """Lends clients to threads; `answered` is told of every target that has just answered.

    How far its history had come is kept in the folder `seen`.
    """

    def __init__(self, answered: Callable[[str], None], seen: str) -> None:
        """Connects to nobody yet."""
        self._answered = answered
        self._seen = seen
        self._lock = threading.Lock()
        self._warm: dict[_Key, _Warm] = {}

    def lend(
        self, target: str, files: tls.Tls | None = None
    ) -> contextlib.AbstractContextManager[clients.Client]:
        """Lend the client of a target; after a call that nobody answered, the next is a new one.

        Raises tls.Unusable, where there is none yet that goes on with the files of before.
        """
        return self._lent((target, files), self._take((target, files)))

    @contextlib.contextmanager
    def _lent(self, key: _Key, warm: _Warm) -> Iterator[clients.Client]:
        is_broken, is_heard = False, False
        try:
            yield warm.client
            is_heard = True
        except moorage.Unavailable as failure:
            # With a reason it is a server's word, and the connection to it is well.
            is_broken = not failure.reason
            raise
        except moorage.MoorageError as failure:
            is_heard = bool(failure.reason)  # it refuses, and could have released
            raise
        finally:
            self._put_back(key, warm, is_broken=is_broken)
            if is_heard:
                self._answered(key[0])

    def close(self) -> None:
        """Close every client that nobody uses, and the others when nobody does any more."""
        with self._lock:
            for key in list(self._warm):
                self._give_up(key)

    def _take(self, key: _Key) -> _Warm:
        with self._lock:
            warm = self._warm.pop(key, None) or _Warm(key, self._seen)
            self._warm[key] = warm  # the one that was used last comes last
            warm.users += 1
            while len(self._warm) > MOST:
                self._give_up(next(iter(self._warm)))
            return warm

    def _put_back(self, key: _Key, warm: _Warm, *, is_broken: bool) -> None:
        with self._lock:
            warm.users -= 1
            if is_broken and self._warm.get(key) is warm:
                self._give_up(key)
            elif warm.is_given_up and not warm.users:
                warm.client.close()

    def _give_up(self, key: _Key) -> None:
        # Closing would end the calls of others: whoever is the last to use it closes it.
        warm = self._warm.pop(key)
        warm.is_given_up = True
        if not warm.users:
            warm.client.close()
