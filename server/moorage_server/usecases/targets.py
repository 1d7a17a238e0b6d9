"""Which stored resource a call is about, and at which version its caller knows it."""

import dataclasses

from moorage_server.domain import errors, resources


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One resource of a VRF, or the VRF itself.

    `resource` is its full name, for messages. An empty `etag` is any version.
    """

    vrf: str
    name: str
    resource: str
    etag: str = ""

    def require_version(self, found: resources.Stored) -> None:
        """Raises EtagMismatch where the caller knows another version than was found."""
        if self.etag and self.etag != str(found.version):
            raise errors.EtagMismatch(self.resource)
