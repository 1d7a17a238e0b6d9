"""Which files say who may connect, and how a caller is known by what it shows."""

import dataclasses
import re
import urllib.parse
from collections.abc import Iterator, Mapping
from typing import Final

SPIFFE: Final = "spiffe"
NODE_CERTIFICATE: Final = "node-certificate"
NAME: Final = "<name>"
NODE_ASSERTED: Final = "node-asserted"
VERIFIED: Final = "verified"

_URL: Final = "https://"
_ACCOUNT: Final = re.compile(r"system:serviceaccount:[a-z0-9-]{1,63}:[a-z0-9.-]{1,253}")
_SPIFFE_NODE: Final = re.compile(r"spiffe://[a-z0-9._-]+(/[A-Za-z0-9._-]+)*/node/<name>")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """The part of a server's settings that is about its callers; what is empty is not used.

    `tls_cert` and `tls_key` are of the server, `tls_client_ca` has the authorities whose
    certificates callers must have. `node_identity` says which of a certificate's names counts, and
    `spiffe_node` what a node's SPIFFE id looks like.

    `token_issuer` signs the tokens that callers may show, `token_audience` is what they call this
    server, and `token_keys` a file or a URL of the issuer's keys, which is of an authority of
    `token_keys_ca`, or of the machine's. Of `token_node_account` a token names its node. Where
    callers have certificates, those without connect to `token_listen`.

    `roles` says who is what, but for nodes; `denied` names what is let in no more.

    `pod_facts` says whether nodes are believed what they say of their pods, or their cluster is
    asked, by `kubeconfig` or as the pod that the server is in.
    """

    tls_cert: str = ""
    tls_key: str = ""
    tls_client_ca: str = ""
    node_identity: str = ""
    spiffe_node: str = ""
    token_issuer: str = ""
    token_audience: str = ""
    token_keys: str = ""
    token_keys_ca: str = ""
    token_node_account: str = ""
    token_listen: str = ""
    roles: str = ""
    denied: str = ""
    pod_facts: str = ""
    kubeconfig: str = ""

    @property
    def asks_who_calls(self) -> bool:
        """Whether callers must show who they are; else all of them are the operator."""
        return bool(self.tls_client_ca or self.token_issuer)

    @property
    def verifies_pods(self) -> bool:
        """Whether the cluster is asked for what nodes say of their pods."""
        return self.pod_facts == VERIFIED

    @property
    def has_keys_at_url(self) -> bool:
        """Whether the issuer's keys are fetched, and not in a file."""
        return self.token_keys.startswith(_URL)


OPTIONS: Final = tuple(field.name for field in dataclasses.fields(Access))


def variable(option: str) -> str:
    """The environment variable of an option."""
    return f"MOORAGE_{option.upper()}"


def read(environment: Mapping[str, str]) -> dict[str, str]:
    """The options as the environment has them."""
    return {option: environment.get(variable(option), "") for option in OPTIONS}


def problems(access: Access) -> Iterator[str]:
    """What cannot be meant, and what to do about it."""
    yield from _of_certificates(access)
    yield from _of_tokens(access)
    yield from _of_pods(access)
    for option in ("roles", "denied"):
        if getattr(access, option) and not access.asks_who_calls:
            yield (
                f"{variable(option)} is set, and neither MOORAGE_TLS_CLIENT_CA nor "
                "MOORAGE_TOKEN_ISSUER; nobody says who calls then: give one of them, or leave it "
                "out"
            )


def _of_certificates(access: Access) -> Iterator[str]:
    yield from _missing(access)
    if access.node_identity not in ("", SPIFFE, NODE_CERTIFICATE):
        yield (
            f"MOORAGE_NODE_IDENTITY is {access.node_identity!r}; "
            f"give {SPIFFE} or {NODE_CERTIFICATE}"
        )
    if (access.node_identity == SPIFFE) != bool(access.spiffe_node):
        yield (
            f"MOORAGE_SPIFFE_NODE is {access.spiffe_node!r} and MOORAGE_NODE_IDENTITY "
            f"{access.node_identity!r}; give the template of a node's id with {SPIFFE}, and "
            "only with it"
        )
    if access.spiffe_node and not _SPIFFE_NODE.fullmatch(access.spiffe_node):
        yield (
            f"MOORAGE_SPIFFE_NODE is {access.spiffe_node!r}; "
            f"write spiffe://DOMAIN/PATH/node/{NAME}, with {NAME} as it stands here"
        )


