"""What can go wrong with the embedded PostgreSQL; how a failure is shown is the caller's matter."""


class EmbeddedError(Exception):
    """The embedded PostgreSQL cannot do what was asked; the message says what to do next."""


class StateDirectoryError(EmbeddedError):
    """The state directory, or the directory of its socket, cannot be used."""


class AlreadyOwnedError(EmbeddedError):
    """Another owner holds the state directory; the message names its process."""


class BinariesError(EmbeddedError):
    """No usable PostgreSQL programs were found."""


class IdentityError(EmbeddedError):
    """There is no user as whom PostgreSQL could run on this state directory."""


class VersionMismatchError(EmbeddedError):
    """The data belongs to another major version of PostgreSQL; the message shows the way over."""


class StartError(EmbeddedError):
    """PostgreSQL did not start; the message ends with the last lines of its log."""


class NotRunningError(EmbeddedError):
    """No server runs on this state directory."""


class PreparationError(EmbeddedError):
    """The server runs, but its roles, database or extension could not be prepared."""
