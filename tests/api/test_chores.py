"""What nobody thought of ends one turn of a server's work, and never the work."""

import dataclasses
import threading
from collections.abc import Callable

import pytest

import moorage
from harness import calls, postgres, serving
from harness.calls import addresses_of, assign
from moorage_server.api import chores, vigils
from moorage_server.storage import database as database_
from moorage_server.usecases import number


class Slip:
    """Fails once, of something that nobody thought of; then does what it is in place of."""

    def __init__(self, meant: Callable[..., object]) -> None:
        """Nothing has failed yet."""
        self.slipped = threading.Event()
        self.recovered = threading.Event()
        self._meant = meant

    def __call__(self, *args: object, **kwargs: object) -> object:
        """Is called as what it is in place of."""
        if not self.slipped.is_set():
            self.slipped.set()
            raise LookupError("nobody thought of this")
        result = self._meant(*args, **kwargs)
        self.recovered.set()
        return result

    def method(self) -> Callable[..., object]:
        """The same as a method: a function, which is bound to what it is found at."""

        def slipping(*args: object, **kwargs: object) -> object:
            return self(*args, **kwargs)

        return slipping


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """What has failed goes on soon."""
    monkeypatch.setattr(chores, "AFTER_INCIDENT", 0.01)


def test_a_chore_goes_on(database: postgres.Database, monkeypatch: pytest.MonkeyPatch) -> None:
    def work(_: database_.Database, limits: database_.Limits) -> int:
        return 0

    slip = Slip(work)
    quick = dataclasses.replace(chores.TIDY, every=0.01, work=slip)  # type: ignore[arg-type]  # called alike
    monkeypatch.setattr(chores, "TIDY", quick)
    with serving.in_process(database):
        assert slip.recovered.wait(10)


def test_numbering_goes_on(database: postgres.Database, monkeypatch: pytest.MonkeyPatch) -> None:
    slip = Slip(number.Numberer.number)
    monkeypatch.setattr(number.Numberer, "number", slip.method())
    with serving.in_process(database):
        assert slip.recovered.wait(10)


def test_a_batch_that_is_lost_is_answered_and_the_next_one_runs(
    database: postgres.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving.in_process(database) as server, moorage.Client(server.target) as client:
        calls.create_pool(client, "a", "10.0.0.0/24")
        slip = Slip(vigils.Vigils.tell)
        monkeypatch.setattr(vigils.Vigils, "tell", slip.method())
        # The batch was committed; the client finds out by asking again.
        assert addresses_of(assign(client, "c1")) == ["10.0.0.0"]
        assert slip.slipped.is_set()
        assert addresses_of(assign(client, "c2")) == ["10.0.0.1"]