def _missing(access: Access) -> Iterator[str]:
    if bool(access.tls_cert) != bool(access.tls_key):
        there, missing = ("CERT", "KEY") if access.tls_cert else ("KEY", "CERT")
        yield f"MOORAGE_TLS_{there} is set and MOORAGE_TLS_{missing} is not; give both, or neither"
    if access.tls_client_ca and not access.tls_cert:
        yield (
            "MOORAGE_TLS_CLIENT_CA is set and MOORAGE_TLS_CERT is not; callers show certificates "
            "over TLS alone: give the server a certificate and its key"
        )
    if access.tls_client_ca and not access.node_identity:
        yield (
            "MOORAGE_TLS_CLIENT_CA is set and MOORAGE_NODE_IDENTITY is not; say which name of a "
            f"certificate counts, {SPIFFE} or {NODE_CERTIFICATE}"
        )
    if access.node_identity and not access.tls_client_ca:
        yield (
            "MOORAGE_NODE_IDENTITY is set and MOORAGE_TLS_CLIENT_CA is not; nobody shows a "
            "certificate then: give the authorities of the callers, or leave it out"
        )


def _of_tokens(access: Access) -> Iterator[str]:
    named = [option for option in OPTIONS if option.startswith("token_")]
    if not any(getattr(access, option) for option in named):
        return
    for option in ("token_issuer", "token_audience", "token_keys"):
        if not getattr(access, option):
            yield (
                f"{variable(option)} is not set, and others of the tokens are; give issuer, "
                "audience and keys, or nothing of tokens"
            )
    if not access.tls_cert:
        yield (
            "MOORAGE_TOKEN_ISSUER is set and MOORAGE_TLS_CERT is not; callers show tokens over "
            "TLS alone, since who reads one has it: give the server a certificate and its key"
        )
    yield from _of_keys(access)
    if access.token_node_account and not _ACCOUNT.fullmatch(access.token_node_account):
        yield (
            f"MOORAGE_TOKEN_NODE_ACCOUNT is {access.token_node_account!r}; write "
            "system:serviceaccount:NAMESPACE:NAME"
        )
    if access.token_listen and not access.tls_client_ca:
        yield (
            "MOORAGE_TOKEN_LISTEN is set and MOORAGE_TLS_CLIENT_CA is not; where nobody needs a "
            "certificate MOORAGE_LISTEN is for all: leave it out"
        )


def _of_keys(access: Access) -> Iterator[str]:
    if "://" in access.token_keys and not access.has_keys_at_url:
        yield (
            f"MOORAGE_TOKEN_KEYS is {access.token_keys!r}; whoever could change the keys on "
            "their way would be anybody: give an https URL, or a file"
        )
    if access.has_keys_at_url and not _has_host(access.token_keys):
        yield f"MOORAGE_TOKEN_KEYS is {access.token_keys!r}; write https://HOST/PATH"
    if access.token_keys_ca and not access.has_keys_at_url:
        yield (
            "MOORAGE_TOKEN_KEYS_CA is set and MOORAGE_TOKEN_KEYS is no https URL; a file needs "
            "none: leave it out"
        )


def _of_pods(access: Access) -> Iterator[str]:
    if access.pod_facts not in ("", NODE_ASSERTED, VERIFIED):
        yield f"MOORAGE_POD_FACTS is {access.pod_facts!r}; give {NODE_ASSERTED} or {VERIFIED}"
    if access.verifies_pods and not access.asks_who_calls:
        yield (
            f"MOORAGE_POD_FACTS is {VERIFIED}, and neither MOORAGE_TLS_CLIENT_CA nor "
            "MOORAGE_TOKEN_ISSUER is set; nobody says which node calls then: give one of them, or "
            "leave it out"
        )
    if access.kubeconfig and not access.verifies_pods:
        yield (
            f"MOORAGE_KUBECONFIG is set and MOORAGE_POD_FACTS is not {VERIFIED}; the cluster is "
            "not asked then: leave it out"
        )


def _has_host(url: str) -> bool:
    try:
        parts = urllib.parse.urlsplit(url)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
