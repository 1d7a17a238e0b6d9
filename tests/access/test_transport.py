"""TLS of the server and of its callers: what connects, what does not, and files that change."""

import contextlib
import json
import pathlib
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent import futures

import grpc
import pytest

import moorage
from harness import ports, postgres, serving, tokens
from harness.certificates import Authority
from harness.tokens import Signer
from moorage_server import config


def refused(client: moorage.Client) -> None:
    with pytest.raises(moorage.Unavailable) as raised:
        client.get_vrf("default", timeout=2)
    assert not raised.value.reason  # no server has spoken


def test_who_has_a_certificate_calls(calling: Callable[..., moorage.Client]) -> None:
    assert calling("op", common_name="op").get_vrf("default").name == "vrfs/default"


def test_without_a_certificate_nobody_connects(
    secured: serving.Serving, authority: Authority, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "other").mkdir()
    stranger = Authority(tmp_path / "other").sign("op", common_name="op")
    expired = authority.sign("late", common_name="op", seconds=-60)
    for files in (
        None,
        moorage.Tls(str(authority.ca)),
        stranger.trusting(authority.ca),
        expired.trusting(authority.ca),
    ):
        with moorage.Client(secured.target, tls=files) as client:
            refused(client)


def test_a_server_of_another_authority_or_name_is_not_called(
    database: postgres.Database,
    settings: dict[str, str],
    authority: Authority,
    tmp_path: pathlib.Path,
) -> None:
    paper = authority.sign("elsewhere", common_name="localhost", hosts=["ipam.example"])
    elsewhere = {"tls_cert": str(paper.certificate), "tls_key": str(paper.key)}
    caller = authority.sign("op", common_name="op")
    (tmp_path / "other").mkdir()
    other = Authority(tmp_path / "other")
    with serving.in_process(database, access=settings | elsewhere) as server:
        for ca in (authority.ca, other.ca):
            with moorage.Client(server.target, tls=caller.trusting(ca)) as client:
                refused(client)


def test_without_client_authorities_everybody_is_the_operator(
    database: postgres.Database, settings: dict[str, str], authority: Authority
) -> None:
    only = {name: settings[name] for name in ("tls_cert", "tls_key")}
    with (
        serving.in_process(database, access=only) as server,
        moorage.Client(server.target, tls=moorage.Tls(str(authority.ca))) as client,
    ):
        client.create_vrf("mine")


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_tls_before_1_2_is_not_spoken(
    secured: serving.Serving, authority: Authority, newest: ssl.TLSVersion
) -> None:
    host, _, port = secured.target.rpartition(":")
    context = ssl.create_default_context(cafile=authority.ca)
    context.set_alpn_protocols(["h2"])
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        context.minimum_version = context.maximum_version = newest
    with (
        socket.create_connection((host, int(port))) as plain,
        pytest.raises(ssl.SSLError, match=r"EOF|VERSION"),
    ):
        context.wrap_socket(plain, server_hostname=host)
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
    paper = authority.sign("op", common_name="op")
    context.load_cert_chain(paper.certificate, paper.key)
    with (
        socket.create_connection((host, int(port))) as plain,
        context.wrap_socket(plain, server_hostname=host) as spoken,
    ):
        assert spoken.version() == "TLSv1.2"


def test_a_socket_of_the_machine_can_have_tls(
    database: postgres.Database,
    settings: dict[str, str],
    authority: Authority,
    tmp_path: pathlib.Path,
) -> None:
    caller = authority.sign("op", common_name="op").trusting(authority.ca)
    listen = f"unix://{tmp_path}/s"
    with (
        serving.in_process(database, listen=listen, access=settings) as server,
        moorage.Client(server.target, tls=caller) as client,
    ):
        assert client.get_vrf("default").name == "vrfs/default"


