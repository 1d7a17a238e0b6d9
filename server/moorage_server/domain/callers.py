"""Who calls, and which name of a certificate or a token says so.

A node is known by the form of its name, everybody else by a name that the operator has written
down. Which kind of name counts is chosen, and never guessed from what is shown.
"""

import dataclasses
import enum
from typing import Final

from moorage_server.domain import errors, model
from moorage_server.domain.actors import Proof

_NODE_ORGANIZATION: Final = "system:nodes"
_NODE_PREFIX: Final = "system:node:"
_LONGEST_NAME: Final = 2048  # characters of a SPIFFE id


class Role(enum.StrEnum):
    """What somebody may do; the table is `api.authorization`'s."""

    NODE = "node"
    TENANT = "tenant"
    READER = "reader"
    OPERATOR = "operator"
    COLLECTOR = "collector"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who calls; `bounds` are those of a node or a tenant, `vrfs` are a tenant's. `proof` and
    `credential` are what was shown.
    """

    name: str
    role: Role
    bounds: model.Bounds = model.UNBOUND
    vrfs: frozenset[str] = frozenset()
    proof: Proof = Proof.NONE
    credential: str = ""

    @property
    def sees_actors(self) -> bool:
        """Whether it is told who makes changes; nodes and tenants are not to know of each other."""
        return self.role in (Role.READER, Role.OPERATOR)

    def showing(self, proof: Proof, credential: str) -> "Identity":
        """The same, who has shown this, or this as well."""
        if self.proof is not Proof.NONE:
            proof, credential = Proof.CERTIFICATE_AND_TOKEN, f"{self.credential} {credential}"
        return dataclasses.replace(self, proof=proof, credential=credential.strip())

    def is_same(self, other: "Identity") -> bool:
        """Whether both are one caller, who may have a name of each kind."""
        return self.role is other.role and self._own_name == other._own_name

    @property
    def _own_name(self) -> str:
        return self.bounds.node or self.name


# Where nobody is asked who he is, whoever can connect may do everything.
ANONYMOUS: Final = Identity(name="anonymous", role=Role.OPERATOR)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What an operator has written down of a name; `namespaces` and `vrfs` are a tenant's."""

    role: Role
    namespaces: frozenset[str] = frozenset()
    vrfs: frozenset[str] = frozenset()

    def identity(self, name: str) -> Identity:
        """Who calls by this name."""
        if self.role is not Role.TENANT:
            return Identity(name=name, role=self.role)
        bounds = model.Bounds(tenant=name, namespaces=self.namespaces)
        return Identity(name=name, role=self.role, bounds=bounds, vrfs=self.vrfs)


def node(name: str, node: str) -> Identity:
    """The node that calls by this name."""
    return Identity(name=name, role=Role.NODE, bounds=model.Bounds(node=node))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What a certificate says of its subject."""

    common_names: tuple[str, ...] = ()
    organizations: tuple[str, ...] = ()
    spiffe_ids: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """One name, and the node that it is the name of; both may be empty."""

    name: str = ""
    node: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """Which name counts: with a prefix the SPIFFE id, of nodes one that begins so, else the common
    name, of nodes that which Kubernetes gives them.
    """

    spiffe_prefix: str = ""

    def named(self, names: Names) -> Named:
        """The name that counts; raises CredentialRefused, also where the other contradicts it."""
        spiffe, subject = _by_spiffe(names), _by_subject(names)
        if self.spiffe_prefix:
            # Its common name is for people, unless it is one of a node.
            chosen, contradicts = self._ours(spiffe), bool(subject.node)
            other = subject
        else:
            chosen, other = subject, spiffe
            contradicts = bool(spiffe.node) or bool(subject.node and spiffe.name)
        if not chosen.name:
            raise errors.CredentialRefused("NAMELESS", "the certificate has no name that counts")
        if contradicts and other.node != chosen.node:
            raise errors.CredentialRefused(
                "AMBIGUOUS", f"the certificate names {chosen.name} and {other.name}"
            )
        return chosen

    def _ours(self, spiffe: Named) -> Named:
        """A node only where it is one of ours."""
        is_ours = spiffe.name == f"{self.spiffe_prefix}{spiffe.node}"
        return spiffe if is_ours else Named(name=spiffe.name)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Accounts:
    """Of tokens their subject counts; those of one account, if any, name a node beside it."""

    of_nodes: str = ""

    def named(self, subject: str, node: str) -> Named:
        """The subject, and the node of an account of nodes; raises CredentialRefused."""
        if not _plain(subject):
            raise errors.CredentialRefused("NAMELESS", "the token has no name that counts")
        if subject != self.of_nodes:
            return Named(name=subject)
        if not _plain(node):
            raise errors.CredentialRefused(
                "NAMELESS", "the token names no node, as those of pods do from Kubernetes 1.30 on"
            )
        return Named(name=subject, node=node)


def _by_spiffe(names: Names) -> Named:
    name = _only(names.spiffe_ids)
    path, separator, node = name.rpartition("/")
    return Named(name=name, node=node if separator and path.endswith("/node") else "")


def _by_subject(names: Names) -> Named:
    name = _only(names.common_names)
    is_node = names.organizations == (_NODE_ORGANIZATION,) and name.startswith(_NODE_PREFIX)
    return Named(name=name, node=name.removeprefix(_NODE_PREFIX) if is_node else "")


def _only(names: tuple[str, ...]) -> str:
    if len(names) > 1:
        raise errors.CredentialRefused("AMBIGUOUS", f"the certificate has {len(names)} such names")
    return _plain(names[0]) if names else ""


def _plain(name: str) -> str:
    """The name where it is fit to be one, else none."""
    return name if name.isprintable() and len(name) <= _LONGEST_NAME else ""
