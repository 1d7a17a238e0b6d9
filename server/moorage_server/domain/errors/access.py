"""Failures of the caller: not known, or not allowed."""

from moorage_server.domain.errors.ipam_error import IpamError


class CredentialRefused(IpamError):
    """What the caller shows, a certificate or a token, is not taken for anybody."""

    reason = "CREDENTIAL_REFUSED"

    def __init__(self, cause: str, why: str, *, who: str = "") -> None:
        """`cause` is for programs, `why` for people; `who` it is, if that is known, for us."""
        super().__init__(f"{why}; show a certificate or a token that the server takes", cause=cause)
        self.who = who


class MethodNotAllowed(IpamError):
    """The caller's role does not have this method."""

    reason = "METHOD_NOT_ALLOWED"

    def __init__(self, role: str, method: str) -> None:
        """Names both."""
        super().__init__(
            f"a {role} may not call {method}; call as somebody who may", role=role, method=method
        )


class NotYours(IpamError):
    """A node or a tenant asks for what is not its own, or for what is stored under another name."""

    reason = "NOT_YOURS"

    def __init__(self, *, node: str = "", tenant: str = "") -> None:
        """Names who asks, and tells nothing of what there is."""
        super().__init__(
            f"node {node} acts for itself alone; name it as the node, and only what it holds"
            if node
            else f"tenant {tenant} acts for its own namespaces alone, in its own VRFs; name one of "
            'each, an owner key that begins with "{namespace}/", and only what they hold',
            node=node,
            tenant=tenant,
        )


class NamespaceNotGranted(IpamError):
    """A pool that is named, or an address that is asked for, is not the namespace's to have."""

    reason = "NAMESPACE_NOT_GRANTED"

    def __init__(self, vrf: str, namespace: str, *, pool: str = "", address: str = "") -> None:
        """Names one of the two, as it was asked for; whether it is there at all is not told."""
        what, instead, where = (
            (f'use pool "{pool}"', "name another pool", "allowed_namespaces of the pool")
            if pool
            else (
                f"ask for {address} by name",
                "leave the choice to the server",
                "fixed_address_grants of the VRF, fixed_addresses of the pool",
            )
        )
        super().__init__(
            f'namespace "{namespace}" may not {what} in VRF "{vrf}"; {instead}, or have an '
            f"operator grant it ({where})",
            vrf=vrf,
            namespace=namespace,
            pool=pool,
            address=address,
        )


class PodNotVerified(IpamError):
    """The node's cluster does not know the pod as the node describes it."""

    reason = "POD_NOT_VERIFIED"

    def __init__(self, *, node: str, namespace: str, pod: str, pod_uid: str) -> None:
        """Names what was asked for, and tells nothing of what there is."""
        super().__init__(
            f'the cluster knows no pod "{namespace}/{pod}" of uid "{pod_uid}" on node {node}; name '
            "one that it has scheduled there, static pods are none, and an owner key that begins "
            'with "{namespace}/"',
            node=node,
            namespace=namespace,
            pod=pod,
            pod_uid=pod_uid,
        )
