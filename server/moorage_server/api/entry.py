"""The way into one method, for callers who are asked who they are."""

from typing import Any

from moorage_server.api import authorization
from moorage_server.api.callers import CURRENT, Callers
from moorage_server.api.desk import Context
from moorage_server.domain.callers import Identity


class Entry:
    """Lets in who may call a method."""

    def __init__(self, method: str, callers: Callers) -> None:
        """Has let nobody in yet."""
        self._method = method
        self._callers = callers

    async def require(self, context: Context) -> authorization.Rule:
        """What the caller's request is to be held against.

        Raises CredentialRefused, ServerBusy and MethodNotAllowed, before anything of the request is
        looked at.
        """
        return self._rule(await self._callers.admit(context))

    async def require_still(self, context: Context) -> authorization.Rule:
        """The same while a stream goes on, which is one call."""
        return self._rule(await self._callers.identify(context))

    def _rule(self, caller: Identity) -> authorization.Rule:
        # Whoever may not do it is named in the log.
        CURRENT.set(caller)
        return authorization.rule(self._method, caller)

    def check(self, request: Any, rule: authorization.Rule) -> None:  # noqa: ANN401 - any message
        """Raises NotYours, or narrows the request down to what is the caller's."""
        rule(request, CURRENT.get())
