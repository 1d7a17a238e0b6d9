"""Which stored resource a call is about, and in which state its caller knows it."""

import dataclasses

from moorage_server.domain import errors, resources


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One resource of a VRF, or the VRF itself.

    `resource` is its full name, for messages. An empty `etag` is any state.
    """

    vrf: str
    name: str
    resource: str
    etag: str = ""

    def require_etag(self, found: resources.Stored) -> None:
        """Raises EtagMismatch where the caller knows another state than was found."""
        if self.etag and self.etag != found.etag:
            raise errors.EtagMismatch(self.resource)