def serial_of(target: str) -> int:
    """The serial number that a server shows to somebody new."""
    host, _, port = target.rpartition(":")
    pem = ssl.get_server_certificate((host, int(port)))
    text = ["openssl", "x509", "-noout", "-serial"]
    shown = subprocess.run(text, input=pem, capture_output=True, text=True, check=True).stdout
    return int(shown.strip().removeprefix("serial="), 16)


def test_new_files_are_used_and_broken_ones_are_not(
    database: postgres.Database,
    authority: Authority,
    tmp_path: pathlib.Path,
) -> None:
    place = tmp_path / "live"
    place.mkdir()
    first, second = authority.server("first"), authority.server("second")
    first.put(place, "server")
    paths = {"tls_cert": str(place / "server.crt"), "tls_key": str(place / "server.key")}
    with serving.in_process(database, access=paths) as server:
        assert serial_of(server.target) == first.serial
        whole = second.certificate.read_bytes()
        for broken in (b"", whole[:200], b"no PEM", whole):  # the last lacks its key
            (place / "server.crt").write_bytes(broken)
            assert serial_of(server.target) == first.serial
        second.put(place, "server")
        assert serial_of(server.target) == second.serial


def test_a_client_goes_on_with_new_files(
    secured: serving.Serving,
    authority: Authority,
    tmp_path: pathlib.Path,
) -> None:
    place = tmp_path / "live"
    place.mkdir()
    authority.sign("reading", common_name="eye").put(place, "me")
    files = moorage.Tls(str(authority.ca), str(place / "me.crt"), str(place / "me.key"))
    with moorage.Client(secured.target, tls=files) as client:
        with pytest.raises(moorage.Denied):
            client.create_vrf("mine")
        (place / "me.key").write_bytes(b"half of i")
        assert client.get_vrf("default")
        authority.sign("operating", common_name="op").put(place, "me")
        client.create_vrf("mine")


@pytest.mark.parametrize(
    ("paths", "said"),
    [
        (("nowhere", "", ""), "nowhere: No such file or directory"),
        (("broken", "", ""), "broken: "),
        (("ca", "broken", "broken"), "broken: "),
    ],
)
def test_files_that_are_no_use_are_told_of_at_once(
    authority: Authority, tmp_path: pathlib.Path, paths: tuple[str, str, str], said: str
) -> None:
    (tmp_path / "broken").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n")
    known = {"ca": str(authority.ca), "": ""}
    files = moorage.Tls(*(known.get(each, str(tmp_path / each)) for each in paths))
    with pytest.raises(ValueError, match=said):
        moorage.Client("127.0.0.1:1", tls=files)


