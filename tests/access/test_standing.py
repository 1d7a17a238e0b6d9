"""A certificate that is denied or has expired is no use any more, on open connections too."""

import datetime
import os
import pathlib
import threading
from collections.abc import Callable, Iterator

import pytest

import moorage
from harness import calls, eventually, serving
from harness.certificates import Authority


def cause_of(call: Callable[[], object]) -> str:
    with pytest.raises(moorage.Denied) as raised:
        call()
    assert raised.value.reason == "CREDENTIAL_REFUSED"
    return raised.value.metadata["cause"]


@pytest.mark.parametrize("write", ["{:x}", "{:X}", "serial={:X}", "# stolen\n\n 0{:x} # of n1"])
def test_a_denied_serial_number_ends_what_it_let_in(
    secured: serving.Serving, authority: Authority, settings: dict[str, str], write: str
) -> None:
    paper, other = authority.sign("op", common_name="op"), authority.sign("op2", common_name="op")
    denied = pathlib.Path(settings["denied"])
    with (
        moorage.Client(secured.target, tls=paper.trusting(authority.ca)) as client,
        moorage.Client(secured.target, tls=other.trusting(authority.ca)) as unharmed,
    ):
        client.create_vrf("a")
        unharmed.create_vrf("b")
        denied.write_text(write.format(paper.serial))
        assert cause_of(lambda: client.create_vrf("c")) == "DENIED"
        unharmed.create_vrf("c")
        denied.write_text("no number")
        assert cause_of(lambda: client.create_vrf("d")) == "DENIED"
        denied.write_text("")
        client.create_vrf("d")


def test_a_certificate_ends_on_an_open_connection(
    secured: serving.Serving, authority: Authority
) -> None:
    paper = authority.sign("op", common_name="op", seconds=8)
    with moorage.Client(secured.target, tls=paper.trusting(authority.ca)) as client:
        client.create_vrf("a")

        ended: list[dict[str, str]] = []

        def is_over() -> bool:
            try:
                client.get_vrf("a")
            except moorage.Denied as error:
                ended.append(error.metadata)
            return bool(ended)

        eventually.until(is_over)
        assert datetime.datetime.now(datetime.UTC) >= paper.ends
        assert ended == [{"cause": "EXPIRED"}]


def test_a_watch_ends_with_what_let_it_in(
    secured: serving.Serving, authority: Authority, settings: dict[str, str]
) -> None:
    paper = authority.sign("eye", common_name="eye")
    op = authority.sign("op", common_name="op")
    ended: list[str] = []
    with (
        moorage.Client(secured.target, tls=paper.trusting(authority.ca)) as client,
        moorage.Client(secured.target, tls=op.trusting(authority.ca)) as operator,
        client.watch() as updates,
    ):
        calls.create_pool(operator, "p", "10.0.0.0/24")
        first = next(updates)
        assert first.held == ()

        def read(more: Iterator[object]) -> None:
            try:
                list(more)
            except moorage.Denied as error:
                ended.append(error.metadata["cause"])

        reading = threading.Thread(target=read, args=(updates,))
        reading.start()
        pathlib.Path(settings["denied"]).write_text(f"{paper.serial:x}")
        calls.assign(operator)  # something to be told of
        reading.join(20)
        assert ended == ["DENIED"]


def test_a_watch_ends_with_its_client_also_where_the_files_have_changed_since(
    secured: serving.Serving, authority: Authority
) -> None:
    paper = authority.sign("eye", common_name="eye")
    with moorage.Client(secured.target, tls=paper.trusting(authority.ca)) as client:
        updates = client.watch()
        assert next(updates).held == ()
        os.utime(paper.certificate)
        list(client.pools())  # over another connection by now
    assert list(updates) == []
    os.utime(paper.certificate)
    with pytest.raises(ValueError, match="closed"):
        list(client.pools())
