"""Certificates and authorities are replaced while calls go on, and no call fails."""

import contextlib
import logging
import pathlib
import threading
from collections.abc import Iterator

import pytest

import moorage
from harness import calls, eventually, postgres, serving
from harness.certificates import Authority

NODES = ("n1", "n2", "n3")
AT_LEAST = 10  # calls of each caller with what there is


class Caller:
    """A node that assigns and releases, over one client or over a new one each time."""

    def __init__(self, target: str, files: moorage.Tls, node: str, *, anew: bool) -> None:
        self.done = 0
        self.failures: list[BaseException] = []
        self.target, self._files = target, files
        self._node, self._anew = node, anew
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=node)

    def __enter__(self) -> "Caller":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            self._go_on()
        except Exception as error:  # whatever it is, it is counted
            self.failures.append(error)

    def _go_on(self) -> None:
        while not self._stopping.is_set():
            with moorage.Client(self.target, tls=self._files) as client:
                self._call(client)
                while not self._anew and not self._stopping.is_set():
                    self._call(client)

    def _call(self, client: moorage.Client) -> None:
        container = f"{self._node}-{self._anew}"
        assert calls.assign(client, container, node=self._node)
        assert calls.release(client, container)
        self.done += 1


class Place:
    """Where server and callers find their files, and who has signed them."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        for name in ("server.ca", "callers.ca"):
            self.trust(name)

    def trust(self, name: str, *authorities: Authority) -> None:
        """Has a bundle name these."""
        fresh = self.folder / f".{name}"
        fresh.write_bytes(b"".join(each.ca.read_bytes() for each in authorities))
        fresh.rename(self.folder / name)

    def sign(self, authority: Authority, *who: str) -> None:
        """Has new certificates there."""
        for name in who:
            paper = authority.server("s") if name == "server" else authority.node(name, f"{name}-")
            paper.put(self.folder, name)

    def files(self, name: str) -> moorage.Tls:
        """Of a caller."""
        own = (str(self.folder / f"{name}.{suffix}") for suffix in ("crt", "key"))
        return moorage.Tls(str(self.folder / "callers.ca"), *own)


@pytest.fixture
def authorities(tmp_path: pathlib.Path) -> tuple[Authority, Authority]:
    """The one of before and the one of afterwards."""
    made = []
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        made.append(Authority(tmp_path / name, name))
    return made[0], made[1]


@pytest.fixture
def place(tmp_path: pathlib.Path, authorities: tuple[Authority, Authority]) -> Place:
    """All of the old authority."""
    (tmp_path / "live").mkdir()
    live = Place(tmp_path / "live")
    for bundle in ("server.ca", "callers.ca"):
        live.trust(bundle, authorities[0])
    live.sign(authorities[0], "server", *NODES)
    return live


@pytest.fixture
def callers(database: postgres.Database, place: Place) -> Iterator[list[Caller]]:
    """Under way, on a server with these files."""
    folder = place.folder
    access = {
        "tls_cert": str(folder / "server.crt"),
        "tls_key": str(folder / "server.key"),
        "tls_client_ca": str(folder / "server.ca"),
        "node_identity": "node-certificate",
    }
    with (
        serving.in_process(database, access=access) as server,
        contextlib.ExitStack() as until,
    ):
        own = {name: access[name] for name in ("tls_cert", "tls_key")}
        with (
            serving.in_process(database, access=own) as open_to_all,
            moorage.Client(open_to_all.target, tls=moorage.Tls(str(folder / "callers.ca"))) as op,
        ):
            calls.create_pool(op, "p", "10.0.0.0/24")
        yield [
            until.enter_context(Caller(server.target, place.files(node), node, anew=anew))
            for node in NODES
            for anew in (False, True)
        ]


def go_on(callers: list[Caller]) -> None:
    """Returns when each has called often enough with what there is now."""
    before = [each.done for each in callers]
    eventually.until(
        lambda: all(
            each.failures or each.done >= done + AT_LEAST
            for each, done in zip(callers, before, strict=True)
        ),
        seconds=60,
    )


def test_no_call_fails_while_everything_is_replaced(
    place: Place,
    authorities: tuple[Authority, Authority],
    callers: list[Caller],
    caplog: pytest.LogCaptureFixture,
) -> None:
    old, new = authorities
    with caplog.at_level(logging.INFO, "moorage"):
        go_on(callers)
        place.sign(old, "server", *NODES)  # leaves
        go_on(callers)
        for bundle in ("server.ca", "callers.ca"):  # both are trusted, whoever signs
            place.trust(bundle, old, new)
        go_on(callers)
        place.sign(new, *NODES)
        go_on(callers)
        place.sign(new, "server")
        go_on(callers)
        for bundle in ("server.ca", "callers.ca"):
            place.trust(bundle, new)
        go_on(callers)
    assert [each.failures for each in callers] == [[]] * len(callers)
    # Not even one that was sent again.
    assert not [each for each in caplog.records if "trying again" in each.getMessage()]


def test_afterwards_the_old_authority_is_no_use(
    place: Place, authorities: tuple[Authority, Authority], callers: list[Caller]
) -> None:
    old, new = authorities
    paper = old.node("n1", "kept")
    for bundle in ("server.ca", "callers.ca"):
        place.trust(bundle, old, new)
    place.sign(new, "server", *NODES)
    go_on(callers)
    for bundle in ("server.ca", "callers.ca"):
        place.trust(bundle, new)
    go_on(callers)
    with (
        moorage.Client(callers[0].target, tls=paper.trusting(new.ca)) as client,
        pytest.raises(moorage.Unavailable),
    ):
        client.get_pool("p", timeout=2)