def run(program: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """What the program does with these arguments and no other environment."""
    return subprocess.run(
        [program, "serve", "--database-url", "postgresql://", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={"PATH": "/usr/bin:/bin", **environment},
    )


MUTUAL = {"tls_cert": "c", "tls_key": "k", "tls_client_ca": "a"}
BEARER = {
    "tls_cert": "c",
    "tls_key": "k",
    "token_issuer": "https://i",
    "token_audience": "a",
    "token_keys": "f",
}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"tls_cert": "c"}, "TLS_CERT is set and MOORAGE_TLS_KEY is not; give both, or neither"),
        ({"tls_key": "k"}, "TLS_KEY is set and MOORAGE_TLS_CERT is not; give both, or neither"),
        ({"tls_client_ca": "a"}, "TLS_CLIENT_CA is set and MOORAGE_TLS_CERT is not;"),
        (MUTUAL, "TLS_CLIENT_CA is set and MOORAGE_NODE_IDENTITY is not; say which name"),
        ({"roles": "r"}, "ROLES is set, and neither MOORAGE_TLS_CLIENT_CA nor MOORAGE_TOKEN_"),
        ({"denied": "r"}, "DENIED is set, and neither MOORAGE_TLS_CLIENT_CA nor MOORAGE_TOKEN_"),
        (
            {"node_identity": "spiffe"},
            "NODE_IDENTITY is set and MOORAGE_TLS_CLIENT_CA is not; nobody shows",
        ),
        (
            MUTUAL | {"node_identity": "guess"},
            "NODE_IDENTITY is 'guess'; give spiffe or node-certificate",
        ),
        (
            MUTUAL | {"node_identity": "spiffe"},
            "SPIFFE_NODE is '' and MOORAGE_NODE_IDENTITY 'spiffe'; give the template",
        ),
        (
            MUTUAL | {"node_identity": "spiffe", "spiffe_node": "spiffe://example.org/<name>"},
            "SPIFFE_NODE is 'spiffe://example.org/<name>'; write spiffe://DOMAIN/PATH/node/",
        ),
        (
            {"tls_cert": "c", "tls_key": "k", "listen": "0.0.0.0:0"},
            "LISTEN is '0.0.0.0:0': a server that does not ask who calls serves on loopback or a",
        ),
        ({"token_audience": "a"}, "TOKEN_ISSUER is not set, and others of the tokens are; give"),
        (BEARER | {"token_audience": ""}, "TOKEN_AUDIENCE is not set, and others of the tokens"),
        (BEARER | {"token_keys": ""}, "TOKEN_KEYS is not set, and others of the tokens"),
        (
            BEARER | {"tls_cert": "", "tls_key": "", "insecure_bind": "1"},
            "TOKEN_ISSUER is set and MOORAGE_TLS_CERT is not; callers show tokens over TLS alone",
        ),
        (BEARER | {"token_keys": "http://i/k"}, "TOKEN_KEYS is 'http://i/k'; whoever could"),
        (BEARER | {"token_keys": "https:///k"}, "TOKEN_KEYS is 'https:///k'; write https://HOST/"),
        (BEARER | {"token_keys": "https://i:x/"}, "TOKEN_KEYS is 'https://i:x/'; write https://H"),
        (BEARER | {"token_keys_ca": "c"}, "TOKEN_KEYS_CA is set and MOORAGE_TOKEN_KEYS is no"),
        (BEARER | {"token_node_account": "ns/agent"}, "TOKEN_NODE_ACCOUNT is 'ns/agent'; write sy"),
        (BEARER | {"token_listen": "127.0.0.1:1"}, "TOKEN_LISTEN is set and MOORAGE_TLS_CLIENT_CA"),
        (
            MUTUAL | BEARER | {"node_identity": "node-certificate", "token_listen": "unix:/s"},
            "TOKEN_LISTEN is 'unix:/s'; give host:port",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else "",
)
def test_what_cannot_be_meant_is_told_at_once(given: dict[str, str], said: str) -> None:
    variables = {f"MOORAGE_{name.upper()}": value for name, value in given.items()}
    with pytest.raises(config.SettingsError) as raised:
        config.Settings.read(variables | {"DATABASE_URL": "postgresql://"})
    assert str(raised.value).startswith(f"MOORAGE_{said}")


def test_a_file_that_is_not_there_is_named(program: str) -> None:
    done = run(program, "--tls-cert=/no/c", "--tls-key=/no/k")
    said = "certificates of the server, /no/c: No such file or directory; put it there, readable"
    assert done.stderr.startswith(f"moorage-server: {said}")
    assert done.returncode == 1


def test_with_client_authorities_no_more_is_asked_beyond_loopback(
    program: str, settings: dict[str, str]
) -> None:
    # That there is no database is found out later.
    variables = {f"MOORAGE_{name.upper()}": value for name, value in settings.items()}
    key = pathlib.Path(settings["tls_key"])
    key.write_text("no key")
    done = run(program, "--listen", "0.0.0.0:0", **variables)
    assert "the key is not one PEM key without a password; write one" in done.stderr
    assert done.returncode == 1


