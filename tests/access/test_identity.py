"""Which name of a certificate counts, and who that is."""

import pathlib
from collections.abc import Callable

import pytest
from cryptography import x509

import moorage
from harness import calls, postgres, serving
from harness.certificates import Authority
from moorage_server.domain import errors
from moorage_server.domain.callers import Form, Named, Names

SPIFFE = Form(spiffe_prefix="spiffe://example.org/ns/moorage/node/")
SUBJECT = Form()
N1 = "spiffe://example.org/ns/moorage/node/n1"


def names(common: str = "", *uris: str, of: tuple[str, ...] = ()) -> Names:
    return Names(common_names=(common,) if common else (), organizations=of, spiffe_ids=uris)


def node(name: str, *uris: str) -> Names:
    return names(f"system:node:{name}", *uris, of=("system:nodes",))


@pytest.mark.parametrize(
    ("form", "of", "found"),
    [
        (SUBJECT, node("n1"), Named(name="system:node:n1", node="n1")),
        (SUBJECT, node("n1", N1), Named(name="system:node:n1", node="n1")),
        (SUBJECT, names("alice"), Named(name="alice")),
        (SUBJECT, names("alice", "spiffe://example.org/ops/bob"), Named(name="alice")),
        # Without the organisation, and with another one beside it, it is no node.
        (SUBJECT, names("system:node:n1"), Named(name="system:node:n1")),
        (SUBJECT, names("system:node:n1", of=("system:masters",)), Named(name="system:node:n1")),
        (
            SUBJECT,
            names("system:node:n1", of=("system:nodes", "system:masters")),
            Named(name="system:node:n1"),
        ),
        (SUBJECT, node(""), Named(name="system:node:")),
        (SPIFFE, names("", N1), Named(name=N1, node="n1")),
        (SPIFFE, names("alice", N1), Named(name=N1, node="n1")),
        (SPIFFE, node("n1", N1), Named(name=N1, node="n1")),
        # Of another domain, or another path: no node of ours.
        (
            SPIFFE,
            names("", "spiffe://evil.org/ns/moorage/node/n1"),
            Named(name="spiffe://evil.org/ns/moorage/node/n1"),
        ),
        (SPIFFE, names("", f"{N1}/x"), Named(name=f"{N1}/x")),
        (
            SPIFFE,
            names("", "spiffe://example.org/ns/moorage/node/node/n1"),
            Named(name="spiffe://example.org/ns/moorage/node/node/n1"),
        ),
    ],
)
def test_one_name_counts(form: Form, of: Names, found: Named) -> None:
    assert form.named(of) == found


@pytest.mark.parametrize(
    ("form", "of", "cause"),
    [
        (SUBJECT, names(""), "NAMELESS"),
        (SUBJECT, names("", N1), "NAMELESS"),
        (SUBJECT, names("al\nice"), "NAMELESS"),
        (SPIFFE, names("alice"), "NAMELESS"),
        (SPIFFE, node("n1"), "NAMELESS"),
        (SUBJECT, node("n2", N1), "AMBIGUOUS"),
        (SUBJECT, node("n1", "spiffe://example.org/ops/bob"), "AMBIGUOUS"),
        (SUBJECT, names("alice", N1), "AMBIGUOUS"),
        (SPIFFE, node("n2", N1), "AMBIGUOUS"),
        (SPIFFE, node("n2", "spiffe://example.org/ops/bob"), "AMBIGUOUS"),
        (SPIFFE, names("", N1, "spiffe://example.org/ns/moorage/node/n2"), "AMBIGUOUS"),
        (SUBJECT, Names(common_names=("alice", "bob")), "AMBIGUOUS"),
    ],
)
def test_no_name_or_two_are_refused(form: Form, of: Names, cause: str) -> None:
    with pytest.raises(errors.CredentialRefused) as raised:
        form.named(of)
    assert raised.value.metadata == {"cause": cause}


def denied(call: Callable[[], object]) -> tuple[str, str, dict[str, str]]:
    """How a call is refused that must be."""
    with pytest.raises(moorage.Denied) as raised:
        call()
    return raised.value.code.name, raised.value.reason, raised.value.metadata


def test_who_is_on_no_list_may_nothing(calling: Callable[..., moorage.Client]) -> None:
    stranger = calling("mallory", common_name="mallory")
    assert denied(lambda: list(stranger.vrfs())) == (
        "UNAUTHENTICATED",
        "CREDENTIAL_REFUSED",
        {"cause": "UNKNOWN"},
    )


def test_a_certificate_with_two_names_is_refused(calling: Callable[..., moorage.Client]) -> None:
    two = calling("two", common_name="system:node:n2", of=["system:nodes"], uris=[N1])
    assert denied(lambda: calls.assign(two, node="n2"))[2] == {"cause": "AMBIGUOUS"}


@pytest.mark.parametrize(
    ("extension", "content"),
    [
        ("2.5.29.17", b"\x30\x04\x86\x02\xff\xfe"),  # a name that is no text
        ("1.3.6.1.5.5.7.1.1", b"\x04\x02hi"),  # where its authority is: nowhere
    ],
)
def test_what_grpc_takes_and_nobody_can_read_is_refused(
    calling: Callable[..., moorage.Client], extension: str, content: bytes
) -> None:
    spoiled = x509.UnrecognizedExtension(x509.ObjectIdentifier(extension), content)
    client = calling("op", common_name="op", more=[spoiled])
    assert denied(lambda: client.get_vrf("default"))[2] == {"cause": "NAMELESS"}


def test_nodes_can_be_known_by_spiffe_ids(
    database: postgres.Database, settings: dict[str, str], authority: Authority
) -> None:
    settings |= {
        "node_identity": "spiffe",
        "spiffe_node": "spiffe://example.org/ns/moorage/node/<name>",
    }
    op = authority.sign("op", uris=["spiffe://example.org/ops/op"]).trusting(authority.ca)
    n1 = authority.sign("n1", uris=[N1]).trusting(authority.ca)
    kubernetes = authority.node("n1", "k1").trusting(authority.ca)
    with serving.in_process(database, access=settings) as server:
        with moorage.Client(server.target, tls=op) as client:
            calls.create_pool(client, "p", "10.0.0.0/24")
        with moorage.Client(server.target, tls=n1) as client:
            assert calls.assign(client, node="n1")
            assert denied(lambda: calls.assign(client, "c2", node="n2"))[1] == "NOT_YOURS"
        with moorage.Client(server.target, tls=kubernetes) as client:
            assert denied(lambda: calls.assign(client, node="n1"))[2] == {"cause": "NAMELESS"}


def test_the_list_of_roles_counts_as_it_is_now(
    calling: Callable[..., moorage.Client],
    settings: dict[str, str],
) -> None:
    roles = pathlib.Path(settings["roles"])
    client = calling("eye", common_name="eye")
    assert denied(lambda: client.create_vrf("a"))[1:] == (
        "METHOD_NOT_ALLOWED",
        {"role": "reader", "method": "CreateVrf"},
    )
    for broken in ("operator = ['eye'", "boss = ['eye']", "operator = 'eye'", "operator = [1]"):
        roles.write_text(broken)
        assert denied(lambda: client.create_vrf("a"))[1] == "METHOD_NOT_ALLOWED"
    roles.write_text('operator = ["eye"]\nreader = ["eye"]')  # which of them?
    assert denied(lambda: client.create_vrf("a"))[1] == "METHOD_NOT_ALLOWED"
    roles.write_text('operator = ["eye"]')
    client.create_vrf("a")
    roles.write_text("")
    assert denied(lambda: client.create_vrf("b"))[2] == {"cause": "UNKNOWN"}
