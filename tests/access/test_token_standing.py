"""A token that is denied or has expired is no use any more, on open streams too; none is told."""

import json
import pathlib
import subprocess
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import structlog
import structlog.testing

import moorage
from harness import calls, eventually, exposition, ports, postgres, serving, tokens
from harness.certificates import Authority
from harness.tokens import Signer
from moorage_server.api import denials, lists
from moorage_server.api import tokens as reading
from moorage_server.domain import errors

Connect = Callable[[str], moorage.Client]


def cause_of(client: moorage.Client) -> str:
    with pytest.raises(moorage.Denied) as raised:
        client.get_vrf("default")
    assert raised.value.reason == "CREDENTIAL_REFUSED"
    return raised.value.metadata["cause"]


def outcome_of(client: moorage.Client) -> str:
    try:
        client.get_vrf("default")
    except moorage.Denied as error:
        return error.metadata["cause"]
    return "OK"


class Watching:
    """A watch that somebody reads until it ends, and why it did."""

    def __init__(self, client: moorage.Client) -> None:
        """Has read the snapshot."""
        self.causes: list[str] = []
        self._updates = client.watch()
        next(self._updates)
        self._thread = threading.Thread(target=self._read, args=(self._updates,))
        self._thread.start()

    def _read(self, updates: Iterator[object]) -> None:
        try:
            list(updates)
        except moorage.Denied as error:
            self.causes.append(error.metadata["cause"])

    def end(self) -> list[str]:
        """The causes, once it has ended by itself."""
        self._thread.join(20)
        self._updates.close()
        return self.causes


def test_a_denied_id_ends_what_it_let_in(
    bearing: Connect, signer: Signer, by_token: dict[str, str]
) -> None:
    denied = pathlib.Path(by_token["denied"])
    stolen, fresh = signer.sign("op", jti="first"), signer.sign("op", jti="second")
    client, unharmed = bearing(stolen), bearing(fresh)
    nameless = bearing(signer.sign("op", jti=None))
    assert client.get_vrf("default")
    denied.write_text("# of op\nserial=4F\njti=first  # stolen\n")
    assert cause_of(client) == "DENIED"
    assert unharmed.get_vrf("default")
    assert nameless.get_vrf("default")
    for broken in ("jti=", "jti", "first", "id=first"):
        denied.write_text(broken)
        assert cause_of(client) == "DENIED"
    denied.write_text("")
    assert client.get_vrf("default")


def test_a_watch_ends_with_the_token_that_let_it_in(
    bearing: Connect, signer: Signer, by_token: dict[str, str]
) -> None:
    operator = bearing(signer.sign("op"))
    calls.create_pool(operator, "p", "10.0.0.0/24")
    watching = Watching(bearing(signer.sign("eye", jti="stolen")))
    pathlib.Path(by_token["denied"]).write_text("jti=stolen")
    calls.assign(operator)  # something to be told of
    assert watching.end() == ["DENIED"]


def test_a_watch_ends_when_its_token_expires(bearing: Connect, signer: Signer) -> None:
    operator = bearing(signer.sign("op"))
    calls.create_pool(operator, "p", "10.0.0.0/24")
    ends = int(time.time()) + 3  # and some seconds that clocks may differ
    token = signer.sign("eye", exp=ends - reading.LEEWAY)
    client = bearing(token)
    watching = Watching(client)
    eventually.until(lambda: time.time() > ends)
    assert cause_of(client) == "EXPIRED"
    calls.assign(operator)
    assert watching.end() == ["EXPIRED"]


def test_a_watch_ends_with_the_key_that_its_token_is_signed_with(
    bearing: Connect, signer: Signer, by_token: dict[str, str]
) -> None:
    other = Signer("k2")
    keys = pathlib.Path(by_token["token_keys"])
    keys.write_bytes(tokens.key_set(signer, other))
    operator = bearing(other.sign("op"))
    calls.create_pool(operator, "p", "10.0.0.0/24")
    watching = Watching(bearing(signer.sign("eye")))
    keys.write_bytes(tokens.key_set(other))
    calls.assign(operator)
    assert watching.end() == ["UNTRUSTED"]


def test_a_client_goes_on_with_a_new_token(
    tokened: serving.Serving, authority: Authority, signer: Signer, tmp_path: pathlib.Path
) -> None:
    path = tokens.write(tmp_path, signer.sign("eye"), "live")
    with moorage.Client(tokened.target, tls=moorage.Tls(str(authority.ca), token=path)) as client:
        with pytest.raises(moorage.Denied):
            client.create_vrf("mine")
        pathlib.Path(path).write_text("half a tok en")
        assert client.get_vrf("default")
        tokens.write(tmp_path, signer.sign("op"), "live")
        client.create_vrf("mine")
        pathlib.Path(path).unlink()
        client.create_vrf("more")


