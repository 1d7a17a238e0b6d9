"""Three PostgreSQLs, one of which leads, and the others have all that was acknowledged."""

import contextlib
import pathlib
import secrets
import time
from collections.abc import Callable

from e2e import toolchain
from failover.cells import Cell
from failover.member import Member
from harness import ports

MEMBERS = 3
BUILT = 120.0  # seconds until all three are there
_LOOK_EVERY = 0.1


class NeverWhole(Exception):
    """The three do not become what they should be."""


def etcd() -> pathlib.Path:
    """The program, fetched where it is not there yet; raises UnavailableError."""
    return toolchain.package("etcd-server") / "usr/bin/etcd"


class Trio:
    """The members, and the etcd that they agree in."""

    def __init__(self, folder: pathlib.Path, *, strict: bool) -> None:
        """Builds them; raises UnavailableError where something is missing for that."""
        self._follower = "sync_standby" if strict else "replica"
        self.password = secrets.token_urlsafe()
        with contextlib.ExitStack() as until:
            client, peer = (f"http://127.0.0.1:{ports.free()}" for _ in range(2))
            running = Cell(
                [
                    etcd(),
                    f"--data-dir={folder / 'etcd'}",
                    f"--listen-client-urls={client}",
                    f"--advertise-client-urls={client}",
                    f"--listen-peer-urls={peer}",
                    f"--initial-advertise-peer-urls={peer}",
                    f"--initial-cluster=default={peer}",
                ],
                folder / "etcd.log",
            )
            until.callback(running.kill)
            self.members: list[Member] = []
            for at in range(MEMBERS):
                port = int(client.rpartition(":")[2])
                name = f"pg{at}"
                member = Member(name, folder / name, port, self.password, strict=strict)
                until.callback(member.close)
                self.members.append(member)
                member.start()
            self.await_whole(BUILT)
            self.close = until.pop_all().close

    def leader(self) -> Member | None:
        """Whoever leads now."""
        return next((each for each in self.members if each.leads), None)

    def await_leader(self, among: list[Member], seconds: float) -> Member:
        """Waits until one of these leads."""
        found: list[Member] = []

        def leads() -> bool:
            found[:] = [each for each in among if each.leads]
            return bool(found)

        _wait(leads, seconds, "no leader")
        return found[0]

    def await_whole(self, seconds: float) -> None:
        """Waits until one leads, and the others follow it."""
        _wait(self._is_whole, seconds, "not whole")

    def _is_whole(self) -> bool:
        said = [each.ask("cluster") for each in self.members]
        return all(_whole(each, self._follower) for each in said) and self.leader() is not None


def _whole(said: object, follower: str) -> bool:
    members = said.get("members", []) if isinstance(said, dict) else []
    states = sorted((each["role"], each["state"]) for each in members)
    lines = {each.get("timeline") for each in members}
    expected = [("leader", "running"), *[(follower, "streaming")] * (MEMBERS - 1)]
    return states == expected and len(lines) == 1


def _wait(condition: Callable[[], bool], seconds: float, failure: str) -> None:
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            raise NeverWhole(f"{failure} after {seconds:.0f} s")
        time.sleep(_LOOK_EVERY)
