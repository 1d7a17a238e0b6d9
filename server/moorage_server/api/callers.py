"""Who calls: known anew with each call, since a certificate may have been denied a moment ago."""

import contextvars
import dataclasses
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, TypeVar

from moorage_server import access
from moorage_server.api import lists
from moorage_server.api.desk import Context
from moorage_server.api.reloading import Reloaded
from moorage_server.domain import callers, errors, model
from moorage_server.domain.callers import Identity, Standing

if TYPE_CHECKING:
    from moorage_server.api.certificates import Certificate

# Of the call under way: each runs in a context of its own.
CURRENT: Final = contextvars.ContextVar("caller", default=callers.ANONYMOUS)

MOST_KNOWN: Final = 20_000  # certificates, of which a thousand take a megabyte

_Request = TypeVar("_Request", model.AssignRequest, model.ReleaseRequest)


def restricted(request: _Request) -> _Request:
    """A request as the present caller may have it: a node or a tenant, for what is its own."""
    bounds = CURRENT.get().bounds
    return request if bounds is model.UNBOUND else dataclasses.replace(request, bounds=bounds)


@dataclasses.dataclass(frozen=True, slots=True)
class _Known:
    """A certificate that has called before, and who that was by this list of roles."""

    certificate: "Certificate"
    roles: Mapping[str, Standing]
    identity: Identity


class Callers:
    """Knows callers by their certificates."""

    def __init__(self, settings: access.Access) -> None:
        """Reads the lists; raises Unreadable."""
        # Takes a tenth of a second, which a server that asks for no certificate need not spend.
        from moorage_server.api import certificates  # noqa: PLC0415

        self._parse = certificates.parse
        self._form = callers.Form(spiffe_prefix=settings.spiffe_node.removesuffix(access.NAME))
        self._roles = Reloaded("list of roles", _paths(settings.roles), lists.roles)
        self._denied = Reloaded(
            "list of denied certificates", _paths(settings.denied_serials), lists.serials
        )
        self._known: dict[bytes, _Known] = {}

    def identify(self, context: Context) -> Identity:
        """Who calls; raises CredentialRefused."""
        shown = next(iter(context.auth_context().get("x509_pem_cert", ())), None)
        if shown is None:
            raise errors.CredentialRefused("MISSING", "the call came without a certificate")
        known = self._known.get(shown)
        if known is None or known.roles is not self._roles.get():
            known = self._learn(shown)
        self._require_standing(known.certificate)
        return known.identity

    def _require_standing(self, certificate: "Certificate") -> None:
        # TLS has looked at this too, but when the connection was opened.
        if not certificate.begins <= time.time() < certificate.ends:
            raise errors.CredentialRefused("EXPIRED", "the certificate has expired")
        if certificate.serial in self._denied.get():
            raise errors.CredentialRefused("DENIED", "the certificate's serial number is denied")

    def _learn(self, pem: bytes) -> _Known:
        roles = self._roles.get()
        try:
            certificate = self._parse(pem)
        except ValueError as error:
            # gRPC reads them more leniently.
            why = "the certificate cannot be read"
            raise errors.CredentialRefused("NAMELESS", why) from error
        named = self._form.named(certificate.names)
        standing = roles.get(named.name)
        if not named.node and standing is None:
            raise errors.CredentialRefused("UNKNOWN", f"{named.name} has no role")
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        identity = _identity(named, standing)
        known = self._known[pem] = _Known(certificate, roles, identity)
        return known


def _identity(named: callers.Named, standing: Standing | None) -> Identity:
    if named.node or standing is None:
        return callers.node(named.name, named.node)
    return standing.identity(named.name)


def _paths(path: str) -> tuple[str, ...]:
    return (path,) if path else ()
