"""As whom PostgreSQL runs. It refuses root, so root steps aside for it without changing the system:
no user is created and no mode outside the state directory is touched.
"""

import dataclasses
import os
import pwd
import subprocess
from collections.abc import Iterable

from moorage_server.embedded import binaries, errors, layout

_UNPRIVILEGED = 65534  # PostgreSQL needs a user with a name; this one is nobody nearly everywhere


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A command prefix that turns the caller into this user, and who owns what it creates then."""

    name: str
    prefix: tuple[str, ...]
    uid: int
    gid: int

    def run(self, *command: str) -> str | None:
        """Runs a short command as this user; what went wrong, or None."""
        # setpriv still has root's capabilities when it executes something, so what it can reach
        # proves nothing about the user; what env can reach does. The caller's directory may be
        # closed to the user, too.
        whole = [*self.prefix, "env", *command]
        try:
            done = subprocess.run(whole, capture_output=True, text=True, check=False, cwd="/")
        except OSError as error:
            return str(error)
        return None if done.returncode == 0 else done.stderr.strip() or f"{command[0]} failed"


def current() -> Identity:
    """The user of this process."""
    name = pwd.getpwuid(os.geteuid()).pw_name
    return Identity(name=name, prefix=(), uid=os.geteuid(), gid=os.getegid())


def named_user(name: str) -> Identity:
    """A user of the system, for a caller who is root. Raises IdentityError if there is none."""
    try:
        user = pwd.getpwnam(name)
    except KeyError:
        raise errors.IdentityError(
            f"no user {name!r} on this system: name another one, or none to let the server choose"
        ) from None
    prefix = ("setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "--")
    return Identity(name=name, prefix=prefix, uid=user.pw_uid, gid=user.pw_gid)


def user_namespace() -> Identity:
    """The caller's own rights, seen by PostgreSQL as those of user 65534."""
    ids = (f"--map-user={_UNPRIVILEGED}", f"--map-group={_UNPRIVILEGED}")
    prefix = ("unshare", "--user", *ids, "--")
    return Identity(name="user namespace", prefix=prefix, uid=os.geteuid(), gid=os.getegid())


def candidates() -> list[Identity]:
    """Who may be tried, best first."""
    if os.geteuid() != 0 and _is_named(os.geteuid()):
        return [current()]
    namespace = [user_namespace()] if _is_named(_UNPRIVILEGED) else []
    if os.geteuid() != 0:
        return namespace
    return [*_users("postgres"), *namespace, *_users("nobody")]


def settle(
    tried: Iterable[Identity], *, place: layout.Layout, installation: binaries.Installation
) -> tuple[Identity, binaries.Installation]:
    """The first identity that can serve this place, and the programs it can run.

    Raises IdentityError with every candidate's reason when there is none.
    """
    refusals = []
    for identity in tried:
        found = _runnable(identity, place, installation)
        if isinstance(found, binaries.Installation):
            return identity, found
        refusals.append(f"{identity.name}: {found}")
    raise errors.IdentityError(
        f"no user can run PostgreSQL on {place.root}: {'; '.join(refusals) or 'none has a name'}. "
        "Choose a state directory that the user postgres can reach, "
        "or start moorage-server as an ordinary user"
    )


def _runnable(
    identity: Identity, place: layout.Layout, installation: binaries.Installation
) -> binaries.Installation | str:
    if place.data.exists() and (owner := place.data.stat().st_uid) != identity.uid:
        return f"{place.data} belongs to uid {owner}, as whom it must go on"
    if refusal := identity.run("test", "-x", str(place.root.parent)):
        return f"cannot reach {place.root.parent} ({refusal})"
    place.admit(identity.uid, identity.gid)
    refusal = identity.run(installation.program("initdb"), "--version")
    if not refusal:
        return installation
    copied = binaries.copy(installation, place.copies)
    if copied and not (refusal := identity.run(copied.program("initdb"), "--version")):
        return copied
    return f"cannot run {installation.programs} ({refusal})"


def _is_named(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _users(name: str) -> list[Identity]:
    try:
        return [named_user(name)]
    except errors.IdentityError:
        return []
