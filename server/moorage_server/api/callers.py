"""Who calls: known anew with each call, since what is shown may have been denied a moment ago."""

import contextvars
import dataclasses
import hashlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from moorage_server import access
from moorage_server.api import lists, peers, rates
from moorage_server.api.credentials import Credential, Reader
from moorage_server.api.desk import Context
from moorage_server.api.fetching import Fetched
from moorage_server.api.reloading import Reloaded
from moorage_server.domain import callers, errors, model
from moorage_server.domain.callers import Identity, Standing

if TYPE_CHECKING:
    from moorage_server.api.issuer_keys import Keys

# Of the call under way: each runs in a context of its own.
CURRENT: Final = contextvars.ContextVar("caller", default=callers.ANONYMOUS)

MOST_KNOWN: Final = 20_000  # of each kind, of which a thousand take a megabyte
# Of each node and each tenant: a node that comes up has a few hundred pods at once.
CALLS: Final = rates.Rate(each_second=50, at_once=250)
# Of what is read and not believed, for each address it comes from: to look at a signature costs
# as much as a call. What has been believed before is not read again, whoever else is there.
REFUSALS: Final = rates.Rate(each_second=5, at_once=25)


@dataclasses.dataclass(frozen=True, slots=True)
class _Known:
    """What somebody has called with before, and who that was by this list of roles."""

    credential: Credential
    roles: Mapping[str, Standing]
    identity: Identity

    def holds(self, roles: Mapping[str, Standing], by: object) -> bool:
        """Whether it is still who that was: by the same list, and believed by the same."""
        return self.roles is roles and self.credential.by is by


class Callers:
    """Knows callers by what they show."""

    def __init__(self, settings: access.Access) -> None:
        """Reads the files; raises Unreadable."""
        self._roles = Reloaded("list of roles", _paths(settings.roles), lists.roles)
        self._denied = Reloaded("list of what is denied", _paths(settings.denied), lists.denied)
        self._keys = _keys(settings)
        # Each with a memory of its own: what counts as a certificate is no token.
        self._asked = [(reader, _Memory()) for reader in _readers(settings, self._keys)]
        self._calls = rates.Rates("a node or a tenant may call", CALLS)
        self._refusals = rates.Rates("of one address may be refused", REFUSALS)

    async def start(self) -> None:
        """Fetches what is not in files, or finds that it cannot be had yet."""
        if isinstance(self._keys, Fetched):
            await self._keys.renew()

    async def keep_fresh(self) -> None:
        """Goes on fetching it, until cancelled."""
        if isinstance(self._keys, Fetched):
            await self._keys.keep_fresh()

    async def admit(self, context: Context) -> Identity:
        """Who calls, once more; raises CredentialRefused, or ServerBusy where it is too often."""
        caller = await self.identify(context)
        if caller.bounds is not model.UNBOUND:
            self._calls.take(caller.name)
        return caller

    async def identify(self, context: Context) -> Identity:
        """Who calls; raises CredentialRefused."""
        found: Identity | None = None
        for reader, memory in self._asked:
            shown = reader.shown(context)
            if shown is not None:
                who = await self._who(reader, memory, shown, peers.host(context.peer()))
                if found is not None and not who.is_same(found):
                    why = f"the certificate is of {found.name}, and the token of {who.name}"
                    raise errors.CredentialRefused("AMBIGUOUS", why)
                # Of both of them, in this order.
                found = found.showing(who.proof, who.credential) if found else who
        if found is None:
            raise errors.CredentialRefused("MISSING", "the call came without a credential")
        return found

    async def _who(self, reader: Reader, memory: "_Memory", shown: bytes, source: str) -> Identity:
        known = memory.get(shown)
        if known is None or not known.holds(self._roles.get(), reader.by):
            self._refusals.require(source)
            try:
                known = self._learn(await reader.read(shown))
            except errors.CredentialRefused:
                self._refusals.count(source)
                raise
            memory.keep(shown, known)
        known.credential.require_standing(self._denied.get())
        return known.identity

    def _learn(self, credential: Credential) -> _Known:
        named, roles = credential.named, self._roles.get()
        standing = roles.get(named.name)
        if not named.node and standing is None:
            raise errors.CredentialRefused("UNKNOWN", f"{named.name} has no role", who=named.name)
        identity = _identity(named, standing).showing(credential.proof, credential.mark)
        return _Known(credential, roles, identity)


class _Memory:
    """What has been read, by a digest of its text: a text may be of any length, and is secret."""

    def __init__(self) -> None:
        self._known: dict[bytes, _Known] = {}

    def get(self, shown: bytes) -> _Known | None:
        return self._known.get(_digest(shown))

    def keep(self, shown: bytes, known: _Known) -> None:
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        self._known[_digest(shown)] = known


def _digest(shown: bytes) -> bytes:
    return hashlib.sha256(shown).digest()


def _keys(settings: access.Access) -> "Reloaded[Keys] | Fetched[Keys] | None":
    if not settings.token_issuer:
        return None
    from moorage_server.api import issuer_keys  # noqa: PLC0415

    what, where = "keys of the issuer", settings.token_keys
    if settings.has_keys_at_url:
        most = issuer_keys.LONGEST
        return Fetched(what, where, settings.token_keys_ca, issuer_keys.parse, most)
    return Reloaded(what, (where,), issuer_keys.parse)


def _readers(
    settings: access.Access, keys: "Reloaded[Keys] | Fetched[Keys] | None"
) -> Iterator[Reader]:
    # Each takes a tenth of a second to load, which who does not ask for it need not spend.
    if settings.tls_client_ca:
        from moorage_server.api import certificates  # noqa: PLC0415

        form = callers.Form(spiffe_prefix=settings.spiffe_node.removesuffix(access.NAME))
        yield certificates.Certificates(form)
    if keys is not None:
        from moorage_server.api import tokens  # noqa: PLC0415

        issuer = tokens.Issuer(name=settings.token_issuer, audience=settings.token_audience)
        accounts = callers.Accounts(of_nodes=settings.token_node_account)
        yield tokens.Tokens(issuer, accounts, keys)


def _identity(named: callers.Named, standing: Standing | None) -> Identity:
    if named.node or standing is None:
        return callers.node(named.name, named.node)
    return standing.identity(named.name)


def _paths(path: str) -> tuple[str, ...]:
    return (path,) if path else ()
