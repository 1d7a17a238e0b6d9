"""The handler's host in the agent: warm clients, namespaces that are watched, kept releases."""

import contextlib
import logging
from collections.abc import Iterator

from moorage import client as clients
from moorage import retries, tls
from moorage.agent import logs
from moorage.agent.journal import Full, Journal
from moorage.agent.namespaces import Namespaces
from moorage.agent.sender import Sender
from moorage.agent.servers import Servers
from moorage.cni import calls, errors, kubernetes, settings
from moorage.cni.deadline import Deadline
from moorage.cni.release import Release

# How long to wait for a server that may never come back, where the release can be kept instead.
LONGEST_RELEASE = 2.0

_LOG = logging.getLogger(__name__)


class Node:
    """What all calls of a node share."""

    def __init__(self, journal: Journal, seen: str) -> None:
        """Begins with `start`; `seen` is the folder for how far servers' histories had come."""
        self.journal = journal
        self.sender = Sender(journal, self._send)
        self.namespaces = Namespaces()
        # Every call to a server that is sent once more.
        self.repeated = logs.Tally(retries.__name__)
        self._servers = Servers(self.sender.answered, seen)

    def start(self) -> None:
        """Send what waits."""
        self.sender.start()

    def stop(self) -> None:
        """Begin nothing new; what waits goes on waiting."""
        self.sender.stop()
        self.namespaces.stop()
        self._servers.close()

    @contextlib.contextmanager
    def server(self, target: str, files: tls.Tls | None) -> Iterator[clients.Client]:
        """Lends a warm client."""
        try:
            lent = self._servers.lend(target, files)
        except tls.Unusable as error:
            raise errors.no_certificates(target, error) from error
        with lent as client:
            yield client

    def kubernetes(self, cluster: settings.Cluster, deadline: Deadline) -> kubernetes.Api:
        """Lends an API that has namespaces at hand, where they are known to be as they are."""
        return self.namespaces.api(cluster, deadline)

    def settle(self, attachment: Release, deadline: Deadline) -> None:
        """Sends the release of an earlier DEL before the address is assigned again.

        The fence would keep the new assignment from it either way. But then it would be the old
        one, with its generation and its constraints, as if there had been no DEL.
        """
        waiting = self.journal.of(attachment)
        error = self.sender.send(waiting, deadline) if waiting else None
        if error and error.code is errors.Code.TRY_AGAIN_LATER:
            raise error

    def release(self, release: Release, deadline: Deadline) -> None:
        """Releases now, or keeps it for when the server is back."""
        if self.sender.is_away(release.server):
            self._keep(release, None)
            return
        try:
            calls.release(self, release, deadline.or_within(LONGEST_RELEASE))
        except errors.CniError as error:
            if error.code is not errors.Code.TRY_AGAIN_LATER:
                raise
            self._keep(release, error)

    def _send(self, release: Release, deadline: Deadline) -> None:
        calls.release(self, release, deadline)

    def _keep(self, release: Release, why: errors.CniError | None) -> None:
        try:
            self.journal.add(release)
        except (Full, OSError) as error:
            raise _not_kept(release, error) from why
        logs.tell(
            _LOG,
            logging.WARNING,
            "keeps a release until the server is back",
            container=release.container_id,
            interface=release.interface,
            server=release.server,
            **logs.request(why),
        )
        self.sender.kept(release.server, is_unheard=why is not None)


def _not_kept(release: Release, error: Full | OSError) -> errors.CniError:
    reason = error.strerror if isinstance(error, OSError) else error
    return errors.CniError(
        errors.Code.TRY_AGAIN_LATER,
        f"server {release.server} gave no answer in time, and the release cannot be kept for "
        f"later: {reason}",
        "the runtime tries again; make room for the journal of moorage-agent, and check that this "
        "node can reach the server",
    )