@pytest.mark.parametrize("text", ["", "a b", "töken", "a\nb", "a" * 9000])
def test_a_file_without_a_token_is_told_of_and_not_repeated(
    authority: Authority, tmp_path: pathlib.Path, text: str
) -> None:
    path = tokens.write(tmp_path, text)
    with pytest.raises(ValueError, match="it has no bearer token; write one") as raised:
        moorage.Client("127.0.0.1:1", tls=moorage.Tls(str(authority.ca), token=path))
    assert not text or text not in str(raised.value)


def test_no_token_is_in_the_log(
    program: str,
    database: postgres.Database,
    by_token: dict[str, str],
    authority: Authority,
    signer: Signer,
    tmp_path: pathlib.Path,
) -> None:
    shown = {
        "OK": signer.sign("op"),
        "UNKNOWN": signer.sign("mallory"),
        "EXPIRED": signer.sign("op", exp=int(time.time()) - 60),
        "UNTRUSTED": Signer("k9").sign("op"),
        "MALFORMED": "not-so-secret",
    }
    log, port = tmp_path / "log", ports.free()
    options = [f"--{name.replace('_', '-')}={value}" for name, value in by_token.items()]
    options += [f"--database-url={database.service_url}", f"--listen=127.0.0.1:{port}"]
    with log.open("wb") as to, subprocess.Popen([program, "serve", *options], stderr=to) as running:
        try:
            for cause, token in shown.items():
                path = tokens.write(tmp_path, token, cause)
                files = moorage.Tls(str(authority.ca), token=path)
                with moorage.Client(f"127.0.0.1:{port}", timeout=30, tls=files) as client:
                    assert cause == (outcome_of(client))
        finally:
            running.terminate()
    said = log.read_text()
    told = [json.loads(line) for line in said.splitlines()]
    strange = [each for each in told if each["event"] == "not let in"]
    assert [each["cause"] for each in strange] == list(shown)[1:]
    assert {each["source"] for each in strange} == {"ipv4:127.0.0.1"}
    # Who it is, where the issuer says so.
    assert [each.get("caller") for each in strange] == ["mallory", None, None, None]
    for token in shown.values():
        assert not any(part in said for part in token.split("."))


def test_who_is_not_let_in_is_counted(
    database: postgres.Database,
    by_token: dict[str, str],
    authority: Authority,
    signer: Signer,
    tmp_path: pathlib.Path,
) -> None:
    files = moorage.Tls(str(authority.ca), token=tokens.write(tmp_path, signer.sign("mallory")))
    with serving.in_process(database, access=by_token, metrics_listen="127.0.0.1:0") as server:
        with moorage.Client(server.target, tls=files) as client:
            for _ in range(3):
                assert cause_of(client) == "UNKNOWN"
        (counted,) = (
            each.value
            for each in exposition.samples(server.metrics)
            if each.name == "moorage_calls_total"
            and each.labels == {"method": "GetVrf", "outcome": "CREDENTIAL_REFUSED"}
        )
    assert counted == 3


def test_who_tries_again_and_again_does_not_flood_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(denials, "_log", structlog.get_logger())
    now = [0.0]
    told = denials.Denials(lambda: now[0])
    refusal = errors.CredentialRefused("UNKNOWN", "nobody")
    with structlog.testing.capture_logs() as lines:
        for port in range(100):
            told.tell(f"ipv4:10.0.0.1:{port}", "", refusal)
        told.tell("ipv4:10.0.0.2:1", "", refusal)
        assert [each["source"] for each in lines] == ["ipv4:10.0.0.1", "ipv4:10.0.0.2"]
        lines.clear()
        now[0] = denials.EVERY
        told.tell("ipv4:10.0.0.3:1", "", refusal)
    assert [(each["source"], each.get("calls")) for each in lines] == [
        ("ipv4:10.0.0.1", 99),
        ("ipv4:10.0.0.3", None),
    ]


def test_the_list_of_what_is_denied_has_both_kinds() -> None:
    found = lists.denied(b"4F:0c\nserial=00ff # of n1\n# jti=x\njti=a#b\n  jti=c d  #e\n")
    assert found == {"serial=4f0c", "serial=ff", "jti=a#b", "jti=c d"}