@contextlib.contextmanager
def started(
    program: str, database: postgres.Database, port: int, *options: str
) -> Iterator[subprocess.Popen[str]]:
    """The program; it ends with the context."""
    url, listen = f"--database-url={database.service_url}", f"--listen=127.0.0.1:{port}"
    command = [program, "serve", url, listen, *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as running:
        try:
            yield running
        finally:
            running.terminate()


def await_line(running: subprocess.Popen[str], event: str) -> list[str]:
    """Returns the events up to a certain one."""
    assert running.stderr is not None
    events = []
    for line in running.stderr:
        events.append(json.loads(line)["event"])
        if events[-1] == event:
            return events
    raise AssertionError(f"it ended without {event}: {events}")


def test_what_is_broken_is_told_of_once(
    program: str, database: postgres.Database, authority: Authority, tmp_path: pathlib.Path
) -> None:
    paper, port = authority.server(), ports.free()
    options = [f"--tls-cert={paper.certificate}", f"--tls-key={paper.key}"]
    with started(program, database, port, *options) as running:
        await_line(running, "serving")
        good = paper.key.read_bytes()
        paper.key.write_bytes(good[:40])
        looked = threading.Event()

        def look() -> None:
            while not looked.is_set():
                assert serial_of(f"127.0.0.1:{port}") == paper.serial

        with futures.ThreadPoolExecutor(1) as looking:
            done = looking.submit(look)
            try:
                await_line(running, "keeps what was there before")
                paper.key.write_bytes(good)
                between = await_line(running, "read anew")
            finally:
                looked.set()
            done.result()
        assert between == ["read anew"]


def test_several_processes_share_the_certificates(
    program: str, database: postgres.Database, settings: dict[str, str], authority: Authority
) -> None:
    port = ports.free()
    options = [f"--{name.replace('_', '-')}={value}" for name, value in settings.items()]
    with started(program, database, port, "--processes=2", *options) as running:
        await_line(running, "serving")
        caller = authority.node("n1").trusting(authority.ca)
        with moorage.Client(f"127.0.0.1:{port}", tls=caller) as client:
            assert not list(client.allocations())
            with pytest.raises(moorage.Denied):
                client.create_vrf("mine")


def test_several_processes_share_both_ports(
    program: str,
    database: postgres.Database,
    both: dict[str, str],
    authority: Authority,
    signer: Signer,
    tmp_path: pathlib.Path,
) -> None:
    port, for_tokens = ports.free(), ports.free()
    options = [f"--{name.replace('_', '-')}={value}" for name, value in both.items()]
    options += ["--processes=2", f"--token-listen=127.0.0.1:{for_tokens}"]
    path = tokens.write(tmp_path, signer.of_node("n1"))
    with started(program, database, port, *options) as running:
        await_line(running, "serving")
        for target, files in (
            (port, authority.node("n1").trusting(authority.ca)),
            (for_tokens, moorage.Tls(str(authority.ca), token=path)),
        ):
            with moorage.Client(f"127.0.0.1:{target}", tls=files) as client:
                assert not list(client.allocations())
                with pytest.raises(moorage.Denied):
                    client.create_vrf("mine")


def test_a_port_for_tokens_that_is_taken_is_named(
    program: str, both: dict[str, str], database: postgres.Database
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        options = [f"--{name.replace('_', '-')}={value}" for name, value in both.items()]
        options += [f"--token-listen={listen}", "--listen=127.0.0.1:0", "--metrics-listen="]
        url = f"--database-url={database.service_url}"
        for processes in (1, 2):
            done = run(program, *options, url, f"--processes={processes}")
            assert f"cannot listen on {listen}" in done.stderr
            assert "choose another with --token-listen" in done.stderr


def test_a_channel_of_ones_own_is_not_touched(
    secured: serving.Serving, authority: Authority
) -> None:
    paper = authority.sign("op", common_name="op")
    credentials = grpc.ssl_channel_credentials(
        authority.ca.read_bytes(), paper.key.read_bytes(), paper.certificate.read_bytes()
    )
    with grpc.secure_channel(secured.target, credentials) as channel:
        with moorage.Client(channel=channel) as client:
            assert client.get_vrf("default")
        with moorage.Client(channel=channel) as client:
            assert client.get_vrf("default")
