"""Status objects: how a Kubernetes API server words a refusal."""

REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    410: "Expired",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}


def status(
    code: int, message: str = "", *, reason: str = "", details: dict[str, object] | None = None
) -> dict[str, object]:
    """The document that a failed request is answered with."""
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message or REASONS.get(code, "failed"),
        "reason": reason or REASONS.get(code, ""),
        "details": details or {},
        "code": code,
    }


class Refused(Exception):
    """A request is refused with a Status."""

    def __init__(self, document: dict[str, object]) -> None:
        super().__init__(document["message"])
        self.document = document

    @property
    def code(self) -> int:
        """The HTTP status."""
        return int(str(self.document["code"]))


def refused(
    code: int, message: str = "", *, reason: str = "", details: dict[str, object] | None = None
) -> Refused:
    """Words a refusal."""
    return Refused(status(code, message, reason=reason, details=details))
