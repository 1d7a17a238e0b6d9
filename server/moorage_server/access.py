"""Which files say who may connect, and how a caller is known by its certificate."""

import dataclasses
import re
from collections.abc import Iterator, Mapping
from typing import Final

SPIFFE: Final = "spiffe"
NODE_CERTIFICATE: Final = "node-certificate"
NAME: Final = "<name>"

_SPIFFE_NODE: Final = re.compile(r"spiffe://[a-z0-9._-]+(/[A-Za-z0-9._-]+)*/node/<name>")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """The part of a server's settings that is about its callers; a path is empty where unused.

    `tls_cert` and `tls_key` are of the server, `tls_client_ca` has the authorities whose
    certificates callers must have. `node_identity` says which of a certificate's names counts, and
    `spiffe_node` what a node's SPIFFE id looks like. `roles` says who is what, but for nodes;
    `denied_serials` names certificates that are let in no more.
    """

    tls_cert: str = ""
    tls_key: str = ""
    tls_client_ca: str = ""
    node_identity: str = ""
    spiffe_node: str = ""
    roles: str = ""
    denied_serials: str = ""

    @property
    def asks_who_calls(self) -> bool:
        """Whether callers must have a certificate; else all of them are the operator."""
        return bool(self.tls_client_ca)


OPTIONS: Final = tuple(field.name for field in dataclasses.fields(Access))


def variable(option: str) -> str:
    """The environment variable of an option."""
    return f"MOORAGE_{option.upper()}"


def read(environment: Mapping[str, str]) -> dict[str, str]:
    """The options as the environment has them."""
    return {option: environment.get(variable(option), "") for option in OPTIONS}


def problems(access: Access) -> Iterator[str]:
    """What cannot be meant, and what to do about it."""
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
    for option in ("node_identity", "roles", "denied_serials"):
        if getattr(access, option) and not access.tls_client_ca:
            yield (
                f"{variable(option)} is set and MOORAGE_TLS_CLIENT_CA is not; nobody shows a "
                "certificate then: give the authorities of the callers, or leave it out"
            )
