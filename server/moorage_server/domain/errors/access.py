"""Failures of the caller: not known, or not allowed."""

from moorage_server.domain.errors.ipam_error import IpamError


class CredentialRefused(IpamError):
    """The caller's certificate is not taken for anybody."""

    reason = "CREDENTIAL_REFUSED"

    def __init__(self, cause: str, why: str) -> None:
        """`cause` is for programs, `why` for people."""
        super().__init__(f"{why}; get a certificate whose name the server knows", cause=cause)


class MethodNotAllowed(IpamError):
    """The caller's role does not have this method."""

    reason = "METHOD_NOT_ALLOWED"

    def __init__(self, role: str, method: str) -> None:
        """Names both."""
        super().__init__(
            f"a {role} may not call {method}; call as somebody who may", role=role, method=method
        )


class NotYours(IpamError):
    """A node asks for another, or for what is stored under another's name."""

    reason = "NOT_YOURS"

    def __init__(self, node: str) -> None:
        """Names the node that asks, and tells nothing of what there is."""
        super().__init__(
            f"node {node} acts for itself alone; name it as the node, and only what it holds",
            node=node,
        )
