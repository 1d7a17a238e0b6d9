"""What differs between the processes that run the handler: where what it calls comes from.

Importing this loads neither gRPC nor TLS: most calls that fail need none.
"""

import contextlib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from moorage import allocations, tls
    from moorage.cni import kubernetes, settings
    from moorage.cni.deadline import Deadline
    from moorage.cni.release import Release


# Beside the journal of an agent, which makes it; who has no agent makes it by hand.
SEEN = "/var/lib/moorage/seen"

# Never reached: whoever calls says for how long.
_TIMEOUT = 10.0


class Host(Protocol):
    """Serves one call of the handler, or many at a time."""

    def server(
        self, target: str, files: "tls.Tls | None"
    ) -> "AbstractContextManager[allocations.Allocations]":
        """Lends the calls to a Moorage server; every one of them says how long it may take.

        Raises:
            CniError: as errors.no_certificates.
        """

    def kubernetes(
        self, cluster: "settings.Cluster", deadline: "Deadline"
    ) -> "AbstractContextManager[kubernetes.Api]":
        """Lends the Kubernetes API.

        Raises:
            CniError: as kubeconfig.access.
        """

    def settle(self, attachment: "Release", deadline: "Deadline") -> None:
        """Sends what of an attachment is still to be released, before it is assigned again.

        Raises:
            CniError: as calls.release.
        """

    def release(self, release: "Release", deadline: "Deadline") -> None:
        """Releases, or makes sure that it will be.

        Raises:
            CniError: as calls.release; then nobody has taken it on.
        """


class Direct:
    """The process of one call: all is made for it, and nothing outlives it but how far the server's
    history had come, in files of the folder `seen`, where that is there.
    """

    def __init__(self, seen: str = SEEN) -> None:
        self._seen = seen

    @contextlib.contextmanager
    def server(self, target: str, files: "tls.Tls | None") -> "Iterator[allocations.Allocations]":
        """Opens a connection, which closes with the context."""
        from moorage import allocations, channel, positions, tls  # noqa: PLC0415 - loads gRPC
        from moorage.cni import errors  # noqa: PLC0415

        try:
            connection = channel.open_channel(target, files)
        except tls.Unusable as error:
            raise errors.no_certificates(target, error) from error
        with connection as opened:
            yield allocations.Allocations(opened, _TIMEOUT, positions.Kept(self._seen, target))

    def kubernetes(self, cluster: "settings.Cluster", deadline: "Deadline") -> "kubernetes.Api":
        """Opens a connection; every question is asked."""
        # The largest part of the program's own start: only this way of configuration pays for it.
        from moorage.cni import kubeconfig, kubernetes  # noqa: PLC0415

        return kubernetes.Api(kubeconfig.access(cluster), deadline)

    def settle(self, attachment: "Release", deadline: "Deadline") -> None:
        """Nothing is: a DEL has released, or has failed."""

    def release(self, release: "Release", deadline: "Deadline") -> None:
        """Releases now; the runtime repeats what fails."""
        from moorage.cni import calls  # noqa: PLC0415 - loads gRPC

        calls.release(self, release, deadline)
