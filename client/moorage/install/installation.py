"""What a node gets, in the order in which a runtime may find it."""

import pathlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from moorage.install import credentials, errors, network, pieces

PROGRAM = "moorage"
BIN_DIR = pathlib.Path("/opt/cni/bin")
CONF_DIR = pathlib.Path("/etc/cni/net.d")
CONFLIST = "10-moorage.conflist"
KUBECONFIG = "moorage-kubeconfig"
# The kubelet renews a token when a fifth of its life is left, which is two minutes at least.
LOOK_AGAIN_S = 30.0

Told = Iterator[tuple[pathlib.Path, pieces.Outcome]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where a runtime looks for plugins and for networks, and what the network is called."""

    bin_dir: pathlib.Path = BIN_DIR
    conf_dir: pathlib.Path = CONF_DIR
    conflist: str = CONFLIST

    @property
    def program(self) -> pathlib.Path:
        """The plugin."""
        return self.bin_dir / PROGRAM

    @property
    def network(self) -> pathlib.Path:
        """The network list."""
        return self.conf_dir / self.conflist

    @property
    def kubeconfig(self) -> pathlib.Path:
        """The plugin's credentials; no name that a runtime would take for a network's."""
        return self.conf_dir / KUBECONFIG


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A service account: where its files are mounted, and the API server that knows it."""

    folder: pathlib.Path
    server: str


def install(
    places: Places,
    *,
    program: bytes,
    listed: network.Network | None = None,
    account: Account | None = None,
    force: bool = False,
) -> Told:
    """Put what is given on the node, and tell of each file what became of it.

    The network comes last: as soon as it is there, a runtime uses the rest. Where it does not say
    of which cluster it is, the API server of the account is asked. Everything is read before
    anything is written.

    Raises:
        InstallError: something cannot be read or written; what was told of before is in place.
    """
    wanted = [] if account is None else [_credentials(places, account)]
    wanted.append(pieces.Piece(path=places.program, content=program, mode=0o755))
    if listed is not None:
        wanted.append(_network(places, listed, account))
    for piece in wanted:
        yield piece.path, pieces.put(piece, force=force)


def uninstall(places: Places) -> Told:
    """Take away what was installed, the network first; what others have changed is left.

    Raises:
        InstallError: something cannot be removed.
    """
    for path in (places.network, places.program, places.kubeconfig):
        yield path, pieces.take_away(path)


def refresh(places: Places, account: Account) -> pieces.Outcome:
    """Renew the plugin's credentials where the account's token is another one by now.

    Raises:
        InstallError: they cannot be read or written.
    """
    return pieces.put(_credentials(places, account))


def keep_fresh(
    places: Places,
    account: Account,
    *,
    is_over: Callable[[], bool],
    tell: Callable[[object], None],
) -> None:
    """Refresh whenever `is_over`, which waits, says no; a failure is told, and tried again."""
    while not is_over():
        try:
            outcome = refresh(places, account)
        except errors.InstallError as error:
            tell(error)
        else:
            if outcome is not pieces.Outcome.UNCHANGED:
                tell(f"{places.kubeconfig} {outcome.value}")


def _network(places: Places, listed: network.Network, account: Account | None) -> pieces.Piece:
    def ask() -> str:
        return credentials.uid_of_cluster(account.folder, account.server) if account else ""

    return pieces.Piece(path=places.network, content=network.read(listed, ask), mode=0o644)


def _credentials(places: Places, account: Account) -> pieces.Piece:
    content = credentials.kubeconfig(account.folder, account.server)
    return pieces.Piece(path=places.kubeconfig, content=content, mode=0o600)
